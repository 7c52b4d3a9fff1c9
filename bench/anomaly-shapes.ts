/**
 * `node scripts/run.js bench/anomaly-shapes.ts [--seed n] [--points n] [--json]`: which clouds of points in a plane the rule for circles takes for rings, on shapes
 * that it was not made with, several draws each; beside it the rule that came before (separability of at least .5 bits, mixture of at most .35).
 */
import { parseArgs } from "node:util";
import type { PlanePoints } from "../src/evidence/anomalies/plane.ts";
import { ringOf } from "../src/evidence/anomalies/ring.ts";
import { meanOfNumbers } from "../src/intervention/bootstrap.ts";
import { foldIn, type Key, keyFromSeed, randomNormal, randomUniform } from "../src/tensor/index.ts";
import { addRow } from "./rows.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "0" },
    points: { type: "string", default: "2000" },
    draws: { type: "string", default: "5" },
    seen: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

/** Draws for one point. */
interface Draws {
  /** U[0, 1). */
  readonly u: readonly number[];
  /** N(0, 1). */
  readonly g: readonly number[];
}
type Point = readonly [number, number];
type Shape = readonly [name: string, ring: boolean, point: (draws: Draws) => Point];

const TURN = 2 * Math.PI;
const polar = (angle: number, radius: number): Point => [radius * Math.cos(angle), radius * Math.sin(angle)];
const moved = ([x, y]: Point, noise: number, [g, h]: readonly number[]): Point => [x + noise * g!, y + noise * h!];
const corner = (u: number, count: number, weights?: readonly number[]): number => {
  if (weights === undefined) return (TURN * Math.floor(u * count)) / count;
  let [i, left] = [0, u];
  while (i < count - 1 && left >= weights[i]!) left -= weights[i++]!;
  return (TURN * i) / count;
};
/** On the outline of a polygon. */
function outline(u: number, count: number): Point {
  const side = Math.floor(u * count);
  const t = u * count - side;
  const [from, to] = [polar((TURN * side) / count, 1), polar((TURN * (side + 1)) / count, 1)];
  return [from[0] + t * (to[0] - from[0]), from[1] + t * (to[1] - from[1])];
}
/** An angle whose density is 1 + k cos. */
function uneven(u: number, k: number): number {
  let [low, high] = [0, TURN];
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    if (middle + k * Math.sin(middle) < TURN * u) low = middle;
    else high = middle;
  }
  return low;
}

/** On a curve through some points, in straight lines. */
function along(u: number, points: readonly Point[]): Point {
  const last = points.length - 1;
  const i = Math.min(last - 1, Math.floor(u * last));
  const t = u * last - i;
  const [from, to] = [points[i]!, points[i + 1]!];
  return [from[0] + t * (to[0] - from[0]), from[1] + t * (to[1] - from[1])];
}

/** Held against the rule after it was last changed. */
const FRESH: readonly Shape[] = [
  [
    "ellipse 2 to 5, density 1 + .6 cos, noise .1",
    true,
    ({ u, g }) => {
      const [x, y] = moved(polar(uneven(u[0]!, 0.6), 1), 0.1, g);
      return [2 * x + y, 5 * y];
    },
  ],
  ["circle, noise .25", true, ({ u, g }) => moved(polar(TURN * u[0]!, 1), 0.25, g)],
  ["five corners, noise .12", true, ({ u, g }) => moved(polar(corner(u[0]!, 5), 1), 0.12, g)],
  [
    "five corners, one twice as often, noise .08",
    true,
    ({ u, g }) => moved(polar(corner(u[0]!, 5, [1 / 3, 1 / 6, 1 / 6, 1 / 6, 1 / 6]), 1), 0.08, g),
  ],
  ["nine corners, noise .1", true, ({ u, g }) => moved(polar(corner(u[0]!, 9), 1), 0.1, g)],
  [
    "eight corners of an ellipse 1 to 2, noise .05",
    true,
    ({ u, g }) => {
      const [x, y] = moved(polar(corner(u[0]!, 8), 1), 0.05, g);
      return [x, 2 * y];
    },
  ],
  ["lengths U[.7, 1.3), noise .05", true, ({ u, g }) => moved(polar(TURN * u[0]!, 0.7 + 0.6 * u[1]!), 0.05, g)],
  ["a pentagon's outline, noise .05", true, ({ u, g }) => moved(outline(u[0]!, 5), 0.05, g)],
  ["a hexagon's outline, noise .1", true, ({ u, g }) => moved(outline(u[0]!, 6), 0.1, g)],
  [
    "five petals, noise .03",
    true,
    ({ u, g }) => moved(polar(TURN * u[0]!, 1 + 0.25 * Math.cos(5 * TURN * u[0]!)), 0.03, g),
  ],
  ["an annulus, filled from .5", true, ({ u }) => polar(TURN * u[0]!, Math.sqrt(0.25 + 0.75 * u[1]!))],
  [
    "an egg, noise .05",
    true,
    ({ u, g }) =>
      moved([Math.cos(TURN * u[0]!) * (1 + 0.25 * Math.sin(TURN * u[0]!)), 1.3 * Math.sin(TURN * u[0]!)], 0.05, g),
  ],
  [
    "filled hexagon",
    false,
    ({ u }) => {
      const [x, y] = outline(u[0]!, 6);
      return [Math.sqrt(u[1]!) * x, Math.sqrt(u[1]!) * y];
    },
  ],
  ["filled rectangle, turned", false, ({ u }) => [u[0]! - 3 * u[1]!, u[0]! + 2 * u[1]!]],
  ["filled half disk", false, ({ u }) => polar((TURN / 2) * u[0]!, Math.sqrt(u[1]!))],
  ["normal, correlation .5", false, ({ g }) => [g[0]!, 0.5 * g[0]! + 0.87 * g[1]!]],
  [
    "two Laplace",
    false,
    ({ u }) => [Math.sign(u[0]! - 0.5) * Math.log(u[1]!), Math.sign(u[2]! - 0.5) * Math.log(u[3]!)],
  ],
  ["normal by uniform", false, ({ u, g }) => [g[0]!, u[0]!]],
  [
    "two features, each there one time in three",
    false,
    ({ u }) => [u[2]! < 1 / 3 ? 0.5 + 0.5 * u[0]! : 0, u[3]! < 1 / 3 ? 0.5 + 0.5 * u[1]! : 0],
  ],
  [
    "two that are 1 or -1, noise .15",
    false,
    ({ u, g }) => moved([u[0]! < 0.5 ? 1 : -1, u[1]! < 0.5 ? 1 : -1], 0.15, g),
  ],
  [
    "two that are 1 or 0, .2 and .2, noise .05",
    false,
    ({ u, g }) => moved([u[0]! < 0.2 ? 1 : 0, u[1]! < 0.2 ? 1 : 0], 0.05, g),
  ],
  [
    "one of three steps, one of two, noise .05",
    false,
    ({ u, g }) => moved([Math.floor(3 * u[0]!), Math.floor(2 * u[1]!)], 0.05, g),
  ],
  ["U-shaped by uniform", false, ({ u }) => [Math.cos(TURN * u[0]!), u[1]!]],
  [
    "a plus, turned, noise .05",
    false,
    ({ u, g }) =>
      u[0]! < 0.5 ? moved([2 * u[1]! - 1, 2 * u[1]! - 1], 0.05, g) : moved([2 * u[1]! - 1, 1 - 2 * u[1]!], 0.05, g),
  ],
  [
    "one of two features from .3 on, noise .02",
    false,
    ({ u, g }) => (u[0]! < 0.4 ? moved([0.3 + 0.7 * u[1]!, 0], 0.02, g) : moved([0, 0.3 + 0.7 * u[1]!], 0.02, g)),
  ],
  [
    "one of three features, noise .03",
    false,
    ({ u, g }) => {
      const [x, y] = polar(corner(u[0]!, 3), u[1]!);
      return moved([x, y], 0.03, g);
    },
  ],
  ["a line, noise .1", false, ({ u, g }) => moved([2 * u[0]!, -u[0]!], 0.1, g)],
  ["three clusters in a row", false, ({ u, g }) => moved([Math.floor(3 * u[0]!), 0], 0.15, g)],
  ["three clusters in a triangle", false, ({ u, g }) => moved(polar(corner(u[0]!, 3), 1), 0.1, g)],
  ["a third of a circle, noise .05", false, ({ u, g }) => moved(polar((TURN / 3) * u[0]!, 1), 0.05, g)],
  ["two thirds of a circle, noise .03", false, ({ u, g }) => moved(polar((TURN * 2 * u[0]!) / 3, 1), 0.03, g)],
  [
    "a V, noise .03",
    false,
    ({ u, g }) =>
      moved(
        along(u[0]!, [
          [-1, 2],
          [0, 0],
          [1, 2],
        ]),
        0.03,
        g,
      ),
  ],
  [
    "a Z, noise .03",
    false,
    ({ u, g }) =>
      moved(
        along(u[0]!, [
          [0, 1],
          [1, 1],
          [0, 0],
          [1, 0],
        ]),
        0.03,
        g,
      ),
  ],
  ["an S, noise .03", false, ({ u, g }) => moved([Math.sin(2 * Math.PI * (u[0]! - 0.5)), 2 * u[0]! - 1], 0.03, g)],
  ["a spiral of two turns", false, ({ u, g }) => moved(polar(2 * TURN * Math.sqrt(u[0]!), Math.sqrt(u[0]!)), 0.02, g)],
  [
    "a circle with its middle filled",
    false,
    ({ u }) => (u[1]! < 0.5 ? polar(TURN * u[0]!, 1) : polar(TURN * u[0]!, 0.5 * Math.sqrt(u[2]!))),
  ],
];

/** On the first look at these the rule was changed. */
const SEEN: readonly Shape[] = [
  ["circle", true, ({ u }) => polar(TURN * u[0]!, 1)],
  ["circle, noise .1", true, ({ u, g }) => moved(polar(TURN * u[0]!, 1), 0.1, g)],
  ["circle, noise .2", true, ({ u, g }) => moved(polar(TURN * u[0]!, 1), 0.2, g)],
  ["circle, noise .3", true, ({ u, g }) => moved(polar(TURN * u[0]!, 1), 0.3, g)],
  [
    "ellipse 1 to 4, turned, noise .05",
    true,
    ({ u, g }) => {
      const [x, y] = moved(polar(TURN * u[0]!, 1), 0.05, g);
      return [0.6 * x - 3.2 * y, 0.8 * x + 2.4 * y];
    },
  ],
  ["five corners, noise .05", true, ({ u, g }) => moved(polar(corner(u[0]!, 5), 1), 0.05, g)],
  ["six corners, noise .1", true, ({ u, g }) => moved(polar(corner(u[0]!, 6), 1), 0.1, g)],
  ["seven corners, noise .15", true, ({ u, g }) => moved(polar(corner(u[0]!, 7), 1), 0.15, g)],
  ["twelve corners, noise .02", true, ({ u, g }) => moved(polar(corner(u[0]!, 12), 1), 0.02, g)],
  [
    "seven corners, one in three days a Sunday, noise .05",
    true,
    ({ u, g }) => moved(polar(corner(u[0]!, 7, [1 / 3, 1 / 9, 1 / 9, 1 / 9, 1 / 9, 1 / 9, 1 / 9]), 1), 0.05, g),
  ],
  ["circle, density 1 + .8 cos", true, ({ u }) => polar(uneven(u[0]!, 0.8), 1)],
  ["circle, density 1 + .5 cos, noise .1", true, ({ u, g }) => moved(polar(uneven(u[0]!, 0.5), 1), 0.1, g)],
  ["lengths U[.5, 1)", true, ({ u }) => polar(TURN * u[0]!, 0.5 + 0.5 * u[1]!)],
  ["a triangle's outline, noise .03", true, ({ u, g }) => moved(outline(u[0]!, 3), 0.03, g)],
  ["a square's outline, noise .03", true, ({ u, g }) => moved(outline(u[0]!, 4), 0.03, g)],
  ["circle about (3, 1), noise .1", true, ({ u, g }) => moved(polar(TURN * u[0]!, 1), 0.1, [g[0]! + 30, g[1]! + 10])],

  ["filled square", false, ({ u }) => [u[0]!, u[1]!]],
  ["filled disk", false, ({ u }) => polar(TURN * u[0]!, Math.sqrt(u[1]!))],
  ["lengths U[0, 1)", false, ({ u }) => polar(TURN * u[0]!, u[1]!)],
  ["filled triangle", false, ({ u }) => (u[0]! + u[1]! < 1 ? [u[0]!, u[1]!] : [1 - u[0]!, 1 - u[1]!])],
  ["normal", false, ({ g }) => [g[0]!, g[1]!]],
  ["normal, correlation .9", false, ({ g }) => [g[0]!, 0.9 * g[0]! + 0.44 * g[1]!]],
  ["two scales of normals", false, ({ u, g }) => (u[0]! < 0.5 ? [g[0]!, g[1]!] : [4 * g[0]!, 4 * g[1]!])],
  ["two exponentials", false, ({ u }) => [-Math.log(1 - u[0]!), -Math.log(1 - u[1]!)]],
  ["two features, each there half the time", false, ({ u }) => [u[2]! < 0.5 ? u[0]! : 0, u[3]! < 0.5 ? u[1]! : 0]],
  [
    "two features, each there one time in ten, or neither",
    false,
    ({ u }) => [u[2]! < 0.1 ? u[0]! : 0, u[3]! < 0.1 ? u[1]! : 0],
  ],
  [
    "a cross",
    false,
    ({ u, g }) => (u[0]! < 0.5 ? moved([2 * u[1]! - 1, 0], 0.03, g) : moved([0, 2 * u[1]! - 1], 0.03, g)),
  ],
  ["one of two features", false, ({ u, g }) => (u[0]! < 0.5 ? moved([u[1]!, 0], 0.03, g) : moved([0, u[1]!], 0.03, g))],
  [
    "one of two that are 1 or 0, or neither",
    false,
    ({ u, g }) => moved(u[0]! < 1 / 3 ? [1, 0] : u[0]! < 2 / 3 ? [0, 1] : [0, 0], 0.05, g),
  ],
  ["two that are 1 or 0", false, ({ u, g }) => moved([u[0]! < 0.5 ? 1 : 0, u[1]! < 0.5 ? 1 : 0], 0.05, g)],
  ["two that are 1 or 0, .3 and .6", false, ({ u, g }) => moved([u[0]! < 0.3 ? 1 : 0, u[1]! < 0.6 ? 1 : 0], 0.1, g)],
  ["one that is 1 or 0, one of U[0, 1)", false, ({ u, g }) => [(u[0]! < 0.5 ? 1 : 0) + 0.05 * g[0]!, u[1]!]],
  ["two U-shaped features", false, ({ u }) => [Math.cos(TURN * u[0]!), Math.cos(TURN * u[1]!)]],
  ["a line, noise .02", false, ({ u, g }) => moved([u[0]!, u[0]!], 0.02, g)],
  ["two clusters", false, ({ u, g }) => moved([u[0]! < 0.5 ? -1 : 1, 0], 0.2, g)],
  ["half a circle, noise .05", false, ({ u, g }) => moved(polar((TURN / 2) * u[0]!, 1), 0.05, g)],
  ["a parabola, noise .03", false, ({ u, g }) => moved([2 * u[0]! - 1, (2 * u[0]! - 1) ** 2], 0.03, g)],
  [
    "a disk and half as many points in its middle",
    false,
    ({ u }) => (u[2]! < 1 / 3 ? polar(TURN * u[0]!, 0.1 * u[1]!) : polar(TURN * u[0]!, Math.sqrt(u[1]!))),
  ],
];

function drawn(point: Shape[2], key: Key, count: number): PlanePoints {
  const u = Array.from({ length: 4 }, (_, i) => randomUniform(foldIn(foldIn(key, "uniform"), i), count));
  const g = Array.from({ length: 2 }, (_, i) => randomNormal(foldIn(foldIn(key, "normal"), i), count));
  const all = Array.from({ length: count }, (_, p) => point({ u: u.map((x) => x[p]!), g: g.map((x) => x[p]!) }));
  return { a: all.map(([x]) => x), b: all.map(([, y]) => y) };
}

const [count, draws] = [Number(values.points), Number(values.draws)];
const key = foldIn(keyFromSeed(Number(values.seed)), "shapes");
const totals = { rings: [0, 0, 0], others: [0, 0, 0] };
console.log(
  "| shape | ring | taken for one | by the rule before | fill | separability, by chance | mixture | least quarter |",
);
console.log("|---|---|---|---|---|---|---|---|");
const shapes = values.seen ? SEEN : FRESH;
for (const [i, [name, ring, point]] of shapes.entries()) {
  const found = Array.from({ length: draws }, (_, d) => ringOf(drawn(point, foldIn(foldIn(key, i), d), count), key));
  const taken = found.filter((one) => one.ring).length;
  const before = found.filter((one) => one.separability >= 0.5 && one.mixture <= 0.35).length;
  const total = totals[ring ? "rings" : "others"];
  [draws, taken, before].forEach((more, k) => (total[k]! += more));
  const mean = (of: (one: (typeof found)[number]) => number): string => meanOfNumbers(found.map(of)).toPrecision(3);
  const fill = `${mean((one) => one.fill)} ± ${mean((one) => one.fillError)}`;
  const bits = `${mean((one) => one.separability)}, ${mean((one) => one.separabilityByChance)}`;
  console.log(
    `| ${name} | ${ring ? "yes" : "no"} | ${taken} of ${draws} | ${before} of ${draws} | ${fill} | ${bits} | ${mean((one) => one.mixture)} | ${mean((one) => one.sector)} |`,
  );
  if (values.json)
    for (const [draw, one] of found.entries())
      addRow("docs/results/anomaly-shapes.jsonl", {
        set: values.seen ? "seen" : "fresh",
        shape: name,
        isRing: ring,
        seed: Number(values.seed),
        draw,
        points: count,
        ...one,
      });
}
for (const [what, [all, now, before]] of Object.entries(totals)) {
  console.log(`${what}: ${now} of ${all} taken for rings, ${before} by the rule before`);
}
