/** What a program means: its interpreter on lists. A compiled network is held against it. */
import { MechanistError } from "../../error.ts";
import type { Categorical, Category, Numerical, Selector, Sequence } from "./language.ts";
import { meanOf } from "./mean.ts";

/**
 * The values of a sequence on an input, one a token.
 *
 * @throws `BadArgument` where a program breaks one of its own promises: a selector that selects nothing, or different categories, or a
 *   pair that was said not to occur
 */
export function evaluate<T extends Category>(sequence: Categorical<T>, input: readonly string[]): T[];
export function evaluate(sequence: Numerical, input: readonly string[]): number[];
export function evaluate(sequence: Sequence, input: readonly string[]): Category[];
export function evaluate(sequence: Sequence, input: readonly string[]): Category[] {
  return new Evaluation(input).of(sequence);
}

class Evaluation {
  readonly #input: readonly string[];
  readonly #known = new Map<Sequence, Category[]>();

  constructor(input: readonly string[]) {
    this.#input = input;
  }

  of(sequence: Sequence): Category[] {
    let values = this.#known.get(sequence);
    if (values === undefined) this.#known.set(sequence, (values = this.#evaluate(sequence)));
    return values;
  }

  #evaluate(sequence: Sequence): Category[] {
    const { from, label } = sequence;
    switch (from.op) {
      case "tokens":
        return [...this.#input];
      case "indices":
        return this.#input.map((_, i) => i);
      case "map":
        return this.of(from.input).map(from.f);
      case "sequenceMap": {
        const second = this.of(from.second);
        return this.of(from.first).map((a, i) => {
          const value = from.f(a, second[i]!);
          return value ?? broken(label, `a value for (${a}, ${second[i]})`, "none");
        });
      }
      case "aggregate": {
        const values = this.of(from.values);
        return this.#selected(label, from.selector).map((at) => {
          const chosen = at.map((i) => values[i]!);
          if (sequence.kind === "numerical") return mean(chosen as number[]);
          if (chosen.length === 0) return from.otherwise ?? broken(label, "something selected", "nothing");
          const other = chosen.find((value) => value !== chosen[0]);
          return other === undefined ? chosen[0]! : broken(label, "one category", `${chosen[0]} and ${other}`);
        });
      }
      case "selectorWidth":
        return this.#selected(label, from.selector).map((at) => at.length);
    }
  }

  /** For each position the positions it selects. */
  #selected(label: string, { keys, queries, predicate, nonempty }: Selector): number[][] {
    const all = this.of(keys);
    return this.of(queries).map((query) => {
      const at = all.flatMap((key, i) => (predicate(key, query) ? [i] : []));
      return at.length === 0 && nonempty ? broken(label, "something selected, as promised", "nothing") : at;
    });
  }
}

function mean(numbers: readonly number[]): number {
  const sum = numbers.reduce((a, b) => a + b, 0);
  return numbers.length === 0 ? 0 : meanOf(sum, numbers.length);
}

function broken(label: string, expected: string, got: string): never {
  throw new MechanistError("BadArgument", `program ${label}: expected ${expected}, got ${got}`);
}
