/** The front of a sweep as a figure: how many components an input uses, against what is lost when only they are kept, or the rest attacked. */
import { scaleLog } from "d3-scale";
import { at, escaped } from "./markup.ts";

/** One run of a sweep. */
export interface FrontPoint {
  /** Of the setting that is swept, as it was given. */
  readonly value: string;
  readonly l0: number;
  readonly ciMasked: number;
  readonly stochastic: number;
  readonly adversarial: number;
  readonly unmasked: number;
}

export interface FrontFigure {
  readonly title: string;
  /** The setting's name. */
  readonly key: string;
  readonly points: readonly FrontPoint[];
}

const [WIDTH, HEIGHT, LEFT, TOP] = [480, 320, 70, 44];

const LINES = [
  ["adversarial", "adversarial masks"],
  ["ciMasked", "CI masks"],
  ["stochastic", "stochastic masks"],
  ["unmasked", "no masks"],
] as const;

/** The figure as an SVG file. Points that are not above 0 have no place on its axes and are left out, which it says. */
export function frontFigure({ title, key, points }: FrontFigure): string {
  const isThere = (x: number): boolean => Number.isFinite(x) && x > 0;
  const used = points.filter(({ l0 }) => isThere(l0)).sort((a, b) => a.l0 - b.l0);
  const losses = used.flatMap((p) => LINES.map(([line]) => p[line])).filter(isThere);
  const missing = points.length * LINES.length - losses.length;
  const x = scaleLog()
    .domain(extent(used.map(({ l0 }) => l0)))
    .nice()
    .range([0, WIDTH]);
  const y = scaleLog().domain(extent(losses)).nice().range([HEIGHT, 0]);
  const decades = (scale: typeof x, count: number): number[] => {
    const ticks = scale.ticks(count);
    return ticks.filter((tick) => /^[125](\.0+)?e/.test(tick.toExponential())).slice(0, 24);
  };
  const grid = [
    ...decades(y, 6).map(
      (t) =>
        `<line class="grid" x2="${WIDTH}" y1="${at(y(t))}" y2="${at(y(t))}"/><text class="end" x="-6" y="${at(y(t) + 4)}">${short(t)}</text>`,
    ),
    ...decades(x, 6).map((t) => `<text class="middle" x="${at(x(t))}" y="${HEIGHT + 16}">${short(t)}</text>`),
  ];
  const lines = LINES.map(([line, name]) => {
    const shown = used.filter((p) => isThere(p[line]));
    const path = shown.map((p) => `${at(x(p.l0))},${at(y(p[line]))}`).join(" ");
    const dots = shown.map(
      (p) =>
        `<circle cx="${at(x(p.l0))}" cy="${at(y(p[line]))}" r="3.5"><title>${escaped(`${key} ${p.value}: L0 ${short(p.l0)}, ${name} ${short(p[line])}`)}</title></circle>`,
    );
    return `<g class="${line}"><polyline points="${path}"/>${dots.join("")}</g>`;
  });
  const values = used.map((p) => `<text class="middle value" x="${at(x(p.l0))}" y="-6">${escaped(p.value)}</text>`);
  const legend = LINES.map(
    ([line, name], i) =>
      `<g class="${line}" transform="translate(${i * 126},${HEIGHT + 56})"><polyline points="0,0 18,0"/><text x="23" y="4">${name}</text></g>`,
  );
  const note =
    missing > 0
      ? `<text class="middle" x="${WIDTH / 2}" y="${HEIGHT + 78}">${missing} numbers that are 0 or missing are not shown</text>`
      : "";
  const width = LEFT + WIDTH + 30;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${TOP + HEIGHT + 90}" width="${width}" role="img" aria-label="${escaped(title)}">
<style>${STYLE}</style><rect class="paper" width="100%" height="100%"/><text class="title" x="${LEFT}" y="18">${escaped(title)}</text>
<g transform="translate(${LEFT},${TOP})">${grid.join("")}<rect class="frame" width="${WIDTH}" height="${HEIGHT}"/>${lines.join("")}${values.join("")}
<text class="middle" x="${WIDTH / 2}" y="${HEIGHT + 34}">components an input uses, L0</text><text class="middle" transform="translate(-52,${HEIGHT / 2}) rotate(-90)">divergence</text>${legend.join("")}${note}</g>
</svg>
`;
}

function extent(numbers: readonly number[]): [number, number] {
  if (numbers.length === 0) return [0.1, 1];
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  return low === high ? [low / 2, high * 2] : [low, high];
}

const short = (x: number): string => String(Number(x.toPrecision(3)));

const STYLE = `text{font:11px system-ui,sans-serif;fill:#444}.title{font-size:13px;font-weight:600;fill:#111}.middle{text-anchor:middle}.end{text-anchor:end}.value{fill:#777}
.paper{fill:#fff}.frame{fill:none;stroke:#999}.grid{stroke:#e5e5e5}polyline{fill:none;stroke-width:1.8}
.adversarial{--c:#b3261e}.ciMasked{--c:#1f5fbf}.stochastic{--c:#2c7d4f}.unmasked{--c:#8a8a8a}polyline{stroke:var(--c)}circle{fill:var(--c)}
@media(prefers-color-scheme:dark){text{fill:#bbb}.title{fill:#eee}.paper{fill:#16181c}.frame{stroke:#666}.grid{stroke:#2b2e34}.adversarial{--c:#ff8a80}.ciMasked{--c:#8ab4f8}.stochastic{--c:#7fd1a0}}`;
