/** Which values a sequence can have. Supersets: what no input brings about may be among them. */
import { MechanistError } from "../../error.ts";
import type { Category, Program, Selector, Sequence } from "./language.ts";
import { meanOf } from "./mean.ts";

/** Numbers nearer than this are the same. */
const SAME = 1e-9;
/** Means of means of many numbers become too many to tell apart. */
const MOST_NUMBERS = 4096;

/** The values that sequences of one program can have. */
export class Domains {
  readonly #program: Program;
  readonly #known = new Map<Sequence, readonly Category[]>();

  constructor(program: Program) {
    this.#program = program;
  }

  /** Categories in the order they come up; numbers ascending. */
  of(sequence: Sequence): readonly Category[] {
    let values = this.#known.get(sequence);
    if (values === undefined) {
      const all = this.#values(sequence);
      values = sequence.kind === "numerical" ? distinct(sequence.label, all as number[]) : [...new Set(all)];
      this.#known.set(sequence, values);
    }
    return values;
  }

  /** Whether something is selected at every position: as promised, or because each position selects itself. */
  alwaysSelects({ keys, queries, predicate, nonempty }: Selector): boolean {
    return nonempty || (keys === queries && this.of(keys).every((value) => predicate(value, value)));
  }

  #values(sequence: Sequence): readonly Category[] {
    const { from, label } = sequence;
    const { vocabulary, length } = this.#program;
    switch (from.op) {
      case "tokens":
        return vocabulary;
      case "indices":
        return Array.from({ length }, (_, i) => i);
      case "map":
        return this.of(from.input).map(from.f);
      case "sequenceMap": {
        const second = this.of(from.second);
        return this.of(from.first).flatMap((a) => second.flatMap((b) => from.f(a, b) ?? []));
      }
      case "aggregate": {
        const values = this.of(from.values);
        if (sequence.kind === "numerical") {
          const some = means(label, values as number[], length);
          return this.alwaysSelects(from.selector) ? some : [...some, 0];
        }
        return from.otherwise === undefined ? values : [...values, from.otherwise];
      }
      case "selectorWidth": {
        const least = this.alwaysSelects(from.selector) ? 1 : 0;
        return Array.from({ length: length + 1 - least }, (_, i) => i + least);
      }
    }
  }
}

/** The means of one to `longest` of some numbers. */
function means(label: string, numbers: readonly number[], longest: number): number[] {
  let sums: readonly number[] = [0];
  const found: number[] = [];
  for (let count = 1; count <= longest; count++) {
    sums = distinct(
      label,
      sums.flatMap((sum) => numbers.map((x) => sum + x)),
    );
    found.push(...sums.map((sum) => meanOf(sum, count)));
  }
  return found;
}

/** Numbers ascending, each once. */
function distinct(label: string, numbers: readonly number[]): number[] {
  const sorted = numbers.toSorted((a, b) => a - b);
  const found = sorted.filter((x, i) => i === 0 || x - sorted[i - 1]! > SAME);
  if (found.length <= MOST_NUMBERS) return found;
  throw new MechanistError(
    "BadArgument",
    `program ${label}: expected at most ${MOST_NUMBERS} different numbers, got ${found.length}`,
  );
}
