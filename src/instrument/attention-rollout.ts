/**
 * Attention rollout (Abnar & Zuidema 2020): where each position's stream comes from, were attention all there is: the product over layers
 * of `½ A + ½ I`, with A the mean over heads. Rows sum to 1.
 *
 * It is not faithful, and a known case says so: in an induction circuit whose attention is all or nothing, a quarter of the last row lies on
 * the token before the last, which has no effect on the answer at all, because what its head writes there is read by nobody.
 */
import { type Values, values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import type { Finding } from "./finding.ts";

export interface Rollout extends Finding {
  /** `batch query key`. */
  readonly rollout: Values;
  /** The same were attention even: `query key`. */
  readonly uniform: Values;
}

/**
 * Rolls patterns out.
 *
 * @param patterns of each layer from the first, `batch head query key`
 * @param heads    for each layer, the head that is followed; the mean over all unless given
 */
export function attentionRollout(patterns: readonly Values[], heads?: readonly number[]): Rollout {
  const [batch, , pos] = patterns[0]!.shape as [number, number, number];
  if (heads !== undefined && heads.length !== patterns.length) {
    throw new MechanistError("BadArgument", `rollout: expected ${patterns.length} heads, got ${heads.length}`);
  }
  const mixed = patterns.map((pattern, layer) => meanOver(pattern, heads?.[layer]));
  const data = new Float64Array(batch * pos * pos);
  for (let row = 0; row < batch; row++) {
    const size = pos * pos;
    const layers = mixed.map((A) => A.subarray(row * size, (row + 1) * size));
    data.set(rolled(layers, pos), row * size);
  }
  const even = new Float64Array(pos * pos);
  // Positions that no query of any row sees are masked: evenness is over the others.
  for (let query = 0; query < pos; query++) {
    const seen = Array.from({ length: pos }, (_, key) => mixed.some((A) => A[query * pos + key]! > 0));
    const count = seen.filter(Boolean).length;
    seen.forEach((yes, key) => (even[query * pos + key] = yes ? 1 / count : 0));
  }
  return {
    rollout: { ...values("batch query key", [batch, pos, pos], []), data },
    uniform: {
      ...values("query key", [pos, pos], []),
      data: rolled(
        mixed.map(() => even),
        pos,
      ),
    },
    n: batch,
    counted: "sequences",
    nullDescription: "even attention, rolled out",
    doesNotEstablish:
      "what a position does to the answer: it knows neither values nor what is read, and can put a quarter on a token without any effect",
  };
}

/** The mean over heads, or one head: `batch query key`, flat. */
function meanOver({ data, shape }: Values, head: number | undefined): Float64Array {
  const [batch, heads, pos] = shape as [number, number, number];
  const size = pos * pos;
  const found = new Float64Array(batch * size);
  for (let row = 0; row < batch; row++) {
    for (let h = 0; h < heads; h++) {
      if (head !== undefined && h !== head) continue;
      const share = head === undefined ? 1 / heads : 1;
      for (let i = 0; i < size; i++) found[row * size + i]! += share * data[(row * heads + h) * size + i]!;
    }
  }
  return found;
}

function rolled(layers: readonly Float64Array[], pos: number): Float64Array {
  let sofar = Float64Array.from({ length: pos * pos }, (_, i) => (i % (pos + 1) === 0 ? 1 : 0));
  for (const A of layers) {
    const next = new Float64Array(pos * pos);
    for (let q = 0; q < pos; q++) {
      for (let m = 0; m < pos; m++) {
        const weight = 0.5 * A[q * pos + m]! + (q === m ? 0.5 : 0);
        if (weight === 0) continue;
        for (let k = 0; k < pos; k++) next[q * pos + k]! += weight * sofar[m * pos + k]!;
      }
    }
    sofar = next;
  }
  return sofar;
}
