/**
 * A page on a sweep of patches: what each part did when it was patched, what its gradient said it would do, and one against the other. One
 * HTML file with figures, their data and no address outside itself.
 */
import { scaleLinear } from "d3-scale";
import { interpolateRdBu } from "d3-scale-chromatic";
import { meanOfNumbers } from "../intervention/bootstrap.ts";
import { type AttributionTable, type EffectTable, pearson, type SweepRow } from "../intervention/index.ts";
import { embedded, escaped, page } from "./markup.ts";

export interface PatchingReport {
  readonly title: string;
  readonly sweep: string;
  /** The tokens of both prompts as people read them. */
  readonly clean: readonly string[];
  readonly corrupt: readonly string[];
  readonly activation: EffectTable<SweepRow>;
  readonly attribution: AttributionTable<SweepRow>;
  /** How to make this page again. */
  readonly command: string;
}

/** How far estimates and effects agree. */
export interface Agreement {
  /** Pearson's correlation over the cells; none where either is constant. */
  readonly correlation: number | null;
  /** The largest difference of an estimate from its effect, in the metric's unit. */
  readonly largestDifference: number;
}

/** Estimates held against effects, cell by cell. */
export function agreementOf(activation: EffectTable<SweepRow>, attribution: EffectTable<SweepRow>): Agreement {
  const [effects, estimates] = [activation, attribution].map(({ rows }) => rows.map(({ mean }) => mean)) as [
    number[],
    number[],
  ];
  const correlation = pearson(effects, estimates);
  return {
    correlation: Number.isFinite(correlation) ? correlation : null,
    largestDifference: Math.max(...effects.map((x, i) => Math.abs(x - estimates[i]!))),
  };
}

/** The page. */
export function patchingPage(report: PatchingReport): string {
  const { title, sweep, activation, attribution } = report;
  const { metric, baseline, source, examples, reference, direction } = activation;
  const parts = [...new Set(activation.rows.map(({ point }) => partOf(point)))];
  const { correlation, largestDifference } = agreementOf(activation, attribution);
  const { regime } = attribution;
  const attention =
    regime === null
      ? "The network has no attention."
      : `Attention is at ${number(regime.meanMaxAttention)} of its largest on average (${number(regime.undecided)} if nothing were decided); where it nears 1, gradients see little.`;
  const body = `<h1>Patching ${escaped(title)}: ${escaped(sweep)}</h1>
<p>The ${escaped(reference!.name)} run's values in the ${escaped(examples)} run (${escaped(String(direction))}). ${escaped(metric.name)}, in ${escaped(metric.unit)}:
${number(meanOfNumbers(baseline))} in the ${escaped(examples)} run, ${number(meanOfNumbers(source!))} in the ${escaped(reference!.name)} run (${escaped(metric.meaning)}).</p>
<dl><dt>clean</dt><dd>${tokenList(report.clean)}</dd><dt>corrupt</dt><dd>${tokenList(report.corrupt)}</dd></dl>
${parts.map((part) => pair(report, part)).join("\n")}
<h2>What the gradient said against what the patch did</h2>
<figure>${scatter(activation, attribution)}
<figcaption>One point a cell; on the line they agree. Correlation ${correlation === null ? "–" : number(correlation)} over ${activation.rows.length} cells,
largest difference ${number(largestDifference)} ${escaped(metric.unit)}. ${escaped(attention)} Each effect is of 1 cell alone: parts that stand in for one another look as if
they did nothing. ${activation.n === 1 ? "One pair of prompts: no interval can be made of it." : `${activation.n} pairs of prompts.`}</figcaption></figure>
<details><summary>how to make this page again</summary><pre>${escaped(report.command)}</pre><p>${escaped(attribution.method)}</p></details>
${embedded({ activation, attribution })}`;
  return page(`Patching ${title}: ${sweep}`, STYLE, body);
}

const partOf = (point: string): string => point.replace(/^blocks\.\d+\./, "");

/** Effect and estimate of one part of the blocks, side by side on one scale. */
function pair({ activation, attribution, clean }: PatchingReport, part: string): string {
  const of = (table: EffectTable<SweepRow>): readonly SweepRow[] =>
    table.rows.filter(({ point }) => partOf(point) === part);
  const all = [...of(activation), ...of(attribution)];
  const most = Math.max(...all.map(({ mean }) => Math.abs(mean))) || 1;
  const side = (name: string, table: EffectTable<SweepRow>): string =>
    `<figure><figcaption>${name}</figcaption>${grid(of(table), most, clean)}</figure>`;
  return `<h2>${escaped(part)}</h2><div class="pair">${side("patched", activation)}${side("by its gradient", attribution)}</div>
<p class="key">change of the metric, from −${number(most)} (red) to ${number(most)} (blue)</p>`;
}

/** A row of the grid: its layer, and the head or position that looks where columns are something else. */
function rowName({ layer, head, position, query, key }: SweepRow): string {
  const inRow = position !== undefined || key !== undefined ? head : undefined;
  return [
    `${layer}`,
    ...(inRow === undefined ? [] : [`h${inRow}`]),
    ...(query === undefined ? [] : [`q${query}`]),
  ].join(".");
}

const columnOf = ({ position, key, head, neuron }: SweepRow): number => position ?? key ?? head ?? neuron ?? 0;

const CELL = 22;
const MARGIN = 46;

function grid(rows: readonly SweepRow[], most: number, tokens: readonly string[]): string {
  const names = [...new Set(rows.map(rowName))];
  const columns = Math.max(...rows.map(columnOf)) + 1;
  const isPosition = rows[0]?.position !== undefined || rows[0]?.key !== undefined;
  const colour = scaleLinear().domain([-most, most]).range([0, 1]);
  const cells = rows.map((row) => {
    const [x, y] = [MARGIN + columnOf(row) * CELL, names.indexOf(rowName(row)) * CELL];
    const where = isPosition ? `position ${columnOf(row)} ${tokens[columnOf(row)] ?? ""}` : `${columnOf(row)}`;
    const told = `${row.point} ${where}: ${number(row.mean)}`;
    return `<rect x="${x}" y="${y}" width="${CELL - 1}" height="${CELL - 1}" fill="${interpolateRdBu(colour(row.mean))}"><title>${escaped(told)}</title></rect>`;
  });
  const labels = names.map(
    (name, i) => `<text x="${MARGIN - 6}" y="${i * CELL + 15}" text-anchor="end">${name}</text>`,
  );
  const bottom = names.length * CELL;
  const below = Array.from({ length: columns }, (_, i) => {
    const text = isPosition ? (tokens[i] ?? String(i)) : String(i);
    const x = MARGIN + i * CELL + 14;
    return `<text transform="translate(${x},${bottom + 4}) rotate(-60)" text-anchor="end">${escaped(text.slice(0, 10))}</text>`;
  });
  const longest = isPosition ? Math.max(...tokens.slice(0, columns).map((token) => token.length), 1) : 3;
  const [width, height] = [MARGIN + columns * CELL + 8, bottom + 12 + 6 * Math.min(10, longest)];
  return `<svg viewBox="0 0 ${width} ${height}" width="${width}" role="img" aria-label="change of the metric by cell">${cells.join("")}${labels.join("")}${below.join("")}</svg>`;
}

const SIDE = 320;

function scatter(activation: EffectTable<SweepRow>, attribution: EffectTable<SweepRow>): string {
  const [effects, estimates] = [activation, attribution].map(({ rows }) => rows.map(({ mean }) => mean)) as [
    number[],
    number[],
  ];
  const [low, high] = [Math.min(0, ...effects, ...estimates), Math.max(0, ...effects, ...estimates)];
  const place = scaleLinear()
    .domain(low === high ? [-1, 1] : [low, high])
    .nice()
    .range([0, SIDE]);
  const [first, last] = place.domain() as [number, number];
  const points = effects.map((x, i) => {
    const { point, head, position } = activation.rows[i]!;
    const told = [
      point,
      head === undefined ? "" : ` head ${head}`,
      position === undefined ? "" : ` position ${position}`,
    ];
    return `<circle cx="${place(x).toFixed(1)}" cy="${(SIDE - place(estimates[i]!)).toFixed(1)}" r="3"><title>${escaped(`${told.join("")}: patched ${number(x)}, by gradient ${number(estimates[i]!)}`)}</title></circle>`;
  });
  const ticks = place.ticks(5).map((tick) => {
    const at = place(tick);
    return `<text x="${at}" y="${SIDE + 16}" text-anchor="middle">${tick}</text><text x="-6" y="${SIDE - at + 4}" text-anchor="end">${tick}</text>`;
  });
  return `<svg viewBox="-52 -8 ${SIDE + 68} ${SIDE + 52}" width="${SIDE + 68}" role="img" aria-label="estimates against effects">
<rect class="frame" width="${SIDE}" height="${SIDE}"/><line x1="${place(first)}" y1="${SIDE - place(first)}" x2="${place(last)}" y2="${SIDE - place(last)}"/>
${points.join("")}${ticks.join("")}<text x="${SIDE / 2}" y="${SIDE + 36}" text-anchor="middle">patched</text>
<text transform="translate(-40,${SIDE / 2}) rotate(-90)" text-anchor="middle">by its gradient</text></svg>`;
}

const number = (x: number): string => (Object.is(x, 0) ? "0" : x.toPrecision(3)).replace(/^-/, "−");

function tokenList(tokens: readonly string[]): string {
  return tokens.map((token) => `<code>${escaped(token)}</code>`).join(" ");
}

const STYLE = `
dt { color: var(--soft) } dd { margin: 0 0 .5rem } code { white-space: pre-wrap; border: 1px solid var(--line); border-radius: 3px; padding: 0 3px }
.pair { display: flex; flex-wrap: wrap; gap: 1rem 2rem } .key { color: var(--soft); max-width: 44rem } circle { fill: light-dark(#1f5fbf, #7fb0ff); fill-opacity: .7 }
line { stroke: var(--soft); stroke-dasharray: 4 3 }
`;
