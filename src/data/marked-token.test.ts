import { expect, test } from "vitest";
import { keyFromSeed } from "../tensor/index.ts";
import { sampled } from "./draws.ts";
import { markedTokens } from "./marked-token.ts";

const rowsOf = (pos: number, batch = 500): number[][] => {
  const { tokens, marker } = sampled({ ...markedTokens("m", { batch, pos, vocabulary: 6 }) }, keyFromSeed(1));
  expect(tokens.shape).toEqual([batch, pos + 1]);
  return Array.from({ length: batch }, (_, i) => [
    marker.data[i]!,
    ...Array.from(tokens.data.slice(i * (pos + 1), (i + 1) * (pos + 1))),
  ]);
};

test("begin, marker and token somewhere, marker again, the token last", () => {
  for (const [marker, ...row] of rowsOf(9)) {
    expect(row[0]).toBe(0);
    expect(row.flatMap((id, i) => (id === 7 ? [i] : []))).toEqual([marker, 8]);
    expect(row[marker! + 1]).toBe(row[9]);
    for (const id of row.filter((_, i) => i !== 0 && i !== marker && i !== 8)) expect([1, 2, 3, 4, 5, 6]).toContain(id);
  }
});

test("every place and every token occurs", () => {
  const rows = rowsOf(9);
  expect(new Set(rows.map(([marker]) => marker))).toEqual(new Set([1, 2, 3, 4, 5]));
  expect(new Set(rows.map((row) => row.at(-1)))).toEqual(new Set([1, 2, 3, 4, 5, 6]));
});

test("too short a sequence has no room", () => {
  expect(rowsOf(5).every(([marker]) => marker === 1)).toBe(true);
  expect(() => rowsOf(4)).toThrow(/marked tokens: expected at least 5 positions, got 4/);
});
