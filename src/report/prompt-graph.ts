/**
 * The graph of components on one input as a figure: a row for each site, a column for each token, a circle for each node, a line for each edge,
 * its width by its share of what arrives and by influence, its colour by sign (VPD, prompt graphs). One SVG with nothing outside itself.
 */
import type { GraphNode, PrunedGraph } from "../circuit/graph.ts";
import { at, escaped } from "./markup.ts";

export interface PromptGraphReport {
  readonly title: string;
  readonly graph: PrunedGraph;
  /** The text of each token; of a network without positions, one name for its one column. */
  readonly tokens: readonly string[];
  readonly outputName: (component: number) => string;
  readonly inputName: (component: number) => string;
}

const CIRCLE = 5;
const STEP = 15;
/** More nodes than this in one cell go on in a second line. */
const A_LINE = 8;
const LINE = 17;
const ROW_GAP = 34;
const COLUMN_GAP = 16;
const LEFT = 150;
const TOP = 84;
const LONGEST_LABEL = 24;
/** As wide as what is said above the figure. */
const NARROWEST = 700;

interface Placed {
  readonly x: number;
  readonly y: number;
}

/** The figure. */
export function promptGraph(report: PromptGraphReport): string {
  const { graph, tokens } = report;
  const rows = graph.layers.filter((layer) => graph.nodes.some(({ site }) => site === layer)).reverse();
  const columns = Array.from({ length: graph.positions }, (_, i) => i);
  const cell = (row: string, column: number): number[] =>
    [...graph.nodes.keys()].filter((i) => {
      const { site, position = 0 } = graph.nodes[i]!;
      return site === row && position === column;
    });
  const widths = columns.map((column) => {
    const most = Math.max(1, ...rows.map((row) => Math.min(A_LINE, cell(row, column).length)));
    const named = rows[0] === "output" && cell("output", column).length > 0 ? 9 * STEP : 0;
    return Math.max(most * STEP, named, 8 * (tokens[column] ?? "").slice(0, 10).length) + COLUMN_GAP;
  });
  const heights = rows.map((row) => {
    const lines = (column: number): number =>
      row === "output" ? cell(row, column).length : Math.ceil(cell(row, column).length / A_LINE);
    return Math.max(1, ...columns.map(lines)) * LINE + ROW_GAP;
  });
  const lefts = runningSums(widths, LEFT);
  const tops = runningSums(heights, TOP);
  const [width, bottom] = [Math.max(NARROWEST, lefts.at(-1)! + 16), tops.at(-1)!];
  const places: Placed[] = [];
  rows.forEach((row, r) => {
    for (const column of columns) {
      cell(row, column).forEach((node, k) => {
        const [across, down] = row === "output" ? [0, k] : [k % A_LINE, Math.floor(k / A_LINE)];
        places[node] = { x: lefts[column]! + (across + 0.5) * STEP, y: tops[r]! + ROW_GAP / 2 + (down + 0.5) * LINE };
      });
    }
  });
  const height = bottom + 30;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(report.title)}">
<style>${STYLE}</style>
<rect class="ground" width="${width}" height="${height}"/>
${heading(report)}
${rows.map((row, r) => band(row, tops[r]!, heights[r]!, width)).join("")}
${edgesOf(graph, places)}
${graph.nodes.map((node, i) => circle(report, node, places[i]!)).join("\n")}
${columns.map((column) => `<text class="token" x="${lefts[column]! + STEP / 2}" y="${bottom + 16}">${escaped(shown(tokens[column] ?? String(column)))}</text>`).join("")}
</svg>
`;
}

function runningSums(sizes: readonly number[], from: number): number[] {
  const sums = [from];
  for (const size of sizes) sums.push(sums.at(-1)! + size);
  return sums;
}

function heading({ title, graph }: PromptGraphReport): string {
  const many = (x: number): string => x.toLocaleString("en-US");
  const { nodes, edges, all, important, threshold, divergence } = graph;
  const lines = [
    `${many(edges.length)} of ${many(all.edges)} edges, ${many(nodes.length)} of ${many(all.nodes)} nodes; ${many(important)} components of importance above ${threshold}`,
    `masked run is ${number(divergence)} from the network; grey ring: what arrives along no drawn edge; blue adds, red takes away`,
  ];
  return [
    `<text class="title" x="12" y="24">${escaped(title)}</text>`,
    ...lines.map((line, i) => `<text x="12" y="${44 + 16 * i}">${escaped(line)}</text>`),
  ].join("");
}

function band(row: string, top: number, height: number, width: number): string {
  return `<line class="band" x1="0" x2="${width}" y1="${top}" y2="${top}"/><text x="12" y="${top + height / 2 + 4}">${escaped(row)}</text>`;
}

function edgesOf({ edges, influence }: PrunedGraph, places: readonly Placed[]): string {
  const most = Math.max(...influence.edges, Number.MIN_VALUE);
  // The strongest last, on top.
  const order = [...edges.keys()].sort((a, b) => influence.edges[a]! - influence.edges[b]!);
  return order
    .map((e) => {
      const { from, to, weight } = edges[e]!;
      const [a, b] = [places[from]!, places[to]!];
      const share = Math.sqrt(influence.edges[e]! / most);
      const bend = (a.y - b.y) / 2.5;
      const path = `M${at(a.x)} ${at(a.y)}C${at(a.x)} ${at(a.y - bend)} ${at(b.x)} ${at(b.y + bend)} ${at(b.x)} ${at(b.y)}`;
      const width = (0.4 + 3.2 * share).toFixed(2);
      return `<path class="${weight > 0 ? "adds" : "takes"}" d="${path}" stroke-width="${width}" stroke-opacity="${(0.15 + 0.6 * share).toFixed(2)}"/>`;
    })
    .join("");
}

function circle({ outputName, inputName }: PromptGraphReport, node: GraphNode, { x, y }: Placed): string {
  const { kind, address, component, importance, value, probability, incoming } = node;
  const told = [
    address,
    ...(importance === undefined ? [] : [`importance ${number(importance)}`]),
    ...(value === undefined ? [] : [`value ${number(value)}`]),
    ...(incoming === undefined
      ? []
      : [`drawn ${number(incoming.drawn)}, other sources ${number(incoming.others)}, rest ${number(incoming.rest)}`]),
  ];
  const name = shown((kind === "output" ? outputName : inputName)(component as number));
  const label =
    kind === "output"
      ? `<text x="${at(x + 10)}" y="${at(y + 4)}">${escaped(name)} ${number(probability ?? value!)}</text>`
      : "";
  const title = kind === "input" ? `${name}, ${told.join("; ")}` : told.join("; ");
  const opacity = importance === undefined ? 1 : 0.25 + 0.75 * Math.min(1, importance);
  return `<g><title>${escaped(title)}</title>${ring(node, x, y)}<circle class="${kind}" cx="${at(x)}" cy="${at(y)}" r="${CIRCLE - 1}" fill-opacity="${opacity.toFixed(2)}"/>${label}</g>`;
}

/** An arc as long as the part of what arrives that no drawn edge brings. */
function ring({ incoming }: GraphNode, x: number, y: number): string {
  if (incoming === undefined) return "";
  const { drawn, others, rest } = incoming;
  const all = Math.abs(drawn) + Math.abs(others) + Math.abs(rest);
  const part = all === 0 ? 0 : (Math.abs(others) + Math.abs(rest)) / all;
  if (part < 0.01) return "";
  const around = 2 * Math.PI * (CIRCLE + 1);
  return `<circle class="ring" cx="${at(x)}" cy="${at(y)}" r="${CIRCLE + 1}" stroke-dasharray="${(part * around).toFixed(1)} ${around.toFixed(1)}" transform="rotate(-90 ${at(x)} ${at(y)})"/>`;
}

const number = (x: number): string => (Object.is(x, 0) || x === 0 ? "0" : x.toPrecision(3)).replace(/^-/, "−");

/** A token so that spaces and line ends are seen. */
function shown(token: string): string {
  const seen = token.replaceAll("\n", "⏎").replaceAll("\t", "→").replace(/^ /, "␣");
  return seen.length > LONGEST_LABEL ? `${seen.slice(0, LONGEST_LABEL - 1)}…` : seen;
}

const STYLE = `
svg { font: 11px system-ui, sans-serif } text { fill: #55555f } .title { font-size: 15px; fill: #1c1c22 } .token { font-size: 12px; fill: #1c1c22 }
.ground { fill: #fafaf9 } .band { stroke: #e2e2e6 } path { fill: none } .adds { stroke: #1f5fbf } .takes { stroke: #c0392b }
circle { stroke: #1c1c22; stroke-width: .8 } .component { fill: #4a4a57 } .input { fill: #fff } .output { fill: #e0a526 } .remainder { fill: #bdbdc6 }
.ring { fill: none; stroke: #8d8d99; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #a2a2ae } .title, .token { fill: #ececf1 } .ground { fill: #17171b } .band { stroke: #34343c }
.adds { stroke: #7fb0ff } .takes { stroke: #ff8a7a } circle { stroke: #ececf1 } .component { fill: #b9b9c6 } .input { fill: #17171b } }
`;
