import { describe, expect, test } from "vitest";
import { golden } from "../../test/golden/load.ts";
import {
  foldIn,
  type Key,
  keyFromSeed,
  randomBits,
  randomNormal,
  randomPermutation,
  randomUniform,
  split,
  threefry2x32,
} from "./random.ts";

interface RandomGolden {
  readonly threefry2x32: readonly { key: Key; counter: Key; out: Key }[];
  readonly keyFromSeed: readonly { seed: number; key: Key }[];
  readonly split: readonly { key: Key; keys: readonly Key[] }[];
  readonly foldIn: readonly { key: Key; data: number | string; out: Key }[];
  readonly randomBits: readonly { key: Key; bits: readonly number[] }[];
  readonly randomUniform: readonly { key: Key; draws: readonly number[] }[];
}
const expected = await golden<RandomGolden>("random.json");
const SEED = keyFromSeed(20250622);

describe("keys agree with JAX bit for bit", () => {
  test.each(expected.threefry2x32)("threefry2x32 of $counter under $key", ({ key, counter, out }) => {
    expect(threefry2x32(key, counter)).toEqual(out);
  });
  test.each(expected.keyFromSeed)("the key of seed $seed", ({ seed, key }) => {
    expect(keyFromSeed(seed)).toEqual(key);
  });
  test.each(expected.split)("split $key into $keys.length", ({ key, keys }) => {
    expect(split(key, keys.length)).toEqual(keys);
  });
  test.each(expected.foldIn)("fold $data into $key", ({ key, data, out }) => {
    expect(foldIn(key, data)).toEqual(out);
  });
  test.each(expected.randomBits)("$bits.length words of $key", ({ key, bits }) => {
    expect(Array.from(randomBits(key, bits.length))).toEqual(bits);
  });
  test.each(expected.randomUniform)("$draws.length uniform draws of $key", ({ key, draws }) => {
    expect(Array.from(randomUniform(key, draws.length))).toEqual(draws);
  });
});

test("a key split anew, folded or used gives the same as before", () => {
  expect(split(SEED, 3)).toEqual(split(SEED, 3));
  expect(randomBits(SEED, 4)).toEqual(randomBits(SEED, 4));
  // A longer draw begins with the shorter one: a part of a draw does not depend on the rest.
  expect(Array.from(randomBits(SEED, 8)).slice(0, 4)).toEqual(Array.from(randomBits(SEED, 4)));
});

test("normal draws have the moments of the normal distribution", () => {
  const count = 100_000;
  const draws = Array.from(randomNormal(SEED, count));
  const moment = (power: number): number => draws.reduce((total, x) => total + x ** power, 0) / count;
  // Standard errors of the moments are √(1, 2, 15, 96) / √count; five of them is the allowance.
  expect(Math.abs(moment(1))).toBeLessThan(5 / Math.sqrt(count));
  expect(Math.abs(moment(2) - 1)).toBeLessThan((5 * Math.sqrt(2)) / Math.sqrt(count));
  expect(Math.abs(moment(3))).toBeLessThan((5 * Math.sqrt(15)) / Math.sqrt(count));
  expect(Math.abs(moment(4) - 3)).toBeLessThan((5 * Math.sqrt(96)) / Math.sqrt(count));
});

test("permutations hold every number once, and each place is as likely as another", () => {
  const [size, count] = [5, 4000];
  const seen = Array.from({ length: size }, () => Array.from({ length: size }, () => 0));
  for (const key of split(SEED, count)) {
    const permutation = randomPermutation(key, size);
    expect(permutation.slice().sort()).toEqual([0, 1, 2, 3, 4]);
    permutation.forEach((value, place) => seen[place]![value]!++);
  }
  const chiSquare = seen.flat().reduce((total, n) => total + (n - count / size) ** 2 / (count / size), 0);
  // 16 degrees of freedom: more than 39.3 in one of a thousand.
  expect(chiSquare).toBeLessThan(39.3);
});
