/** The tables of a report: what was judged, what each pair differs by, what is known, what seeds do, what is missing. */
import type { MeasureResult, Scoreboard, SubjectRow } from "../../evidence/referee/scoreboard.ts";
import { CONTROLS, KNOWN_COLUMNS } from "../../evidence/referee/scoreboard.ts";
import { escaped, shortNumber } from "../markup.ts";
import type { Report } from "./report.ts";
import type { Ink } from "./colours.ts";

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (kind: "th" | "td", row: readonly string[]): string =>
    row.map((c) => `<${kind}>${c}</${kind}>`).join("");
  return `<div class="wide"><table><thead><tr>${cells("th", head)}</tr></thead><tbody>${rows.map((row) => `<tr>${cells("td", row)}</tr>`).join("")}</tbody></table></div>`;
}

/** Everything that was judged: methods and yardsticks of the network, and behind a fold the controls of each method. */
export function subjectsTable({ subjects }: Scoreboard, inks: ReadonlyMap<string, Ink>): string {
  const [first, folded] = [true, false].map((whole) => subjects.filter(({ of }) => (of === undefined) === whole));
  const rowOf = (subject: SubjectRow): string[] => [
    `<span class="${inks.get(subject.name)!.colour} mark"></span>${escaped(subject.name)}`,
    escaped(whatOf(subject)),
    shortNumber(subject.bits),
    shortNumber(subject.size),
    granularityOf(subject),
    shortNumber(subject.coverage),
    costOf(subject),
    shortNumber(subject.seconds),
    `${subject.executed} / ${subject.skipped}`,
  ];
  const head = [
    "subject",
    "what",
    "bits a row",
    "active a row",
    "units",
    "coverage",
    "made in",
    "judged in, s",
    "measures made / not",
  ];
  const rest =
    folded!.length === 0
      ? ""
      : `<details><summary>${folded!.length} controls of these methods</summary>${table(head, folded!.map(rowOf))}</details>`;
  return table(head, first!.map(rowOf)) + rest;
}

function whatOf({ control, method, seed, digest }: SubjectRow): string {
  if (control !== undefined) return CONTROLS[control];
  return [method ?? "", seed === undefined ? "" : `seed ${seed}`, digest === undefined ? "" : digest.slice(0, 12)]
    .filter((part) => part !== "")
    .join(", ");
}

/** What a unit is: how many components of which rank at which sites, sites alike together. */
function granularityOf({ granularity, components }: SubjectRow): string {
  if (granularity.length > 3) {
    const ranks = [...new Set(granularity.map(({ rank }) => rank))].sort((a, b) => a - b);
    return `${components} of rank ${ranks.join(", ")} at ${granularity.length} sites`;
  }
  return granularity
    .map(({ site, components: count, rank }) => escaped(`${count} of rank ${rank} at ${site}`))
    .join("<br>");
}

function costOf({ cost }: SubjectRow): string {
  if (cost === undefined) return "–";
  const steps = cost.steps === undefined ? "" : `${cost.steps.toLocaleString("en")} steps`;
  const seconds = cost.seconds === undefined ? "" : `${shortNumber(cost.seconds)} s`;
  const flops = cost.flops === undefined ? "" : `${cost.flops.toExponential(1)} FLOP`;
  return [steps, seconds, flops].filter((part) => part !== "").join(", ") || "–";
}

/** Why one of two may not be called better. */
const BECAUSE = {
  noise: "within noise",
  seeds: "within what seeds make",
  coverage: "they speak of different parts of the network",
} as const;

/** All pairs of methods under one measure. */
export function differencesTable({ differences }: MeasureResult): string {
  if (differences.length === 0) return "";
  const rows = differences.map(({ a, b, difference, interval, holm, decided, because }) => [
    escaped(a),
    escaped(b),
    shortNumber(difference),
    `${shortNumber(interval[0])} to ${shortNumber(interval[1])}`,
    shortNumber(holm),
    decided ? "yes" : `no${because === undefined ? "" : `: ${BECAUSE[because]}`}`,
  ]);
  return `<details><summary>differences of ${differences.length} pairs, on the same prompts</summary>${table(["first", "second", "first less second", "95 %", "p, Holm's", "decided"], rows)}</details>`;
}

/** Subjects held against what is known of the network; columns that no subject has are not there. */
export function knownTable({ known }: Scoreboard): string {
  const columns = KNOWN_COLUMNS.filter(([, of]) => known.some((row) => of(row) !== undefined));
  if (columns.length === 0) return "<p>Nothing is known of this network's mechanisms.</p>";
  const rows = known.map((row) => [
    escaped(row.subject),
    ...columns.map(([, of]) => (of(row) === undefined ? "" : shortNumber(of(row)!))),
  ]);
  return table(["subject", ...columns.map(([title]) => title)], rows);
}

/** What seeds alone do to the measures. */
export function seedsTable({ seeds }: Scoreboard): string {
  if (seeds.length === 0)
    return "<p>Of no method was more than one seed given: how much seeds alone do is not known here.</p>";
  const rows = seeds.map(({ method, subjects, measure, mean, deviation }) => [
    escaped(method),
    String(subjects.length),
    escaped(measure),
    shortNumber(mean),
    shortNumber(deviation),
  ]);
  return table(["method", "seeds", "measure", "mean", "standard deviation"], rows);
}

/** What could not be made, and why. */
export function gapsTable({ gaps }: Scoreboard): string {
  if (gaps.length === 0) return "<p>Nothing that was asked for is missing.</p>";
  return table(
    ["what", "why"],
    gaps.map(({ what, why }) => [escaped(what), escaped(why)]),
  );
}

/** How to do it all again. */
export function commands({ subjects }: Scoreboard, made: Report["commands"], report: string): string {
  const lines = subjects.flatMap(({ name }) => made[name] ?? []);
  return `<pre>${escaped([...new Set(lines.flatMap((text) => text.split("\n"))), report].join("\n"))}</pre>`;
}
