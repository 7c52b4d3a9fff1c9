/**
 * How decided attention is. Gradients see only what a small change does: where a softmax has all but decided, they are near zero although
 * a large change would tip it, and attribution says little (Kramár et al. 2024, "AtP*"). This number says which case it is.
 */
import type { RunnableNetwork } from "../network/run.ts";
import { isTransformer } from "../network/transformer/transformer.ts";
import { meanOfNumbers } from "./bootstrap.ts";
import { captured, type WorkOptions } from "./capture.ts";
import type { Examples } from "./examples.ts";

export interface AttentionRegime {
  /** The mean, over examples, heads and positions after the first, of the largest attention a position pays; 1 is decided. */
  readonly meanMaxAttention: number;
  /** What it would be if every position looked at all it can see alike. */
  readonly undecided: number;
  /** One list a layer, one number a head. */
  readonly byHead: readonly (readonly number[])[];
}

/** None where there is no attention. */
export async function attentionRegime(
  runnable: RunnableNetwork,
  examples: Examples,
  options: WorkOptions = {},
): Promise<AttentionRegime | null> {
  const points = runnable.points(/^blocks\.\d+\.attn\.hook_pattern$/).map(({ name }) => name);
  if (points.length === 0) return null;
  const { network } = runnable;
  const causal = !isTransformer(network) || network.config.attention.causal;
  const patterns = await captured(runnable, examples, points, options);
  let [undecided, count] = [0, 0];
  const byHead = points.map((point, layer) => {
    const { shape, data } = patterns[point]!;
    const [batch, heads, queries, keys] = shape as [number, number, number, number];
    const totals = Array.from({ length: heads }, () => 0);
    let seen = 0;
    for (let row = 0; row < batch; row++) {
      const first = examples.padding?.[row] ?? 0;
      for (let query = first + 1; query < queries; query++) {
        seen++;
        if (layer === 0) {
          undecided += 1 / (causal ? query - first + 1 : queries - first);
          count++;
        }
        for (let head = 0; head < heads; head++) {
          const at = ((row * heads + head) * queries + query) * keys;
          let largest = 0;
          for (let key = at; key < at + keys; key++) largest = Math.max(largest, data[key]!);
          totals[head]! += largest;
        }
      }
    }
    return totals.map((total) => total / seen);
  });
  const all = byHead.flat();
  return { meanMaxAttention: meanOfNumbers(all), undecided: undecided / count, byHead };
}
