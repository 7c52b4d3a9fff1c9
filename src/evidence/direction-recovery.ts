/**
 * Are the directions that components write the ones that features have? For a hook point whose features are known, as in superposition that was made by
 * hand (Sharkey, Braun & Millidge 2022).
 *
 * MMCS says that each feature has some component near it; among many directions of few dimensions some always is, so that a random dictionary of the same
 * size stands beside it. It does not say that a component has one feature alone (mutual best matches do), nor that it is as strong as the feature (the
 * activation ratio does), nor that it fires when it should.
 */
import type { NamedValues, Values } from "../engine/index.ts";
import { compile, interpret, values } from "../engine/index.ts";
import { type ActivationDecomposition } from "../decomposition/activation/activation-decomposition.ts";
import { constant, type Key, input, keyFromSeed, randomNormal, sizesOf, type Tensor } from "../tensor/index.ts";
import type { FreshData } from "./fresh-data.ts";

/** One feature's nearest component. */
export interface FeatureMatch {
  readonly component: number;
  /** Absolute cosine. */
  readonly cosine: number;
  /** Whether the feature is the component's nearest as well. */
  readonly mutual: boolean;
}

export interface DirectionMatch {
  /** Mean over features of the largest absolute cosine with a component, 1 at best. */
  readonly mmcs: number;
  /** The same of random directions, as many as there are components. */
  readonly nullMmcs: number;
  /** Fraction of features with a component above 0.9. */
  readonly found: number;
  /** Fraction of features that are the nearest of their nearest component. */
  readonly mutual: number;
  readonly features: readonly FeatureMatch[];
}

/** From this cosine on a feature counts as found. */
const FOUND = 0.9;

/**
 * @param F       `feature d`
 * @param written what each component writes, `C d`; one that writes nothing matches nothing
 */
export function matchDirections(F: Values, written: Values, key: Key = keyFromSeed(0)): DirectionMatch {
  const features = matches(F, written);
  const [C, d] = written.shape as [number, number];
  const random = matches(F, values("C d", [C, d], randomNormal(key, C * d)));
  const mean = (of: (match: FeatureMatch) => number, all = features): number =>
    all.reduce((total, match) => total + of(match), 0) / all.length;
  return {
    mmcs: mean(({ cosine }) => cosine),
    nullMmcs: mean(({ cosine }) => cosine, random),
    found: mean(({ cosine }) => Number(cosine > FOUND)),
    mutual: mean(({ mutual }) => Number(mutual)),
    features,
  };
}

function matches(F: Values, written: Values): FeatureMatch[] {
  const [features, d] = F.shape as [number, number];
  const [C] = written.shape as [number];
  const lengths = (x: Values, count: number): number[] =>
    Array.from({ length: count }, (_, i) => Math.hypot(...x.data.subarray(i * d, (i + 1) * d)));
  const [ofFeatures, ofComponents] = [lengths(F, features), lengths(written, C)];
  const best = Array.from({ length: features }, () => ({ component: 0, cosine: -1 }));
  const nearest = Array.from({ length: C }, () => ({ feature: 0, cosine: -1 }));
  for (let f = 0; f < features; f++) {
    for (let c = 0; c < C; c++) {
      let dot = 0;
      for (let i = 0; i < d; i++) dot += F.data[f * d + i]! * written.data[c * d + i]!;
      const length = ofFeatures[f]! * ofComponents[c]!;
      const cosine = length > 0 ? Math.abs(dot) / length : 0;
      if (cosine > best[f]!.cosine) best[f] = { component: c, cosine };
      if (cosine > nearest[c]!.cosine) nearest[c] = { feature: f, cosine };
    }
  }
  return best.map((match, f) => ({ ...match, mutual: nearest[match.component]!.feature === f }));
}

/** What a decomposition's components of rank one write at a point, each carrying 1: `C d`. */
export function writtenDirections(decomposition: ActivationDecomposition, point: string): Values {
  const { coders, tensors, values: numbers } = decomposition;
  const parts = coders
    .filter((coder) => coder.writes.includes(point) && coder.rank === 1)
    .map((coder) => {
      const { count: C } = coder;
      const each = Float64Array.from({ length: C * C }, (_, i) => (i % (C + 1) === 0 ? 1 : 0));
      const carried = constant("C m batch", { C, m: 1, batch: C }, each) as Tensor<"C m batch">;
      return interpret({ d: coder.decode(tensors, carried, point) }, numbers).d;
    });
  const d = parts[0]!.shape[1]!;
  const data = parts.flatMap((part) => Array.from(part.data));
  return values("C d", [data.length / d, d], data);
}

export interface DirectionRecovery extends DirectionMatch {
  /**
   * Mean over features that are found of `Σ z / Σ c` on inputs where the feature is there, z what its component writes and c how strong the feature is: 1 at
   * best, below it components have shrunk.
   */
  readonly activationRatio: number;
  /** The same with 0 for features that are not found. */
  readonly activationRatioOfAll: number;
}

/**
 * Both for a decomposition on fresh data, whose inputs say how strong each feature is.
 *
 * @param weight the network's own that has the directions, `feature d`
 */
export async function directionRecovery(
  data: FreshData,
  decomposition: ActivationDecomposition,
  { point, weight }: { readonly point: string; readonly weight: string },
): Promise<DirectionRecovery> {
  const match = matchDirections(decomposition.values[weight]!, writtenDirections(decomposition, point));
  const ratios = await activationRatios(data, decomposition, point, match.features);
  const found = match.features.flatMap(({ cosine }, f) => (cosine > FOUND ? [ratios[f]!] : []));
  const total = found.reduce((sum, ratio) => sum + ratio, 0);
  return {
    ...match,
    activationRatio: found.length === 0 ? 0 : total / found.length,
    activationRatioOfAll: total / match.features.length,
  };
}

/** Each feature's `Σ z / Σ c` where it is there. */
async function activationRatios(
  data: FreshData,
  decomposition: ActivationDecomposition,
  point: string,
  features: readonly FeatureMatch[],
): Promise<number[]> {
  const { x } = data.given;
  const own = input("evaluation.x", x.axes, sizesOf(x), x.dtype);
  const names = decomposition.coders.filter(({ writes, rank }) => writes.includes(point) && rank === 1);
  const activity = decomposition.activity(own);
  const program = await compile(
    Object.fromEntries(names.map(({ site }) => [site.name, activity[site.name]!])),
    data.options,
  );
  const sums = features.map(() => ({ z: 0, c: 0 }));
  try {
    for (let i = 0; i < data.batches; i++) {
      const { feeds } = await data.draw(i);
      const found: NamedValues = await program.run(feeds);
      const strength = feeds["evaluation.x"]!;
      const [batch, count] = strength.shape as [number, number];
      const all = names.map(({ site }) => found[site.name]!);
      for (const [f, { component }] of features.entries()) {
        const { tensor, row } = rowOf(all, component);
        for (let b = 0; b < batch; b++) {
          const c = strength.data[b * count + f]!;
          if (c === 0) continue;
          sums[f]!.c += c;
          sums[f]!.z += tensor.data[row * batch + b]!;
        }
      }
    }
  } finally {
    await program.dispose();
  }
  return sums.map(({ z, c }) => (c === 0 ? 0 : z / c));
}

/** Which code's component a number over all of them means. */
function rowOf(all: readonly Values[], component: number): { readonly tensor: Values; readonly row: number } {
  let row = component;
  for (const tensor of all) {
    if (row < tensor.shape[0]!) return { tensor, row };
    row -= tensor.shape[0]!;
  }
  return { tensor: all[0]!, row: 0 };
}
