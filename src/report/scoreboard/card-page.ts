/** The paradigm card as a page: families below one another, networks side by side, every count a link to the runs behind it. */
import {
  type CardCell,
  type CardFamily,
  type CardRun,
  MUCH,
  NEXT_TO_NOTHING,
  type ParadigmCard,
  type Prediction,
  PREDICTIONS,
  type PredictionName,
  SPECIFIC,
} from "../../evidence/referee/card.ts";
import { embedded, escaped, page, shortNumber } from "../markup.ts";
import type { Report } from "./report.ts";

const NAMES = Object.keys(PREDICTIONS) as PredictionName[];

/** The page, with how its runs and itself were made. */
export function cardPage(
  card: ParadigmCard,
  { commands, command, version }: Pick<Report, "commands" | "command" | "version">,
): string {
  const head = card.networks.map(({ title }) => `<th scope="col">${escaped(title)}</th>`).join("");
  const rows = card.families.map((family) => familyRow(family, card)).join("");
  const body = `<h1>What each family was found to do</h1>
<p class="key">Counts, with the runs behind each; no order, nothing added up. They speak of these networks and these settings: a method that was badly set is badly counted.</p>
<div class="wide"><table class="card"><thead><tr><th scope="col">family</th><th scope="col">predictions that held</th><th scope="col">networks on which it holds</th><th scope="col">edits that worked</th>${head}</tr></thead>
<tbody>${rows}</tbody></table></div>
<h2>What is counted</h2>
<dl>${NAMES.map((name) => `<dt>${escaped(PREDICTIONS[name].says)}</dt><dd>${escaped(PREDICTIONS[name].measured)}: ${escaped(PREDICTIONS[name].bound)}</dd>`).join("")}
<dt>holds on a network</dt><dd>each of its runs there is enough (${shortNumber(NEXT_TO_NOTHING)} of chance) and decidedly better than its own components at random and permuted</dd>
<dt>by construction</dt><dd>what is inactive carries nothing, or everything is called active: the prediction could not have failed, and is not counted (◌)</dd>
<dt>an edit that worked</dt><dd>removing one mechanism, drawn at random, did more than ${SPECIFIC} times as much where the mechanism is active as where it is not</dd>
<dt>needed</dt><dd>is judged by ${MUCH} of what there is to lose where the method acts, not of the whole network</dd></dl>
<h2>The runs</h2>${card.families.flatMap(({ family, cells }) => cells.flatMap((cell) => cell.runs.map((run) => runSection(family, cell, run, commands[run.subject] ?? "")))).join("")}
<h2>To make this again</h2><pre>${escaped(command)}</pre><p class="key">mechanist ${escaped(version)}; the numbers are in this file, in the element “data”.</p>
${embedded(card)}`;
  return page("Paradigm card", STYLE, body);
}

function familyRow(
  { family, cells, predictions, networks, edits }: CardFamily,
  { networks: all }: ParadigmCard,
): string {
  const first = cells[0]?.runs[0];
  const linked = (text: string): string =>
    first === undefined ? text : `<a href="#${idOf(cells[0]!, first)}">${text}</a>`;
  const byNetwork = all.map(({ digest }) => {
    const cell = cells.find((one) => one.digest === digest);
    return `<td>${cell === undefined ? "not tried" : cell.runs.map((run) => cellOf(cell, run)).join("")}</td>`;
  });
  return `<tr><th scope="row">${escaped(family)}</th><td>${linked(count(predictions.held, predictions.made))}${predictions.byConstruction > 0 ? ` <small>${predictions.byConstruction} by construction</small>` : ""}</td><td>${linked(count(networks.held, networks.tried))}</td>
<td>${linked(count(edits.worked, edits.made))}</td>${byNetwork.join("")}</tr>`;
}

const count = (of: number, all: number): string => (all === 0 ? "not measured" : `${of} of ${all}`);

/** One run in a cell: a mark a prediction, then its edits. */
function cellOf(cell: CardCell, run: CardRun): string {
  const told = run.predictions.map((one) => `${PREDICTIONS[one.name].says}: ${word(one)}`).join("; ");
  const marks = run.predictions.map(markOf).join("");
  return `<a class="run" href="#${idOf(cell, run)}" title="${escaped(`${run.subject}: ${told}`)}"><span class="marks" aria-label="${escaped(told)}">${marks}</span> ${count(run.edits.worked, run.edits.made)}</a>`;
}

function word({ held, byConstruction }: Prediction): string {
  if (held === null) return "not measured";
  return byConstruction ? "by construction" : held ? "held" : "did not hold";
}

function markOf({ held, byConstruction }: Prediction): string {
  if (held === null) return "–";
  return byConstruction ? "◌" : held ? "●" : "○";
}

function runSection(family: string, cell: CardCell, run: CardRun, command: string): string {
  const rows = run.predictions.map(
    (one) =>
      `<tr><td>${escaped(PREDICTIONS[one.name].says)}</td><td>${one.value === null ? "–" : shortNumber(one.value)}</td><td>${escaped(PREDICTIONS[one.name].bound)}</td><td>${word(one)}</td></tr>`,
  );
  const better =
    run.beatsChance === null
      ? "not held against its own components at random"
      : run.beatsChance
        ? "better than its own components at random and permuted"
        : "not told from its own components at random or permuted";
  return `<section id="${idOf(cell, run)}"><h3>${escaped(run.subject)}</h3><p class="key">${escaped(family)} on ${escaped(cell.network)}${run.digest === undefined ? "" : `, ${run.digest.slice(0, 12)}`}; ${shortNumber(run.bits)} bits, ${shortNumber(run.size)} units active a row; ${better}; edits ${count(run.edits.worked, run.edits.made)}</p>
<table><tbody>${rows.join("")}</tbody></table><pre>${escaped(command)}</pre></section>`;
}

/** The name of a run's place on the page: the same run may be on boards of several networks' names only by mistake, so both are in it. */
const idOf = ({ digest }: CardCell, { subject }: CardRun): string =>
  `run-${encodeURIComponent(`${digest.slice(0, 8)}-${subject}`)}`;

const STYLE = `
.key { color: var(--soft); max-width: 56rem } .wide { overflow-x: auto } table { border-collapse: collapse; font-size: 13px } th, td { text-align: left; vertical-align: top; padding: .3rem 1rem .3rem 0; border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums }
thead th { color: var(--soft); font-weight: normal } .card a { color: inherit } .run { display: block; white-space: nowrap } .marks { letter-spacing: .15em } h3 { font-size: 1rem; margin: 1.5rem 0 0 } section p { margin: .2rem 0 } pre { font-size: 12px; color: var(--soft) }
small { color: var(--soft) } dl { display: grid; grid-template-columns: minmax(8rem, 18rem) 1fr; gap: .1rem 1rem; max-width: 60rem } dt { color: var(--soft) } dd { margin: 0 } section:target { outline: 2px solid var(--line); outline-offset: .5rem }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr } dd { margin-bottom: .3rem } }
`;
