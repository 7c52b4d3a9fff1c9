/** The heads that select and aggregate. */
import type { Domains } from "./domain.ts";
import type { Category, Selector } from "./language.ts";
import { BOS, directionOf, type Entry, ONE } from "./plan.ts";

/**
 * The score of a selected key; others have 0. What is not selected gets e⁻⁵⁰ as much attention, the token before the input, with half the
 * score, e⁻²⁵ (10⁻¹¹). Scores are exact to a few units in their last place, which the softmax magnifies: Tracr's 100 would double that.
 */
const COLDNESS = 50;

/** What a head does about the token before the input, `BOS`. */
export interface Sink {
  /** How much a token of the input looks there, as a part of how much it looks at what it selects. */
  readonly from: 0 | 0.5 | 1;
  /** Whether that token looks only at itself, so that nothing is written there. */
  readonly alone: boolean;
}

/**
 * Queries and keys of a head that looks where a selector does.
 *
 * Each query's row of truth values, over the values that keys can have, is one dimension of the head; queries with the same row share
 * theirs. Where all queries have the same row, or all keys the same column, the head does not read queries or keys at all, but `ONE`.
 */
export function queriesAndKeys(selector: Selector, domains: Domains, sink: Sink): { q: Entry[]; k: Entry[] } {
  const { keys, queries, predicate } = selector;
  const keyValues = domains.of(keys);
  const rows = new Map<string, { seen: readonly Category[]; by: Category[] }>();
  for (const query of domains.of(queries)) {
    const seen = keyValues.filter((key) => predicate(key, query));
    const name = keyValues.map((key) => Number(seen.includes(key))).join("");
    const row = rows.get(name) ?? { seen, by: [] };
    row.by.push(query);
    rows.set(name, row);
  }
  const used = [...rows.values()].filter(({ seen }) => seen.length > 0);
  const anyQuery = rows.size === 1;
  const anyKey = used.every(({ seen }) => seen.length === keyValues.length);
  const q: Entry[] = [];
  const k: Entry[] = [];
  // To look at everything alike, the token before the input too, takes no score at all.
  const alike = anyQuery && anyKey && sink.from === 1 && used.length > 0;
  const looking = alike ? 0 : sink.from;
  const dimensions = alike ? [] : used;
  dimensions.forEach(({ seen, by }, dimension) => {
    const asking = anyQuery ? [ONE] : by.map((value) => directionOf(queries.label, value));
    const answering = anyKey ? [ONE] : seen.map((value) => directionOf(keys.label, value));
    q.push(...asking.map((direction) => ({ direction, dimension, value: COLDNESS })));
    k.push(...answering.map((direction) => ({ direction, dimension, value: 1 })));
  });
  const dimension = dimensions.length;
  if (looking > 0) q.push({ direction: ONE, dimension, value: looking * COLDNESS });
  if (sink.alone) q.push({ direction: BOS, dimension, value: COLDNESS });
  if (looking > 0 || sink.alone) k.push({ direction: BOS, dimension, value: 1 });
  return { q, k };
}
