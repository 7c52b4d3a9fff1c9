import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { descriptionLength, mechanismLength, setBits } from "./description-length.ts";

const WIDTH = 0.01;
/** Bits of a rank-one component of a 4 × 4 matrix, at 32 bits a number. */
const RANK_ONE = 32 * 8;

describe("a two-part code", () => {
  test("by hand: three components, two data", () => {
    const { components, active, residual, total } = descriptionLength({
      componentBits: [10, 20, 40, 1000],
      active: [[0], [1, 2]],
      errors: [0, 3 * WIDTH ** 2],
      outputs: 4,
      width: WIDTH,
    });
    // The fourth is never used. Which one of three: log2(4) + log2(3); which two: the same.
    expect(components).toBe(70);
    expect(active).toBeCloseTo(2 * (2 + Math.log2(3)), 12);
    // Four outputs, half of log2(1 + 3) each.
    expect(residual).toBeCloseTo(4, 12);
    expect(total).toBeCloseTo(components + active + residual, 12);
  });

  test("the bits of a set count all sets of that size, whichever half is named", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 40 }), (C, other) => {
        const k = Math.min(C, other);
        expect(setBits(C, k)).toBeCloseTo(setBits(C, C - k), 9);
      }),
    );
    // All sets of all sizes together are told apart: Kraft's inequality.
    const C = 7;
    const binomial = [1, 7, 21, 35, 35, 21, 7, 1];
    const mass = binomial.reduce((sum, count, k) => sum + count * 2 ** -setBits(C, k), 0);
    expect(mass).toBeCloseTo(1, 12);
  });
});

/**
 * `y = ReLU(W x)` with `W = I₄` and one-hot data: what each way to take it apart says of datum i, and what it costs.
 */
describe("of the identity on one-hot data", () => {
  const data = Array.from({ length: 64 }, (_, i) => i % 4);
  const exact = data.map(() => 0);
  const code = (componentBits: number[], active: (datum: number) => number[], errors = exact): number =>
    descriptionLength({ componentBits, active: data.map(active), errors, outputs: 4, width: WIDTH }).total;

  const parts = [0, 1, 2, 3];
  const truth = code(
    parts.map(() => RANK_ONE),
    (i) => [i],
  );

  test("the truth is shorter than nothing at all and than a table of the data", () => {
    // Of nothing, every datum's output is residual: a mean square of 1/4.
    const nothing = code(
      [],
      () => [],
      data.map(() => 0.25),
    );
    const table = descriptionLength({
      componentBits: data.map(() => RANK_ONE),
      active: data.map((_, datum) => [datum]),
      errors: exact,
      outputs: 4,
      width: WIDTH,
    }).total;
    expect(truth).toBeLessThan(nothing);
    expect(truth).toBeLessThan(table);
  });

  test("components that another one makes useless cost as much again", () => {
    const doubled = code(
      parts.map(() => RANK_ONE),
      (i) => [i, (i + 1) % 4],
    );
    expect(doubled).toBeGreaterThan(truth);
  });

  test("one whole matrix is no longer, but as the mechanism of a datum it is", () => {
    const whole = code([4 * RANK_ONE], () => [0]);
    expect(whole).toBeLessThan(truth);
    const mechanism = (ranks: readonly number[], active: (i: number) => number[]): number =>
      mechanismLength(ranks, data.map(active), 1);
    // log₂ 4 + 1 against log₂ 1 + 4.
    expect(mechanism([1, 1, 1, 1], (i) => [i])).toBe(3);
    expect(mechanism([4], () => [0])).toBe(4);
  });
});

/**
 * Layers and a toy model of superposition whose parts are written down, each taken apart in four ways: as it is, neuron by neuron, not at all, and with a
 * component for every datum. What a way leaves out of its answers is computed, not claimed.
 */
describe("of layers taken apart in four ways", () => {
  type Rows = readonly (readonly number[])[];
  interface Way {
    /** Each component's part of the matrix, an input a row. */
    readonly parts: readonly Rows[];
    readonly ranks: readonly number[];
    readonly active: (x: readonly number[], datum: number) => readonly number[];
  }
  interface Toy {
    /** An input a row. */
    readonly W: Rows;
    /** From what the matrix writes to the answer. */
    readonly answer: (hidden: readonly number[]) => readonly number[];
    /** Inputs that share a component. */
    readonly groups: Rows;
  }
  const relu = (x: readonly number[]): number[] => x.map((a) => Math.max(0, a));
  const only = (W: Rows, keep: (i: number, o: number) => boolean): Rows =>
    W.map((row, i) => row.map((w, o) => (keep(i, o) ? w : 0)));
  const pentagon = Array.from({ length: 5 }, (_, i) => [Math.cos(1.2566 * i), Math.sin(1.2566 * i)]);
  const toys: Readonly<Record<string, Toy>> = {
    "four inputs with an output each": {
      W: [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 1],
      ],
      answer: relu,
      groups: [[0], [1], [2], [3]],
    },
    "two outputs of two inputs each": {
      W: [
        [1, 0],
        [1, 0],
        [0, 1],
        [0, 1],
      ],
      answer: relu,
      groups: [
        [0, 1],
        [2, 3],
      ],
    },
    "a pair of inputs, and two alone": {
      W: [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
        [0, 0, 1],
      ],
      answer: relu,
      groups: [[0], [1], [2, 3]],
    },
    "five features in two dimensions": {
      W: pentagon,
      answer: (h) => relu(pentagon.map((row) => row[0]! * h[0]! + row[1]! * h[1]! - 0.4)),
      groups: [[0], [1], [2], [3], [4]],
    },
  };
  /** Every input alone, and every two of them, sixteen times at other values. */
  const dataOf = ({ W }: Toy): number[][] => {
    const sets = W.flatMap((_, i) => [[i], ...W.flatMap((__, j) => (j > i ? [[i, j]] : []))]);
    return Array.from({ length: 16 }, (_, time) =>
      sets.map((set) => W.map((__, i) => (set.includes(i) ? (time + 1 + i) / 32 : 0))),
    ).flat();
  };
  const hidden = (x: readonly number[], M: Rows): number[] =>
    M[0]!.map((_, o) => x.reduce((sum, a, i) => sum + a * M[i]![o]!, 0));

  function waysOf(toy: Toy, data: Rows): Readonly<Record<"true" | "neurons" | "one" | "table", Way>> {
    const { W, groups } = toy;
    const rank = Math.min(groups.length, W[0]!.length);
    return {
      true: {
        parts: groups.map((group) => only(W, (i) => group.includes(i))),
        ranks: groups.map(() => 1),
        active: (x) => groups.flatMap((group, c) => (group.some((i) => x[i] !== 0) ? [c] : [])),
      },
      neurons: {
        parts: W[0]!.map((_, neuron) => only(W, (__, o) => o === neuron)),
        ranks: W[0]!.map(() => 1),
        active: (x) => W[0]!.flatMap((_, o) => (x.some((a, i) => a * W[i]![o]! !== 0) ? [o] : [])),
      },
      one: { parts: [W], ranks: [rank], active: () => [0] },
      // What a datum's own component has to be: of rank one, right for that datum.
      table: {
        parts: data.map((x) => {
          const h = hidden(x, W);
          const length = x.reduce((sum, a) => sum + a * a, 0);
          return x.map((a) => h.map((y) => (a * y) / length));
        }),
        ranks: data.map(() => 1),
        active: (_, datum) => [datum],
      },
    };
  }

  function lengthsOf(toy: Toy, { parts, ranks, active }: Way, data: Rows) {
    const { W, answer } = toy;
    const sets = data.map(active);
    const errors = data.map((x, datum) => {
      const written = sets[datum]!.map((c) => hidden(x, parts[c]!));
      const found = answer(W[0]!.map((_, o) => written.reduce((sum, h) => sum + h[o]!, 0)));
      return found.reduce((sum, y, o) => sum + (y - answer(hidden(x, W))[o]!) ** 2, 0) / found.length;
    });
    const rankOne = 32 * (W.length + W[0]!.length);
    const { components, residual, total } = descriptionLength({
      componentBits: ranks.map((rank) => rank * rankOne),
      ...{ active: sets, errors, outputs: answer(hidden(data[0]!, W)).length, width: WIDTH },
    });
    expect(residual).toBeLessThan(1e-6);
    const mechanism = mechanismLength(ranks, sets, rankOne);
    return { code: total, mechanism, both: components + data.length * mechanism };
  }

  describe.each(Object.entries(toys))("%s", (name, toy) => {
    const data = dataOf(toy);
    const ways = waysOf(toy, data);
    const truth = lengthsOf(toy, ways.true, data);
    const neurons = lengthsOf(toy, ways.neurons, data);
    const one = lengthsOf(toy, ways.one, data);
    const table = lengthsOf(toy, ways.table, data);
    const inSuperposition = name.startsWith("five");

    test("the two-part code puts the truth before a table, and one matrix before all", () => {
      expect(truth.code).toBeLessThan(table.code);
      for (const other of [truth, neurons, table]) expect(one.code).toBeLessThan(other.code);
      // In superposition there are fewer neurons than mechanisms, and their sets say nothing either.
      if (inSuperposition) expect(neurons.code).toBeLessThan(truth.code);
      else expect(neurons.code).toBe(truth.code);
    });

    test("the mechanism of a datum is shorter in the truth than in one matrix, and shortest in a table", () => {
      expect(truth.mechanism).toBeLessThan(one.mechanism);
      expect(table.mechanism).toBeLessThan(truth.mechanism);
    });

    test("components once and the mechanism of each datum: the truth is shortest", () => {
      expect(truth.both).toBeLessThan(one.both);
      expect(truth.both).toBeLessThan(table.both);
      if (inSuperposition) expect(truth.both).toBeLessThan(neurons.both);
      // Where neurons are the mechanisms.
      else expect(truth.both).toBe(neurons.both);
    });
  });
});

/** `y = ReLU(x₁ + x₂ + x₃ + x₄)`: rank one, so that one component says it all; in two parts, which two does not matter. */
test("W = [1, 1, 1, 1] in two parts is a tie: [1, 0, 0, 0] + [0, 1, 1, 1] and [1, 1, 0, 0] + [0, 0, 1, 1]", () => {
  const data = Array.from({ length: 32 }, (_, i) => i % 4);
  const bits = 32 * 5;
  const split = (first: readonly number[]): number =>
    descriptionLength({
      componentBits: [bits, bits],
      active: data.map((i) => [first.includes(i) ? 0 : 1]),
      errors: data.map(() => 0),
      outputs: 1,
      width: WIDTH,
    }).total;
  expect(split([0])).toBeCloseTo(split([0, 1]), 12);
  const whole = descriptionLength({
    componentBits: [bits],
    active: data.map(() => [0]),
    errors: data.map(() => 0),
    outputs: 1,
    width: WIDTH,
  }).total;
  expect(whole).toBeLessThan(split([0]));
});
