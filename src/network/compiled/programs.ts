/** Programs to compile, after those of Tracr (Lindner et al. 2023, table 1) and RASP (Weiss et al. 2021). */
import { MechanistError } from "../../error.ts";
import {
  aggregate,
  type Categorical,
  everywhere,
  indices,
  map,
  mapToNumber,
  type Numerical,
  select,
  selectorWidth,
  type Sequence,
  sequenceMap,
  tokens,
} from "./language.ts";

/** A program for any vocabulary and length. */
export interface ProgramMaker {
  readonly summary: string;
  /** The tokens it has unless told otherwise. */
  readonly vocabulary: readonly string[];
  /** The sequence that it computes. */
  output(vocabulary: readonly string[], length: number): Sequence;
}

const LETTERS = ["a", "b", "c"];

const upToHere = select(indices, indices, (key, query) => key <= query);

/** How many tokens the input has. */
function lengthOfInput(label: string): Categorical<number> {
  return selectorWidth(label, everywhere);
}

/** How many tokens are the same as the one here. */
function countOfSame(label: string): Categorical<number> {
  return selectorWidth(
    label,
    select(tokens, tokens, (key, query) => key === query),
  );
}

function reversed(): Categorical<string> {
  const opposite = sequenceMap("opposite", lengthOfInput("length"), indices, (length, index) =>
    index < length ? length - 1 - index : undefined,
  );
  const selector = select(indices, opposite, (key, query) => key === query, { nonempty: true });
  return aggregate("reverse", selector, tokens);
}

/** How many positions come before this one in the order of `key`, which no two of them share. */
function rankBy(key: Categorical<number>): Categorical<number> {
  return selectorWidth(
    "rank",
    select(key, key, (other, own) => other < own),
  );
}

function sorted(vocabulary: readonly string[], length: number): Categorical<string> {
  const key = sequenceMap("token and index", tokens, indices, (t, i) => vocabulary.indexOf(t) * length + i);
  const selector = select(rankBy(key), indices, (rank, index) => rank === index, { nonempty: true });
  return aggregate("sort", selector, tokens);
}

function mostFrequent(_: readonly string[], length: number): Categorical<string> {
  const key = sequenceMap("count and index", countOfSame("count"), indices, (c, i) => (length - c) * length + i);
  const selector = select(rankBy(key), indices, (rank) => rank === 0, { nonempty: true });
  return aggregate("most frequent", selector, tokens);
}

function fractionPrevious([counted]: readonly string[]): Numerical {
  const is = mapToNumber(`is ${counted}`, tokens, (token) => Number(token === counted));
  return aggregate("fraction", upToHere, is);
}

/** 1 where brackets open, -1 where they close, 0 elsewhere. */
function signs(open: string, close: string): Numerical {
  return mapToNumber(`${open}${close}`, tokens, (token) => Number(token === open) - Number(token === close));
}

/** Opening and closing brackets, from a vocabulary that lists them in turn; a token left over is no bracket. */
function bracketPairs(vocabulary: readonly string[], most: number): (readonly [string, string])[] {
  const pairs = Array.from({ length: Math.min(most, Math.floor(vocabulary.length / 2)) }, (_, i) => {
    return [vocabulary[2 * i]!, vocabulary[2 * i + 1]!] as const;
  });
  if (pairs.length > 0) return pairs;
  throw new MechanistError(
    "BadArgument",
    `vocabulary: expected an opening and a closing bracket, got ${vocabulary.join(",")}`,
  );
}

function bracketBalance(vocabulary: readonly string[]): Numerical {
  const [[open, close]] = bracketPairs(vocabulary, 1) as [readonly [string, string]];
  return aggregate("balance", upToHere, signs(open, close));
}

/** Whether each of the kinds of brackets, taken alone, never closes what is not open and ends with nothing open. */
function closed(vocabulary: readonly string[], most: number): Categorical<boolean> {
  const count = (token: string): Categorical<number> =>
    selectorWidth(
      `count ${token}`,
      select(tokens, tokens, (key) => key === token),
    );
  const kinds = bracketPairs(vocabulary, most).map(([open, close]) => {
    const name = `${open}${close}`;
    const balance = aggregate(`balance ${name}`, upToHere, signs(open, close));
    const below = map(`below ${name}`, balance, (x) => x < 0);
    const times = selectorWidth(
      `times below ${name}`,
      select(below, below, (key) => key),
    );
    const even = sequenceMap(`as many ${name}`, count(open), count(close), (a, b) => a === b);
    return sequenceMap(`closed ${name}`, even, times, (a, b) => a && b === 0);
  });
  return kinds.reduce((all, one, i) => sequenceMap(`all of ${i + 1}`, all, one, (a, b) => a && b));
}

/** The programs, by name. A new one is an entry in this table. */
export const COMPILED: Readonly<Record<string, ProgramMaker>> = {
  length: {
    summary: "how many tokens there are",
    vocabulary: LETTERS,
    output: () => lengthOfInput("length"),
  },
  reverse: { summary: "the tokens from last to first", vocabulary: LETTERS, output: reversed },
  sort: { summary: "the tokens in the order of the vocabulary", vocabulary: LETTERS, output: sorted },
  histogram: {
    summary: "how many tokens are the same as the one here",
    vocabulary: LETTERS,
    output: () => countOfSame("histogram"),
  },
  "fraction-previous": {
    summary: "the fraction of tokens up to here that are the first of the vocabulary",
    vocabulary: ["x", "a", "b"],
    output: fractionPrevious,
  },
  "bracket-balance": {
    summary: "opening less closing brackets up to here, as a fraction of the tokens up to here",
    vocabulary: ["(", ")", "x"],
    output: bracketBalance,
  },
  dyck: {
    summary: "whether all brackets of one kind are closed, and none before it is opened",
    vocabulary: ["(", ")", "x"],
    output: (vocabulary) => closed(vocabulary, 1),
  },
  "shuffle-dyck": {
    summary: "the same for several kinds of brackets, each taken alone",
    vocabulary: ["(", ")", "[", "]"],
    output: (vocabulary) => closed(vocabulary, vocabulary.length),
  },
  "most-frequent": {
    summary: "the token that there is most of, the earliest where several are",
    vocabulary: LETTERS,
    output: mostFrequent,
  },
};

/** Sequences that can be computed of any input, for networks that compute what they do not use. */
export function decoys(): Sequence[] {
  const before = select(indices, indices, (key, query) => key === query - 1);
  const first = select(indices, indices, (key) => key === 0, { nonempty: true });
  return [
    aggregate("unused previous", before, tokens, "none"),
    countOfSame("unused count"),
    aggregate("unused first", first, tokens),
  ];
}
