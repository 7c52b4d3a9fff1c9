/**
 * Attention weighted by what it brings (Kobayashi et al. 2020): `‖α f(x)‖`, the length of the value that a key adds to the stream through the
 * head's output matrix, times the attention on it. A key whose value is zero gets nothing, however much it is looked at.
 */
import { type Values, values } from "../engine/index.ts";
import { captured, type WorkOptions } from "../intervention/capture.ts";
import type { Examples } from "../intervention/examples.ts";
import type { RunnableNetwork } from "../network/run.ts";
import { expectTransformer, headCircuits } from "./attention-circuits.ts";
import type { Finding } from "./finding.ts";

export interface ValueWeightedAttention extends Finding {
  readonly layer: number;
  /** `batch head query key`, in the length of what is written. */
  readonly weighted: Values;
  /** The same at even attention over the keys that a query sees: the null. */
  readonly uniform: Values;
}

/** Measures one layer. */
export async function valueWeightedAttention(
  runnable: RunnableNetwork,
  examples: Examples,
  layer: number,
  options: WorkOptions = {},
): Promise<ValueWeightedAttention> {
  const network = expectTransformer("value-weighted attention", runnable.network);
  const points = ["hook_pattern", "hook_v"].map((point) => `blocks.${layer}.attn.${point}`) as [string, string];
  const found = await captured(runnable, examples, points, options);
  const pattern = found[points[0]]!;
  const lengths = writtenLengths(network, runnable, layer, found[points[1]]!);
  const [batch, heads, pos] = pattern.shape as [number, number, number];
  const [weighted, uniform] = [new Float64Array(pattern.data.length), new Float64Array(pattern.data.length)];
  for (let start = 0, row = 0; row < batch * heads * pos; row++, start += pos) {
    const head = Math.floor(row / pos) % heads;
    const example = Math.floor(row / (pos * heads));
    let seen = 0;
    for (let k = 0; k < pos; k++) if (pattern.data[start + k]! > 0) seen++;
    for (let k = 0; k < pos; k++) {
      const length = lengths[(example * pos + k) * heads + head]!;
      weighted[start + k] = pattern.data[start + k]! * length;
      uniform[start + k] = pattern.data[start + k]! > 0 ? length / seen : 0;
    }
  }
  const like = values(pattern.axes, pattern.shape, []);
  return {
    layer,
    weighted: { ...like, data: weighted },
    uniform: { ...like, data: uniform },
    n: batch,
    counted: "sequences",
    nullDescription: "even attention over the keys that are seen",
    doesNotEstablish: "an effect: what is written can cancel, or be read by nobody",
  };
}

/** For each `batch pos head`, how long what the head would write of that position's value is. */
function writtenLengths(
  network: ReturnType<typeof expectTransformer>,
  { weights }: RunnableNetwork,
  layer: number,
  v: Values,
): Float64Array {
  const { heads, kvHeads, dHead } = network.config.attention;
  const rows = v.shape[0]! * v.shape[1]!;
  const lengths = new Float64Array(rows * heads);
  for (let head = 0; head < heads; head++) {
    const W_O = headCircuits(network, weights, { layer, head }).OV.B;
    const gram = W_O.mmul(W_O.transpose());
    const shared = Math.floor(head / (heads / kvHeads));
    for (let row = 0; row < rows; row++) {
      let squares = 0;
      const start = (row * kvHeads + shared) * dHead;
      for (let i = 0; i < dHead; i++) {
        for (let j = 0; j < dHead; j++) squares += v.data[start + i]! * v.data[start + j]! * gram.get(i, j);
      }
      lengths[row * heads + head] = Math.sqrt(Math.max(0, squares));
    }
  }
  return lengths;
}
