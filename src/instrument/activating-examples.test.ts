import { describe, expect, test } from "vitest";
import { foldIn, keyFromSeed, randomNormal } from "../tensor/index.ts";
import { type ActivationRows, activationRows } from "./activations.ts";
import { respondingRows } from "./activating-examples.ts";
import { handCodedInduction } from "../network/compiled/induction.ts";
import { RunnableNetwork, tokenValues } from "../network/run.ts";

const key = keyFromSeed(0);

/** Rows of noise, with a unit that has one meaning in every 40th row, strongly, and another in every 10th, weakly. */
function planted(n: number): { rows: ActivationRows; meaning: (row: number) => "first" | "second" | "none" } {
  const columns = 16;
  const data = Float64Array.from(randomNormal(foldIn(key, "rows"), n * columns), (x) => 0.3 * x);
  const meaning = (row: number): "first" | "second" | "none" =>
    row % 40 === 0 ? "first" : row % 10 === 5 ? "second" : "none";
  for (let row = 0; row < n; row++) {
    const of = { first: 8, second: 3, none: 0 };
    data[row * columns + 4]! += of[meaning(row)];
  }
  const index = Int32Array.from({ length: n }, (_, i) => i);
  return { rows: { point: "planted", columns, data, example: index, position: new Int32Array(n) }, meaning };
}

describe("a unit with two meanings", () => {
  const { rows, meaning } = planted(4000);
  const found = respondingRows(rows, { unit: 4, count: 20, key });

  test("the top is the first meaning alone", () => {
    const top = found.bands[0]!;
    expect(top.responses).toHaveLength(20);
    expect(top.responses.map(({ example }) => meaning(example))).toEqual(Array.from({ length: 20 }, () => "first"));
    const activations = top.responses.map(({ activation }) => activation);
    expect([...activations].sort((a, b) => b - a)).toEqual(activations);
  });

  test("the second is in a band below it", () => {
    const rank = found.bands.findIndex((band) => band.responses.some(({ example }) => meaning(example) === "second"));
    expect(rank).toBe(1);
    expect(found.bands[rank]!.from).toBeGreaterThanOrEqual(0.6);
  });

  test("bands are in order and hold what lies between their ends", () => {
    found.bands.forEach(({ lowest, highest, responses }, i) => {
      if (i > 0) expect(highest).toBeLessThanOrEqual(found.bands[i - 1]!.lowest);
      for (const { activation } of responses) {
        expect(activation).toBeGreaterThanOrEqual(lowest);
        expect(activation).toBeLessThanOrEqual(highest);
      }
    });
    expect(found.n).toBe(4000);
  });

  test("refuses units and directions that are not there", () => {
    expect(() => respondingRows(rows, { unit: 16, key })).toThrow("expected a unit from 0 to 15, got 16");
    expect(() => respondingRows(rows, { direction: [1, 2], key })).toThrow("expected a direction of 16, got one of 2");
    expect(() => respondingRows(rows, { direction: new Float64Array(16), key })).toThrow(
      "expected a direction of 16, got zeros",
    );
  });
});

test("a rare unit reaches further than random directions, and its top has one token; theirs have many", () => {
  const [n, columns] = [4000, 64];
  const token = Int32Array.from({ length: n }, (_, row) => (row % 100 === 7 ? 3 : 4 + (row % 50)));
  const data = Float64Array.from(randomNormal(foldIn(key, "rare"), n * columns), (x) => 0.3 * x);
  for (let row = 0; row < n; row++) if (token[row] === 3) data[row * columns + 4]! += 3;
  const index = Int32Array.from({ length: n }, (_, i) => i);
  const rows = { point: "planted", columns, data, example: index, position: new Int32Array(n), token };
  const found = respondingRows(rows, { unit: 4, key });
  expect(found.reach).toBeGreaterThan(found.randomReach.mean + 3 * found.randomReach.deviation);
  expect(found.sameToken!.value).toBe(1);
  expect(found.sameToken!.null).toBeLessThan(0.6);
  const none = respondingRows(rows, { unit: 9, key });
  expect(Math.abs(none.reach - none.randomReach.mean)).toBeLessThan(4 * none.randomReach.deviation);
  expect(none.sameToken!.value).toBeLessThan(0.4);
});

describe("activations as rows", () => {
  const { network, weights } = handCodedInduction({ beta: 20 });
  const runnable = new RunnableNetwork(network, weights);
  const x = tokenValues([
    [1, 2, 3],
    [4, 5, 6],
  ]);

  test("one for each position; heads side by side; padding left out", async () => {
    const rows = await activationRows(runnable, { name: "two", x }, "blocks.0.attn.hook_z");
    expect([rows.columns, rows.data.length / rows.columns]).toEqual([48, 6]);
    expect(Array.from(rows.token!)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(Array.from(rows.example)).toEqual([0, 0, 0, 1, 1, 1]);
    const padded = await activationRows(runnable, { name: "two", x, padding: [0, 2] }, "hook_embed");
    expect([Array.from(padded.example), Array.from(padded.position)]).toEqual([
      [0, 0, 0, 1],
      [0, 1, 2, 2],
    ]);
    expect(padded.data[3 * padded.columns + 6]).toBe(1);
  });

  test("refuses points without rows", async () => {
    await expect(activationRows(runnable, { name: "two", x }, "blocks.0.attn.hook_pattern")).rejects.toThrow(
      'expected a point with a vector at each position, got "batch head query key"',
    );
  });
});
