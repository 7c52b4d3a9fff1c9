/** The two indices of Engels et al. 2024 on shapes of known value, and the rule for rings on shapes of which it is known whether they go round. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { foldIn, keyFromSeed, randomNormal, randomUniform } from "../../tensor/index.ts";
import { mixture, type PlanePoints, separability } from "./plane.ts";
import { hollow, ringOf } from "./ring.ts";

const N = 3000;
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
const one = (): number => 1;

describe("indices come out as they do elsewhere", () => {
  test.each([
    ["a circle", round(turn, one), 3.03, 0.225],
    ["a disk", round(turn, (p) => Math.sqrt(radii[p]!)), 0.198, 0.085],
    ["two normals", { a: first, b: second }, 0.014, 0.086],
    ["a square", { a: angles, b: other }, 0.022, 0.109],
  ] as const)("%s", (_, points, S, M) => {
    // With half as many points there is more that cells cannot tell from information.
    expect(Math.abs(separability(points, key).bits - S)).toBeLessThan(0.2);
    expect(Math.abs(mixture(points) - M)).toBeLessThan(0.03);
  });

  test("two normals are no more separable than shuffles are, a circle is", () => {
    const normals = separability({ a: first, b: second }, key);
    expect(normals.bits).toBeLessThan(normals.chance);
    const circle = separability(round(turn, one), key);
    expect(circle.bits).toBeGreaterThan(2 * circle.chance);
  });
});

describe("what goes round", () => {
  test("a circle is as empty as can be, a filled one is at the bound, and so is a normal beyond it", () => {
    expect(hollow(round(turn, one)).fill).toBeCloseTo(1, 3);
    const disk = hollow(round(turn, (p) => Math.sqrt(radii[p]!)));
    expect(Math.abs(disk.fill - 4 / 3)).toBeLessThan(0.03);
    expect(Math.abs(hollow({ a: first, b: second }).fill - 2)).toBeLessThan(0.15);
    // By hand: with noise s on a circle of radius 1, (1 + 8 s² + 8 s⁴) / (1 + 2 s²)².
    expect(Math.abs(hollow(round(turn, one, 0.2)).fill - 1.1427)).toBeLessThan(0.02);
  });

  test.each([
    ["a circle with noise", round(turn, one, 0.25), true],
    ["twelve corners", round(corners(12), one, 0.03), true],
    ["a pentagon", round(corners(5), one, 0.03), true],
    ["a thick ring", round(turn, (p) => 0.5 + 0.5 * radii[p]!), true],
    ["a circle denser on one side", round((p) => turn(p) + 0.6 * Math.sin(turn(p)), one), true],
    ["a filled disk", round(turn, (p) => Math.sqrt(radii[p]!)), false],
    ["two normals", { a: first, b: second }, false],
    ["a line", { a: first, b: first.map((x, p) => x + 0.01 * second[p]!) }, false],
    ["half a circle", round((p) => turn(p) / 2, one, 0.05), false],
    ["four corners, which two features have", round(corners(4), one, 0.05), false],
    ["three corners, which one of two features has", round(corners(3), one, 0.03), false],
    [
      "two features that are seldom there",
      { a: angles.map((x, p) => (chance[p]! < 0.1 ? x : 0)), b: other.map((x, p) => (radii[p]! < 0.1 ? x : 0)) },
      false,
    ],
  ] as const)("%s: %#", (_, points, ring) => {
    expect(ringOf(points, key).ring).toBe(ring);
  });

  test("two scales, a turn and a shift change nothing of how full it is", () => {
    const points = round(turn, (p) => 0.6 + 0.4 * radii[p]!);
    const own = hollow(points);
    const number = fc.double({ min: 0.2, max: 5, noNaN: true });
    fc.assert(
      fc.property(fc.tuple(number, number, number), ([x, y, angle]) => {
        const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
        const changed = hollow({
          a: Array.from(points.a, (a, p) => x * cos * a - y * sin * points.b[p]! + 7),
          b: Array.from(points.a, (a, p) => x * sin * a + y * cos * points.b[p]!),
        });
        expect(changed.fill).toBeCloseTo(own.fill, 9);
      }),
      { numRuns: 50 },
    );
  });

  test("no density that falls on the way out is emptier than a filled disk", () => {
    fc.assert(
      // Lengths u^e with e of a half or more: density in the plane goes with r^(1/e - 2).
      fc.property(fc.double({ min: 0.5, max: 4, noNaN: true }), (e) => {
        const { fill, fillError } = hollow(round(turn, (p) => radii[p]! ** e));
        expect(fill + 4 * fillError).toBeGreaterThan(4 / 3);
      }),
      { numRuns: 50 },
    );
  });
});
