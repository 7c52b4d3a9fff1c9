/**
 * `npm run science:composition -- [--seeds n] [--from s] [--preset name] [--table]`: how the two layers of an induction circuit compose (Elhage et al.
 * 2021; Olsson et al. 2022). For each seed a network is trained; what its previous-token head writes is taken from a run on other sequences, and
 * reaches the query, the key or the value of its induction head alone, by path patching. The control is a random other head of layer 0 into
 * the same key. Beside it the previous-token head into another head of layer 1, which may be a second induction head, and all of layer
 * 0 into all of layer 1. One line a patch goes to standard output and to `docs/results/composition.jsonl`; `--table` prints what is there.
 */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { sampled } from "../src/data/draws.ts";
import { repeatedSequences } from "../src/data/repeated-sequence.ts";
import type { Values } from "../src/engine/index.ts";
import { pathPatch } from "../src/intervention/edges/path-patching.ts";
import type { Examples } from "../src/intervention/examples.ts";
import { logProbability } from "../src/intervention/metrics.ts";
import { RunnableNetwork } from "../src/network/run.ts";
import { attentionScores, previousToken } from "../src/network/transformer/attention-scores.ts";
import { foldIn, type Key, keyFromSeed, randomUniform } from "../src/tensor/index.ts";
import { resolveTarget, targetNamed, train } from "../src/training/targets.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "3" },
    from: { type: "string", default: "0" },
    preset: { type: "string", default: "default" },
    threads: { type: "string", default: "1" },
    table: { type: "boolean", default: false },
  },
});

/** Sequences that each effect is measured on. */
const MEASURED_ON = 512;
const FILE = "docs/results/composition.jsonl";

interface Row {
  readonly preset: string;
  readonly seed: number;
  readonly from: string;
  readonly to: string;
  readonly into: string;
  readonly what: string;
  /** The best of the senders at looking at the previous token, the best of the receivers at prefix matching: attention, of 1. */
  readonly previousToken: number;
  readonly prefixMatching: number;
  /** Of the token at the end, in nats: undisturbed, and what the patch adds to it, with its 95 % interval. */
  readonly loss: number;
  readonly added: number;
  readonly interval: readonly [number, number];
}

interface Sequences extends Examples {
  /** The token that comes next, which was seen before after the last one of each row. */
  readonly answer: readonly number[];
  readonly periods: readonly number[];
}

interface Settings {
  readonly context: number;
  readonly vocabulary: number;
  readonly shortest: number;
  readonly longest: number;
  readonly heads: number;
}

function fresh(name: string, { context, vocabulary, shortest, longest }: Settings, key: Key): Sequences {
  const options = { batch: MEASURED_ON, pos: context + 1, vocabulary, shortest, longest };
  const { tokens, period } = repeatedSequences(name, options);
  const drawn = sampled({ tokens, period }, key);
  const rows = Array.from({ length: MEASURED_ON }, (_, row) =>
    Array.from(drawn.tokens.data.subarray(row * (context + 1), (row + 1) * (context + 1))),
  );
  const x: Values = {
    axes: "batch pos",
    shape: [MEASURED_ON, context],
    dtype: "i32",
    data: Int32Array.from(rows.flatMap((row) => row.slice(0, context))),
  };
  return { name, x, answer: rows.map((row) => row.at(-1)!), periods: Array.from(drawn.period.data) };
}

/** The head with the highest score, and a random other one. */
function chosen(scores: readonly number[], key: Key): { best: number; other: number } {
  const best = scores.indexOf(Math.max(...scores));
  const others = scores.map((_, head) => head).filter((head) => head !== best);
  return { best, other: others[Math.floor(randomUniform(key, 1)[0]! * others.length)]! };
}

async function compositionOf(seed: number): Promise<Row[]> {
  const threads = Number(values.threads);
  const document = resolveTarget("induction", { preset: values.preset, set: { seed } });
  const settings = document.settings as unknown as Settings;
  const { weights } = await train(document, { threads });
  const runnable = new RunnableNetwork(targetNamed("induction").network(document.settings), weights, { threads });
  const key = foldIn(keyFromSeed(seed), "composition");
  const clean = fresh("repeated sequences", settings, foldIn(key, "clean"));
  const corrupt = fresh("other repeated sequences", settings, foldIn(key, "corrupt"));
  const { cache } = await runnable.run(clean.x, { cache: /hook_pattern$/ });
  const matching = attentionScores(cache["blocks.1.attn.hook_pattern"]!, (row, query) => {
    const period = clean.periods[row]!;
    return Array.from({ length: Math.floor(query / period) }, (_, i) => query - (i + 1) * period + 1);
  });
  const looking = attentionScores(cache["blocks.0.attn.hook_pattern"]!, previousToken);
  const first = chosen(looking, foldIn(key, "sender"));
  const second = chosen(matching, foldIn(key, "receiver"));
  const all = Array.from({ length: settings.heads }, (_, head) => head);
  const patches: readonly (readonly [string, readonly number[], readonly number[], readonly ("q" | "k" | "v")[]])[] = [
    ["previous-token head into induction head", [first.best], [second.best], ["q", "k", "v"]],
    ["control: random other head of layer 0", [first.other], [second.best], ["k"]],
    ["previous-token head into another head", [first.best], [second.other], ["k"]],
    ["all heads into all heads", all, all, ["q", "k", "v"]],
  ];
  const rows: Row[] = [];
  for (const [what, senders, receivers, parts] of patches) {
    for (const into of parts) {
      const table = await pathPatch(
        runnable,
        { clean, corrupt, direction: "noise" },
        {
          senders: [senders.map((head) => ({ from: `blocks.0.attn:${head}` }))],
          receivers: receivers.map((head) => ({ to: `blocks.1.attn:${head}`, into })),
          norms: "frozen",
          metric: logProbability({ answer: clean.answer }),
        },
      );
      const { mean, interval } = table.rows[0]!;
      const [low, high] = interval!;
      rows.push({
        preset: values.preset,
        seed,
        what,
        from: `0.${senders.join("+")}`,
        to: `1.${receivers.join("+")}`,
        into,
        previousToken: Math.max(...senders.map((head) => looking[head]!)),
        prefixMatching: Math.max(...receivers.map((head) => matching[head]!)),
        loss: -table.baseline.reduce((a, b) => a + b, 0) / table.n,
        added: -mean,
        interval: [-high, -low],
      });
    }
  }
  await runnable.dispose();
  return rows;
}

const HEADER =
  "| seed | what | from | previous token | to | prefix matching | into | loss, nats | patching adds (95 %) |\n" +
  "| --- | --- | --- | --- | --- | --- | --- | --- | --- |";

function line({ seed, what, from, to, into, loss, added, interval, ...scores }: Row): string {
  const [looking, matching] = [scores.previousToken, scores.prefixMatching].map((score) => score.toFixed(3));
  const effect = `${added.toFixed(3)} (${interval.map((x) => x.toFixed(3)).join(" to ")})`;
  return `| ${[seed, what, from, looking, to, matching, into.toUpperCase(), loss.toFixed(3), effect].join(" | ")} |`;
}

console.log(HEADER);
if (values.table) {
  for (const text of readFileSync(FILE, "utf8").trim().split("\n")) console.log(line(JSON.parse(text) as Row));
} else {
  mkdirSync("docs/results", { recursive: true });
  if (values.from === "0") writeFileSync(FILE, "");
  for (let i = 0; i < Number(values.seeds); i++) {
    for (const row of await compositionOf(Number(values.from) + i)) {
      appendFileSync(FILE, `${JSON.stringify(row)}\n`);
      console.log(line(row));
    }
  }
}
