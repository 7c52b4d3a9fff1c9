/** What taking components out does to the answers, in numbers and in a sentence. */
import { formatFixed, formatNumber } from "./format.ts";

/** An output that moves by less than this is said not to change. */
const NOTICEABLE = 0.01;

export interface Change {
  /** `after - before`, `input feature`. */
  readonly delta: Float64Array;
  /** For each input the largest change of any output, without sign. */
  readonly byInput: Float64Array;
  /** Where the largest change of all is. */
  readonly worst: { readonly input: number; readonly output: number };
}

/** @param before,after answers to the probe, `input feature`, n × n */
export function changeBetween(before: Float64Array, after: Float64Array, n: number): Change {
  const delta = after.map((y, i) => y - before[i]!);
  const byInput = new Float64Array(n);
  let at = 0;
  delta.forEach((d, i) => {
    const input = Math.floor(i / n);
    byInput[input] = Math.max(byInput[input]!, Math.abs(d));
    if (Math.abs(d) > Math.abs(delta[at]!)) at = i;
  });
  return { delta, byInput, worst: { input: Math.floor(at / n), output: at % n } };
}

/** The change as a reader would tell it. */
export function describeChange(before: Float64Array, after: Float64Array, n: number, out: number): string {
  if (out === 0)
    return "Nothing is taken out: these are the network’s own answers. Switch a component off to see what it does.";
  const what = out === 1 ? "this one" : `these ${out}`;
  const { byInput, worst, delta } = changeBetween(before, after, n);
  const at = worst.input * n + worst.output;
  const most = Math.abs(delta[at]!);
  if (!(most >= NOTICEABLE)) return `Without ${what}, no answer moves by more than ${formatNumber(most)}.`;
  const moved = [...byInput.keys()].filter((i) => byInput[i]! >= NOTICEABLE);
  const rest = Math.max(0, ...byInput.filter((x) => x < NOTICEABLE));
  const first =
    `Without ${what}, input ${worst.input} changes most: ` +
    `output ${worst.output} goes from ${formatFixed(before[at]!, 2)} to ${formatFixed(after[at]!, 2)}. `;
  if (moved.length === n) return n === 1 ? first.trim() : `${first}Every input changes.`;
  return moved.length === 1
    ? `${first}No other input moves an answer by more than ${formatNumber(rest)}.`
    : `${first}${moved.length} of ${n} inputs change; the others move by at most ${formatNumber(rest)}.`;
}
