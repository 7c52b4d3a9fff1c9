/** Every measure on subjects that should pass and on ones that should not: the truth, strangers, and the truth with its importances mixed up. */
import { beforeAll, describe, expect, test } from "vitest";
import {
  always,
  featureImportances,
  features,
  handMade,
  matrix,
  noise,
  pentagon,
  pentagonNetwork,
  rowsAsParts,
  strangers,
} from "../../test/evidence/subjects.ts";
import { wholeNumbers } from "../data/draws.ts";
import { sparseFeatures } from "../data/sparse-feature.ts";
import { decompose, resolveMethod } from "../decomposition/methods.ts";
import type { NamedValues } from "../engine/index.ts";
import { toyTransformer } from "../network/transformer/config.ts";
import { transformer } from "../network/transformer/transformer.ts";
import { resolveTarget, targetNamed, train } from "../training/targets.ts";
import type { DataSource } from "./fresh-data.ts";
import { judge, judgeDecomposition, type JudgeOptions, type Verdict } from "./judge.ts";

const options: JudgeOptions = { threads: 1 };

describe("on a network of features", () => {
  const known = targetNamed("tms").known!(resolveTarget("tms").settings);
  const source: DataSource = {
    batch: (batch) => sparseFeatures("data", { features: 5, batch, probability: 0.05 }),
  };
  const verdictOn = (parts: typeof features, importances: Parameters<typeof handMade>[3]): Promise<Verdict> =>
    judgeDecomposition(handMade(pentagonNetwork, pentagon, parts, importances), source, known, options);
  let truth: Verdict;
  let stranger: Verdict;
  let mixed: Verdict;
  let whole: Verdict;
  beforeAll(async () => {
    truth = await verdictOn(features, featureImportances(0));
    stranger = await verdictOn(strangers, featureImportances(0));
    mixed = await verdictOn(features, featureImportances(1));
    whole = await verdictOn(features, always(1));
  }, 60_000);

  test("the truth passes and says so", () => {
    expect(truth).toMatchObject({ unit: "squared error", passed: true, targetCiError: 0, targetCiError0p2: 0 });
    expect(truth).toMatchObject({ alive: 10, expectedAlive: 10, solvedSites: 1, aliveMean: 10 });
    expect(truth.gate).toMatchObject({ passed: true, missed: [] });
    expect(truth.gate!.text).toContain("target-CI error at every site 0; alive at every site as many as expected");
    // On average a quarter of a feature an input, read and written.
    expect(truth.l0).toBeCloseTo(0.5, 1);
    expect(truth.faithfulness).toBeLessThan(1e-12);
    expect(truth.regimes.unmasked.relative).toBeLessThan(1e-10);
    // What two features at once spill into a third is not any one component's.
    for (const regime of ["ciMasked", "rounded", "rounded0p1", "stochastic"] as const)
      expect(truth.regimes[regime].relative, regime).toBeLessThan(0.05);
    expect(truth.regimes.zero.relative).toBe(1);
    expect(truth.regimes.random.relative).toBeGreaterThan(0.1);
    for (const site of Object.values(truth.sites)) {
      expect(site).toMatchObject({ components: 8, rank: 2 });
      expect(site.relativeFaithfulness).toBeLessThan(1e-12);
      expect(site.unmaskedRecon).toBeLessThan(1e-10);
      expect(site.counts).toMatchObject({ aliveMean: 5, allOn: 0, highest: 1, lowest: 0 });
    }
  });

  test("strangers fail in everything that looks at weights and outputs", () => {
    expect(stranger.passed).toBe(false);
    expect(stranger.mmcs!).toBeLessThan(0.97);
    expect(stranger.relativeFaithfulness).toBeGreaterThan(0.3);
    for (const regime of ["unmasked", "ciMasked", "rounded", "stochastic", "adversarial"] as const)
      expect(stranger.regimes[regime].relative, regime).toBeGreaterThan(0.3);
    expect(stranger.sites.linear1!.unmaskedRecon).toBeGreaterThan(0.01 * stranger.regimes.zero.divergence);
    expect(stranger.hidden[0]).toMatchObject({ point: "hook_hidden", ciMasked: expect.closeTo(1, 0) });
    expect(truth.hidden[0]!.ciMasked).toBeLessThan(1e-10);
    expect(stranger.hidden[0]!.stochastic).toBeGreaterThan(truth.hidden[0]!.stochastic);
  });

  test("importances of other components: weights look right, masks do not", () => {
    expect(mixed.regimes.unmasked.relative).toBeLessThan(1e-10);
    expect(mixed.mmcs).toBeCloseTo(1, 6);
    // Permuted components are as good as the right ones in a pattern that knows no order.
    expect(mixed.targetCiError).toBe(0);
    for (const regime of ["ciMasked", "rounded", "adversarial"] as const)
      expect(mixed.regimes[regime].relative, regime).toBeGreaterThan(0.8);
    expect(mixed.regimes.stochastic.relative).toBeGreaterThan(5 * truth.regimes.stochastic.relative);
  });

  test("everything on: outputs are right and nothing is explained", () => {
    expect(whole.regimes.adversarial.relative).toBeLessThan(1e-10);
    expect(whole).toMatchObject({ passed: false, l0: 16, targetCiError: 2 * (5 * 8 - 5) });
    expect(whole.gate!.missed).toContain("linear1: target-CI error 35");
    expect(whole.sites.linear1!.counts.allOn).toBe(8);
  });

  test("the attack is worse than chance, and longer ones are no better", async () => {
    for (const verdict of [stranger, mixed]) {
      expect(verdict.adversaryWeaker).toBe(false);
      expect(verdict.regimes.adversarial.divergence).toBeGreaterThan(verdict.regimes.stochastic.divergence);
    }
    const decomposition = handMade(pentagonNetwork, pentagon, strangers, featureImportances(0));
    const { ladder, regimes } = await judgeDecomposition(decomposition, source, known, { ...options, ladder: true });
    expect(ladder!.map(({ steps }) => steps)).toEqual([20, 40, 80, 160, 320]);
    expect(ladder![0]!.divergence).toBe(regimes.adversarialDelta.divergence);
    expect(ladder!.at(-1)!.divergence).toBeGreaterThanOrEqual(0.95 * ladder![0]!.divergence);
  }, 60_000);
});

describe("on a language model", () => {
  const network = transformer(toyTransformer({ vocab: 7, context: 6, layers: 1, dModel: 6, heads: 2, dMlp: 8 }));
  const weights: NamedValues = Object.fromEntries(
    network.weights.map(({ name, axes, shape }) => {
      const columns = shape.at(-1)!;
      const rows = shape.reduce((a, b) => a * b, 1) / columns;
      return [name, { ...matrix(axes, rows, columns, noise(name, rows, columns, 0.6)), shape }];
    }),
  );
  const source: DataSource = { batch: (batch) => wholeNumbers("tokens", "batch pos", { batch, pos: 6 }, 7) };
  const exact = rowsAsParts(network, weights);
  const known = { languageModel: { padding: 0 } };

  test("its own rows, always on, are the network itself", async () => {
    const verdict = await judgeDecomposition(handMade(network, weights, exact, always(1)), source, known, options);
    expect(verdict.unit).toBe("nats");
    expect(verdict.regimes.unmasked.divergence).toBeLessThan(1e-6);
    expect(verdict.regimes.adversarial.divergence).toBeLessThan(1e-6);
    expect(verdict.regimes.unmasked.crossEntropy).toBeCloseTo(verdict.crossEntropy!, 5);
    expect(verdict.regimes.ciMasked.unrecovered).toBeCloseTo(0, 4);
    expect(verdict.regimes.zero.unrecovered).toBe(1);
    expect(verdict.passed).toBeUndefined();
    const points = verdict.hidden.map(({ point }) => point);
    expect(points).toEqual(["blocks.0.hook_resid_mid", "blocks.0.hook_resid_post"]);
    for (const site of Object.values(verdict.sites)) expect(site.unmaskedRecon).toBeLessThan(1e-6);
  }, 60_000);

  test("one matrix that does not add up is found, and the attack uses what is said not to matter", async () => {
    const site = "blocks.0.mlp.W_out";
    const { V, U } = exact[site]!;
    const broken = { ...exact, [site]: { V, U: { ...U, data: U.data.map((x) => x / 2) } } };
    const verdict = await judgeDecomposition(handMade(network, weights, broken, always(0)), source, known, options);
    const { [site]: bad, ...others } = verdict.sites;
    expect(bad!.relativeFaithfulness).toBeCloseTo(0.25, 5);
    expect(bad!.unmaskedRecon).toBeGreaterThan(0.01);
    for (const other of Object.values(others)) expect(other.unmaskedRecon).toBeLessThan(1e-6);
    expect(verdict.adversarialRecon).toBeGreaterThan(verdict.stochasticRecon);
    expect(verdict.regimes.ciMasked.divergence).toBeCloseTo(verdict.regimes.zero.divergence, 6);
  }, 60_000);
});

test("a targeted decomposition is not asked for what the whole network's would be", async () => {
  const target = resolveTarget("tms", { set: { features: 3, steps: 20 } });
  const { weights } = await train(target, { threads: 1 });
  const set = { steps: 5, batch: 32, components: 4, targetFeatures: "1", targetBatch: 32 };
  const found = await decompose(resolveMethod("tpd", { target, set }), weights, { threads: 1 });
  const verdict = await judge(found, { threads: 1 });
  expect(verdict.gate).toBeUndefined();
  expect(verdict.passed).toBeUndefined();
  expect(verdict.warnings.map(({ name }) => name)).not.toContain("faithfulness drift");
  expect(verdict.relativeFaithfulness).toBeGreaterThan(0.01);
}, 30_000);
