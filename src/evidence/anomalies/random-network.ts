/**
 * Illusions: a score of interpretability that is as good on a network whose weights are random says nothing of what training put there
 * (Bolukbasi et al. 2021; Heap et al. 2025: dictionaries of random transformers look as interpretable).
 */
import { meanOfNumbers } from "../../intervention/bootstrap.ts";
import { foldIn, keyFromSeed, randomPermutation } from "../../tensor/index.ts";
import { correlation } from "./co-occurrence.ts";
import type { Measure, Outcome } from "./measure.ts";
import { type Observed, type Place, strengthOf } from "./place.ts";

export const RANDOM_NETWORK: Measure = {
  title: "as interpretable on a random network",
  formula:
    "score of the same method on the network with random weights / score here; the score of a component: its largest correlation with a property of the input (a feature that is there, a token), mean over components that act",
  source:
    "Heap et al. 2025 (SAEs can interpret randomly initialized transformers); the score after Bricken et al. 2023",
  unit: "ratio, 1: training made no difference",
  reduction: "mean over components, then the ratio",
  control: "the score here with rows in another order, over the score here: what chance gives",
  rule: "above 0.8",
  establishes:
    "whether this score can tell components of what was learnt from components of what the input alone gives",
  doesNotEstablish:
    "that components of the trained network are not interpretable: only that this score does not show it",
};

export interface RandomNetworkDetails {
  readonly score: number;
  readonly scoreOnRandom: number;
  readonly properties: number;
}

const PRESENT_ABOVE = 0.8;
/** Tokens, the most frequent, and features that are looked at. */
const MOST = 64;

/** @param random the same place in a decomposition of the network with random weights, by the same method */
export function randomNetwork(
  own: Observed,
  place: Place,
  random: Observed | undefined,
  seed = 0,
): Outcome<RandomNetworkDetails> {
  if (random === undefined) return { missing: "needs the same method on the network with random weights" };
  const other = random.places.find(({ name }) => name === place.name);
  if (other === undefined) return { missing: `the decomposition of the random network does not act at ${place.name}` };
  const properties = propertiesOf(own);
  if (properties.length === 0) return { missing: "no property of inputs is known" };
  const order = randomPermutation(foldIn(keyFromSeed(seed), "random network"), own.rows);
  const score = scoreOf(place, properties);
  const scoreOnRandom = scoreOf(other, propertiesOf(random));
  const byChance = scoreOf(
    place,
    properties.map((property) => property.map((_, row) => property[order[row]!]!)),
  );
  if (!(score > 0)) return { missing: "no component follows any property of the input" };
  const value = scoreOnRandom / score;
  return {
    value,
    control: byChance / score,
    present: value > PRESENT_ABOVE,
    n: place.C,
    counted: "components",
    details: { score, scoreOnRandom, properties: properties.length },
  };
}

/** For each property of inputs, 1 on the rows that have it. */
function propertiesOf({ features, tokens, rows }: Observed): Float32Array[] {
  if (features !== undefined) {
    const count = features.length / rows;
    return Array.from({ length: Math.min(MOST, count) }, (_, j) =>
      Float32Array.from({ length: rows }, (__, row) => (features[row * count + j] === 0 ? 0 : 1)),
    );
  }
  if (tokens === undefined) return [];
  const counts = new Map<number, number>();
  for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .slice(0, MOST)
    .map(([token]) => Float32Array.from(tokens, (own) => (own === token ? 1 : 0)));
}

function scoreOf(place: Place, properties: readonly Float32Array[]): number {
  const scores = Array.from({ length: place.C }, (_, c) => strengthOf(place, c))
    .filter((z) => z.some((v) => v !== 0))
    .map((z) => {
      const strength = z.map(Math.abs);
      return properties.reduce((best, property) => Math.max(best, correlation(strength, property)), 0);
    });
  return scores.length === 0 ? 0 : meanOfNumbers(scores);
}
