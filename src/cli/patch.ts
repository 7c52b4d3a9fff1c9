/** `mechanist patch`: what of a clean run brings its answer back, or what of a corrupted one takes it away. */
import { resolve } from "node:path";
import { MechanistError } from "../error.ts";
import { writeAtomic } from "../file/node-atomic.ts";
import {
  attributionSweep,
  divergenceFrom,
  type EffectTable,
  type Examples,
  logitDifference,
  logProbability,
  type Metric,
  patchingSweep,
  SWEEPS,
  type SweepRow,
} from "../intervention/index.ts";
import { RunnableNetwork, tokenValues } from "../network/run.ts";
import { agreementOf, patchingPage } from "../report/patching-page.ts";
import { named } from "../settings.ts";
import { shownPath, significant, table } from "./format.ts";
import { interruptible } from "./interrupt.ts";
import { openNetwork, type OpenedNetwork } from "./open-network.ts";
import { type DeviceOptions, placementFrom } from "./options.ts";
import type { Terminal } from "./terminal.ts";

export interface PatchOptions extends DeviceOptions {
  readonly clean?: string;
  readonly corrupt?: string;
  readonly answer?: string;
  readonly against?: string;
  readonly metric?: string;
  readonly sweep?: string;
  readonly direction?: string;
  readonly figure?: string;
}

/** How many cells are printed; `--json` has all. */
const SHOWN = 15;

export async function patchCommand(given: string, options: PatchOptions, terminal: Terminal): Promise<void> {
  const placement = placementFrom(options);
  const sweep = options.sweep ?? "layer-position";
  named("sweep", sweep, SWEEPS);
  const direction = named("direction", options.direction ?? "denoise", { denoise: "denoise", noise: "noise" } as const);
  const { opened, found, estimated, prompts } = await interruptible(terminal, async ({ signal }) => {
    terminal.working(`opening ${given}`);
    const network = await openNetwork(given, { signal });
    const [clean, corrupt] = [idsOf(network, "clean", options.clean), idsOf(network, "corrupt", options.corrupt)];
    if (clean.length !== corrupt.length) {
      throw new MechanistError(
        "BadArgument",
        `patch: expected prompts of as many tokens, got ${clean.length} in --clean and ${corrupt.length} in --corrupt`,
      );
    }
    const runnable = new RunnableNetwork(network.network, network.weights, placement);
    try {
      const runs = {
        clean: { name: "clean", x: tokenValues([clean]) },
        corrupt: { name: "corrupt", x: tokenValues([corrupt]) },
        direction,
      };
      const metric = await metricOf(network, runnable, runs.clean, options);
      const result = await patchingSweep(runnable, runs, {
        sweep,
        metric,
        signal,
        onProgress: (done, all) => terminal.working(`patching ${given}: ${done} of ${all} runs`),
      });
      const estimated =
        options.figure === undefined ? undefined : await attributionSweep(runnable, runs, { sweep, metric, signal });
      return { opened: network, found: result, estimated, prompts: { clean, corrupt } };
    } finally {
      await runnable.dispose();
    }
  });
  terminal.clear();
  const { title, path } = opened;
  const agreement = estimated && agreementOf(found, estimated);
  if (options.figure !== undefined && estimated !== undefined) {
    const shown = (ids: readonly number[]): string[] =>
      ids.map((id) => (opened.tokenizer === undefined ? String(id) : opened.tokenizer.decode([id])));
    const page = patchingPage({
      title,
      sweep,
      clean: shown(prompts.clean),
      corrupt: shown(prompts.corrupt),
      activation: found,
      attribution: estimated,
      command: `mechanist ${process.argv.slice(2).map(quotedWord).join(" ")}`,
    });
    await writeAtomic(resolve(options.figure), page);
  }
  terminal.document("patch", {
    network: title,
    path,
    sweep,
    tokens: prompts,
    ...found,
    ...(estimated && { attribution: estimated, agreement, figure: options.figure }),
  });
  terminal.print(described(opened, found, sweep, prompts.clean));
  if (agreement !== undefined) {
    const correlation = significant(agreement.correlation, 3);
    terminal.print(`gradients agree with patches at a correlation of ${correlation}: ${shownPath(options.figure!)}`);
  }
}

/** An argument as a shell would want it. */
const quotedWord = (word: string): string =>
  /^[\w./,=@:-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** A prompt's token ids: given as numbers with commas between, or as text where the network has a tokenizer. */
function idsOf({ tokenizer, title }: OpenedNetwork, option: "clean" | "corrupt", text: string | undefined): number[] {
  if (text === undefined) throw new MechanistError("BadArgument", `--${option}: expected a prompt, got none`);
  if (/^\d+(,\d+)+$/.test(text)) return text.split(",").map(Number);
  if (tokenizer !== undefined) return [...tokenizer.encode(text, "tokenizer")];
  throw new MechanistError(
    "BadArgument",
    `--${option}: expected token ids as 1,2,3 for ${title}, which has no tokenizer, got ${text}`,
  );
}

/** A word that is one token, with the space before it if that is how the tokenizer has it; or its id. */
function tokenOf({ tokenizer, network, title }: OpenedNetwork, option: string, text: string | undefined): number {
  if (text === undefined) throw new MechanistError("BadArgument", `--${option}: expected a token, got none`);
  const vocab = network.input.vocab ?? 0;
  if (tokenizer === undefined) {
    const id = Number(text);
    if (/^\d+$/.test(text) && id < vocab) return id;
    throw new MechanistError("BadArgument", `--${option}: expected a token id from 0 to ${vocab - 1}, got ${text}`);
  }
  const tried = [text, ` ${text}`].map((word) => tokenizer.encode(word, "none"));
  const [one] = tried.filter((ids) => ids.length === 1).map((ids) => ids[0]!);
  if (one !== undefined) return one;
  throw new MechanistError(
    "BadArgument",
    `--${option}: expected a word that is one token of ${title}, got ${text}, which is ${tried[0]!.length}`,
  );
}

async function metricOf(
  opened: OpenedNetwork,
  runnable: RunnableNetwork,
  clean: Examples,
  { metric = "logit-diff", answer, against }: PatchOptions,
): Promise<Metric> {
  const METRICS = {
    "logit-diff": async () =>
      logitDifference({ answer: [tokenOf(opened, "answer", answer)], against: [tokenOf(opened, "against", against)] }),
    "log-prob": async () => logProbability({ answer: [tokenOf(opened, "answer", answer)] }),
    kl: async () => divergenceFrom(runnable, clean),
  };
  return named("metric", metric, METRICS)();
}

function described(
  { title, path, tokenizer }: OpenedNetwork,
  found: EffectTable<SweepRow>,
  sweep: string,
  clean: readonly number[],
): string {
  const { metric, baseline, source, rows, examples, direction } = found;
  const token = (position: number): string =>
    tokenizer === undefined ? "" : ` ${JSON.stringify(tokenizer.decode([clean[position]!]))}`;
  const largest = [...rows].sort((a, b) => Math.abs(b.mean) - Math.abs(a.mean)).slice(0, SHOWN);
  const lines = largest.map((row) => [
    row.point,
    row.head === undefined ? "" : String(row.head),
    row.position === undefined ? "" : `${row.position}${token(row.position)}`,
    row.query === undefined ? "" : `${row.query} to ${row.key}`,
    significant(row.mean, 3),
    row.recovered === null || row.recovered === undefined ? "–" : significant(row.recovered, 3),
  ]);
  const head = ["point", "head", "position", "looks from", "change", "of the way"];
  const used = head.map((_, i) => lines.some((line) => line[i] !== ""));
  const keep = (line: readonly string[]): string[] => line.filter((_, i) => used[i]);
  return [
    `${title}, ${shownPath(path)}: ${sweep}, ${direction}, the ${found.reference!.name} run's values in the ${examples} run`,
    `${metric.name} (${metric.unit}): ${significant(baseline[0]!, 4)} in the ${examples} run, ${significant(source![0]!, 4)} in the ${found.reference!.name} run`,
    "",
    table(keep(head), lines.map(keep)),
    "",
    `${Math.min(SHOWN, rows.length)} of ${rows.length} cells, those of the largest change, on 1 pair of prompts: no interval can be made of one.`,
  ].join("\n");
}
