/**
 * A little language of sequences, after RASP (Weiss et al. 2021) as Tracr (Lindner et al. 2023) has it: every value is a list with one
 * entry a token, and every operation is one that a transformer's head or MLP can do. `evaluate.ts` says what a program means on lists;
 * `compile.ts` makes weights of it.
 */
import { MechanistError } from "../../error.ts";

/** A value of a categorical sequence; compared with `===`. */
export type Category = string | number | boolean;

/** A sequence of values out of a finite set: one direction of the residual stream for each value. */
export interface Categorical<T extends Category = Category> {
  readonly kind: "categorical";
  /** Names its directions: `reverse:b`. */
  readonly label: string;
  readonly from: Operation;
  /** Never set: the type of the values, for the compiler. */
  readonly of?: T;
}

/** A sequence of numbers: one direction of the residual stream, and the number is its coefficient. */
export interface Numerical {
  readonly kind: "numerical";
  readonly label: string;
  readonly from: Operation;
}

export type Sequence = Categorical | Numerical;

/** Which positions each position looks at. */
export interface Selector {
  readonly keys: Categorical;
  readonly queries: Categorical;
  readonly predicate: (key: Category, query: Category) => boolean;
  /** A promise that at least one key is selected at every position of every input; `evaluate` holds the program to it. */
  readonly nonempty: boolean;
}

/** How a sequence comes about. */
export type Operation =
  | { readonly op: "tokens" }
  | { readonly op: "indices" }
  | { readonly op: "map"; readonly input: Sequence; readonly f: (value: Category) => Category }
  | {
      readonly op: "sequenceMap";
      readonly first: Categorical;
      readonly second: Categorical;
      readonly f: (first: Category, second: Category) => Category | undefined;
    }
  | {
      readonly op: "aggregate";
      readonly selector: Selector;
      readonly values: Sequence;
      readonly otherwise: Category | undefined;
    }
  | { readonly op: "selectorWidth"; readonly selector: Selector };

/** A program with the inputs that it is for. */
export interface Program {
  /** The tokens, in the order that gives them their ids. */
  readonly vocabulary: readonly string[];
  /** The longest input, in tokens. */
  readonly length: number;
  readonly output: Sequence;
  /** Sequences that are compiled too, although the output does not depend on them. */
  readonly unused?: readonly Sequence[];
}

/** The input itself. */
export const tokens: Categorical<string> = { kind: "categorical", label: "tokens", from: { op: "tokens" } };

/** 0, 1, 2, … */
export const indices: Categorical<number> = { kind: "categorical", label: "indices", from: { op: "indices" } };

/** Each value of a sequence by a function, into categories. */
export function map<T extends Category, R extends Category>(
  label: string,
  input: Categorical<T>,
  f: (value: T) => R,
): Categorical<R>;
export function map<R extends Category>(label: string, input: Numerical, f: (value: number) => R): Categorical<R>;
export function map(label: string, input: Sequence, f: (value: never) => Category): Categorical {
  return { kind: "categorical", label, from: { op: "map", input, f: f as (value: Category) => Category } };
}

/** The same, into numbers. */
export function mapToNumber<T extends Category>(
  label: string,
  input: Categorical<T>,
  f: (value: T) => number,
): Numerical;
export function mapToNumber(label: string, input: Numerical, f: (value: number) => number): Numerical;
export function mapToNumber(label: string, input: Sequence, f: (value: never) => number): Numerical {
  return { kind: "numerical", label, from: { op: "map", input, f: f as (value: Category) => number } };
}

/**
 * A function of the values of two sequences at the same position.
 *
 * @param f nothing for a pair that no input ever has
 */
export function sequenceMap<A extends Category, B extends Category, R extends Category>(
  label: string,
  first: Categorical<A>,
  second: Categorical<B>,
  f: (first: A, second: B) => R | undefined,
): Categorical<R> {
  return { kind: "categorical", label, from: { op: "sequenceMap", first, second, f: f as never } };
}

/** At each position the positions whose key goes with its query. */
export function select<K extends Category, Q extends Category>(
  keys: Categorical<K>,
  queries: Categorical<Q>,
  predicate: (key: K, query: Q) => boolean,
  { nonempty = false }: { readonly nonempty?: boolean } = {},
): Selector {
  return { keys, queries, predicate: predicate as Selector["predicate"], nonempty };
}

/** Every position. */
export const everywhere: Selector = select(tokens, tokens, () => true);

/**
 * What a selector looks at: the mean of numbers, or the one category that all selected positions have.
 *
 * @param otherwise of categories: what there is where nothing is selected, a value that `values` never has. The mean of no numbers is 0
 */
export function aggregate<T extends Category, R extends Category = never>(
  label: string,
  selector: Selector,
  values: Categorical<T>,
  otherwise?: R,
): Categorical<T | R>;
export function aggregate(label: string, selector: Selector, values: Numerical): Numerical;
export function aggregate(label: string, selector: Selector, values: Sequence, otherwise?: Category): Sequence {
  return { kind: values.kind, label, from: { op: "aggregate", selector, values, otherwise } } as Sequence;
}

/** How many positions a selector looks at. */
export function selectorWidth(label: string, selector: Selector): Categorical<number> {
  return { kind: "categorical", label, from: { op: "selectorWidth", selector } };
}

/** The sequences that one is made of. */
export function inputsOf({ from }: Sequence): readonly Sequence[] {
  switch (from.op) {
    case "tokens":
    case "indices":
      return [];
    case "map":
      return [from.input];
    case "sequenceMap":
      return [from.first, from.second];
    case "aggregate":
      return [from.selector.keys, from.selector.queries, from.values];
    case "selectorWidth":
      return [from.selector.keys, from.selector.queries];
  }
}

/**
 * Every sequence that some depend on, each after those it is made of.
 *
 * @throws `BadArgument` where two have the same label
 */
export function inOrder(outputs: readonly Sequence[]): Sequence[] {
  const found = new Set<Sequence>();
  const visit = (sequence: Sequence): void => {
    if (found.has(sequence)) return;
    inputsOf(sequence).forEach(visit);
    found.add(sequence);
  };
  outputs.forEach(visit);
  const labels = new Set<string>();
  for (const { label } of found) {
    if (labels.has(label)) {
      throw new MechanistError("BadArgument", `program: expected each label once, got two sequences called ${label}`);
    }
    labels.add(label);
  }
  return [...found];
}
