/** A component with both signs changed is the same component: what is measured of it must be, too. */
import { expect, test } from "vitest";
import { anomalies } from "./anomalies.ts";
import { featureToy, mix, signedCoder } from "./hand-made.ts";
import { isFound } from "./measure.ts";
import { hasBothSigns, turnRound } from "./signs.ts";

test("what acts with a negative sign alone is turned round with both its sides; what acts with both, or with none, stays", () => {
  const z = Float32Array.of(-1, 0, -2, 1, -1, 0, 0, 0, 0);
  const [writes, reads] = [Float32Array.of(1, 2, 3, 4, 5, 6), Float32Array.of(7, 8, 9)];
  turnRound({ z, rows: 3 }, [writes, reads]);
  expect(Array.from(z, Math.abs)).toEqual([1, 0, 2, 1, 1, 0, 0, 0, 0]);
  expect(z[0]).toBe(1);
  expect(z[4]).toBe(-1);
  expect([...writes]).toEqual([-1, -2, 3, 4, 5, 6]);
  expect([...reads]).toEqual([-7, 8, 9]);
  expect([0, 1, 2].map((c) => hasBothSigns({ z, rows: 3 }, c))).toEqual([false, true, false]);
});

test.each([
  ["that act with one sign", 0.2],
  ["that act with both", -1],
])("directions of components %s may point either way", async (_, low) => {
  const set = { features: 5, dimensions: 8, geometry: "orthogonal", probability: 0.3, low, high: 1 };
  const toy = await featureToy(set);
  const turned = toy.F.map((u, j) => mix([j % 2 === 0 ? -1 : 1, u]));
  const [own, other] = [toy.F, turned].map((directions) => toy.coded(signedCoder(directions)));
  const options = { rows: 1024, threads: 1, known: toy.known };
  const [first, second] = [
    await anomalies(own!, toy.data, { ...options, seeds: [other!] }),
    await anomalies(other!, toy.data, { ...options, seeds: [own!] }),
  ];
  const point = "hook_hidden";
  for (const name of ["shrinkage", "splitting", "seedInconsistency", "usefulness"] as const) {
    const [a, b] = [first.measures[name].places[point]!, second.measures[name].places[point]!];
    if (!isFound(a) || !isFound(b)) throw new Error(name);
    expect(b.value, name).toBeCloseTo(a.value, 5);
    expect(b.present, name).toBe(false);
  }
});
