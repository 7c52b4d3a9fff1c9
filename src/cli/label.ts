/** `mechanist label`: components put into words by a language model, and the words put to trial. */
import { HarvestFolder } from "../harvest/node-folder.ts";
import { HarvestQuery, listComponents } from "../harvest/node-query.ts";
import { chatLabeller } from "../labels/chat-labeller.ts";
import { endpointFrom } from "../labels/chat.ts";
import { addUsage, type Labeller, NO_USAGE } from "../labels/labeller.ts";
import { materialOf } from "../labels/node-material.ts";
import { LabelStore } from "../labels/node-store.ts";
import { labelPrompt, PROMPTS } from "../labels/prompts.ts";
import { labelComponent, type Labelled, type ScoreSummary, summarised } from "../labels/score.ts";
import { digestOf } from "../run/digest.ts";
import { findRun } from "../run/runs.ts";
import { foldIn, keyFromSeed } from "../tensor/random.ts";
import { significant, table } from "./format.ts";
import { interruptible } from "./interrupt.ts";
import type { CommonOptions } from "./main.ts";
import { wholeNumber } from "./options.ts";
import type { Terminal } from "./terminal.ts";

export interface LabelOptions extends CommonOptions {
  readonly site?: string;
  readonly sort: string;
  readonly limit: string;
  readonly trials: string;
  readonly concurrency: string;
  readonly seed: string;
  readonly resume?: boolean;
  readonly show?: boolean;
}

export async function labelCommand(given: string, options: LabelOptions, terminal: Terminal): Promise<void> {
  const limit = wholeNumber("--limit", options.limit, 1, 1_000_000);
  const trials = wholeNumber("--trials", options.trials, 1, 100);
  const concurrency = wholeNumber("--concurrency", options.concurrency, 1, 256);
  const seed = wholeNumber("--seed", options.seed, 0, Number.MAX_SAFE_INTEGER);
  const run = await findRun(given);
  const query = await HarvestQuery.open(new HarvestFolder(run.path));
  try {
    const { sort, site } = options;
    const chosen = await listComponents(query, { sort, limit, ...(site !== undefined && { site }) });
    const addresses = chosen.rows.map(({ address }) => String(address));
    const key = foldIn(keyFromSeed(seed), "labels");
    if (options.show === true) return await showPrompt(query, addresses, key, terminal);
    const endpoint = endpointFrom(process.env);
    const { run: digest, step, createdAt } = query.document;
    const identity = digestOf({
      harvest: { digest, step, createdAt },
      model: endpoint.model,
      prompts: PROMPTS,
      trials,
      seed,
    });
    const store = new LabelStore(run.path, endpoint.model, identity);
    if (options.resume !== true) await store.clear();
    const before = await store.resume();
    const done = new Map(before.map((labelled) => [labelled.address, labelled]));
    const left = addresses.filter((address) => !done.has(address));
    const labeller = chatLabeller(endpoint);
    await interruptible(terminal, async ({ signal }) => {
      await labelAll(left, { query, labeller, store, trials, concurrency, key, signal }, (labelled) => {
        done.set(labelled.address, labelled);
        terminal.working(`labelling  ${done.size} of ${addresses.length} components`);
      }).catch((error: unknown) => {
        if (done.size > 0)
          terminal.note(`${done.size} of ${addresses.length} components are labelled; --resume goes on`);
        throw error;
      });
    });
    terminal.clear();
    const labels = addresses.map((address) => done.get(address)!);
    const scores = summarised(labels, foldIn(key, "bootstrap"));
    const usage = labels.map((labelled) => labelled.usage).reduce(addUsage, NO_USAGE);
    const about = { run: run.name, path: run.path, file: store.path, model: endpoint.model, trials, seed };
    const { fired } = chosen;
    terminal.document("label", { ...about, labelled: labels.length, fired, scores, usage, labels });
    terminal.print(described(labels, scores));
    terminal.print(
      `\n${labels.length} of ${fired} components that fired; ${usage.calls} calls, ${usage.promptTokens.toLocaleString("en-US")} tokens read and ${usage.completionTokens.toLocaleString("en-US")} written by ${endpoint.model}`,
    );
  } finally {
    query.close();
  }
}

/** What would be sent for the first component; nothing is. */
async function showPrompt(
  query: HarvestQuery,
  addresses: readonly string[],
  key: ReturnType<typeof foldIn>,
  terminal: Terminal,
): Promise<void> {
  const [address] = addresses;
  const prompt = address === undefined ? "" : labelPrompt((await materialOf(query, address, key)).evidence);
  terminal.document("label", { address: address ?? null, prompt });
  terminal.print(prompt);
}

interface Labelling {
  readonly query: HarvestQuery;
  readonly labeller: Labeller;
  readonly store: LabelStore;
  readonly trials: number;
  readonly concurrency: number;
  readonly key: ReturnType<typeof foldIn>;
  readonly signal: AbortSignal;
}

/** Labels components, some at a time. The first failure stops the others. */
async function labelAll(
  addresses: readonly string[],
  { query, labeller, store, trials, concurrency, key, signal }: Labelling,
  onLabelled: (labelled: Labelled) => void,
): Promise<void> {
  const failure = new AbortController();
  const either = AbortSignal.any([signal, failure.signal]);
  const waiting = addresses.values();
  const worker = async (): Promise<void> => {
    for (const address of waiting) {
      const own = foldIn(key, address);
      const { evidence, trials: material } = await materialOf(query, address, own);
      const labelled = await labelComponent(labeller, evidence, material, { trials, key: own, signal: either });
      await store.add(labelled);
      onLabelled(labelled);
    }
  };
  let first: unknown;
  await Promise.all(
    Array.from({ length: Math.min(concurrency, addresses.length) }, () =>
      worker().catch((error: unknown) => {
        first ??= error;
        failure.abort();
      }),
    ),
  );
  if (first !== undefined) throw first;
}

function described(labels: readonly Labelled[], scores: ReturnType<typeof summarised>): string {
  const rows = labels.map(({ address, label, scores: own }) => [
    address,
    ...(["detection", "fuzzing", "intruder"] as const).map((name) => {
      const score = own[name];
      return score === undefined || score.n === 0 ? "–" : `${score.right}/${score.n}`;
    }),
    label ?? "no answer",
  ]);
  const totals = Object.entries(scores).map(
    ([name, { mean, interval, chance, components, n, unanswered }]: [string, ScoreSummary]) => [
      name,
      significant(mean, 3),
      interval === null ? "–" : `${significant(interval[0], 3)} to ${significant(interval[1], 3)}`,
      significant(chance, 2),
      String(components),
      String(n),
      String(unanswered),
    ],
  );
  return [
    table(["component", "detection", "fuzzing", "intruder", "label"], rows),
    "",
    table(["score", "mean", "95 % over components", "chance", "components", "answers", "unanswered"], totals),
    "detection and fuzzing score the label on examples its writer has not seen; intruder scores the component, not the label",
  ].join("\n");
}
