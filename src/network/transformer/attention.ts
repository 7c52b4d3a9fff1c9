/** Multi-head attention with its hook points (Vaswani et al. 2017; grouped queries: Ainslie et al. 2023). */
import {
  add,
  and,
  axisSize,
  broadcast,
  cast,
  constant,
  contract,
  div,
  greater,
  lessEqual,
  mul,
  not,
  relabel,
  rename,
  reshape,
  softmax,
  sub,
  sum,
  tanh,
  type Tensor,
} from "../../tensor/index.ts";
import { passing } from "../network.ts";
import type { Block } from "./block.ts";
import { headNorm, norm } from "./norm.ts";
import { indices, isRotary, rotate } from "./positions.ts";

/** Stands for minus infinity where a query must not see a key: far below any score, and still a number where a row has nothing else. */
export const UNSEEN = -1e30;

type Part = "Q" | "K" | "V";

/** The axis that a part's heads lie along: keys and values have their own where several query heads share them. */
function headAxis(block: Pick<Block, "config">, part: Part): "head" | "kv_head" {
  const { heads, kvHeads } = block.config.attention;
  return part === "Q" || heads === kvHeads ? "head" : "kv_head";
}

/**
 * What attention adds to the residual stream.
 *
 * @param stream `batch pos d_model`, before the norm
 */
export function attention(block: Block, stream: Tensor): Tensor {
  const { config, weights, hooks, name } = block;
  const normalized = norm(config.norm, weights, `${name}.ln1`, stream, hooks);
  const q = positioned(block, projected(block, "Q", stream, normalized), "q");
  const k = positioned(block, projected(block, "K", stream, normalized), "k");
  const v = passing(hooks, `${name}.attn.hook_v`, projected(block, "V", stream, normalized));
  const pattern = attentionPattern(block, q, k);
  const z = passing(hooks, `${name}.attn.hook_z`, mixed(block, pattern, v));
  const result = contract(z, weights[`${name}.attn.W_O`]!, "batch pos head d_model");
  const replaced = hooks.at?.(`${name}.attn.hook_result`, result);
  const out = replaced === undefined ? block.product("attn.W_O", z) : (sum(replaced, "head") as Tensor);
  const bias = weights[`${name}.attn.b_O`];
  return bias === undefined ? out : add(out, bias);
}

/** Queries, keys or values before positions: `batch pos head d_head`. */
function projected(block: Block, part: Part, stream: Tensor, normalized: Tensor): Tensor {
  const { config, weights, hooks, name, shortform } = block;
  const axis = headAxis(block, part);
  const heads = part === "Q" ? config.attention.heads : config.attention.kvHeads;
  const sizes = { batch: axisSize(stream, "batch"), pos: axisSize(stream, "pos"), d_model: config.dModel };
  const withPosition = (x: Tensor): Tensor => (part === "V" || shortform === undefined ? x : add(x, shortform));
  const perHead = broadcast(stream, `batch pos ${axis} d_model`, { ...sizes, [axis]: heads });
  const replaced = hooks.at?.(`${name}.hook_${part.toLowerCase()}_input`, perHead);
  const W = weights[`${name}.attn.W_${part}`]!;
  // Each head then has a stream of its own to read. Its norm is the same one, but its hook points are of the shared stream.
  const product =
    replaced === undefined
      ? block.product(`attn.W_${part}`, withPosition(normalized))
      : contract(withPosition(norm(config.norm, weights, `${name}.ln1`, replaced, {})), W, `batch pos ${axis} d_head`);
  const bias = weights[`${name}.attn.b_${part}`];
  return bias === undefined ? product : add(product, bias);
}

/** Queries or keys as they meet: through `hook_q`, normalised and turned where the family does so. */
function positioned(block: Block, x: Tensor, part: "q" | "k"): Tensor {
  const { config, weights, hooks, name, ids } = block;
  const { positions, attention: shape } = config;
  let value = passing(hooks, `${name}.attn.hook_${part}`, x);
  if (shape.queryKeyNorm) {
    const normed = headNorm(config.norm, weights[`${name}.attn.${part}_norm.w`]!, value);
    value = passing(hooks, `${name}.attn.hook_${part}_normed`, normed);
  }
  if (!isRotary(positions)) return value;
  return passing(hooks, `${name}.attn.hook_rot_${part}`, rotate(positions, value, ids));
}

/** How much each query looks at each key: `batch head query key`, rows that sum to 1. */
function attentionPattern(block: Block, q: Tensor, k: Tensor): Tensor {
  const { config, layer, hooks, name } = block;
  const { scale, scoreCap } = config.attention;
  const divisor = typeof scale === "number" ? scale : scale[layer]!;
  const raw = div(scoresOf(block, rename(q, "pos -> query"), rename(k, "pos -> key")), divisor);
  const capped = scoreCap > 0 ? mul(tanh(div(raw, scoreCap)), scoreCap) : raw;
  // Added rather than chosen: any score that is a number disappears in a sum with `UNSEEN`, and a sum is several times quicker.
  const hidden = mul(cast(not(visible(block, axisSize(raw, "key"))), "f32"), UNSEEN) as Tensor;
  const masked = add(capped, hidden);
  const scores = passing(hooks, `${name}.attn.hook_attn_scores`, masked);
  return passing(hooks, `${name}.attn.hook_pattern`, softmax(scores, "key"));
}

/** Which keys a query may see: `query key`, or `batch query key` where there is padding. */
function visible({ config, layer, padding }: Block, count: number): Tensor {
  const query = indices("query", count) as Tensor;
  const key = indices("key", count) as Tensor;
  const window = config.attention.windows[layer]!;
  const sizes = { query: count, key: count };
  const queries = broadcast(query, "query key", sizes);
  // Without a mask, keys up to the last are seen.
  let seen: Tensor = lessEqual(key, config.attention.causal ? queries : constant("query key", sizes, count - 1, "i32"));
  if (window > 0 && window < count) {
    const oldest = sub(cast(queries, "f32") as Tensor, window);
    seen = and(seen, greater(broadcast(cast(key, "f32") as Tensor, "query key", sizes), oldest) as Tensor);
  }
  if (padding === undefined) return seen;
  const all = { batch: axisSize(padding, "batch"), ...sizes };
  return and(
    broadcast(seen, "batch query key", all),
    lessEqual(padding as Tensor, broadcast(key, "batch query key", all)),
  );
}

/** Query heads by the keys they share. */
function grouped(block: Block, x: Tensor, rest: string, sizes: Readonly<Record<string, number>>): Tensor {
  const { heads, kvHeads } = block.config.attention;
  const [before, after] = x.axes.split(" head ") as [string, string];
  return reshape(x, `${before} kv_head group ${after}${rest}`, { ...sizes, kv_head: kvHeads, group: heads / kvHeads });
}

function scoresOf(block: Block, q: Tensor, k: Tensor): Tensor {
  const { heads, kvHeads, dHead } = block.config.attention;
  if (heads === kvHeads) return contract(q, k, "batch head query key");
  const [batch, query, key] = [axisSize(q, "batch"), axisSize(q, "query"), axisSize(k, "key")];
  const scores = contract(grouped(block, q, "", { batch, query, d_head: dHead }), k, "batch kv_head group query key");
  return reshape(scores, "batch head query key", { batch, head: heads, query, key });
}

/** Values mixed by the pattern: `batch pos head d_head`. */
function mixed(block: Block, pattern: Tensor, v: Tensor): Tensor {
  const { heads, kvHeads, dHead } = block.config.attention;
  const values = rename(v, "pos -> key");
  if (heads === kvHeads) return rename(contract(pattern, values, "batch query head d_head"), "query -> pos");
  const [batch, query, key] = [axisSize(pattern, "batch"), axisSize(pattern, "query"), axisSize(v, "pos")];
  const z = contract(grouped(block, pattern, "", { batch, query, key }), values, "batch query kv_head group d_head");
  return relabel(
    reshape(z, "batch query head d_head", { batch, query, head: heads, d_head: dHead }),
    "batch pos head d_head",
  );
}
