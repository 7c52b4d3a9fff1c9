/** Losses of language models on rows of tokens, and what knowing no more than frequencies would lose there. */
import type { Values } from "../engine/index.ts";

/** Which tokens count: all, unless said otherwise. */
export type Counts = (id: number) => boolean;
const all: Counts = () => true;

/** Calls back for every token but the first of each row. */
function eachNext(
  { shape, data }: Values,
  counts: Counts,
  visit: (id: number, row: number, pos: number) => void,
): void {
  const [rows, pos] = shape as [number, number];
  for (let row = 0; row < rows; row++) {
    for (let t = 1; t < pos; t++) if (counts(data[row * pos + t]!)) visit(data[row * pos + t]!, row, t);
  }
}

/** Each row without its last token: what a network is run on to predict the others. */
export function inputsOf({ shape, dtype, data }: Values): Values<"batch pos"> {
  const [batch, pos] = shape as [number, number];
  return { axes: "batch pos", shape: [batch, pos - 1], dtype, data: data.filter((_, i) => (i + 1) % pos !== 0) };
}

/**
 * The mean cross-entropy of the tokens after the first, in nats.
 *
 * @param logits `batch pos vocab`, of {@link inputsOf} the rows
 * @param rows   `row pos`
 */
export function meanLoss(logits: Values, rows: Values, counts: Counts = all): number {
  const [, positions, vocab] = logits.shape as [number, number, number];
  let [total, count] = [0, 0];
  eachNext(rows, counts, (id, row, pos) => {
    const at = (row * positions + pos - 1) * vocab;
    const scores = logits.data.subarray(at, at + vocab);
    let [highest, mass] = [-Infinity, 0];
    for (const score of scores) highest = Math.max(highest, score);
    for (const score of scores) mass += Math.exp(score - highest);
    total += highest + Math.log(mass) - scores[id]!;
    count++;
  });
  return total / count;
}

/**
 * The mean loss of a model that knows how often each token occurs and nothing else, in nats; each counts once more than it was seen.
 *
 * @param seen  where it learnt that
 * @param rows  where it is judged
 * @param vocab how many tokens there are
 */
export function unigramLoss(seen: Values, rows: Values, vocab: number, counts: Counts = all): number {
  const often = new Float64Array(vocab).fill(1);
  let [seenTotal, total, count] = [vocab, 0, 0];
  eachNext(seen, counts, (id) => {
    often[id]!++;
    seenTotal++;
  });
  eachNext(rows, counts, (id) => {
    total -= Math.log(often[id]! / seenTotal);
    count++;
  });
  return total / count;
}
