/** The scores of one measure: a point a subject with its interval, and behind it the band within which another evaluation would lie. */
import { scaleLinear } from "d3-scale";
import type { MeasureResult } from "../../evidence/referee/scoreboard.ts";
import { at, escaped, shortNumber } from "../markup.ts";
import type { Ink } from "./colours.ts";

const [WIDTH, ROW, LEFT] = [340, 20, 210];

/** The figure. */
export function scoresFigure({ title, unit, scores, ranks }: MeasureResult, inks: ReadonlyMap<string, Ink>): string {
  const ends = scores.flatMap(({ value, interval, band }) => [interval[0], interval[1], value - band, value + band]);
  const x = scaleLinear()
    .domain([Math.min(0, ...ends), Math.max(...ends, 0)])
    .nice()
    .range([0, WIDTH]);
  const height = scores.length * ROW;
  const rankOf = new Map(ranks.map(({ subject, rank, tied }) => [subject, `${rank}${tied ? "=" : ""}`]));
  const ticks = x
    .ticks(5)
    .map(
      (t) =>
        `<line class="grid" x1="${at(x(t))}" x2="${at(x(t))}" y2="${height}"/><text text-anchor="middle" x="${at(x(t))}" y="${height + 15}">${shortNumber(t)}</text>`,
    );
  const rows = scores.map(({ subject, value, interval, band, n }, i) => {
    const y = i * ROW + ROW / 2;
    const told = `${subject}: ${shortNumber(value)}, 95 % from ${shortNumber(interval[0])} to ${shortNumber(interval[1])}; another evaluation within ${shortNumber(band)}; n ${n}`;
    const left = x(value - band);
    return `<g class="${inks.get(subject)!.colour}"><title>${escaped(told)}</title><text class="name" text-anchor="end" x="-30" y="${y + 4}">${escaped(shortened(subject))}</text>
<text text-anchor="end" x="-8" y="${y + 4}">${rankOf.get(subject) ?? ""}</text><rect class="band" x="${at(left)}" width="${at(x(value + band) - left)}" y="${y - 6}" height="12"/>
<line class="interval" x1="${at(x(interval[0]))}" x2="${at(x(interval[1]))}" y1="${y}" y2="${y}"/><circle cx="${at(x(value))}" cy="${y}" r="3.5"/></g>`;
  });
  return `<svg viewBox="${-LEFT} -4 ${LEFT + WIDTH + 24} ${height + 40}" width="${LEFT + WIDTH + 24}" role="img" aria-label="${escaped(title)}">${ticks.join("")}${rows.join("")}
<text text-anchor="middle" x="${WIDTH / 2}" y="${height + 32}">${escaped(unit)}</text></svg>`;
}

const LONGEST = 30;

const shortened = (name: string): string => (name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name);
