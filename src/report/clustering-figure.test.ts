import { expect, test } from "vitest";
import { clusteringFigure, type FigureRow } from "./clustering-figure.ts";

const band = { mean: 0.2, least: 0.1, most: 0.3 };
const row = (k: number): FigureRow => ({ k, hamming: band, matching: band, byChance: { hamming: 0.6, matching: 0.4 } });
const given = {
  title: "Clusters of <a>",
  costs: [
    [4, 2, 3],
    [4.2, 2.1, 3],
  ],
  control: [4, 3.9, 3.8],
  k: 2,
  rows: [],
};

test("costs are drawn from one cluster to one a component, the chosen number marked", () => {
  const svg = clusteringFigure(given);
  expect(svg).toContain("Clusters of &lt;a&gt;");
  expect(svg).toContain(">2 clusters</text>");
  const [first] = /<polyline class="first" points="([^"]+)">/.exec(svg)!.slice(1);
  // Three points from the right edge (three clusters) to the left one (one), the lowest cost lowest on the page.
  const points = first!.split(" ").map((point) => point.split(",").map(Number)) as [number, number][];
  expect(points.map(([x]) => x)).toEqual([360, 227.1, 0]);
  expect(points[1]![1]).toBeGreaterThan(points[2]![1]);
  expect(points[2]![1]).toBeGreaterThan(points[0]![1]);
  expect(svg).not.toContain("Hamming");
});

test("disagreement has its band, and chance beside it", () => {
  const svg = clusteringFigure({ ...given, rows: [row(3), { ...row(2), hamming: null }, row(1)] });
  expect([...svg.matchAll(/<polygon class="(\w+)/g)].map((match) => match[1])).toEqual(["first", "other"]);
  expect(svg).toContain("Hamming by chance");
});

test("a long history is thinned out, its ends kept", () => {
  const cost = Array.from({ length: 20_000 }, (_, m) => 20_000 - m);
  const svg = clusteringFigure({ ...given, costs: [cost], control: cost });
  const points = /<polyline class="first" points="([^"]+)">/.exec(svg)![1]!.split(" ");
  expect(points.length).toBeLessThan(310);
  expect([points[0]!.split(",")[0], points.at(-1)!.split(",")[0]]).toEqual(["360.0", "0.0"]);
});
