/**
 * Parts that take no part: heads and hidden units with random weights, which read all there is in the stream and write where nobody reads.
 * A network that is nothing but its circuit is found by anything that finds something.
 */
import { foldIn, type Key, randomNormal } from "../../tensor/index.ts";
import type { Entry, HeadPlan, MlpPlan, Plan, UnitPlan } from "./plan.ts";

/** Beside an entry of 1 of the real parts. Scores then differ by a few, so that these heads do look somewhere. */
const SPREAD = 0.5;

/** So many dimensions are enough to look somewhere; real heads can have hundreds. */
const MOST_DIMENSIONS = 16;

/**
 * Adds to each layer `count` random heads and as many random hidden units. Every head, and the hidden units of a layer together, write
 * a direction of their own.
 *
 * @param dHead how many dimensions heads have
 */
export function withNoise(plan: Plan, count: number, dHead: number, key: Key): Plan {
  const heads: HeadPlan[] = [...plan.heads];
  const mlps: MlpPlan[] = [...plan.mlps];
  const real = [...plan.embed, ...plan.posEmbed, ...[...heads, ...mlps].flatMap(({ writes }) => writes)];
  for (let layer = 0; layer < plan.layers; layer++) {
    for (let i = 0; i < count; i++)
      heads.push(noiseHead(layer, real, Math.min(dHead, MOST_DIMENSIONS), i, foldIn(key, `head ${layer} ${i}`)));
    const direction = `noise:blocks.${layer}.mlp`;
    const units = Array.from({ length: count }, (_, i): UnitPlan => {
      const numbers = randomNormal(foldIn(key, `unit ${layer} ${i}`), real.length + 1);
      return {
        reads: real.map((read, r) => [read, SPREAD * numbers[r]!]),
        writes: [[direction, SPREAD * numbers[real.length]!]],
      };
    });
    mlps.push({ computes: "noise", layer, units, writes: [direction] });
  }
  return { ...plan, heads, mlps };
}

function noiseHead(layer: number, reads: readonly string[], dHead: number, index: number, key: Key): HeadPlan {
  const entries = (part: string, directions: readonly string[]): Entry[] => {
    const numbers = randomNormal(foldIn(key, part), directions.length * dHead);
    return directions.flatMap((direction, d) =>
      Array.from({ length: dHead }, (_, dimension) => ({
        direction,
        dimension,
        value: SPREAD * numbers[d * dHead + dimension]!,
      })),
    );
  };
  const writes = [`noise:blocks.${layer}.attn.${index}`];
  return {
    computes: "noise",
    layer,
    q: entries("q", reads),
    k: entries("k", reads),
    v: entries("v", reads),
    o: entries("o", writes),
    writes,
  };
}
