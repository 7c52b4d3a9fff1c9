import { describe, expect, test } from "vitest";
import { foldIn, keyFromSeed } from "../tensor/index.ts";
import { sampled } from "./draws.ts";
import { featureCoefficients, featureDirections, type SuperposedFeatures } from "./superposed-features.ts";

const ROWS = 20_000;
const plain: SuperposedFeatures = {
  ...{ features: 8, structure: "independent", probability: 0.1, families: 0, familySize: 2, low: 0, high: 1 },
  ...{ familyProbability: 0.25, childProbability: 0.2, correlation: 0.5, animals: 3 },
};
const key = keyFromSeed(3);

/** How strongly each feature is there, row by row. */
function drawn(set: Partial<SuperposedFeatures>): number[][] {
  const options = { ...plain, ...set };
  const { data } = sampled({ c: featureCoefficients("data", options, ROWS) }, key).c;
  const { features } = options;
  return Array.from({ length: ROWS }, (_, i) => Array.from(data.slice(i * features, (i + 1) * features)));
}
const share = (rows: readonly (readonly number[])[], of: (row: readonly number[]) => boolean): number =>
  rows.filter(of).length / rows.length;
/** Five standard errors of a share. */
const within = (p: number, n = ROWS): number => 5 * Math.sqrt((p * (1 - p)) / n) + 1e-12;

describe("features", () => {
  test("are there as often as they should be, with values of the range", () => {
    const rows = drawn({ low: 1, high: 3 });
    for (let j = 0; j < 8; j++) {
      expect(Math.abs(share(rows, (row) => row[j]! > 0) - 0.1)).toBeLessThan(within(0.1));
    }
    const values = rows.flat().filter((c) => c !== 0);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(1);
    expect(values.every((c) => c < 3)).toBe(true);
    expect(values.reduce((a, b) => a + b) / values.length).toBeCloseTo(2, 1);
  });

  test("of a hierarchy are never there without their parent, and the others are on their own", () => {
    const rows = drawn({ structure: "hierarchy", families: 1, familySize: 3, features: 5 });
    expect(share(rows, ([parent, a, b]) => parent === 0 && (a! > 0 || b! > 0))).toBe(0);
    expect(Math.abs(share(rows, ([parent]) => parent! > 0) - 0.25)).toBeLessThan(within(0.25));
    expect(Math.abs(share(rows, ([, child]) => child! > 0) - 0.05)).toBeLessThan(within(0.05));
    expect(Math.abs(share(rows, (row) => row[4]! > 0) - 0.1)).toBeLessThan(within(0.1));
  });

  test.each([0.5, -0.3, 0])("of a pair have the correlation %d, each as likely", (correlation) => {
    const rows = drawn({ structure: "pairs", features: 2, correlation });
    const p = 0.25;
    for (const j of [0, 1]) expect(Math.abs(share(rows, (row) => row[j]! > 0) - p)).toBeLessThan(within(p));
    const both = p * p + correlation * p * (1 - p);
    expect(Math.abs(share(rows, ([a, b]) => a! > 0 && b! > 0) - both)).toBeLessThan(within(both));
  });

  test("of a pair cannot exclude one another more than their probabilities allow", () => {
    expect(() => drawn({ structure: "pairs", features: 2, correlation: -0.5 })).toThrow(
      "correlation: expected at least -0.333 at probability 0.25, got -0.5",
    );
  });

  test("of a family are there one at a time, each as often", () => {
    const rows = drawn({ structure: "families", familySize: 4, features: 8 });
    for (const start of [0, 4]) {
      const there = (row: readonly number[]): number => row.slice(start, start + 4).filter((c) => c > 0).length;
      expect(share(rows, (row) => there(row) > 1)).toBe(0);
      expect(Math.abs(share(rows, (row) => there(row) === 1) - 0.25)).toBeLessThan(within(0.25));
    }
    expect(Math.abs(share(rows, (row) => row[5]! > 0) - 0.0625)).toBeLessThan(within(0.0625));
  });

  test("of a circle lie on it, at all angles", () => {
    const rows = drawn({ structure: "circles", features: 2, low: 1, high: 1 });
    const there = rows.filter(([x, y]) => x !== 0 || y !== 0);
    expect(Math.abs(there.length / ROWS - 0.25)).toBeLessThan(within(0.25));
    for (const [x, y] of there) expect(Math.hypot(x!, y!)).toBeCloseTo(1, 5);
    for (const sign of [1, -1]) {
      const quarter = share(there, ([x, y]) => x! * sign > 0 && y! > 0);
      expect(Math.abs(quarter - 0.25)).toBeLessThan(within(0.25, there.length));
    }
  });

  test("of animals come in the combinations that there are, three or four", () => {
    const kinds = (animals: number): Set<string> =>
      new Set(drawn({ structure: "animals", features: 2, animals, low: 1, high: 1 }).map(String));
    expect([...kinds(3)].sort()).toEqual(["0,1", "1,0", "1,1"]);
    expect([...kinds(4)].sort()).toEqual(["0,0", "0,1", "1,0", "1,1"]);
  });

  test("too few for a family are refused", () => {
    expect(() => drawn({ structure: "families", familySize: 9 })).toThrow(
      "families: expected at least 9 features, got 8",
    );
  });
});

describe("directions", () => {
  const geometry = { dimensions: 16, geometry: "random", closeness: 0.9 } as const;
  const rowsOf = (set: object): number[][] => {
    const options = { ...plain, ...geometry, ...set };
    const data = featureDirections(options, foldIn(key, "F"));
    const d = options.dimensions;
    return Array.from({ length: data.length / d }, (_, i) => Array.from(data.slice(i * d, (i + 1) * d)));
  };
  const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

  test("have length 1; orthogonal ones are", () => {
    for (const row of rowsOf({})) expect(dot(row, row)).toBeCloseTo(1, 6);
    const rows = rowsOf({ geometry: "orthogonal" });
    rows.forEach((a, i) => rows.forEach((b, j) => expect(dot(a, b)).toBeCloseTo(i === j ? 1 : 0, 6)));
    expect(() => rowsOf({ geometry: "orthogonal", dimensions: 7 })).toThrow(
      "geometry: expected at least 8 dimensions for orthogonal features, got 7",
    );
  });

  test.each([0, 0.5, 0.9])("of a family have the cosine %d with one another", (closeness) => {
    const rows = rowsOf({ structure: "families", familySize: 4, closeness });
    for (const start of [0, 4]) {
      for (let i = start; i < start + 4; i++) {
        for (let j = start; j < i; j++) expect(dot(rows[i]!, rows[j]!)).toBeCloseTo(closeness, 5);
      }
    }
  });

  test("of a circle are orthogonal", () => {
    const rows = rowsOf({ structure: "circles" });
    for (let i = 0; i < 8; i += 2) expect(dot(rows[i]!, rows[i + 1]!)).toBeCloseTo(0, 6);
  });
});
