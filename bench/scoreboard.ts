/**
 * `node scripts/run.js bench/scoreboard.ts [--target tms] [--preset default] [--methods a,b,…] [--seed s] [--steps n] [--methodSteps n] [--seeds n] [--prompts n] [--repeats n] [--out name]`:
 * a network is trained and taken apart by each method with its default settings, with so many seeds, and all are put before the referee. Each score is a line of
 * `docs/results/scoreboard-<name>.jsonl`, failed ones too. With `--repeats` the board is made so many times on prompts of other seeds, to see how often two lie within
 * the band that one of them gives: it should be 95 times in 100.
 *
 * `node scripts/run.js bench/scoreboard.ts --board board.json --out name` writes down the scores of a board that `mechanist judge <run>… --json` made.
 */
import { appendFileSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { parseArgs } from "node:util";
import { decompose, methodNamed, resolveMethod } from "../src/decomposition/methods.ts";
import { referee, type Scoreboard, type Subject } from "../src/evidence/referee/index.ts";
import { resolveTarget, targetNamed, train } from "../src/training/targets.ts";

const { values } = parseArgs({
  options: {
    target: { type: "string", default: "tms" },
    preset: { type: "string", default: "default" },
    /** Optimiser steps of the network and of the methods that take any; those of their presets unless given. */
    steps: { type: "string" },
    methodSteps: { type: "string" },
    methods: { type: "string", default: "spd,sae,topk,neurons,rotation,pca,svd,random" },
    seed: { type: "string", default: "0" },
    seeds: { type: "string", default: "1" },
    prompts: { type: "string" },
    repeats: { type: "string", default: "0" },
    threads: { type: "string", default: "2" },
    out: { type: "string" },
    board: { type: "string" },
  },
});

if (values.board !== undefined) {
  const { scoreboard } = JSON.parse(readFileSync(values.board, "utf8")) as { scoreboard: Scoreboard };
  report(scoreboard);
  process.exit();
}

const options = { threads: Number(values.threads), ...(values.prompts && { prompts: Number(values.prompts) }) };
const set = { seed: Number(values.seed), ...(values.steps && { steps: Number(values.steps) }) };
const document = resolveTarget(values.target, { preset: values.preset, set });
const target = targetNamed(values.target);
const { settings } = document;
const trained = await train(document, options);
const title = target.title(settings);

const subjects: Subject[] = [];
for (const method of values.methods.split(",")) {
  for (let seed = 0; seed < Number(values.seeds); seed++) {
    const began = performance.now();
    try {
      const own = resolveMethod(method, { target: document, set: { seed } });
      const steps = values.methodSteps && own.settings.steps > 0 ? { steps: Number(values.methodSteps) } : {};
      const resolved = resolveMethod(method, { target: document, set: { seed, ...steps } });
      const found = await decompose(resolved, trained.weights, options);
      const decomposition = methodNamed(method).open(resolved, trained.weights, found.components);
      const cost = { steps: resolved.settings.steps, seconds: (performance.now() - began) / 1000 };
      const name = Number(values.seeds) > 1 ? `${method} ${seed}` : method;
      subjects.push({ name, method, seed, decomposition, seedGroup: method, cost });
      console.log(`${name}: ${cost.seconds.toFixed(0)} s`);
    } catch (error) {
      console.log(`${method}, seed ${seed}: ${(error as Error).message}`);
    }
  }
}

const tables = await target.tables?.(settings);
const source = { batch: (batch: number) => target.batch("data", settings, batch), ...(tables && { tables }) };
const about = { title, digest: "", source, known: target.known?.(settings) };
const board = await referee(subjects, about, options);
report(board);
console.log(`${board.subjects.length} subjects, ${board.seconds.toFixed(0)} s`);

const repeats = Number(values.repeats);
if (repeats > 1) {
  const boards: Scoreboard[] = [];
  for (let seed = 1; seed <= repeats; seed++)
    boards.push(await referee(subjects, about, { ...options, seed, matchedSize: board.protocol.matchedSize }));
  coverage(boards);
}

function rounded(x: number): number {
  return Number(x.toPrecision(4));
}

/** One file a board, written anew. */
function report({ network, subjects: rows, measures, protocol, gaps }: Scoreboard): void {
  mkdirSync("docs/results", { recursive: true });
  const file = `docs/results/scoreboard-${values.out ?? values.target}.jsonl`;
  rmSync(file, { force: true });
  // Controls of methods are on the board; written down are those of the network.
  const shown = rows.filter(({ of }) => of === undefined || of === "oracle").map(({ name }) => name);
  for (const { id, scores, ranks, tellsControlsApart } of measures) {
    for (const { subject, value, interval, band, n } of scores.filter((one) => shown.includes(one.subject))) {
      const { control, size, units, coverage: part, cost } = rows.find(({ name }) => name === subject)!;
      const line = {
        ...{ network: network.title, measure: id, subject, ...(control && { control }) },
        ...{ value: rounded(value), interval: interval.map(rounded), band: rounded(band), n },
        ...{ rank: ranks.find((one) => one.subject === subject)?.rank ?? null, tellsControlsApart },
        ...{ units, size: rounded(size), coverage: rounded(part), matchedSize: rounded(protocol.matchedSize) },
        ...(cost && { cost: { ...cost, ...(cost.seconds !== undefined && { seconds: rounded(cost.seconds) }) } }),
      };
      appendFileSync(file, `${JSON.stringify(line)}\n`);
    }
  }
  for (const { what, why } of gaps) console.log(`missing: ${what} (${why})`);
}

/** For each measure and method the share of pairs of boards of which one lies within the other's band. */
function coverage(boards: readonly Scoreboard[]): void {
  const [first] = boards as readonly [Scoreboard];
  const shares: number[] = [];
  for (const { id, scores } of first.measures) {
    for (const { subject, value } of scores) {
      const found = boards
        .flatMap(({ measures }) => measures.filter((one) => one.id === id))
        .flatMap((one) => one.scores.filter((score) => score.subject === subject));
      let [inside, pairs] = [0, 0];
      found.forEach((a, i) =>
        found.forEach((b, j) => {
          if (i === j) return;
          pairs++;
          if (Math.abs(a.value - b.value) <= a.band + 1e-9) inside++;
        }),
      );
      shares.push(inside / pairs);
      const control = first.subjects.find(({ name }) => name === subject)!.control;
      if (control === undefined)
        console.log(`${id}  ${subject}  ${value.toPrecision(3)}  ${(inside / pairs).toFixed(3)}`);
    }
  }
  console.log(
    `all: ${shares.length} scores, ${boards.length} boards, within the band ${(shares.reduce((a, b) => a + b, 0) / shares.length).toFixed(3)}`,
  );
}
