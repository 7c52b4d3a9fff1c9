/** Measures of known circuits, on components that are the circuit and on ones that are not. */
import { describe, expect, test } from "vitest";
import { always, handMade, matrix, noise, type Parts, rowsAsParts } from "../../test/evidence/subjects.ts";
import { wholeNumbers } from "../data/draws.ts";
import { type NamedValues, values } from "../engine/index.ts";
import { embeddingMlp } from "../network/embedding-mlp.ts";
import type { Network } from "../network/network.ts";
import { residualMlp } from "../network/residual-mlp.ts";
import { resolveTarget, targetNamed, train } from "../training/targets.ts";
import { contributionCorrelation } from "./contributions.ts";
import { FreshData } from "./fresh-data.ts";
import { frequencyGroups, strongestFrequency } from "./frequency-groups.ts";
import { checkGate } from "./gate.ts";
import { markerCircuit } from "./marker-circuit.ts";

const random = (network: Network, C: number): Record<string, Parts> =>
  Object.fromEntries(
    network.sites.map(({ name, dIn, dOut }) => [
      name,
      {
        V: matrix("d_in C", dIn, C, noise(`${name}.V`, dIn, C, 1)),
        U: matrix("C d_out", C, dOut, noise(`${name}.U`, C, dOut, 1)),
      },
    ]),
  );

describe("neurons' contributions", () => {
  const network = residualMlp({ features: 4, dModel: 4, dMlp: 6, layers: 1 });
  const weights: NamedValues = {
    "embed.W_E": matrix("feature d_model", 4, 4, (i, j) => Number(i === j)),
    "blocks.0.mlp.W_in": matrix("d_in d_out", 4, 6, noise("in", 4, 6, 1)),
    "blocks.0.mlp.W_out": matrix("d_in d_out", 6, 4, noise("out", 6, 4, 1)),
  };
  const known = { embedding: "embed.W_E", layers: [{ reads: "blocks.0.mlp.W_in", writes: "blocks.0.mlp.W_out" }] };
  const correlationOf = (parts: Record<string, Parts>): number =>
    contributionCorrelation(handMade(network, weights, parts, always(1)), known)!;

  test("are a component's own where each feature has one, and not where features share", () => {
    const own = rowsAsParts(network, weights);
    expect(correlationOf(own)).toBeCloseTo(1, 6);
    expect(correlationOf(random(network, 4))).toBeLessThan(0.6);
    // Two halves of a feature's row: each component has half of its neurons.
    const { V, U } = own["blocks.0.mlp.W_in"]!;
    const halves = {
      V: matrix("d_in C", 4, 8, (i, c) => V.data[i * 4 + (c % 4)]!),
      U: matrix("C d_out", 8, 6, (c, n) => (n < 3 === c < 4 ? U.data[(c % 4) * 6 + n]! : 0)),
    };
    const halved = correlationOf({ ...own, "blocks.0.mlp.W_in": halves });
    expect(halved).toBeGreaterThan(0.4);
    expect(halved).toBeLessThan(0.98);
  });
});

describe("frequencies of modular addition", () => {
  const p = 11;
  test("of a wave is its own, of noise none", () => {
    const wave = (f: (a: number, b: number) => number): number[] =>
      Array.from(
        { length: p * p },
        (_, row) => 3 + Math.cos((2 * Math.PI * f(Math.floor(row / p), row % p)) / p + 0.4),
      );
    for (const f of [
      (a: number): number => 4 * a,
      (_: number, b: number): number => 4 * b,
      (a: number, b: number): number => 4 * (a + b),
      (a: number, b: number): number => 4 * (a - b),
    ]) {
      const found = strongestFrequency(wave(f), p);
      expect(found.frequency).toBe(4);
      expect(found.share).toBeCloseTo(1, 9);
    }
    const at = noise("wave", p, p, 1);
    const noisy = strongestFrequency(
      Array.from({ length: p * p }, (_, row) => at(Math.floor(row / p), row % p)),
      p,
    );
    expect(noisy.share).toBeLessThan(0.35);
  });

  // Two frequencies, each with the cosine and sine of a number in two dimensions and with four neurons of its own.
  const frequencies = [2, 3];
  const network = embeddingMlp({ vocab: p, context: 2, dModel: 4, dMlp: 8 });
  const angle = (k: number, a: number): number => (2 * Math.PI * k * a) / p;
  const weights: NamedValues = {
    "embed.W_E": matrix("vocab d_model", p, 4, (a, d) => {
      const k = frequencies[d >> 1]!;
      return d % 2 === 0 ? Math.cos(angle(k, a)) : Math.sin(angle(k, a));
    }),
    "blocks.0.mlp.W_in": matrix("d_in d_out", 4, 8, (d, n) => {
      if (d >> 1 !== n >> 2) return 0;
      const phase = (Math.PI * (n % 4)) / 2 + 0.3;
      return d % 2 === 0 ? Math.cos(phase) : -Math.sin(phase);
    }),
    "blocks.0.mlp.b_in": values("d_mlp", [8], new Float32Array(8)),
    "unembed.W_U": matrix("d_in d_out", 8, p, noise("unembed", 8, p, 1)),
    "unembed.b_U": values("vocab", [p], new Float32Array(p)),
  };
  const data = (parts: Record<string, Parts>): Promise<FreshData> =>
    FreshData.open(
      handMade(network, weights, parts, always(1)),
      { batch: (batch) => wholeNumbers("data", "batch pos", { batch, pos: 2 }, p) },
      { threads: 1 },
    );

  test("components of one frequency take it out of the logits, and leave the other", async () => {
    const fresh = await data(rowsAsParts(network, weights));
    const { groups, frequencyShare, frequencyRemoved, otherFrequenciesRemoved } = await frequencyGroups(fresh, {
      modulus: p,
    });
    await fresh.dispose();
    expect(groups.map(({ frequency }) => frequency)).toEqual(frequencies);
    expect(groups[0]!.components).toEqual([
      ...["blocks.0.mlp.W_in:0", "blocks.0.mlp.W_in:1"],
      ...[0, 1, 2, 3].map((n) => `unembed.W_U:${n}`),
    ]);
    expect(frequencyShare).toBeGreaterThan(0.7);
    expect(frequencyRemoved).toBeGreaterThan(0.95);
    expect(otherFrequenciesRemoved).toBeLessThan(0.3);
  }, 60_000);

  test("null: parts that add up to the same but mix frequencies belong to none, and take both with them", async () => {
    // Rows of a Hadamard matrix in place of single dimensions.
    const sign = (i: number, c: number): number =>
      [...(i & c).toString(2)].filter((bit) => bit === "1").length % 2 ? -1 : 1;
    const mixed = Object.fromEntries(
      Object.entries(rowsAsParts(network, weights)).map(([site, { U }]) => {
        const [n, columns] = U.shape as [number, number];
        const Q = (i: number, c: number): number => sign(i, c) / Math.sqrt(n);
        const rotated = (c: number, o: number): number =>
          Array.from({ length: n }, (_, i) => Q(i, c) * U.data[i * columns + o]!).reduce((x, y) => x + y, 0);
        return [site, { V: matrix("d_in C", n, n, Q), U: matrix("C d_out", n, columns, rotated) }];
      }),
    );
    const fresh = await data(mixed);
    const { frequencyShare, frequencyRemoved, otherFrequenciesRemoved } = await frequencyGroups(fresh, { modulus: p });
    await fresh.dispose();
    expect(frequencyShare).toBeLessThan(0.65);
    expect(otherFrequenciesRemoved).toBeGreaterThan(0.5 * frequencyRemoved);
  }, 60_000);
});

describe("induction after a marker", () => {
  test("a network that knows no answer does not pass for losing none", () => {
    const { gate } = targetNamed("induction").known!(resolveTarget("induction", { preset: "marker" }).settings)!;
    const guesses = { answerWithoutPreviousToken: 0.008, answerWithoutMatching: 0.008, lossOfAliveAlone: 0, sites: {} };
    const judged = (answer: number): readonly string[] => checkGate(gate!, { ...guesses, answer } as never).missed;
    expect(judged(0.008)).toEqual(["the answer's probability 0.008"]);
    expect(judged(0.99)).toEqual([]);
  });

  test(
    "needs what its queries and keys read; of components without importance nothing is asked",
    { timeout: 120_000 },
    async () => {
      const document = resolveTarget("induction", {
        preset: "marker",
        set: { vocabulary: 8, context: 12, width: 16, steps: 700, batch: 64, learningRate: 1e-2 },
      });
      const target = targetNamed("induction");
      const { weights, metrics } = await train(document, { threads: 1 });
      expect(metrics.secondCopyLoss).toBeLessThan(0.3);
      const network = target.network(document.settings);
      const { marker } = target.known!(document.settings)!;
      const circuitWith = async (importance: number): Promise<Awaited<ReturnType<typeof markerCircuit>>> => {
        const flat = Object.fromEntries(
          network.sites.map(({ name, dIn, dOut }) => [name, { ...weights[name]!, shape: [dIn, dOut] }]),
        );
        const decomposition = handMade(network, weights, rowsAsParts(network, flat), always(importance));
        const source = { batch: (n: number) => target.batch("data", document.settings, n) };
        const fresh = await FreshData.open(decomposition, source, { threads: 1 });
        const found = await markerCircuit(fresh, marker!);
        await fresh.dispose();
        return found;
      };
      const whole = await circuitWith(1);
      expect(whole.answer).toBeGreaterThan(0.8);
      expect(whole.answerWithoutPreviousToken).toBeLessThan(0.5);
      expect(whole.answerWithoutMatching).toBeLessThan(0.5);
      expect(whole.lossOfAliveAlone).toBeCloseTo(0, 4);
      expect(whole.sites["blocks.0.attn.W_Q"]).toEqual({ aliveSomewhere: 16, aliveAtEnd: 16 });
      const dead = await circuitWith(0);
      expect(dead.answerWithoutMatching).toBeCloseTo(dead.answer, 5);
      expect(dead.lossOfAliveAlone).toBeGreaterThan(1);
    },
  );
});
