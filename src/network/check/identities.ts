/**
 * What every hook point of a transformer should hold, told by the points before it and the weights. A value of the right shape that is
 * not the right one fails: no identity holds for it by chance.
 */
import type { NamedValues } from "../../engine/index.ts";
import type { Transformer } from "../transformer/transformer.ts";
import { byHead, type Extent, mixed, overHeads, repeated, scores, softmaxed, turned, unseen } from "./attending.ts";
import { activated, added, capped, type Expected, gained, normalized, plus, same, scaleOf, times } from "./expected.ts";

type Numbers = ArrayLike<number>;

/** Something that must hold of the value at a point. */
export interface Identity {
  readonly point: string;
  readonly says: string;
  /** What the point should hold, or what the values made of it by `of` should be. */
  readonly expected: () => Expected;
  readonly of?: (held: Numbers) => Numbers;
}

/** A transformer, its weights, and what its points hold on some tokens. */
export interface Seen {
  readonly network: Transformer;
  readonly weights: NamedValues;
  readonly tokens: Numbers;
  readonly cache: NamedValues;
  readonly logits: Numbers;
  readonly extent: Extent;
}

/** The name under which the network's output is told. */
export const LOGITS = "logits";

/** Everything that must hold. */
export function identities(seen: Seen): Identity[] {
  const { config } = seen.network;
  const { layers, dModel, vocab, norm, tied, logitCap } = config;
  const { at, weight } = reader(seen);
  const list: Identity[] = [...embeddingIdentities(seen)];
  for (let layer = 0; layer < layers; layer++) list.push(...blockIdentities(seen, layer));
  const last = layers === 0 ? "hook_embed" : `blocks.${layers - 1}.hook_resid_post`;
  list.push(...normIdentities(seen, "ln_final", last, () => same(at(last))));
  const read = norm.kind === "none" ? last : "ln_final.hook_out";
  const W_U = tied ? "embed.W_E" : "unembed.W_U";
  list.push({
    point: "unembed.hook_out",
    says: `= ${read} · ${W_U}${tied ? "ᵀ" : ""}${bias(seen, "unembed.b_U")}`,
    expected: () => added(times(at(read), weight(W_U)!, dModel, vocab, tied), weight("unembed.b_U")),
  });
  list.push({
    point: LOGITS,
    says: logitCap > 0 ? `= unembed.hook_out, capped at ${logitCap}` : "= unembed.hook_out",
    expected: () => capped(same(at("unembed.hook_out")), logitCap),
  });
  return list;
}

function reader({ cache, weights, logits }: Seen): {
  at: (point: string) => Numbers;
  weight: (name: string) => Numbers | undefined;
} {
  return {
    at: (point) => (point === LOGITS ? logits : cache[point]!.data),
    weight: (name) => weights[name]?.data,
  };
}

const bias = ({ weights }: Seen, name: string): string => (name in weights ? ` + ${name.split(".").at(-1)}` : "");

function embeddingIdentities(seen: Seen): Identity[] {
  const { config } = seen.network;
  const { dModel, embedScale, positions } = config;
  const { weight } = reader(seen);
  const { tokens } = seen;
  const rows = (table: Numbers, row: (i: number) => number, count: number, factor = 1): Float64Array =>
    Float64Array.from({ length: count * dModel }, (_, i) => {
      return table[row(Math.floor(i / dModel)) * dModel + (i % dModel)]! * factor;
    });
  const list: Identity[] = [
    {
      point: "hook_embed",
      says: `= W_E[token]${embedScale === 1 ? "" : ` · ${embedScale}`}`,
      expected: () => same(rows(weight("embed.W_E")!, (i) => tokens[i]!, tokens.length, embedScale)),
    },
  ];
  if (positions.kind === "absolute") {
    const learned = positions.table === "learned";
    const table = (): Numbers => (learned ? weight("pos_embed.W_pos")! : sinusoids(seen.extent.pos, dModel));
    list.push({
      point: "hook_pos_embed",
      says: learned ? "= W_pos[position]" : "= sines and cosines of the position",
      expected: () => same(rows(table(), (i) => i % seen.extent.pos, tokens.length)),
    });
  }
  return list;
}

/** Vaswani et al. 2017, section 3.5. */
function sinusoids(count: number, width: number): Float64Array {
  return Float64Array.from({ length: count * width }, (_, i) => {
    const [position, pair] = [Math.floor(i / width), (i % width) >> 1];
    const angle = position / 10_000 ** ((2 * pair) / width);
    return i % width === 2 * pair ? Math.sin(angle) : Math.cos(angle);
  });
}

/** A norm's three points. */
function normIdentities(seen: Seen, name: string, source: string, input: () => Expected): Identity[] {
  const { norm, dModel } = seen.network.config;
  if (norm.kind === "none") return [];
  const { at, weight } = reader(seen);
  const centred = norm.kind === "layer" ? `${source} - mean` : source;
  return [
    {
      point: `${name}.hook_scale`,
      says: `= √(mean (${centred})² + ε)`,
      expected: () => scaleOf(norm, input(), dModel),
    },
    {
      point: `${name}.hook_normalized`,
      says: norm.kind === "layer" ? `= (${centred}) / hook_scale` : `= ${source} / hook_scale`,
      expected: () => normalized(norm, input(), at(`${name}.hook_scale`), dModel),
    },
    {
      point: `${name}.hook_out`,
      says: `= hook_normalized · ${norm.unitOffset ? "(1 + w)" : "w"}${bias(seen, `${name}.b`)}`,
      expected: () => gained(at(`${name}.hook_normalized`), weight(`${name}.w`)!, weight(`${name}.b`), norm.unitOffset),
    },
  ];
}

function blockIdentities(seen: Seen, layer: number): Identity[] {
  const { config } = seen.network;
  const { norm, parallel, mlp, positions } = config;
  const { at } = reader(seen);
  const name = `blocks.${layer}`;
  const pre = `${name}.hook_resid_pre`;
  const first = positions.kind === "absolute" && positions.addedTo === "residual";
  const sum = (point: string, ...terms: readonly string[]): Identity => ({
    point: `${name}.${point}`,
    says: `= ${terms.map((term) => term.replace(`${name}.`, "")).join(" + ")}`,
    expected: () => plus(...terms.map(at)),
  });
  const before =
    layer > 0 ? [`blocks.${layer - 1}.hook_resid_post`] : ["hook_embed", ...(first ? ["hook_pos_embed"] : [])];
  const list = [
    sum("hook_resid_pre", ...before),
    ...normIdentities(seen, `${name}.ln1`, "hook_resid_pre", () => same(at(pre))),
    ...attentionIdentities(seen, layer),
  ];
  if (mlp === undefined) return [...list, sum("hook_resid_post", pre, `${name}.hook_attn_out`)];
  const read = parallel ? pre : `${name}.hook_resid_mid`;
  if (!parallel) list.push(sum("hook_resid_mid", pre, `${name}.hook_attn_out`));
  list.push(sum("hook_mlp_in", read));
  list.push(...normIdentities(seen, `${name}.ln2`, "hook_mlp_in", () => same(at(`${name}.hook_mlp_in`))));
  list.push(...mlpIdentities(seen, name, norm.kind === "none" ? `${name}.hook_mlp_in` : `${name}.ln2.hook_out`));
  const parts = parallel ? [pre, `${name}.hook_attn_out`] : [read];
  return [...list, sum("hook_resid_post", ...parts, `${name}.hook_mlp_out`)];
}

/** What a part of a block adds to the stream, through its own norm where it has one. */
function contribution(
  seen: Seen,
  name: string,
  point: string,
  post: string,
  says: string,
  raw: () => Expected,
): Identity[] {
  if (!seen.network.config.norm.post) return [{ point: `${name}.${point}`, says: `= ${says}`, expected: raw }];
  const out = `${name}.${post}.hook_out`;
  return [
    ...normIdentities(seen, `${name}.${post}`, says, raw),
    { point: `${name}.${point}`, says: `= ${post}.hook_out`, expected: () => same(reader(seen).at(out)) },
  ];
}

function attentionIdentities(seen: Seen, layer: number): Identity[] {
  const { network, extent } = seen;
  const { config } = network;
  const { dModel, norm, positions } = config;
  const { heads, kvHeads, dHead, queryKeyNorm } = config.attention;
  const { at, weight } = reader(seen);
  const name = `blocks.${layer}`;
  const inner = (part: string): string => `${name}.attn.${part}`;
  const pre = `${name}.hook_resid_pre`;
  const read = norm.kind === "none" ? pre : `${name}.ln1.hook_out`;
  const shortform = positions.kind === "absolute" && positions.addedTo === "queries and keys";
  const list: Identity[] = [];
  for (const part of ["q", "k", "v"] as const) {
    const count = part === "q" ? heads : kvHeads;
    const [W, b] = [inner(`W_${part.toUpperCase()}`), inner(`b_${part.toUpperCase()}`)];
    const moved = shortform && part !== "v";
    const stream = (): Numbers => (moved ? plus(at(read), at("hook_pos_embed")).values : at(read));
    list.push({
      point: `${name}.hook_${part}_input`,
      says: "= hook_resid_pre for each head",
      expected: () => repeated(at(pre), count, dModel),
    });
    list.push({
      point: inner(`hook_${part}`),
      says: `= ${moved ? "(" : ""}${read.replace(`${name}.`, "")}${moved ? " + hook_pos_embed)" : ""} · W_${part.toUpperCase()}${bias(seen, b)}`,
      expected: () => added(times(stream(), weight(W)!, dModel, count * dHead), weight(b)),
    });
    if (part === "v") continue;
    let meets = inner(`hook_${part}`);
    if (queryKeyNorm) {
      const from = meets;
      const rms = { ...norm, kind: "rms", post: false } as const;
      meets = inner(`hook_${part}_normed`);
      list.push({
        point: meets,
        says: `= hook_${part} / √(mean hook_${part}² + ε) · w`,
        expected: () => {
          const x = same(at(from));
          const unit = normalized(rms, x, scaleOf(rms, x, dHead).values, dHead);
          return gained(unit.values, weight(inner(`${part}_norm.w`))!, undefined, norm.unitOffset);
        },
      });
    }
    if (positions.kind !== "rotary") continue;
    const from = meets;
    list.push({
      point: inner(`hook_rot_${part}`),
      says: `= ${from.split(".").at(-1)}, turned by position`,
      expected: () => turned(positions, at(from), extent, count, dHead),
    });
  }
  const meeting = (part: "q" | "k"): string => {
    if (positions.kind === "rotary") return inner(`hook_rot_${part}`);
    return inner(queryKeyNorm ? `hook_${part}_normed` : `hook_${part}`);
  };
  const [held, pattern, z, W_O] = [inner("hook_attn_scores"), inner("hook_pattern"), inner("hook_z"), inner("W_O")];
  const shown = (point: string): string => point.split(".").at(-1)!;
  list.push(
    {
      point: held,
      says: `= ${shown(meeting("q"))} · ${shown(meeting("k"))} / scale where a key is seen, far below where not`,
      expected: () => scores(config, layer, at(meeting("q")), at(meeting("k")), at(held), extent),
    },
    { point: pattern, says: "= softmax of hook_attn_scores", expected: () => softmaxed(at(held), extent.pos) },
    {
      point: pattern,
      says: "rows sum to 1",
      of: (x) => rowSums(x, extent.pos),
      expected: () => same(new Float64Array(at(pattern).length / extent.pos).fill(1)),
    },
    {
      point: pattern,
      says: config.attention.causal ? "is causal" : "is within its window",
      expected: () => unseen(config, layer, at(pattern), extent),
    },
    {
      point: z,
      says: "= hook_pattern · hook_v",
      expected: () => mixed(config, at(pattern), at(inner("hook_v")), extent),
    },
    {
      point: inner("hook_result"),
      says: "= hook_z · W_O for each head",
      expected: () => byHead(at(z), weight(W_O)!, heads, dHead, dModel),
    },
    ...contribution(seen, name, "hook_attn_out", "ln1_post", `attn.hook_z · W_O${bias(seen, inner("b_O"))}`, () =>
      added(times(at(z), weight(W_O)!, heads * dHead, dModel), weight(inner("b_O"))),
    ),
  );
  if (!norm.post) {
    list.push({
      point: `${name}.hook_attn_out`,
      says: `= attn.hook_result, summed over heads${bias(seen, inner("b_O"))}`,
      expected: () => added(overHeads(at(inner("hook_result")), heads, dModel), weight(inner("b_O"))),
    });
  }
  return list;
}

function rowSums(x: Numbers, width: number): Float64Array {
  const sums = new Float64Array(x.length / width);
  for (let i = 0; i < x.length; i++) sums[Math.floor(i / width)]! += x[i]!;
  return sums;
}

function mlpIdentities(seen: Seen, name: string, read: string): Identity[] {
  const { dModel, mlp } = seen.network.config;
  const { dMlp, gated, activation } = mlp!;
  const { at, weight } = reader(seen);
  const inner = (part: string): string => `${name}.mlp.${part}`;
  const projected = (point: string, W: string, b: string): Identity => ({
    point: inner(point),
    says: `= ${read.replace(`${name}.`, "")} · ${W}${bias(seen, inner(b))}`,
    expected: () => added(times(at(read), weight(inner(W))!, dModel, dMlp), weight(inner(b))),
  });
  const linear = inner("hook_pre_linear");
  return [
    gated ? projected("hook_pre", "W_gate", "b_gate") : projected("hook_pre", "W_in", "b_in"),
    ...(gated ? [projected("hook_pre_linear", "W_in", "b_in")] : []),
    {
      point: inner("hook_post"),
      says: `= ${activation}(hook_pre)${gated ? " · hook_pre_linear" : ""}`,
      expected: () => activated(activation, at(inner("hook_pre")), gated ? at(linear) : undefined),
    },
    ...contribution(seen, name, "hook_mlp_out", "ln2_post", `mlp.hook_post · W_out${bias(seen, inner("b_out"))}`, () =>
      added(times(at(inner("hook_post")), weight(inner("W_out"))!, dMlp, dModel), weight(inner("b_out"))),
    ),
  ];
}
