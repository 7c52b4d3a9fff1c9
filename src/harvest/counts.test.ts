import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { KeyCounts, MemorySpill, type Spill } from "./counts.ts";
import { DiskSpill } from "./node-spill.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mechanist-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** The same by a plain map. */
function counted(keys: readonly number[]): (readonly [number, number])[] {
  const counts = new Map<number, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => a - b);
}

/** So few bytes that a table of 1,024 places is the largest. */
const SMALL = 1024 * 16 * 1.5;
const keysBelow = (most: number): fc.Arbitrary<number[]> =>
  fc.array(fc.integer({ min: 0, max: most - 1 }), { maxLength: 3000 });

describe("counts are exact", () => {
  test.each([
    ["one number for each", 100, 800],
    ["a table", 2 ** 40, 2 ** 20],
    ["a table that is put aside", 2 ** 40, SMALL],
  ])("%s", (_, possible, bytes) => {
    fc.assert(
      fc.property(keysBelow(possible), (keys) => {
        const counts = new KeyCounts(possible, bytes, new MemorySpill());
        for (const key of keys) counts.add(key);
        expect([...counts.entries()]).toEqual(counted(keys));
      }),
      { numRuns: 50 },
    );
  });

  test("large keys that differ in their upper half are told apart", () => {
    const counts = new KeyCounts(2 ** 53, 2 ** 16, new MemorySpill());
    const keys = Array.from({ length: 100 }, (_, i) => i * 2 ** 40);
    for (const key of keys) counts.add(key);
    expect([...counts.entries()]).toEqual(keys.map((key) => [key, 1]));
  });
});

describe("a table that is full", () => {
  const many = Array.from({ length: 5000 }, (_, i) => (i * 7919) % 2503);

  test.each([
    ["memory", (): Spill => new MemorySpill()],
    ["disk", (): Spill => new DiskSpill(dir, "counts")],
  ])("goes to %s, and comes back", (_, spill) => {
    const counts = new KeyCounts(2 ** 40, SMALL, spill());
    for (const key of many) counts.add(key);
    expect(counts.runs).toBeGreaterThan(2);
    expect([...counts.entries()]).toEqual(counted(many));
  });

  test("a run of many pieces reads as it was written", () => {
    const spill = new DiskSpill(dir, "long");
    const keys = Float64Array.from({ length: 40_000 }, (_, i) => i * 3);
    spill.write({ keys, counts: keys.map((key) => key + 1) });
    const read = [...spill.read(0)];
    expect(read.length).toBe(3);
    expect(read.flatMap((piece) => [...piece.keys])).toEqual([...keys]);
    expect(read.flatMap((piece) => [...piece.counts])).toEqual([...keys].map((key) => key + 1));
  });

  test("what is gone on with counts the same, and forgets runs that the checkpoint did not know of", () => {
    const counts = new KeyCounts(2 ** 40, SMALL, new DiskSpill(dir, "counts"));
    for (const key of many.slice(0, 2000)) counts.add(key);
    const [held, runs] = [counts.held(), counts.runs];
    for (const key of many.slice(2000)) counts.add(key);
    expect(counts.runs).toBeGreaterThan(runs);
    const resumed = new KeyCounts(2 ** 40, SMALL, new DiskSpill(dir, "counts"));
    resumed.restore(held, runs);
    expect(readdirSync(dir).length).toBe(runs);
    for (const key of many.slice(2000)) resumed.add(key);
    expect([...resumed.entries()]).toEqual(counted(many));
  });
});
