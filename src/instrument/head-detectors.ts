/**
 * What each head does on sequences of random tokens that come twice (Olsson et al. 2022): look at the token before, look at the same token's
 * earlier copy, or look at what followed that copy, which is induction. Each score is the mean attention on that key: 0 to 1.
 *
 * Beside each score stand what even attention would score there, and what the heads of the same network with shuffled weights do.
 */
import type { Values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import { captured, type WorkOptions } from "../intervention/capture.ts";
import type { Examples } from "../intervention/examples.ts";
import { type RunnableNetwork, tokenValues } from "../network/run.ts";
import { attentionScores, previousToken, type Sources, uniformScore } from "../network/transformer/attention-scores.ts";
import { foldIn, type Key, randomBits, randomPermutation } from "../tensor/index.ts";
import { expectTransformer, type HeadPlace, headsOf } from "./attention-circuits.ts";
import { type Finding, spreadOf } from "./finding.ts";
import { withShuffled } from "./shuffled-weights.ts";

/** The kinds of head that are looked for. */
export const HEAD_KINDS = ["previousToken", "duplicateToken", "induction"] as const;
export type HeadKind = (typeof HEAD_KINDS)[number];

export interface HeadRow extends HeadPlace, Readonly<Record<HeadKind, number>> {}

export interface HeadTable extends Finding {
  readonly rows: readonly HeadRow[];
  /** What a head that looks at all it may see alike would score. */
  readonly uniform: Readonly<Record<HeadKind, number>>;
  /** Of the same network's heads with shuffled weights. */
  readonly shuffled: Readonly<Record<HeadKind, { readonly mean: number; readonly largest: number }>>;
}

/** Sequences that scores are made on. */
const SEQUENCES = 32;
/** The longest segment; it comes twice. */
const LONGEST = 64;

/** Random segments, each twice: no token twice in a segment where there are enough tokens. */
export function repeatedSegments(
  { vocab, context }: { readonly vocab: number; readonly context: number },
  key: Key,
  count: number = SEQUENCES,
): Examples & { readonly period: number } {
  const period = Math.min(LONGEST, Math.floor(context / 2));
  if (period < 2) {
    throw new MechanistError("BadArgument", `head detectors: expected a context of at least 4, got ${context}`);
  }
  const rows = Array.from({ length: count }, (_, i) => {
    const own = foldIn(key, i);
    const segment =
      vocab >= period && vocab <= 2 ** 17
        ? randomPermutation(own, vocab).slice(0, period)
        : Array.from(randomBits(own, period), (bits) => bits % vocab);
    return [...segment, ...segment];
  });
  return { name: "repeated random segments", x: tokenValues(rows), period };
}

/** The keys that each kind of head looks at; none in the first copy, but for the token before. */
function sourcesOf(period: number): Readonly<Record<HeadKind, Sources>> {
  const inSecond =
    (offset: number): Sources =>
    (_, query) =>
      query < period ? [] : [query - period + offset];
  return { previousToken, duplicateToken: inSecond(0), induction: inSecond(1) };
}

/** Scores every head. */
export async function detectHeads(runnable: RunnableNetwork, key: Key, options: WorkOptions = {}): Promise<HeadTable> {
  const network = expectTransformer("head detectors", runnable.network);
  const { vocab, context } = network.config;
  const examples = repeatedSegments({ vocab, context }, key);
  const sources = sourcesOf(examples.period);
  const look = (one: RunnableNetwork): Promise<HeadRow[]> => headRows(one, examples, sources, options);
  const { own, shuffled } = await withShuffled(runnable, foldIn(key, "shuffled"), look);
  const byKind = <T>(of: (kind: HeadKind) => T): Record<HeadKind, T> =>
    Object.fromEntries(HEAD_KINDS.map((kind) => [kind, of(kind)])) as Record<HeadKind, T>;
  const queries = 2 * examples.period;
  return {
    rows: own,
    uniform: byKind((kind) => uniformScore(1, queries, sources[kind])),
    shuffled: byKind((kind) => {
      const scores = shuffled.map((row) => row[kind]);
      return { mean: spreadOf(scores).mean, largest: Math.max(...scores) };
    }),
    n: examples.x.shape[0]! * queries,
    counted: "positions of random sequences",
    nullDescription: "even attention, and the heads of the network with shuffled weights",
    doesNotEstablish:
      "that the head matters, or does the same on text: a pattern is not an effect; ablate or patch the head to learn that",
  };
}

async function headRows(
  runnable: RunnableNetwork,
  examples: Examples,
  sources: Readonly<Record<HeadKind, Sources>>,
  options: WorkOptions,
): Promise<HeadRow[]> {
  const patterns = await attentionPatterns(runnable, examples, options);
  const scores = HEAD_KINDS.map((kind) => patterns.flatMap((pattern) => attentionScores(pattern, sources[kind])));
  return headsOf(expectTransformer("head detectors", runnable.network)).map((place, i) => ({
    ...place,
    previousToken: scores[0]![i]!,
    duplicateToken: scores[1]![i]!,
    induction: scores[2]![i]!,
  }));
}

/** The patterns of each layer, `batch head query key`. */
export async function attentionPatterns(
  runnable: RunnableNetwork,
  examples: Examples,
  options: WorkOptions = {},
): Promise<Values[]> {
  const { layers } = expectTransformer("attention", runnable.network).config;
  const points = Array.from({ length: layers }, (_, layer) => `blocks.${layer}.attn.hook_pattern`);
  const found = await captured(runnable, examples, points, options);
  return points.map((point) => found[point]!);
}
