/** From a program to heads and hidden units: each sequence as early as what it is made of allows. */
import { MechanistError } from "../../error.ts";
import { type Sink, queriesAndKeys } from "./attend.ts";
import { Domains } from "./domain.ts";
import {
  type Category,
  indices,
  inOrder,
  inputsOf,
  type Operation,
  type Program,
  type Selector,
  type Sequence,
  tokens,
} from "./language.ts";
import {
  BOS,
  directionOf,
  type Entry,
  type HeadPlan,
  type MlpPlan,
  ONE,
  type Plan,
  type UnitPlan,
  type Weighted,
} from "./plan.ts";
import { interpolation, steps } from "./table.ts";

type OperationOf<K extends Operation["op"]> = Extract<Operation, { readonly op: K }>;

/** Makes the plan of a program. */
export function lowerProgram(program: Program): Plan {
  return new Lowering(program).plan();
}

/** Moments of a forward pass: 0 the embedding, then attention and MLP of each layer in turn. */
const attentionAfter = (moment: number): number => moment + 1 + (moment % 2);
const mlpAfter = (moment: number): number => moment + 2 - (moment % 2);
const layerAt = (moment: number): number => Math.ceil(moment / 2) - 1;

class Lowering {
  readonly #program: Program;
  readonly #domains: Domains;
  readonly #order: readonly Sequence[];
  /** Sequences that must not be written before the input: heads will look there. */
  readonly #clean: ReadonlySet<Sequence>;
  readonly #ready = new Map<Sequence, number>();
  readonly #heads: HeadPlan[] = [];
  readonly #mlps: MlpPlan[] = [];

  constructor(program: Program) {
    this.#program = program;
    this.#domains = new Domains(program);
    this.#order = inOrder([program.output, ...(program.unused ?? [])]);
    this.#clean = mustBeClean(this.#order, this.#domains);
  }

  plan(): Plan {
    for (const sequence of this.#order) this.#ready.set(sequence, this.#lower(sequence));
    const read = new Set([
      ...this.#heads.flatMap(({ q, k, v }) => [...q, ...k, ...v].map(({ direction }) => direction)),
      ...this.#mlps.flatMap(({ units }) => units.flatMap(({ reads }) => reads.map(([direction]) => direction))),
    ]);
    const marks = [BOS, ONE].filter((direction) => read.has(direction));
    const layers = 1 + Math.max(0, ...[...this.#heads, ...this.#mlps].map(({ layer }) => layer));
    return {
      layers,
      embed: [...marks, ...(this.#isRead(tokens, read) ? this.#directions(tokens) : [])],
      posEmbed: this.#isRead(indices, read) ? this.#directions(indices) : [],
      heads: this.#heads,
      mlps: this.#mlps,
    };
  }

  #isRead(sequence: Sequence, read: ReadonlySet<string>): boolean {
    return sequence === this.#program.output || this.#directions(sequence).some((direction) => read.has(direction));
  }

  #directions(sequence: Sequence): string[] {
    const { label } = sequence;
    return sequence.kind === "numerical"
      ? [label]
      : this.#domains.of(sequence).map((value) => directionOf(label, value));
  }

  /** When a sequence's inputs are there. */
  #begin(sequence: Sequence): number {
    return Math.max(0, ...inputsOf(sequence).map((input) => this.#ready.get(input)!));
  }

  /** Adds what computes a sequence; returns when it is there. */
  #lower(sequence: Sequence): number {
    const { from, label } = sequence;
    const begin = this.#begin(sequence);
    switch (from.op) {
      case "tokens":
      case "indices":
        return 0;
      case "map":
        return this.#mlp(label, mlpAfter(begin), this.#mapped(sequence, from), this.#directions(sequence));
      case "sequenceMap":
        return this.#mlp(label, mlpAfter(begin), this.#paired(label, from), this.#directions(sequence));
      case "aggregate":
        return this.#aggregate(sequence, from, attentionAfter(begin));
      case "selectorWidth":
        return this.#width(sequence, from, attentionAfter(begin));
    }
  }

  #mlp(computes: string, moment: number, units: readonly UnitPlan[], writes: readonly string[]): number {
    // A number that is always 0 has a unit too, which does nothing: whoever reads it finds somebody who writes it.
    const some = units.length > 0 ? units : [{ reads: [], writes: [] }];
    this.#mlps.push({ computes, layer: layerAt(moment), units: some, writes });
    return moment;
  }

  #mapped(sequence: Sequence, { input, f }: OperationOf<"map">): UnitPlan[] {
    const { label } = sequence;
    const values = this.#domains.of(input);
    if (input.kind === "categorical") {
      return values.flatMap((value): UnitPlan[] => {
        const [write] = [this.#written(sequence, f(value))];
        return write[1] === 0 ? [] : [{ reads: [[directionOf(input.label, value), 1]], writes: [write] }];
      });
    }
    const xs = values as readonly number[];
    const results = xs.map(f);
    return sequence.kind === "categorical"
      ? stepUnits(input.label, label, xs, results)
      : lineUnits(input.label, label, xs, results as number[]);
  }

  /** One value of a sequence, as what is written. */
  #written({ kind, label }: Sequence, value: Category): Weighted {
    return kind === "numerical" ? [label, value as number] : [directionOf(label, value), 1];
  }

  /** A unit for each pair: on where both are there, `relu(a + b - 1)`. */
  #paired(label: string, { first, second, f }: OperationOf<"sequenceMap">): UnitPlan[] {
    return this.#domains.of(first).flatMap((a) =>
      this.#domains.of(second).flatMap((b): UnitPlan[] => {
        const value = f(a, b);
        if (value === undefined || (first === second && a !== b)) return [];
        const both: Weighted[] =
          first === second
            ? [[directionOf(first.label, a), 1]]
            : [
                [directionOf(first.label, a), 1],
                [directionOf(second.label, b), 1],
                [ONE, -1],
              ];
        return [{ reads: both, writes: [[directionOf(label, value), 1]] }];
      }),
    );
  }

  #aggregate(sequence: Sequence, { selector, values, otherwise }: OperationOf<"aggregate">, moment: number): number {
    const { label } = sequence;
    const sink: Sink = { from: this.#domains.alwaysSelects(selector) ? 0 : 0.5, alone: this.#clean.has(sequence) };
    const read = this.#directions(values);
    const written =
      sequence.kind === "numerical" ? [label] : this.#domains.of(values).map((value) => directionOf(label, value));
    this.#head(label, moment, selector, sink, read, written);
    if (otherwise === undefined) return moment;
    if (this.#domains.of(values).includes(otherwise)) {
      const message = `program ${label}: expected another value where nothing is selected than "${otherwise}", which something selected may have`;
      throw new MechanistError("BadArgument", message);
    }
    // The head has written nothing there: what is then missing is written by the next MLP.
    const none = directionOf(label, otherwise);
    const missing: UnitPlan = {
      reads: [[ONE, 1], ...written.map((direction): Weighted => [direction, -1])],
      writes: [[none, 1]],
    };
    return this.#mlp(label, mlpAfter(moment), [missing], [none]);
  }

  /**
   * A head that looks at `BOS` as much as at each of the w selected positions and brings back w / (w + 1), and the table of that.
   */
  #width(sequence: Sequence, { selector }: OperationOf<"selectorWidth">, moment: number): number {
    const { label } = sequence;
    const share = `${label}/share`;
    this.#head(label, moment, selector, { from: 1, alone: this.#clean.has(sequence) }, [ONE], [share]);
    const widths = this.#domains.of(sequence) as readonly number[];
    const shares = widths.map((width) => width / (width + 1));
    const after = mlpAfter(moment);
    return this.#mlp(label, after, stepUnits(share, label, shares, widths), this.#directions(sequence));
  }

  #head(
    computes: string,
    moment: number,
    selector: Selector,
    sink: Sink,
    read: readonly string[],
    writes: readonly string[],
  ): void {
    const entry = (direction: string, dimension: number): Entry => ({ direction, dimension, value: 1 });
    const { q, k } = queriesAndKeys(selector, this.#domains, sink);
    this.#heads.push({ computes, layer: layerAt(moment), q, k, v: read.map(entry), o: writes.map(entry), writes });
  }
}

/** Units whose sum is the direction of the category that a number has in a table. */
function stepUnits(input: string, label: string, xs: readonly number[], categories: readonly Category[]): UnitPlan[] {
  const at = (knot: number): Weighted[] => [
    [input, 1],
    [ONE, -knot],
  ];
  const first: UnitPlan = { reads: [[ONE, 1]], writes: [[directionOf(label, categories[0]!), 1]] };
  return [
    first,
    ...steps(xs, categories).flatMap(({ from, to, rise, top }): UnitPlan[] => {
      const slope = 1 / (top - rise);
      const towards = (sign: number): Weighted[] => [
        [directionOf(label, to), sign * slope],
        [directionOf(label, from), -sign * slope],
      ];
      return [
        { reads: at(rise), writes: towards(1) },
        { reads: at(top), writes: towards(-1) },
      ];
    }),
  ];
}

/** Units whose sum is the number that a number has in a table. */
function lineUnits(input: string, label: string, xs: readonly number[], ys: readonly number[]): UnitPlan[] {
  const { start, kinks } = interpolation(xs, ys);
  const units = kinks.map(({ at, change }): UnitPlan => ({
    reads: [
      [input, 1],
      [ONE, -at],
    ],
    writes: [[label, change]],
  }));
  return start === 0 ? units : [{ reads: [[ONE, 1]], writes: [[label, start]] }, ...units];
}

/**
 * The sequences that heads look at, and what those are made of: nothing may be written of them at the token before the input, which has
 * neither a category nor a number.
 */
function mustBeClean(order: readonly Sequence[], domains: Domains): Set<Sequence> {
  const clean = new Set<Sequence>();
  for (const sequence of order.toReversed()) {
    const { from } = sequence;
    if (clean.has(sequence)) for (const input of inputsOf(sequence)) clean.add(input);
    if (from.op !== "aggregate" && from.op !== "selectorWidth") continue;
    clean.add(from.selector.keys);
    // Where something is always selected, no token of the input looks there for values.
    if (from.op === "aggregate" && !domains.alwaysSelects(from.selector)) clean.add(from.values);
  }
  return clean;
}
