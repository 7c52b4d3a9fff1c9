/** The toys' data: each is what its task says, drawn as often as it should be, and the same on a device. */
import { describe, expect, test } from "vitest";
import { compile, type Values } from "../engine/index.ts";
import { keyFromSeed, type Tensor } from "../tensor/index.ts";
import { sampled } from "./draws.ts";
import { flipFlop } from "./flip-flop.ts";
import { EQUALITIES, equalityExamples, equalityPairs } from "./hierarchical-equality.ts";
import { linearExamples, linearTeacher } from "./linear-teacher.ts";
import { modularAddition } from "./modular-addition.ts";
import { repeatedSequences } from "./repeated-sequence.ts";

const key = keyFromSeed(3);
const rowsOf = ({ shape, data }: Values): number[][] => {
  const width = data.length / shape[0]!;
  const list = Array.from(data);
  return Array.from({ length: shape[0]! }, (_, i) => list.slice(i * width, (i + 1) * width));
};
/** Four standard deviations of a share. */
const noise = (p: number, n: number): number => 4 * Math.sqrt((p * (1 - p)) / n);
const share = (list: readonly (number | boolean)[]): number => list.filter(Boolean).length / list.length;

async function expectSameOnDevice(program: Readonly<Record<string, Tensor>>): Promise<void> {
  const executable = await compile(program);
  const [got, want] = [await executable.run({}, key), sampled(program, key)];
  for (const name of Object.keys(program)) expect(Array.from(got[name]!.data)).toEqual(Array.from(want[name]!.data));
  await executable.dispose();
}

describe("repeated sequences", () => {
  const options = { batch: 2000, pos: 32, vocabulary: 24, shortest: 4, longest: 16 };
  const drawn = sampled({ ...repeatedSequences("x", options) }, key);
  const [tokens, repeated, inducible] = [drawn.tokens, drawn.repeated, drawn.inducible].map(rowsOf) as [
    number[][],
    number[][],
    number[][],
  ];
  const periods = Array.from(drawn.period.data);

  test("each row repeats its segment, and says where", () => {
    tokens.forEach((row, i) => {
      const period = periods[i]!;
      row.forEach((token, t) => {
        if (t >= period) expect(token).toBe(row[t - period]);
        expect(repeated[i]![t]).toBe(Number(t >= period));
        expect(inducible[i]![t]).toBe(Number(t > period));
      });
    });
  });

  test("lengths and tokens are uniform", () => {
    for (let length = 4; length <= 16; length++)
      expect(Math.abs(share(periods.map((p) => p === length)) - 1 / 13)).toBeLessThan(noise(1 / 13, 2000));
    for (let token = 0; token < 24; token++)
      expect(Math.abs(share(tokens.map((row) => row[2] === token)) - 1 / 24)).toBeLessThan(noise(1 / 24, 2000));
  });

  test("a device draws the same", () => expectSameOnDevice({ ...repeatedSequences("x", { ...options, batch: 100 }) }));

  test("lengths that do not fit are refused", () => {
    expect(() => repeatedSequences("x", { ...options, longest: 32 })).toThrow(/shorter than the 32 positions, got 32/);
    expect(() => repeatedSequences("x", { ...options, shortest: 17 })).toThrow(/got 17 and 16/);
  });
});

describe("modular addition", () => {
  const p = 11;
  const { train, test: held } = modularAddition(p, 0.4, key);

  test("every sum is right and in one part only", () => {
    const all = [train, held].flatMap(({ tokens, labels }) =>
      rowsOf(tokens).map(([a, b, sign], i) => {
        expect(sign).toBe(p);
        expect(labels.data[i]).toBe((a! + b!) % p);
        return `${a} ${b}`;
      }),
    );
    expect(new Set(all).size).toBe(p * p);
    expect(train.labels.shape).toEqual([48]);
    expect(held.labels.shape).toEqual([73]);
  });

  test("the key decides the split", () => {
    expect(modularAddition(p, 0.4, key).train.tokens.data).toEqual(train.tokens.data);
    expect(modularAddition(p, 0.4, keyFromSeed(4)).train.tokens.data).not.toEqual(train.tokens.data);
  });

  test("parts that would be empty are refused", () => {
    expect(() => modularAddition(11, 1, key)).toThrow(/leaves sums in both parts, got 1 of 121/);
    expect(() => modularAddition(11, 0.001, key)).toThrow(/got 0.001 of 121/);
    expect(() => modularAddition(1, 0.5, key)).toThrow(/from 2 to 1000, got 1/);
  });
});

describe("flip-flop", () => {
  const options = { batch: 400, pos: 20, bits: 3, pulseProbability: 0.3 };

  test("targets hold the last pulse", () => {
    const { pulses, targets } = sampled({ ...flipFlop("x", options) }, key);
    let after = 0;
    for (let row = 0; row < 400; row++) {
      for (let bit = 0; bit < 3; bit++) {
        let last = 0;
        for (let t = 0; t < 20; t++) {
          const at = (row * 20 + t) * 3 + bit;
          const pulse = pulses.data[at]!;
          expect([-1, 0, 1]).toContain(pulse + 0);
          if (pulse !== 0) last = pulse;
          if (t === 0) expect(Math.abs(pulse)).toBe(1);
          else after += Number(pulse !== 0);
          expect(targets.data[at]).toBe(last);
        }
      }
    }
    const n = 400 * 19 * 3;
    expect(Math.abs(after / n - 0.3)).toBeLessThan(noise(0.3, n));
  });

  test("a device draws the same", () => expectSameOnDevice({ ...flipFlop("x", options) }));
});

describe("hierarchical equality", () => {
  const options = { batch: 4000, dimensions: 3 };
  const objectsOf = (row: readonly number[]): string[] => [0, 1, 2, 3].map((i) => row.slice(3 * i, 3 * i + 3).join());

  test("labels follow from the vectors, and everything is balanced", () => {
    const { x, left, right, label } = sampled({ ...equalityExamples("x", options) }, key);
    rowsOf(x).forEach((row, i) => {
      const [a, b, c, d] = objectsOf(row);
      expect(left.data[i]).toBe(Number(a === b));
      expect(right.data[i]).toBe(Number(c === d));
      expect(label.data[i]).toBe(Number((a === b) === (c === d)));
    });
    for (const truth of [left, right, label])
      expect(Math.abs(share(Array.from(truth.data)) - 0.5)).toBeLessThan(noise(0.5, 4000));
  });

  test.each(EQUALITIES)("pairs that exchange the %s equality", (variable) => {
    const { base, source, label } = equalityPairs("x", options, variable);
    const b = sampled({ ...base, label }, key);
    const s = sampled({ ...source, own: base.label }, key);
    label.shape.forEach((n) => expect(n).toBe(4000));
    const truth = (side: "left" | "right", i: number): number => (side === variable ? s[side] : b[side]).data[i]!;
    for (let i = 0; i < 4000; i++) expect(b.label.data[i]).toBe(Number(truth("left", i) === truth("right", i)));
    // Base and source are independent, so exchanging changes the label of half.
    const changed = Array.from(b.label.data, (value, i) => value !== s.own.data[i]);
    expect(Math.abs(share(changed) - 0.5)).toBeLessThan(noise(0.5, 4000));
  });

  test("a device draws the same", () => expectSameOnDevice({ ...equalityExamples("x", options) }));
});

describe("linear teacher", () => {
  const singular = [3, 2, 0.5];
  const teacher = linearTeacher(6, 4, singular, key);
  const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((total, x, i) => total + x * b[i]!, 0);

  test("has the singular values and vectors that it says", () => {
    const [W, U, V] = [teacher.W, teacher.U, teacher.V].map(rowsOf) as [number[][], number[][], number[][]];
    for (const vectors of [U, V])
      vectors.forEach((a, i) => vectors.forEach((b, j) => expect(dot(a, b)).toBeCloseTo(Number(i === j), 6)));
    singular.forEach((s, k) => {
      W.forEach((row, i) => expect(dot(row, V[k]!)).toBeCloseTo(s * U[k]![i]!, 6));
    });
    // Nothing beside these modes: the squares of all entries are the squares of the singular values.
    expect(W.flat().reduce((total, w) => total + w * w, 0)).toBeCloseTo(9 + 4 + 0.25, 5);
  });

  test("examples are white inputs times the teacher", () => {
    const { x, y } = sampled(linearExamples("x", teacher, 5000), key);
    const [xs, ys, W] = [rowsOf(x), rowsOf(y), rowsOf(teacher.W)];
    xs.slice(0, 50).forEach((row, i) =>
      ys[i]!.forEach((value, j) =>
        expect(value).toBeCloseTo(
          row.reduce((t, v, k) => t + v * W[k]![j]!, 0),
          4,
        ),
      ),
    );
    for (let i = 0; i < 6; i++)
      for (let j = 0; j < 6; j++) {
        const moment = xs.reduce((total, row) => total + row[i]! * row[j]!, 0) / 5000;
        expect(Math.abs(moment - Number(i === j))).toBeLessThan(4 * Math.sqrt((1 + Number(i === j)) / 5000));
      }
  });

  test("more modes than dimensions are refused", () => {
    expect(() => linearTeacher(2, 4, singular, key)).toThrow(/1 to 2 singular values for 2 × 4, got 3/);
  });
});
