/**
 * What masked networks get wrong on fresh data against the network itself, as mean squared error over batch and outputs, or as mean
 * Kullback–Leibler divergence in nats where outputs are distributions:
 *
 * - stochastic: all sites under random masks `g + (1 - g) r`. An average over what may be removed.
 * - CI-masked: masks are the importances alone. Sufficiency of what matters; says nothing about the rest.
 * - unmasked: all components whole. Whether they add up to the network.
 * - adversarial: the worst masks that 20 steps of sign-PGD find, one source for each component shared by the whole batch
 *   (VPD, evaluation adversary). An upper bound on nothing, but much nearer the worst case than random masks.
 */
import type { Decomposition, Masks } from "../decomposition/decomposition.ts";
import { divergence } from "../decomposition/parameter/losses/reconstruction.ts";
import { maskFrom } from "../decomposition/parameter/mask.ts";
import { compile, type CompileOptions, type Executable, itemOf, type NamedValues, values } from "../engine/index.ts";
import {
  axisSize,
  cast,
  constant,
  foldIn,
  gradients,
  greater,
  input,
  type Key,
  keyFromSeed,
  mean,
  randomUniform,
  sum,
  type Tensor,
  uniform,
} from "../tensor/index.ts";

export interface Reconstruction {
  readonly stochasticRecon: number;
  readonly ciMaskedRecon: number;
  readonly unmaskedRecon: number;
  readonly adversarialRecon: number;
  /** Mean number of components with importance above 0 on an input, over all sites and by site. */
  readonly l0: number;
  readonly l0BySite: Readonly<Record<string, number>>;
}

/** The evaluation adversary: this many ascents of this size (VPD section on evaluation). */
const ADVERSARY = { steps: 20, stepSize: 0.1 } as const;

const EVALUATION_BATCH = 2048;
const EVALUATION_BATCHES = 4;

/** Measures all of them on batches nobody trained on. */
export async function reconstruction(
  decomposition: Decomposition,
  batch: (size: number) => Tensor,
  options: CompileOptions & { readonly seed?: number; readonly signal?: AbortSignal } = {},
): Promise<Reconstruction> {
  const key = foldIn(keyFromSeed(options.seed ?? 0), "evaluation");
  const passive = await compile(passiveProgram(decomposition, batch(EVALUATION_BATCH)), options);
  const attack = await compile(attackProgram(decomposition, batch(EVALUATION_BATCH)), options);
  try {
    const totals = { stochasticRecon: 0, ciMaskedRecon: 0, unmaskedRecon: 0, adversarialRecon: 0 };
    const l0: Record<string, number> = {};
    for (let i = 0; i < EVALUATION_BATCHES; i++) {
      options.signal?.throwIfAborted();
      const batchKey = foldIn(key, i);
      const found: NamedValues = await passive.run(decomposition.values, batchKey);
      for (const name of ["stochasticRecon", "ciMaskedRecon", "unmaskedRecon"] as const)
        totals[name] += itemOf(found[name]!);
      for (const { name } of decomposition.sites)
        l0[name] = (l0[name] ?? 0) + itemOf(found[`l0/${name}`]!) / EVALUATION_BATCHES;
      totals.adversarialRecon += await worstCase(decomposition, attack, batchKey);
    }
    const mean = Object.fromEntries(Object.entries(totals).map(([name, total]) => [name, total / EVALUATION_BATCHES]));
    return {
      ...(mean as typeof totals),
      l0: Object.values(l0).reduce((a, b) => a + b, 0),
      l0BySite: l0,
    };
  } finally {
    await passive.dispose();
    await attack.dispose();
  }
}

function passiveProgram(decomposition: Decomposition, x: Tensor): Record<string, Tensor> {
  const output = decomposition.network.forward(decomposition.tensors, x);
  const importances = decomposition.activity(x);
  const error = (masks: Masks): Tensor => divergence(decomposition.network, decomposition.masked(x, masks), output);
  const each = (f: (g: Tensor<"C batch">, site: string) => Tensor<"C batch">): Masks =>
    Object.fromEntries(Object.entries(importances).map(([site, g]) => [site, f(g, site)]));
  return {
    stochasticRecon: error(
      each((g, site) =>
        maskFrom(g, uniform(`evaluation/${site}`, "C batch", { C: axisSize(g, "C"), batch: axisSize(g, "batch") })),
      ),
    ),
    ciMaskedRecon: error(each((g) => g)),
    unmaskedRecon: error(each((g) => constant("C batch", { C: axisSize(g, "C"), batch: axisSize(g, "batch") }, 1))),
    ...Object.fromEntries(
      Object.entries(importances).map(([site, g]) => [`l0/${site}`, mean(sum(cast(greater(g, 0), "f32"), "C"))]),
    ),
  };
}

/** The error under shared sources, and how it changes with each. */
function attackProgram(decomposition: Decomposition, x: Tensor): Record<string, Tensor> {
  const output = decomposition.network.forward(decomposition.tensors, x);
  const importances = decomposition.activity(x);
  const sources = Object.fromEntries(
    Object.entries(importances).map(([site, g]) => [site, input(`source/${site}`, "C", { C: axisSize(g, "C") })]),
  );
  const masks = Object.fromEntries(Object.entries(importances).map(([site, g]) => [site, maskFrom(g, sources[site]!)]));
  const error = divergence(decomposition.network, decomposition.masked(x, masks), output);
  const sites = Object.keys(sources);
  const slopes = gradients(
    error,
    sites.map((site) => sources[site]!),
  );
  return { error, ...Object.fromEntries(sites.map((site, i) => [`slope/${site}`, slopes[i]!])) };
}

/** Sign-PGD from random sources: each step moves every source by the step size in the direction that hurts. */
async function worstCase(
  decomposition: Decomposition,
  attack: Executable<Record<string, Tensor>>,
  key: Key,
): Promise<number> {
  const sources = Object.fromEntries(
    decomposition.sites.map(({ name }) => {
      const C = decomposition.components.filter(({ site }) => site === name).length;
      return [name, randomUniform(foldIn(key, `source/${name}`), C)];
    }),
  );
  for (let step = 0; ; step++) {
    const feeds = Object.entries(sources).map(([site, r]) => [`source/${site}`, values("C", [r.length], r)] as const);
    const found: NamedValues = await attack.run({ ...decomposition.values, ...Object.fromEntries(feeds) }, key);
    if (step === ADVERSARY.steps) return itemOf(found.error!);
    for (const [site, r] of Object.entries(sources)) {
      const slope = found[`slope/${site}`]!.data;
      sources[site] = r.map((value, c) => Math.min(1, Math.max(0, value + ADVERSARY.stepSize * Math.sign(slope[c]!))));
    }
  }
}
