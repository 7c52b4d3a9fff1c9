/** A clustering as a figure: what each number of clusters costs, beside the control, and how far members of the ensemble agree there. */
import { scaleLinear, scaleLog } from "d3-scale";
import { at, escaped } from "./markup.ts";

export interface ClusteringFigure {
  readonly title: string;
  /** Bits a position by the number of merges made: of each member, and of the control. */
  readonly costs: readonly (readonly number[])[];
  readonly control: readonly number[];
  /** The chosen number of clusters. */
  readonly k: number;
  /** Distances by number of clusters; none where there is one member. */
  readonly rows: readonly FigureRow[];
}

interface FigureBand {
  readonly mean: number;
  readonly least: number;
  readonly most: number;
}

export interface FigureRow {
  readonly k: number;
  readonly hamming: FigureBand | null;
  readonly matching: FigureBand;
  readonly byChance: { readonly hamming: number | null; readonly matching: number };
}

const [WIDTH, HEIGHT, LEFT, TOP, GAP] = [360, 240, 58, 44, 74];

/** Runs of numbers that count; more points than this on a line are thinned out. */
const POINTS = 300;

/** The figure as an SVG file. */
export function clusteringFigure({ title, costs, control, k, rows }: ClusteringFigure): string {
  const panels = rows.length > 0 ? 2 : 1;
  const width = LEFT + panels * WIDTH + (panels - 1) * GAP + 20;
  const most = Math.max(...costs.map(({ length }) => length), control.length);
  const x = scaleLog()
    .domain([1, Math.max(2, most)])
    .range([0, WIDTH]);
  const left = panel("cost", "bits a position", x, [0, Math.max(...costs.flat(), ...control)], k, (y) => [
    line(
      control.map((cost, m) => [control.length - m, cost] as const),
      x,
      y,
      "control",
      "control: firings shuffled",
    ),
    ...costs
      .map((cost, i) => {
        const name = i === 0 ? "the clustering" : `ensemble ${i}`;
        return line(
          cost.map((c, m) => [cost.length - m, c] as const),
          x,
          y,
          i === 0 ? "first" : "other",
          name,
        );
      })
      .reverse(),
  ]);
  const right = (): string =>
    panel("disagreement between members", "fraction", x, [0, 1], k, (y) => [
      line(chance(rows, "hamming"), x, y, "control", "Hamming by chance"),
      line(chance(rows, "matching"), x, y, "control thin", "matching by chance"),
      ...bandAndLine(rows, "hamming", x, y, "first", "Hamming: components in another cluster"),
      ...bandAndLine(rows, "matching", x, y, "other strong", "matching: pairs of components"),
    ]);
  const legend = (from: number, entries: readonly (readonly [kind: string, text: string])[]): string =>
    entries
      .map(
        ([kind, text], i) =>
          `<g transform="translate(${from + i * 124},${TOP + HEIGHT + 54})"><line class="${kind}" x2="20"/><text x="25" y="4">${text}</text></g>`,
      )
      .join("");
  const keys = [
    legend(LEFT, [
      ["first", "the clustering"],
      ...(panels === 2 ? [["other", "the ensemble"] as const] : []),
      ["control", "shuffled"],
    ]),
    panels === 2
      ? legend(LEFT + WIDTH + GAP, [
          ["first", "Hamming"],
          ["other strong", "matching"],
          ["control", "by chance"],
        ])
      : "",
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${TOP + HEIGHT + 68}" width="${width}" role="img" aria-label="${escaped(title)}">
<style>${STYLE}</style><rect class="paper" width="100%" height="100%"/><text class="title" x="${LEFT}" y="20">${escaped(title)}</text>
<g transform="translate(${LEFT},${TOP})">${left}</g>
${panels === 2 ? `<g transform="translate(${LEFT + WIDTH + GAP},${TOP})">${right()}</g>\n` : ""}${keys.join("")}
</svg>
`;
}

type Log = ReturnType<typeof scaleLog<number>>;
type Linear = ReturnType<typeof scaleLinear<number>>;
type Point = readonly [k: number, value: number];

function panel(
  title: string,
  unit: string,
  x: Log,
  domain: readonly [number, number],
  k: number,
  lines: (y: Linear) => readonly string[],
): string {
  const y = scaleLinear().domain(domain).nice().range([HEIGHT, 0]);
  const across = x.ticks().filter((tick) => /^[125]0*$/.test(String(tick)));
  const xTicks = across.map((tick) => `<text x="${at(x(tick))}" y="${HEIGHT + 16}" class="middle">${tick}</text>`);
  const yTicks = y
    .ticks(5)
    .map(
      (tick) =>
        `<line class="grid" x2="${WIDTH}" y1="${at(y(tick))}" y2="${at(y(tick))}"/><text x="-6" y="${at(y(tick) + 4)}" class="end">${tick}</text>`,
    );
  const [mark, side] = [x(k), x(k) > WIDTH - 60 ? "end" : "start"];
  return `${yTicks.join("")}<rect class="frame" width="${WIDTH}" height="${HEIGHT}"/>${xTicks.join("")}
<line class="chosen" x1="${at(mark)}" x2="${at(mark)}" y2="${HEIGHT}"/><text class="${side}" x="${at(mark + (side === "end" ? -5 : 5))}" y="14">${k} clusters</text>
${lines(y).join("")}<text x="0" y="-8">${title}, ${unit}</text><text x="${WIDTH / 2}" y="${HEIGHT + 34}" class="middle">clusters</text>`;
}

function line(points: readonly Point[], x: Log, y: Linear, kind: string, name: string): string {
  if (points.length === 0) return "";
  const path = thinned(points).map(([k, value]) => `${at(x(k))},${at(y(value))}`);
  return `<polyline class="${kind}" points="${path.join(" ")}"><title>${escaped(name)}</title></polyline>`;
}

function bandAndLine(
  rows: readonly FigureRow[],
  which: "hamming" | "matching",
  x: Log,
  y: Linear,
  kind: string,
  name: string,
): string[] {
  const known = rows.flatMap((row) => (row[which] === null ? [] : [{ k: row.k, ...row[which] }]));
  if (known.length === 0) return [];
  const above = known.map(({ k, most }) => `${at(x(k))},${at(y(most))}`);
  const below = known.map(({ k, least }) => `${at(x(k))},${at(y(least))}`).reverse();
  const shown = known.map(({ k, mean }): Point => [k, mean]);
  return [`<polygon class="${kind}" points="${[...above, ...below].join(" ")}"/>`, line(shown, x, y, kind, name)];
}

function chance(rows: readonly FigureRow[], which: "hamming" | "matching"): Point[] {
  return rows.flatMap(({ k, byChance }): Point[] => (byChance[which] === null ? [] : [[k, byChance[which]]]));
}

/** Points about evenly spaced in the logarithm of k, the last always. */
function thinned(points: readonly Point[]): readonly Point[] {
  if (points.length <= POINTS) return points;
  const step = Math.log(points[0]![0]) / POINTS;
  let next = Infinity;
  return points.filter(([k], i) => {
    const here = Math.log(k);
    if (here > next && i < points.length - 1) return false;
    next = here - step;
    return true;
  });
}

const STYLE = `
svg { color-scheme: light dark; font: 11px system-ui, sans-serif } text { fill: light-dark(#5d5d68, #a2a2ae) } .paper { fill: light-dark(#fafaf9, #17171b) }
.title { font-size: 14px; fill: light-dark(#1c1c22, #ececf1) } .middle { text-anchor: middle } .end { text-anchor: end }
.frame { fill: none; stroke: light-dark(#d6d6dc, #43434d) } .grid { stroke: light-dark(#ececee, #2a2a31) } .chosen { stroke: light-dark(#9a9aa4, #74747f); stroke-dasharray: 2 3 }
polyline { fill: none; stroke-width: 1.5; stroke-linejoin: round } .first { stroke: light-dark(#1f5fbf, #7fb0ff); stroke-width: 2 } .other { stroke: light-dark(#c98a2b, #e0b064); stroke-width: 1 }
.strong { stroke-width: 2 } .control { stroke: light-dark(#8a8a94, #85858f); stroke-dasharray: 5 3 } .thin { stroke-width: 1 } polygon.first, polygon.other { stroke: none } polygon.first { fill: light-dark(#1f5fbf, #7fb0ff); fill-opacity: .15 } polygon.other { fill: light-dark(#c98a2b, #e0b064); fill-opacity: .15 }
`;
