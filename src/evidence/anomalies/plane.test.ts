import { describe, expect, test } from "vitest";
import { foldIn, keyFromSeed, randomNormal, randomUniform } from "../../tensor/index.ts";
import { isRing, mixture, type PlanePoints, separability } from "./plane.ts";

const N = 6000;
const key = keyFromSeed(11);
const uniform = (name: string): Float32Array => randomUniform(foldIn(key, name), N);
const normal = (name: string): Float32Array => randomNormal(foldIn(key, name), N);
const [angles, radii, other, chance] = ["angle", "radius", "other", "chance"].map(uniform) as [
  Float32Array,
  Float32Array,
  Float32Array,
  Float32Array,
];
const [first, second] = [normal("first"), normal("second")];

/** Points at an angle and a length each, with noise. */
function round(angle: (p: number) => number, length: (p: number) => number, noise = 0): PlanePoints {
  const along = (f: (x: number) => number, jitter: Float32Array): Float64Array =>
    Float64Array.from({ length: N }, (_, p) => length(p) * f(angle(p)) + noise * jitter[p]!);
  return { a: along(Math.cos, first), b: along(Math.sin, second) };
}
const turn = (p: number): number => 2 * Math.PI * angles[p]!;
const corners = (count: number) => (p: number) => (2 * Math.PI * Math.floor(angles[p]! * count)) / count;

const judged = (points: PlanePoints): { S: number; M: number; ring: boolean } => {
  const [S, M] = [separability(points), mixture(points)];
  return { S, M, ring: isRing(S, M) };
};

describe("shapes that the rule was fitted on come out as they do elsewhere", () => {
  test.each([
    ["a circle", round(turn, () => 1), 3.03, 0.225],
    ["a disk", round(turn, (p) => Math.sqrt(radii[p]!)), 0.198, 0.085],
    ["two normals", { a: first, b: second }, 0.014, 0.086],
    ["a square", { a: angles, b: other }, 0.022, 0.109],
  ] as const)("%s", (_, points, S, M) => {
    const found = judged(points);
    expect(Math.abs(found.S - S)).toBeLessThan(0.1);
    expect(Math.abs(found.M - M)).toBeLessThan(0.03);
  });
});

describe("shapes that it was not fitted on", () => {
  test.each([
    [
      "an ellipse is a ring",
      round(turn, () => 1),
      true,
      (x: PlanePoints) => ({ a: x.a, b: Array.from(x.b, (v) => 3 * v) }),
    ],
    ["a ring with little noise is one", round(turn, () => 1, 0.05), true],
    ["twelve corners are one", round(corners(12), () => 1, 0.03), true],
    [
      "two features that are seldom there are none",
      { a: angles.map((x, p) => (chance[p]! < 0.1 ? x : 0)), b: other.map((x, p) => (radii[p]! < 0.1 ? x : 0)) },
      false,
    ],
    ["a line is none", { a: first, b: first.map((x, p) => x + 0.01 * second[p]!) }, false],
    ["a thick ring is none to it", round(turn, (p) => 0.3 + 0.7 * Math.sqrt(radii[p]!)), false],
    // What it misses, so that nobody takes its no for one.
    ["a pentagon is missed", round(corners(5), () => 1, 0.03), false],
  ] as const)("%s", (_, points, ring, change?: (x: PlanePoints) => PlanePoints) => {
    expect(judged(change ? change(points) : points).ring).toBe(ring);
  });
});
