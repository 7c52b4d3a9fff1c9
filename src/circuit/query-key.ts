/**
 * How components of queries and of keys meet in each head (VPD, "head-resolved QK interactions"):
 *
 *   static      S(c, c', τ, h) = (s_c ‖V_c‖ U_c^h)ᵀ R_τ (s_c' ‖V_c'‖ U_c'^h) / scale
 *   on an input D(c, c', h; i, j) = q_c(i) · (U_c^h)ᵀ R_{i-j} U_c'^h · q_c'(j) / scale
 *
 * with R_τ the turn that rotary positions make between a key and a query τ positions later, the identity where positions do not turn. Summed over
 * all components of both, the second is the score that attention sees, but for biases, what components leave over and a cap.
 */
import { type NamedValues, type Values, values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import { meanOfNumbers } from "../intervention/bootstrap.ts";
import { isRotary } from "../network/transformer/positions.ts";
import { isTransformer, type Transformer } from "../network/transformer/transformer.ts";
import { componentCount, type RankOneDecomposition, siteOf } from "./subject.ts";

export interface StaticOptions {
  /** How many positions the key is before the query; 0 alone unless given. Where positions do not turn, offsets make no difference. */
  readonly offsets?: readonly number[];
  /**
   * Which sign each component is taken with, 1 or -1, by site: that of what it usually reads. A component is the same with both vectors turned
   * round, so that without this the sign of an interaction means nothing.
   */
  readonly signs?: NamedValues;
}

export interface StaticInteractions {
  readonly offsets: readonly number[];
  /** `head offset query key`: scores for inputs of unit length along what both read. */
  readonly raw: Values;
  /** The same less its head's mean, in its head's standard deviations, over all pairs and offsets. */
  readonly standardised: Values;
}

/** Static interactions of a layer. */
export function staticInteractions(
  subject: RankOneDecomposition,
  layer: number,
  { offsets = [0], signs }: StaticOptions = {},
): StaticInteractions {
  const meeting = meetingOf(subject, layer);
  const { heads, query, key } = meeting;
  const [Cq, Ck] = [componentCount(subject, query), componentCount(subject, key)];
  const weight = (site: string): Float64Array => {
    const lengths = readNorms(subject, site);
    return lengths.map((length, c) => length * (signs?.[site]?.data[c] ?? 1));
  };
  const [ofQuery, ofKey] = [weight(query), weight(key)];
  const raw = new Float64Array(heads * offsets.length * Cq * Ck);
  let at = 0;
  for (let head = 0; head < heads; head++) {
    for (const offset of offsets) {
      const scores = meeting.scores(head, offset);
      for (let c = 0; c < Cq; c++) {
        for (let k = 0; k < Ck; k++) raw[at++] = ofQuery[c]! * scores[c * Ck + k]! * ofKey[k]!;
      }
    }
  }
  const shape = [heads, offsets.length, Cq, Ck];
  const axes = "head offset query key";
  return { offsets, raw: values(axes, shape, raw), standardised: values(axes, shape, standardised(raw, heads)) };
}

/** A query's and a key's component in a head. */
export interface StaticPair {
  readonly head: number;
  readonly offset: number;
  readonly query: number;
  readonly key: number;
  readonly raw: number;
  readonly standardised: number;
}

/**
 * Pairs of a query's and a key's component, those of the largest standardised interaction in any head and offset first.
 *
 * @param among the components that are asked about; all unless given
 */
export function strongestPairs(
  { offsets, standardised: scores, raw }: StaticInteractions,
  most: number,
  among?: { readonly query: readonly number[]; readonly key: readonly number[] },
): StaticPair[] {
  const [heads, count, Cq, Ck] = scores.shape as [number, number, number, number];
  const all = (C: number): number[] => Array.from({ length: C }, (_, c) => c);
  const [queries, keys] = [among?.query ?? all(Cq), among?.key ?? all(Ck)];
  const order: number[] = [];
  for (let block = 0; block < heads * count; block++) {
    for (const c of queries) for (const k of keys) order.push((block * Cq + c) * Ck + k);
  }
  order.sort((a, b) => Math.abs(scores.data[b]!) - Math.abs(scores.data[a]!));
  return order.slice(0, most).map((i) => ({
    head: Math.floor(i / (count * Cq * Ck)),
    offset: offsets[Math.floor(i / (Cq * Ck)) % count]!,
    query: Math.floor(i / Ck) % Cq,
    key: i % Ck,
    raw: raw.data[i]!,
    standardised: scores.data[i]!,
  }));
}

/**
 * Interactions on an input between one position's query and another's key, `head query key`.
 *
 * @param passed what components pass on, `C batch` by site, rows positions: `Observed.passed`, or `Observed.inner` for all of it
 */
export function interactionsAt(
  subject: RankOneDecomposition,
  layer: number,
  passed: NamedValues,
  at: { readonly query: number; readonly key: number },
): Values {
  const meeting = meetingOf(subject, layer);
  const { heads, query, key } = meeting;
  const [Cq, Ck] = [componentCount(subject, query), componentCount(subject, key)];
  const here = (site: string, position: number, C: number): Float64Array => {
    const { data, shape } = passed[site]!;
    return Float64Array.from({ length: C }, (_, c) => data[c * shape[1]! + position]!);
  };
  const [q, k] = [here(query, at.query, Cq), here(key, at.key, Ck)];
  const found = new Float64Array(heads * Cq * Ck);
  for (let head = 0; head < heads; head++) {
    const scores = meeting.scores(head, at.query - at.key);
    for (let i = 0; i < Cq * Ck; i++) found[head * Cq * Ck + i] = q[Math.floor(i / Ck)]! * scores[i]! * k[i % Ck]!;
  }
  return values("head query key", [heads, Cq, Ck], found);
}

/** What a query's component at one position and a key's at another add to a head's score. */
export interface InputPair {
  readonly head: number;
  readonly query: number;
  readonly key: number;
  /** Of the key. */
  readonly position: number;
  readonly score: number;
}

/** Interactions of one position's query with the keys up to it, those of the largest score first; those of exactly 0 are left out. */
export function strongestAt(
  subject: RankOneDecomposition,
  layer: number,
  passed: NamedValues,
  position: number,
): InputPair[] {
  const { heads, query, key, between } = meetingOf(subject, layer);
  const acting = (site: string, at: number): (readonly [number, number])[] => {
    const { data, shape } = passed[site]!;
    const [C, rows] = shape as [number, number];
    if (at >= rows) {
      throw new MechanistError("BadArgument", `interactions: expected a position from 0 to ${rows - 1}, got ${at}`);
    }
    return Array.from({ length: C }, (_, c) => [c, data[c * rows + at]!] as const).filter(([, q]) => q !== 0);
  };
  const queries = acting(query, position);
  const found: InputPair[] = [];
  for (let at = 0; at <= position; at++) {
    const keys = acting(key, at);
    for (let head = 0; head < heads; head++) {
      const score = between(head, position - at);
      for (const [c, q] of queries) {
        for (const [k, v] of keys) found.push({ head, query: c, key: k, position: at, score: q * score(c, k) * v });
      }
    }
  }
  return found.filter(({ score }) => score !== 0).sort((a, b) => Math.abs(b.score) - Math.abs(a.score));
}

interface Meeting {
  readonly heads: number;
  /** Sites. */
  readonly query: string;
  readonly key: string;
  /** `(U_c^h)ᵀ R_τ U_c'^h / scale` of two components. */
  between(head: number, offset: number): (query: number, key: number) => number;
  /** `(U_c^h)ᵀ R_τ U_c'^h / scale`, `query key`. */
  scores(head: number, offset: number): Float64Array;
}

function meetingOf(subject: RankOneDecomposition, layer: number): Meeting {
  const { network } = subject;
  if (!isTransformer(network)) {
    throw new MechanistError("BadArgument", "interactions: expected a transformer, got a network without attention");
  }
  const { attention, layers } = network.config;
  if (!(layer >= 0 && layer < layers)) {
    throw new MechanistError("BadArgument", `interactions: expected a layer from 0 to ${layers - 1}, got ${layer}`);
  }
  if (attention.queryKeyNorm) {
    throw new MechanistError(
      "Refused",
      "interactions: expected queries that add up, got ones that are normalised in each head",
    );
  }
  const [query, key] = ["Q", "K"].map((part) => siteOf(subject, `blocks.${layer}.attn.W_${part}`).name) as [
    string,
    string,
  ];
  const { heads, kvHeads, dHead, scale } = attention;
  const divisor = typeof scale === "number" ? scale : scale[layer]!;
  const grown = isRotary(network.config.positions) ? network.config.positions.scale ** 2 : 1;
  const between: Meeting["between"] = (head, offset) => {
    const U = headOf(subject, query, head, dHead).map((u) => turned(network, u, offset));
    const K = headOf(subject, key, Math.floor(head / (heads / kvHeads)), dHead);
    return (c, k) => {
      const [u, v] = [U[c]!, K[k]!];
      let total = 0;
      for (let d = 0; d < dHead; d++) total += u[d]! * v[d]!;
      return (total * grown) / divisor;
    };
  };
  const [Cq, Ck] = [componentCount(subject, query), componentCount(subject, key)];
  return {
    heads,
    query,
    key,
    between,
    scores(head, offset) {
      const score = between(head, offset);
      return Float64Array.from({ length: Cq * Ck }, (_, i) => score(Math.floor(i / Ck), i % Ck));
    },
  };
}

/** What each component of a site writes into one head. */
function headOf({ values: given }: RankOneDecomposition, site: string, head: number, dHead: number): Float64Array[] {
  const { data, shape } = given[`${site}.U`]!;
  const [C, dOut] = shape as [number, number];
  return Array.from({ length: C }, (_, c) =>
    Float64Array.from({ length: dHead }, (__, d) => data[c * dOut + head * dHead + d]!),
  );
}

/** A query turned as far as one that stands `offset` positions behind the key. */
function turned({ config: { positions } }: Transformer, query: Float64Array, offset: number): Float64Array {
  if (!isRotary(positions)) return query;
  const { frequencies, pairs } = positions;
  const out = Float64Array.from(query);
  frequencies.forEach((frequency, i) => {
    const [a, b] = pairs === "halves" ? [i, i + frequencies.length] : [2 * i, 2 * i + 1];
    const [cosine, sine] = [Math.cos(offset * frequency), Math.sin(offset * frequency)];
    out[a] = query[a]! * cosine - query[b]! * sine;
    out[b] = query[b]! * cosine + query[a]! * sine;
  });
  return out;
}

function readNorms({ values: given }: RankOneDecomposition, site: string): Float64Array {
  const { data, shape } = given[`${site}.V`]!;
  const [dIn, C] = shape as [number, number];
  return Float64Array.from({ length: C }, (_, c) => {
    let total = 0;
    for (let i = 0; i < dIn; i++) total += data[i * C + c]! ** 2;
    return Math.sqrt(total);
  });
}

function standardised(raw: Float64Array, heads: number): Float64Array {
  const size = raw.length / heads;
  const found = new Float64Array(raw.length);
  for (let head = 0; head < heads; head++) {
    const own = raw.subarray(head * size, (head + 1) * size);
    const mean = meanOfNumbers(own);
    const deviation = Math.sqrt(own.reduce((total, x) => total + (x - mean) ** 2, 0) / size);
    own.forEach((x, i) => (found[head * size + i] = deviation > 0 ? (x - mean) / deviation : 0));
  }
  return found;
}
