import fc from "fast-check";
import { expect, test } from "vitest";
import { values } from "../../engine/index.ts";
import { dictionaryWeights } from "./dictionary.ts";
import { foldedDictionary, scaleName } from "./fold.ts";
import { geometricMedian, meanLengthScale, startDictionary } from "./start.ts";

const sample = (rows: readonly (readonly number[])[]): Parameters<typeof geometricMedian>[0] => ({
  data: Float32Array.from(rows.flat()),
  rows: rows.length,
  width: rows[0]!.length,
});

test("the geometric median of points on a line is their median, and one far away moves it little", () => {
  expect(geometricMedian(sample([[0], [1], [10]]))[0]).toBeCloseTo(1, 2);
  const [x] = geometricMedian(
    sample([
      [0, 0],
      [1, 0],
      [0, 1],
      [1, 1],
      [1000, 0],
    ]),
  );
  expect(x).toBeLessThan(2);
});

test("no other point is nearer to the rows on average", () => {
  const coordinate = fc.double({ min: -5, max: 5, noNaN: true });
  const row = fc.tuple(coordinate, coordinate);
  const distance = (rows: readonly (readonly number[])[], at: ArrayLike<number>): number =>
    rows.reduce((sum, [x, y]) => sum + Math.hypot(x! - at[0]!, y! - at[1]!), 0);
  fc.assert(
    fc.property(fc.array(row, { minLength: 3, maxLength: 9 }), row, (rows, other) => {
      expect(distance(rows, geometricMedian(sample(rows)))).toBeLessThanOrEqual(distance(rows, other) + 0.05);
    }),
  );
});

test("scaled rows have a mean length of √width", () => {
  const rows = [
    [3, 4, 0, 0],
    [0, 0, 6, 8],
  ];
  expect(meanLengthScale(sample(rows)) * 7.5).toBeCloseTo(2, 12);
});

const shape = { site: "s", code: "relu", dIn: 3, dOut: 3, C: 5 } as const;
const specs = dictionaryWeights(shape);

test("the decoder starts with rows of the length asked for, the encoder as its transpose", () => {
  const start = startDictionary("s", specs, { decoderStart: 0.1 }, [1, 2]);
  const [W_enc, W_dec] = [start["s.W_enc"]!.data, start["s.W_dec"]!.data];
  for (let c = 0; c < 5; c++) {
    expect(Math.hypot(...W_dec.slice(c * 3, c * 3 + 3))).toBeCloseTo(0.1, 6);
    for (let i = 0; i < 3; i++) expect(W_enc[i * 5 + c]! * 0.1).toBeCloseTo(W_dec[c * 3 + i]!, 6);
  }
});

test("what nothing was done to is folded into the same objects", () => {
  const start = startDictionary("s", specs, { decoderStart: 1 }, [1, 2]);
  const point = { name: "p", width: 3 };
  const as = { logThresholds: false, subtractDecoderBias: false };
  const place = { site: "s", reads: point, writes: point };
  const folded = foldedDictionary(place, specs, start, as);
  for (const { name } of specs) expect(folded[name]).toBe(start[name]);
  const scaled = foldedDictionary(place, specs, { ...start, [scaleName("p")]: values("", [], [2]) }, as);
  expect(scaled["s.W_enc"]).toBe(start["s.W_enc"]);
  expect(scaled["s.b_dec"]).not.toBe(start["s.b_dec"]);
});
