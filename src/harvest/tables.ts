/**
 * What a pass counted, as tables: `docs/formats.md` says what is in each column. Rates stand beside the counts they are made of, so that
 * each can be made again.
 */
import { NUMBERED, type TokenNames } from "../data/token-names.ts";
import type { ComponentInfo } from "../decomposition/decomposition.ts";
import { Best } from "./best.ts";
import { type Example, quantilesOf } from "./examples.ts";
import { KEPT } from "./settings.ts";
import { association, divergenceShare, type JointCounts } from "./statistics.ts";
import type { Tally } from "./tally.ts";

/** What a column holds: whole numbers below 2³¹, numbers, text, or lists of them. A `?` says that it may hold nothing. */
export type ColumnKind = "i32" | "f64" | "text" | "i32[]" | "f32[]" | "text[]" | "i32?" | "f64?" | "f32[]?";
type Cell = number | string | ArrayLike<number> | readonly string[] | undefined;
export type Row = Readonly<Record<string, Cell>>;

/** A table that is made row by row. */
export interface Table {
  readonly columns: Readonly<Record<string, ColumnKind>>;
  readonly rows: Iterable<Row>;
}

/** How many different tokens and partners each component has; the tables of those keep fewer. */
interface Distinct {
  readonly tokens: Int32Array;
  readonly partners: Int32Array;
}

/**
 * The tables by name, to be written in this order: the last one knows what the others left out.
 *
 * @param names how tokens read; absent for features
 */
export function tablesOf(
  tally: Tally,
  components: readonly ComponentInfo[],
  names: TokenNames | undefined,
): Readonly<Record<"examples" | "background" | "tokens" | "pairs" | "components", Table>> {
  const distinct: Distinct = {
    tokens: new Int32Array(components.length),
    partners: new Int32Array(components.length),
  };
  const text = (id: number): string => (names ?? NUMBERED).text(id);
  return {
    examples: { columns: EXAMPLES, rows: exampleRows(tally, components, text) },
    background: { columns: BACKGROUND, rows: backgroundRows(tally, text) },
    tokens: { columns: TOKENS, rows: tokenRows(tally, components, text, distinct) },
    pairs: { columns: PAIRS, rows: pairRows(tally, components, distinct) },
    components: { columns: COMPONENTS, rows: componentRows(tally, components, distinct) },
  };
}

const COMPONENTS = {
  component: "i32",
  address: "text",
  site: "text",
  n: "i32",
  firings: "i32",
  density: "f64",
  meanImportance: "f64",
  largestImportance: "f64",
  meanAbsActivation: "f64?",
  sampled: "i32",
  inputTokens: "i32",
  partners: "i32",
} as const;

function* componentRows(
  { n, firings, importance, largest, activation, examples }: Tally,
  components: readonly ComponentInfo[],
  distinct: Distinct,
): Generator<Row> {
  const strengths = activation.some((sum) => sum > 0);
  for (const [c, { address, site }] of components.entries()) {
    yield {
      component: c,
      address,
      site,
      n,
      firings: firings[c]!,
      density: firings[c]! / n,
      meanImportance: importance[c]! / n,
      largestImportance: largest[c]!,
      meanAbsActivation: strengths ? activation[c]! / n : undefined,
      sampled: examples.sample[c]?.items.length ?? 0,
      inputTokens: distinct.tokens[c]!,
      partners: distinct.partners[c]!,
    };
  }
}

const EXAMPLES = {
  component: "i32",
  address: "text",
  kind: "text",
  rank: "i32",
  quantile: "f64?",
  position: "f64",
  importance: "f64",
  activation: "f64?",
  focus: "i32?",
  ids: "i32[]",
  values: "f32[]?",
  importances: "f32[]",
  texts: "text[]",
} as const;

function* exampleRows(
  { examples }: Tally,
  components: readonly ComponentInfo[],
  text: (id: number) => string,
): Generator<Row> {
  for (const [component, { address }] of components.entries()) {
    const row = (kind: string, example: Example, rank: number, quantile: number | undefined): Row => ({
      component,
      address,
      kind,
      rank,
      quantile,
      ...example,
      texts: Array.from(example.ids, text),
    });
    const sample = [...(examples.sample[component]?.items ?? [])].sort((a, b) => a.position - b.position);
    const quantiles = quantilesOf(sample);
    const order = sample.map((_, i) => i).sort((i, j) => quantiles[j]! - quantiles[i]!);
    for (const [rank, i] of order.entries()) yield row("sample", sample[i]!, rank, quantiles[i]!);
    const top = examples.top[component]?.kept() ?? [];
    for (const [rank, { item }] of top.entries()) yield row("top", item, rank, undefined);
  }
}

const BACKGROUND = {
  position: "f64",
  focus: "i32?",
  ids: "i32[]",
  values: "f32[]?",
  texts: "text[]",
  firing: "i32[]",
} as const;

function* backgroundRows({ background }: Tally, text: (id: number) => string): Generator<Row> {
  for (const item of [...background.items].sort((a, b) => a.position - b.position))
    yield { ...item, texts: Array.from(item.ids, text) };
}

const TOKENS = {
  component: "i32",
  address: "text",
  kind: "text",
  token: "i32",
  text: "text",
  together: "f64",
  firings: "i32",
  total: "f64",
  n: "i32",
  pTokenGivenFires: "f64",
  pFiresGivenToken: "f64",
  lift: "f64",
  pmi: "f64",
} as const;

/** The tokens of one component that are worth keeping, by several orders. */
class Shortlist {
  readonly #lists: readonly Best<{ readonly token: number; readonly counts: JointCounts }>[];

  constructor(orders: number) {
    this.#lists = Array.from({ length: orders }, () => new Best(KEPT.tokens));
  }

  offer(token: number, counts: JointCounts, scores: readonly number[]): void {
    this.#lists.forEach((list, i) => {
      if (scores[i]! > 0 && list.wants(scores[i]!, -token)) list.put(scores[i]!, -token, { token, counts });
    });
  }

  /** All of them, each once, the most probable first. */
  kept(): { readonly token: number; readonly counts: JointCounts }[] {
    const all = new Map(this.#lists.flatMap(({ items }) => items.map((item) => [item.token, item] as const)));
    return [...all.values()].sort((x, y) => y.counts.both - x.counts.both || x.token - y.token);
  }
}

function* tokenRows(
  tally: Tally,
  components: readonly ComponentInfo[],
  text: (id: number) => string,
  distinct: Distinct,
): Generator<Row> {
  const { n, firings, present, mass, massFiring, shape } = tally;
  const row = (kind: string, component: number, { token, counts }: { token: number; counts: JointCounts }): Row => {
    const { pBGivenA, pAGivenB, lift, pmi } = association(counts);
    return {
      component,
      address: components[component]!.address,
      kind,
      token,
      text: text(token),
      together: counts.both,
      firings: counts.a,
      total: counts.b,
      n,
      pTokenGivenFires: pBGivenA,
      pFiresGivenToken: pAGivenB,
      lift,
      pmi,
    };
  };
  const inputs = groupedByComponent(tally);
  for (let c = 0; c < components.length; c++) {
    const found = inputs.next(c);
    distinct.tokens[c] = found.length;
    const common = new Shortlist(2);
    for (const [token, both] of found) {
      const counts = { a: firings[c]!, b: present[token]!, both, n };
      common.offer(token, counts, [both, divergenceShare(counts)]);
    }
    for (const kept of common.kept()) yield row("input", c, kept);
    if (shape.outputs === 0 || firings[c] === 0) continue;
    const likely = new Shortlist(3);
    for (let v = 0; v < shape.outputs; v++) {
      const counts = { a: firings[c]!, b: mass[v]!, both: massFiring[c * shape.outputs + v]!, n };
      // The third order finds what a component goes without: expected, and not there.
      const missing = counts.b * Math.log(counts.b / n / (counts.both / counts.a));
      likely.offer(v, counts, [counts.both, divergenceShare(counts), missing]);
    }
    for (const kept of likely.kept()) yield row("output", c, kept);
  }
}

/** Counts of component and token, one component after another. */
function groupedByComponent({ tokens, shape }: Tally): { next(component: number): (readonly [number, number])[] } {
  const entries = tokens.entries();
  let ahead = entries.next();
  return {
    next(component) {
      const found: (readonly [number, number])[] = [];
      while (ahead.done !== true && Math.floor(ahead.value[0] / shape.stimuli) === component) {
        found.push([ahead.value[0] % shape.stimuli, ahead.value[1]]);
        ahead = entries.next();
      }
      return found;
    },
  };
}

const PAIRS = {
  a: "i32",
  b: "i32",
  addressA: "text",
  addressB: "text",
  together: "i32",
  firingsA: "i32",
  firingsB: "i32",
  n: "i32",
  pBGivenA: "f64",
  pAGivenB: "f64",
  jaccard: "f64",
  lift: "f64",
  pmi: "f64",
} as const;

function* pairRows(tally: Tally, components: readonly ComponentInfo[], distinct: Distinct): Generator<Row> {
  const { n, firings } = tally;
  const C = components.length;
  const partners = Array.from({ length: C }, () => new Map<number, number>());
  const best = Array.from({ length: C }, (): Best<readonly [number, number]> | undefined => undefined);
  for (const [key, both] of tally.pairs.entries()) {
    const [a, b] = [Math.floor(key / C), key % C];
    const { jaccard } = association({ a: firings[a]!, b: firings[b]!, both, n });
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      distinct.partners[one]!++;
      const list = (best[one] ??= new Best(KEPT.partners));
      if (list.wants(jaccard, -other)) list.put(jaccard, -other, [other, both]);
    }
  }
  best.forEach((list, one) => {
    for (const [other, both] of list?.items ?? []) partners[Math.min(one, other)]!.set(Math.max(one, other), both);
  });
  for (let a = 0; a < C; a++) {
    for (const [b, both] of [...partners[a]!].sort(([x], [y]) => x - y)) {
      const { pBGivenA, pAGivenB, jaccard, lift, pmi } = association({ a: firings[a]!, b: firings[b]!, both, n });
      const [addressA, addressB] = [components[a]!.address, components[b]!.address];
      const [firingsA, firingsB] = [firings[a]!, firings[b]!];
      yield { a, b, addressA, addressB, together: both, firingsA, firingsB, n, pBGivenA, pAGivenB, jaccard, lift, pmi };
    }
  }
}
