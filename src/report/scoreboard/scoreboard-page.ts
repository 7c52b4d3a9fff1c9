/**
 * A referee's report: one HTML file with every figure, the data behind it, the commands and digests, and no address outside itself. It adds
 * nothing to the scoreboard: no mean over measures, no winner.
 */
import type { Curve, MeasureResult, Scoreboard } from "../../evidence/referee/scoreboard.ts";
import { embedded, escaped, page, shortNumber } from "../markup.ts";
import { COLOUR_STYLE, type Ink, inksOf } from "./colours.ts";
import { editsFigure } from "./edits-figure.ts";
import { curvesFigure, legend } from "./curves-figure.ts";
import type { Report } from "./report.ts";
import { MARKS, scoresFigure } from "./scores-figure.ts";
import { summaryTable } from "./summary-table.ts";
import { commands, differencesTable, gapsTable, knownTable, seedsTable, subjectsTable } from "./tables.ts";

/** The page; `readReport` reads the report out of it again. */
export function scoreboardPage(report: Report): string {
  const { scoreboard: board, commands: made, command, version } = report;
  const inks = inksOf(board.subjects);
  const { network, protocol } = board;
  const measures = [...new Set(board.measures.map(({ measure }) => measure))];
  const body = `<h1>${escaped(network.title)}, taken apart</h1>
<p>${board.subjects.filter(({ control }) => control === undefined).length} decompositions of one network under one protocol, with
${board.subjects.filter(({ control }) => control !== undefined).length} controls. ${protocol.prompts} prompts (${protocol.rows} rows), the same for all; what is out is replaced by
${escaped(protocol.ablations.join(", "))}, from ${protocol.referencePrompts} other prompts. Divergences in ${escaped(network.unit)}; chance, the network's mean output, is at ${shortNumber(protocol.chance)}.
Network ${escaped(network.digest.slice(0, 16))}, seed ${protocol.seed}.</p>
<nav><a href="#board">board</a> <a href="#subjects">subjects</a> ${measures.map((measure) => `<a href="#${measure}">${measure}</a>`).join(" ")} <a href="#known">known mechanisms</a> <a href="#seeds">seeds</a> <a href="#gaps">what is missing</a> <a href="#again">again</a></nav>
<h2 id="board">The board</h2>${summaryTable(board, inks)}
<h2 id="subjects">What was judged</h2>
<p class="key">A unit is one component on one row. Coverage is the divergence with every component and the remainder out, of chance: subjects that speak of different parts of
the network are not put in order. A bit count is of saying which units are active and how strongly, at ${protocol.precisionBits} bits a number, as many numbers as a unit's rank.</p>
${subjectsTable(board, inks)}
${measures.map((measure) => measureSection(board, measure, inks)).join("\n")}
<h2 id="known">What is known of the mechanisms</h2>${knownTable(board)}
<h2 id="seeds">What seeds alone do</h2>${seedsTable(board)}
<h2 id="gaps">What is missing</h2>${gapsTable(board)}
<h2 id="again">To make this again</h2>${commands(board, made, command)}<p class="key">mechanist ${escaped(version)}; the numbers behind every figure are in this file, in the element “data”.</p>
${embedded(report)}`;
  return page(`${network.title}: referee's report`, COLOUR_STYLE + STYLE, body);
}

function measureSection(board: Scoreboard, measure: Curve["measure"], inks: ReadonlyMap<string, Ink>): string {
  const results = board.measures.filter((result) => result.measure === measure);
  const curves = board.curves.filter((curve) => curve.measure === measure);
  const [text] = results;
  return `<section><h2 id="${measure}">${escaped(text!.title)}</h2>
<dl><dt>formula</dt><dd>${escaped(text!.formula)}</dd><dt>source</dt><dd>${escaped(text!.source)}</dd><dt>reduction</dt><dd>${escaped(text!.reduction)}; ${text!.better} is better</dd>
<dt>establishes</dt><dd>${escaped(text!.establishes)}</dd><dt>does not</dt><dd>${escaped(text!.doesNotEstablish)}</dd></dl>
${curves.length === 0 ? "" : curvePanels(board, curves, inks)}
${notesOf(board, measure)}
<p class="key marks">A method's own controls: ${Object.entries(MARKS)
    .map(
      ([kind, path]) =>
        `<svg width="14" height="12" viewBox="-7 -6 14 12" aria-hidden="true"><path class="mark-of-control control" d="${path}"/></svg> ${escaped(kind)}`,
    )
    .join(" ")}</p>
<div class="panels">${measure === "edits" && board.edits.length > 0 ? editsPanel(board, inks) : ""}${results.map((result) => scorePanel(board, result, inks)).join("")}</div></section>`;
}

function notesOf({ notes }: Scoreboard, measure: Curve["measure"]): string {
  const own = notes.filter((note) => note.measure === measure);
  if (own.length === 0) return "";
  return `<ul class="key">${own.map(({ subject, text }) => `<li>${escaped(subject)}: ${escaped(text)}</li>`).join("")}</ul>`;
}

function editsPanel(board: Scoreboard, inks: ReadonlyMap<string, Ink>): string {
  const nowhere = board.edits.filter(({ active, inactive }) => active === 0 || inactive === 0).length;
  const left = nowhere === 0 ? "" : `; ${nowhere} that are active everywhere or nowhere have no place here`;
  const caption = `one mechanism removed at a time; below the line it does more where it is active${left}`;
  return `<figure>${editsFigure(board, inks)}<figcaption>${caption}</figcaption></figure>`;
}

function curvePanels(board: Scoreboard, curves: readonly Curve[], inks: ReadonlyMap<string, Ink>): string {
  const kinds = [...new Set(curves.map(({ ablation, ranking }) => `${ablation}/${ranking}`))];
  const panels = kinds.flatMap((kind) => {
    const own = curves.filter(({ ablation, ranking }) => `${ablation}/${ranking}` === kind);
    const [ablation, ranking] = kind.split("/");
    const order = ranking === "own" ? "in each method's own order" : "in the order of gradients";
    return (["units", "bits"] as const).map(
      (axis) =>
        `<figure>${curvesFigure(board, own, axis, inks)}<figcaption>${escaped(ablation!)} ablation, ${order}</figcaption></figure>`,
    );
  });
  return `${legend(
    board.subjects.filter(({ name }) => curves.some(({ subject }) => subject === name)),
    inks,
  )}<div class="panels">${panels.join("")}</div>`;
}

function scorePanel({ subjects }: Scoreboard, result: MeasureResult, inks: ReadonlyMap<string, Ink>): string {
  const { ablation, ranking, axis, variant, minimumDetectable, tellsControlsApart, promptsNeeded } = result;
  const varied = [
    ...(ablation ? [`${ablation} ablation`] : []),
    ...(ranking ? [ranking === "own" ? "own order" : "gradients' order"] : []),
    ...(axis ? [axis] : []),
    ...(variant ? [variant] : []),
  ].join(", ");
  const notes = [
    ...(tellsControlsApart === false
      ? [
          "<strong>It cannot tell an oracle from its random and permuted controls here: no conclusion should rest on it.</strong>",
        ]
      : []),
    ...(minimumDetectable === null
      ? []
      : [`Differences of ${shortNumber(minimumDetectable)} would be found 4 times in 5.`]),
    ...(promptsNeeded === null ? [] : [`The precision that was asked for needs ${promptsNeeded} prompts.`]),
  ];
  return `<figure class="scores">${scoresFigure(result, subjects, inks)}<figcaption>${escaped(varied)}${varied === "" ? "" : ". "}${notes.join(" ")}</figcaption>${differencesTable(result)}</figure>`;
}

const STYLE = `
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem } a { color: inherit } dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; max-width: 56rem } dt { color: var(--soft) } dd { margin: 0 }
.key { color: var(--soft); max-width: 56rem } .wide { overflow-x: auto } table { border-collapse: collapse; font-size: 13px } th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums }
th { color: var(--soft); font-weight: normal } .mark { display: inline-block; width: .7em; height: .7em; border-radius: 50%; background: var(--c); margin-right: .4em }
.panels { display: flex; flex-wrap: wrap; gap: 1.2rem 2rem } .panels figure { max-width: 100% } .legend { display: flex; flex-wrap: wrap; gap: .1rem 1.2rem; list-style: none; padding: 0; font-size: 13px }
polyline { fill: none; stroke: var(--c); stroke-width: 1.8 } circle { fill: var(--c) } .faint polyline { stroke-width: 1; stroke-opacity: .45 } .faint circle { fill-opacity: .45 } .mark-of-control { fill: none; stroke: var(--c); stroke-width: 1.2; stroke-opacity: .7 } small { color: var(--soft) } .natural { stroke: var(--paper); stroke-width: 1.5 } .grid { stroke: var(--line); stroke-opacity: .6 } .chance { stroke: var(--soft); stroke-dasharray: 1 3 }
.band { fill: var(--c); fill-opacity: .14 } .interval { stroke: var(--c); stroke-width: 2 } .name { fill: var(--ink) } details { font-size: 13px; margin-top: .3rem } summary { color: var(--soft); cursor: pointer }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr } dd { margin-bottom: .3rem } }
`;
