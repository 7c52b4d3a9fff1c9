/** Attention in float64: turned queries and keys, scores, patterns and what they mix. Rows are tokens, `batch pos`. */
import { UNSEEN } from "../transformer/attention.ts";
import type { RotaryPositions, TransformerConfig } from "../transformer/config.ts";
import type { Expected } from "./expected.ts";

type Numbers = ArrayLike<number>;

/** How many sequences, how long. */
export interface Extent {
  readonly batch: number;
  readonly pos: number;
}

const empty = (length: number): Expected => ({ values: new Float64Array(length), sizes: new Float64Array(length) });

/**
 * Queries or keys turned by where they stand (Su et al. 2021, equation 34).
 *
 * @param x `batch pos head d_head`
 */
export function turned(rotary: RotaryPositions, x: Numbers, { pos }: Extent, heads: number, dHead: number): Expected {
  const { frequencies, pairs, scale } = rotary;
  const half = frequencies.length;
  const result = empty(x.length);
  for (let start = 0, row = 0; start < x.length; start += dHead, row++) {
    const position = Math.floor(row / heads) % pos;
    for (let i = 2 * half; i < dHead; i++) {
      result.values[start + i] = x[start + i]!;
      result.sizes[start + i] = Math.abs(x[start + i]!);
    }
    for (let pair = 0; pair < half; pair++) {
      const [i, j] =
        pairs === "halves" ? [start + pair, start + pair + half] : [start + 2 * pair, start + 2 * pair + 1];
      const [c, s] = [Math.cos(position * frequencies[pair]!) * scale, Math.sin(position * frequencies[pair]!) * scale];
      result.values[i] = x[i]! * c - x[j]! * s;
      result.values[j] = x[j]! * c + x[i]! * s;
      result.sizes[i] = result.sizes[j] = (Math.abs(x[i]!) + Math.abs(x[j]!)) * scale;
    }
  }
  return result;
}

/** Whether a query may see a key. */
function sees({ attention }: TransformerConfig, layer: number, query: number, key: number): boolean {
  const window = attention.windows[layer]!;
  return (!attention.causal || key <= query) && (window === 0 || key > query - window);
}

/** Calls for every `batch head query key` with its index and those of the query's and the key's vectors. */
function forEachScore(
  config: TransformerConfig,
  { batch, pos }: Extent,
  visit: (score: number, queryVector: number, keyVector: number, query: number, key: number) => void,
): void {
  const { heads, kvHeads } = config.attention;
  let score = 0;
  for (let row = 0; row < batch; row++) {
    for (let head = 0; head < heads; head++) {
      const shared = Math.floor(head / (heads / kvHeads));
      for (let query = 0; query < pos; query++) {
        for (let key = 0; key < pos; key++) {
          visit(score++, (row * pos + query) * heads + head, (row * pos + key) * kvHeads + shared, query, key);
        }
      }
    }
  }
}

/**
 * Scores, `batch head query key`.
 *
 * @param got what is held there: of what a query must not see, only that it is far below any score counts
 */
export function scores(
  config: TransformerConfig,
  layer: number,
  q: Numbers,
  k: Numbers,
  got: Numbers,
  extent: Extent,
): Expected {
  const { dHead, scale, scoreCap: cap } = config.attention;
  const divisor = typeof scale === "number" ? scale : scale[layer]!;
  const result = empty(got.length);
  forEachScore(config, extent, (i, at, from, query, key) => {
    if (!sees(config, layer, query, key)) {
      result.values[i] = got[i]! <= UNSEEN / 2 ? got[i]! : UNSEEN;
      return;
    }
    let [sum, size] = [0, 0];
    for (let d = 0; d < dHead; d++) {
      const term = (q[at * dHead + d]! * k[from * dHead + d]!) / divisor;
      sum += term;
      size += Math.abs(term);
    }
    result.values[i] = cap > 0 ? cap * Math.tanh(sum / cap) : sum;
    result.sizes[i] = size + cap;
  });
  return result;
}

/** The softmax of scores along keys. */
export function softmaxed(given: Numbers, pos: number): Expected {
  const result = empty(given.length);
  for (let start = 0; start < given.length; start += pos) {
    let top = -Infinity;
    for (let i = start; i < start + pos; i++) top = Math.max(top, given[i]!);
    let total = 0;
    for (let i = start; i < start + pos; i++) total += Math.exp(given[i]! - top);
    for (let i = start; i < start + pos; i++) {
      const share = Math.exp(given[i]! - top) / total;
      result.values[i] = share;
      result.sizes[i] = share * (1 + Math.abs(top) + Math.min(Math.abs(given[i]!), 100)) + 1e-30;
    }
  }
  return result;
}

/** A pattern's entries where the query must not see the key, in its place; elsewhere what is held. */
export function unseen(config: TransformerConfig, layer: number, pattern: Numbers, extent: Extent): Expected {
  const result = empty(pattern.length);
  forEachScore(config, extent, (i, _at, _from, query, key) => {
    result.values[i] = sees(config, layer, query, key) ? pattern[i]! : 0;
  });
  return result;
}

/** Values mixed by a pattern: `batch pos head d_head`. */
export function mixed(config: TransformerConfig, pattern: Numbers, v: Numbers, extent: Extent): Expected {
  const { heads, dHead } = config.attention;
  const result = empty(extent.batch * extent.pos * heads * dHead);
  forEachScore(config, extent, (i, at, from) => {
    for (let d = 0; d < dHead; d++) {
      const term = pattern[i]! * v[from * dHead + d]!;
      result.values[at * dHead + d]! += term;
      result.sizes[at * dHead + d]! += Math.abs(term);
    }
  });
  return result;
}

/** What each head writes, `batch pos head d_model`. */
export function byHead(z: Numbers, W_O: Numbers, heads: number, dHead: number, dModel: number): Expected {
  const result = empty((z.length / dHead) * dModel);
  for (let row = 0; row < z.length / dHead; row++) {
    const head = row % heads;
    for (let d = 0; d < dHead; d++) {
      const factor = z[row * dHead + d]!;
      for (let j = 0; j < dModel; j++) {
        const term = factor * W_O[(head * dHead + d) * dModel + j]!;
        result.values[row * dModel + j]! += term;
        result.sizes[row * dModel + j]! += Math.abs(term);
      }
    }
  }
  return result;
}

/** The sum over heads of `… head d_model`. */
export function overHeads(x: Numbers, heads: number, dModel: number): Expected {
  const result = empty(x.length / heads);
  for (let i = 0; i < x.length; i++) {
    const to = Math.floor(i / (heads * dModel)) * dModel + (i % dModel);
    result.values[to]! += x[i]!;
    result.sizes[to]! += Math.abs(x[i]!);
  }
  return result;
}

/** `… d_model` for each of several heads. */
export function repeated(x: Numbers, heads: number, dModel: number): Expected {
  const result = empty(x.length * heads);
  for (let i = 0; i < result.values.length; i++) {
    const from = x[Math.floor(i / (heads * dModel)) * dModel + (i % dModel)]!;
    result.values[i] = from;
    result.sizes[i] = Math.abs(from);
  }
  return result;
}
