/** The board on one screen: a row a method, a column a measure, in the form in which each is asked of every family; all others are further down. */
import type { MeasureResult, Scoreboard } from "../../evidence/referee/scoreboard.ts";
import { escaped, shortNumber } from "../markup.ts";
import type { Ink } from "./colours.ts";

/** What is shown here, by the ids of measures, with words for people. */
const COLUMNS: Readonly<Record<string, string>> = {
  "sufficiency/zero/own/bits": "sufficiency, over bits",
  "sufficiency/zero/own/units": "sufficiency, over units",
  "necessity/zero/own/active": "necessity of the active",
  "robustness/adversarial/matched": "under attack, matched size",
  "robustness/adversarial/natural": "under attack, own size",
  "remainder/lost": "lost with the remainder",
  "edits/specificity": "specificity of edits",
};

/** The table; measures that were not made have no column. */
export function summaryTable({ subjects, measures }: Scoreboard, inks: ReadonlyMap<string, Ink>): string {
  const columns = Object.entries(COLUMNS).flatMap(([id, title]) => {
    const result = measures.find((one) => one.id === id);
    return result === undefined ? [] : [{ title, result }];
  });
  const head = columns.map(
    ({ title, result }) =>
      `<th><a href="#${result.measure}">${escaped(title)}</a> ${result.better === "lower" ? "↓" : "↑"}${result.tellsControlsApart === false ? " *" : ""}</th>`,
  );
  const rows = subjects
    .filter(({ of }) => of === undefined)
    .map(({ name, size, bits }) => {
      const cells = columns.map(({ result }) => `<td>${cellOf(result, name)}</td>`);
      return `<tr><td><span class="${inks.get(name)!.colour} mark"></span>${escaped(name)}</td><td>${shortNumber(bits)}</td><td>${shortNumber(size)}</td>${cells.join("")}</tr>`;
    });
  const mute = columns.some(({ result }) => result.tellsControlsApart === false)
    ? " * cannot tell an oracle from its random and permuted controls here."
    : "";
  return `<div class="wide"><table><thead><tr><th>subject</th><th>bits a row</th><th>active a row</th>${head.join("")}</tr></thead><tbody>${rows.join("")}</tbody></table></div>
<p class="key">In shares of chance but for specificity; bits before units, because a unit of rank m costs m numbers; ± half the 95 % interval over prompts; #n its rank among methods, where it is decided, = where it is shared.${mute}</p>`;
}

function cellOf({ scores, ranks }: MeasureResult, subject: string): string {
  const score = scores.find((one) => one.subject === subject);
  if (score === undefined) return "–";
  const rank = ranks.find((one) => one.subject === subject);
  const half = (score.interval[1] - score.interval[0]) / 2;
  return `${shortNumber(score.value)} <small>±${half === 0 ? "0" : half.toPrecision(1)}${rank === undefined ? "" : ` #${rank.rank}${rank.tied ? "=" : ""}`}</small>`;
}
