/**
 * Latents that were silent for long start anew at activations that are reconstructed badly (Bricken et al. 2023, "neuron resampling"): rows are drawn
 * with probability proportional to their squared loss; a latent's decoder row becomes the direction of one, its encoder the same direction at 0.2 of the
 * mean length of the encoders that are alive, its biases 0, and the optimiser forgets them.
 */
import type { NamedValues, Values } from "../../engine/index.ts";
import { type Key, randomUniform } from "../../tensor/index.ts";

/** How long a new encoder is, over the mean of those that are alive. */
const LENGTH = 0.2;

/** What is known of the rows of a sample: what is read, what is left over of what is written. */
export interface Misses {
  readonly x: Values;
  /** What was to be written, `row d_out`. */
  readonly target: Values;
  /** Squared length of each row's error. */
  readonly loss: ArrayLike<number>;
}

/**
 * The state with the silent latents of a site started anew.
 *
 * @param silent which latents are
 */
export function restartLatents(
  state: NamedValues,
  site: string,
  silent: readonly number[],
  { x, target, loss }: Misses,
  key: Key,
): NamedValues {
  if (silent.length === 0) return state;
  const rows = drawn(
    Float64Array.from(loss, (l) => l * l),
    randomUniform(key, silent.length),
  );
  const copy = (name: string): [string, Values] => [name, { ...state[name]!, data: state[name]!.data.slice() }];
  const own = Object.keys(state).filter((name) => name.startsWith(`${site}.`) || name.includes(`/${site}.`));
  const next = Object.fromEntries(own.map(copy));
  const W_enc = next[`${site}.W_enc`]!;
  const [dIn, C] = W_enc.shape as [number, number];
  const dOut = target.shape[1]!;
  const length = LENGTH * meanLength(W_enc, new Set(silent));
  silent.forEach((c, i) => {
    const row = rows[i]!;
    const read = direction(x, row);
    const written = direction(target, row);
    for (const name of own) {
      const tensor = next[name]!;
      const what = name.slice(name.lastIndexOf(`${site}.`) + site.length + 1);
      const isMean = name.includes("/");
      if (what === "W_enc") for (let j = 0; j < dIn; j++) tensor.data[j * C + c] = isMean ? 0 : length * read[j]!;
      else if (what === "W_dec") for (let j = 0; j < dOut; j++) tensor.data[c * dOut + j] = isMean ? 0 : written[j]!;
      // Thresholds stay: at 0 a latent of a JumpReLU has no gradient for it.
      else if (what.startsWith("b_") && what !== "b_dec") tensor.data[c] = 0;
      else if (isMean && tensor.shape.length === 1 && what !== "b_dec") tensor.data[c] = 0;
    }
  });
  const counters = copy(`silent/${site}`);
  for (const c of silent) counters[1].data[c] = 0;
  return { ...state, ...next, [counters[0]]: counters[1] };
}

/** Indices drawn with probability proportional to their weight, one for each uniform draw. */
function drawn(weights: Float64Array, draws: Float32Array): number[] {
  const upTo = new Float64Array(weights.length);
  weights.reduce((total, weight, i) => (upTo[i] = total + weight), 0);
  const total = upTo.at(-1)!;
  return Array.from(draws, (u) => {
    let [low, high] = [0, weights.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (upTo[middle]! > u * total) high = middle;
      else low = middle + 1;
    }
    return low;
  });
}

function direction({ data, shape }: Values, row: number): Float32Array {
  const width = shape[1]!;
  const found = Float32Array.from(data.subarray(row * width, (row + 1) * width));
  const length = Math.sqrt(found.reduce((total, x) => total + x * x, 0)) || 1;
  return found.map((x) => x / length);
}

/** Mean length of the encoders of latents that are not among `without`; of all where none is left. */
function meanLength({ data, shape }: Values, without: ReadonlySet<number>): number {
  const [dIn, C] = shape as [number, number];
  let [total, count] = [0, 0];
  for (let c = 0; c < C; c++) {
    if (without.has(c) && without.size < C) continue;
    let squared = 0;
    for (let i = 0; i < dIn; i++) squared += data[i * C + c]! ** 2;
    total += Math.sqrt(squared);
    count++;
  }
  return total / count;
}
