import { expect, test } from "vitest";
import { type Values, values } from "../engine/index.ts";
import { inputsOf, meanLoss, unigramLoss } from "./next-token-scores.ts";

const rows = (pos: number, data: readonly number[]): Values<"row pos"> => ({
  axes: "row pos",
  shape: [data.length / pos, pos],
  dtype: "i32",
  data: Int32Array.from(data),
});
const table = rows(3, [0, 1, 2, 2, 0, 1]);

test("a network is run on all but the last token", () => {
  expect(inputsOf(table)).toMatchObject({ axes: "batch pos", shape: [2, 2], data: Int32Array.of(0, 1, 2, 0) });
});

test("the loss of logits, by hand", () => {
  const ln = Math.log;
  // P of 1, 2, 0, 1 in turn: 1/2, 1/4, 1/8, 1.
  const logits = [
    [ln(0.25), ln(0.5), ln(0.25)],
    [ln(0.5) + 7, ln(0.25) + 7, ln(0.25) + 7],
    [ln(0.125), ln(0.5), ln(0.375)],
    [-1000, 1000, -1000],
  ];
  const given = values("batch pos vocab", [2, 2, 3], logits.flat());
  expect(meanLoss(given, table)).toBeCloseTo(((1 + 2 + 3 + 0) * Math.LN2) / 4, 6);
  expect(meanLoss(given, table, (id) => id !== 1)).toBeCloseTo(((2 + 3) * Math.LN2) / 2, 6);
});

test("frequencies count once more than they were seen, first tokens do not", () => {
  // Seen: 1 once, 2 twice, 0 not at all; of 6 with one more each.
  const seen = rows(4, [0, 1, 2, 2]);
  const expected = -(Math.log(2 / 6) + Math.log(3 / 6) + Math.log(1 / 6) + Math.log(2 / 6)) / 4;
  expect(unigramLoss(seen, table, 3)).toBeCloseTo(expected, 12);
});
