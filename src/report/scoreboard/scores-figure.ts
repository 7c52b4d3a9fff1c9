/**
 * The scores of one measure: a row a method and a row a control of the network's own. A point has its interval over prompts and, behind it, the band
 * within which another evaluation would lie; a method's row has its own controls as marks.
 */
import { scaleLinear } from "d3-scale";
import type { ControlKind, MeasureResult, Score, SubjectRow } from "../../evidence/referee/scoreboard.ts";
import { at, escaped, shortNumber } from "../markup.ts";
import type { Ink } from "./colours.ts";

const [WIDTH, ROW, LEFT] = [330, 20, 200];

/** Marks of a method's controls around 0, 0. */
export const MARKS: Readonly<Partial<Record<ControlKind, string>>> = {
  "oracle ranking": "M0-4L4 0L0 4L-4 0Z",
  random: "M-3-3L3 3M-3 3L3-3",
  permuted: "M-4 0H4M0-4V4",
};

/** The figure. */
export function scoresFigure(
  { title, unit, scores, ranks }: MeasureResult,
  subjects: readonly SubjectRow[],
  inks: ReadonlyMap<string, Ink>,
): string {
  const found = new Map(scores.map((score) => [score.subject, score]));
  const rows = subjects.filter(({ name, of }) => found.has(name) && (of === undefined || !found.has(of)));
  const ends = scores.flatMap(({ value, interval }) => [value, ...interval]);
  const x = scaleLinear()
    .domain([Math.min(0, ...ends), Math.max(...ends, 0)])
    .nice()
    .range([0, WIDTH])
    .clamp(true);
  const height = rows.length * ROW;
  const rankOf = new Map(ranks.map(({ subject, rank, tied }) => [subject, `${rank}${tied ? "=" : ""}`]));
  const ticks = x
    .ticks(5)
    .map(
      (t) =>
        `<line class="grid" x1="${at(x(t))}" x2="${at(x(t))}" y2="${height}"/><text text-anchor="middle" x="${at(x(t))}" y="${height + 15}">${shortNumber(t)}</text>`,
    );
  const drawn = rows.map(({ name }, i) => {
    const own = subjects.filter(({ of, name: control }) => of === name && found.has(control));
    const controls = own.map(({ name: control, control: kind }) => markOf(found.get(control)!, MARKS[kind!] ?? "", x));
    const { value, interval, band } = found.get(name)!;
    const left = x(value - band);
    return `<g class="${inks.get(name)!.colour}" transform="translate(0,${i * ROW + ROW / 2})"><text class="name" text-anchor="end" x="-30" y="4">${escaped(shortened(name))}</text>
<text text-anchor="end" x="-8" y="4">${rankOf.get(name) ?? ""}</text>${controls.join("")}<rect class="band" x="${at(left)}" width="${at(x(value + band) - left)}" y="-6" height="12"/>
<line class="interval" x1="${at(x(interval[0]))}" x2="${at(x(interval[1]))}"/><circle cx="${at(x(value))}" r="3.5"><title>${escaped(told(found.get(name)!))}</title></circle></g>`;
  });
  return `<svg viewBox="${-LEFT} -4 ${LEFT + WIDTH + 24} ${height + 40}" width="${LEFT + WIDTH + 24}" role="img" aria-label="${escaped(title)}">${ticks.join("")}${drawn.join("")}
<text text-anchor="middle" x="${WIDTH / 2}" y="${height + 32}">${escaped(unit)}</text></svg>`;
}

function markOf(score: Score, path: string, x: (value: number) => number): string {
  return `<path class="mark-of-control" transform="translate(${at(x(score.value))},0)" d="${path}"><title>${escaped(told(score))}</title></path>`;
}

function told({ subject, value, interval, band, n }: Score): string {
  return `${subject}: ${shortNumber(value)}, 95 % from ${shortNumber(interval[0])} to ${shortNumber(interval[1])}; another evaluation within ${shortNumber(band)}; n ${n}`;
}

const LONGEST = 28;

const shortened = (name: string): string => (name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name);
