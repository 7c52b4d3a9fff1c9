/** What the benchmarks of decomposition steps take apart: the published toys, and a language model of two layers with random weights. */
import type { DecompositionTarget } from "../src/decomposition/parameter/run.ts";
import { type ParameterSettings, parameterSettings } from "../src/decomposition/parameter/settings.ts";
import { PUBLISHED } from "../src/decomposition/parameter/presets/spd.ts";
import { type NamedValues, values } from "../src/engine/index.ts";
import type { Network } from "../src/network/network.ts";
import { toyTransformer } from "../src/network/transformer/config.ts";
import { transformer } from "../src/network/transformer/transformer.ts";
import {
  cast,
  floor,
  foldIn,
  type Key,
  keyFromSeed,
  mul,
  randomNormal,
  sizeOf,
  type Tensor,
  uniform,
} from "../src/tensor/index.ts";
import { resolveTarget, targetNamed, train } from "../src/training/targets.ts";

export interface StepSubject {
  readonly target: DecompositionTarget;
  readonly settings: ParameterSettings;
}

/** Sizes that the benchmark of cost against size changes. */
export interface SubjectSizes {
  readonly components?: number;
  readonly batch?: number;
  readonly context?: number;
}

/** The names of published presets, each with the kind of target that it is for. */
const TOYS: Readonly<Record<string, string>> = {
  "tms-5-2": "tms",
  "tms-5-2-id": "tms",
  "tms-40-10": "tms",
  "resid-mlp-1": "resid-mlp",
  "resid-mlp-2": "resid-mlp",
};

export const CONFIGS: readonly string[] = [...Object.keys(TOYS), "lm-2"];

/** A network with what its step is benchmarked with. */
export async function stepSubject(name: string, sizes: SubjectSizes, threads: number): Promise<StepSubject> {
  if (name === "lm-2") return languageModel(LM, { components: 512, batch: 16, ...sizes });
  if (name === "lm-tiny") return languageModel(TINY, { components: 12, batch: 3, ...sizes });
  const kind = TOYS[name];
  if (kind === undefined) throw new Error(`--config: expected one of ${CONFIGS.join(", ")}, got ${name}`);
  // What a step costs does not depend on how well the target was trained.
  const document = resolveTarget(kind, { preset: name, set: { steps: 50, batch: 256 } });
  const { weights } = await train(document, { threads });
  const target = targetNamed(kind);
  const { components, batch } = sizes;
  const settings = parameterSettings.parse({
    ...PUBLISHED[name]!.settings,
    ...(components && { components }),
    ...(batch && { batch }),
  });
  return {
    target: {
      network: target.network(document.settings),
      weights,
      batch: (size) => target.batch("data", document.settings, size),
    },
    settings,
  };
}

/** Tokens as in SimpleStories; the sizes of issue "the whole parameter-decomposition family". */
const LM = { vocab: 4019, context: 512, layers: 2, dModel: 128, heads: 4, dMlp: 512 };
/** The same kind, small enough to compare losses with another implementation's. */
const TINY = { vocab: 23, context: 7, layers: 2, dModel: 8, heads: 2, dMlp: 16 };

/** Settings as VPD has them, importances by an MLP a site: a subset of sites masked at random, and a persistent adversary at all of them. */
function languageModel(shape: typeof LM, sizes: SubjectSizes & { components: number; batch: number }): StepSubject {
  const { components, batch, context = shape.context } = sizes;
  const config = toyTransformer({ ...shape, context, activation: "gelu", norm: "rms" });
  const network = transformer(config);
  const settings = parameterSettings.parse({
    components,
    batch,
    importance: "layerwise-mlp",
    importanceHidden: "256",
    stochasticRecon: 0,
    layerwiseRecon: 0,
    subsetRecon: 0.5,
    persistentRecon: 0.5,
    delta: true,
    faithfulness: 100,
    importanceMinimality: 1e-3,
    pStart: 2,
    pEnd: 2,
    frequencyMinimality: 0.5,
    frequencyReference: 0,
    frequencyOf: "penalty",
    learningRate: 1e-3,
    steps: 10_000,
  });
  const tokens = (size: number): Tensor =>
    cast(floor(mul(uniform("tokens", "batch pos", { batch: size, pos: context }), shape.vocab)), "i32") as Tensor;
  return {
    target: { network, weights: randomWeights(network, foldIn(keyFromSeed(0), "weights")), batch: tokens },
    settings,
  };
}

/** Normal with the deviation `1/√reads`, norms of one. */
function randomWeights({ weights }: Network, key: Key): NamedValues {
  return Object.fromEntries(
    weights.map(({ name, axes, shape }) => {
      const isNorm = /ln\w*\.w$/.test(name);
      const reads = name.endsWith("embed.W_E") ? 1 : name.endsWith("W_O") ? sizeOf(shape.slice(0, 2)) : shape[0]!;
      const numbers = isNorm ? undefined : randomNormal(foldIn(key, name), sizeOf(shape));
      const data = numbers?.map((x) => x / Math.sqrt(reads)) ?? new Float32Array(sizeOf(shape)).fill(1);
      return [name, values(axes, shape, data)];
    }),
  );
}
