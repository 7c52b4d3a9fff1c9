/** `mechanist check`: whether a network's hook points hold what their names say, on the user's own prompt. */
import { interpret, type Values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import { type CheckReport, type CheckRow, checkReading, checkTransformer } from "../network/check/check-network.ts";
import { RunnableNetwork } from "../network/run.ts";
import { isTransformer } from "../network/transformer/transformer.ts";
import { keyFromSeed, randomBits } from "../tensor/index.ts";
import { targetNamed } from "../training/targets.ts";
import { shownPath, significant, table } from "./format.ts";
import { interruptible } from "./interrupt.ts";
import { openNetwork, type OpenedNetwork } from "./open-network.ts";
import { type DeviceOptions, placementFrom } from "./options.ts";
import type { Terminal } from "./terminal.ts";

export interface CheckOptions extends DeviceOptions {
  readonly prompt?: string;
  readonly tokens?: string;
}

/** The exit status where something does not hold: a number is wrong. */
const FAILED = 4;
/** What is looked at where nobody says. */
const PROMPT = "The cat sat on the mat, and then the cat sat on the mat again.";
const RANDOM_TOKENS = 16;

export async function checkCommand(given: string, options: CheckOptions, terminal: Terminal): Promise<void> {
  const placement = placementFrom(options);
  if (options.prompt !== undefined && options.tokens !== undefined) {
    throw new MechanistError("BadArgument", "check: expected --prompt or --tokens, got both");
  }
  const { opened, report, tokens } = await interruptible(terminal, async ({ signal }) => {
    terminal.working(`opening ${given}`);
    const found = await openNetwork(given, {
      signal,
      onProgress: (done, all) => terminal.working(`opening ${given}: ${done} of ${all} tensors`),
    });
    terminal.working(`checking ${given}`);
    return { opened: found, ...(await checked(found, options, placement)) };
  });
  terminal.clear();
  const { rows, positions, passed, refusals } = report;
  const { title, path } = opened;
  terminal.document("check", { network: title, path, tokens, positions, ok: passed, rows, refusals });
  terminal.print(described(opened, report, tokens, terminal.coloured));
  if (passed) return;
  const [[point, why]] = Object.entries(refusals) as [[string, string]];
  const others = Object.keys(refusals).length - 1;
  terminal.note(`${point}: failed its check, ${why}${others > 0 ? `; ${others} more failed` : ""}`);
  process.exitCode = FAILED;
}

async function checked(
  opened: OpenedNetwork,
  options: CheckOptions,
  placement: ReturnType<typeof placementFrom>,
): Promise<{ report: CheckReport; tokens: readonly number[] | null }> {
  const runnable = new RunnableNetwork(opened.network, opened.weights, placement);
  try {
    if (isTransformer(opened.network)) {
      const tokens = tokensFor(opened, options);
      return { report: await checkTransformer(runnable, tokens), tokens };
    }
    if (options.prompt !== undefined || options.tokens !== undefined) {
      throw new MechanistError("BadArgument", `check: expected a network that reads tokens, got ${opened.title}`);
    }
    return { report: await checkReading(runnable, await batchOf(opened)), tokens: null };
  } finally {
    await runnable.dispose();
  }
}

/** The ids asked for, else those of a sentence, else random ones. */
function tokensFor({ network, tokenizer, title }: OpenedNetwork, { prompt, tokens }: CheckOptions): readonly number[] {
  const { vocab = 0, context = 0 } = network.input;
  if (tokens !== undefined) {
    if (/^\d+(,\d+)*$/.test(tokens)) return tokens.split(",").map(Number);
    throw new MechanistError("BadArgument", `--tokens: expected token ids as 1,2,3, got ${tokens}`);
  }
  if (tokenizer !== undefined) {
    const ids = tokenizer.encode(prompt ?? PROMPT, "tokenizer");
    return prompt === undefined ? ids.slice(0, context) : ids;
  }
  if (prompt !== undefined) {
    throw new MechanistError(
      "BadArgument",
      `--prompt: expected a network with a tokenizer, got ${title} without; give --tokens`,
    );
  }
  return Array.from(randomBits(keyFromSeed(0), Math.min(RANDOM_TOKENS, context)), (bits) => bits % vocab);
}

/** Some of the data that a network was trained on. */
async function batchOf({ document, title }: OpenedNetwork): Promise<Values> {
  if (document === undefined)
    throw new MechanistError("BadArgument", `check: expected a network that reads tokens, got ${title}`);
  const target = targetNamed(document.target);
  const x = target.batch("check", document.settings, 4);
  return interpret({ x }, (await target.tables?.(document.settings)) ?? {}, keyFromSeed(0)).x;
}

function described(
  { title, path }: OpenedNetwork,
  { rows, positions, passed }: CheckReport,
  tokens: readonly number[] | null,
  coloured: boolean,
): string {
  const groups = new Map<string, CheckRow[]>();
  for (const row of rows) {
    const key = `${everyLayer(row.point)}\n${everyLayer(row.identity)}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  const lines = [...groups].map(([key, group]) => {
    const [point, identity] = key.split("\n") as [string, string];
    const bad = group.filter((row) => !row.passed);
    const worst = group.reduce((a, b) => (part(b) > part(a) ? b : a));
    const verdict =
      bad.length === 0 ? "good" : `WRONG${group.length > 1 ? ` in ${bad.length} of ${group.length}` : ""}`;
    return [point, identity, significant(worst.error, 2), significant(worst.tolerance, 2), verdict];
  });
  const shown = table(["point", "should be", "off by", "at most", ""], lines);
  const count =
    tokens === null
      ? "a batch of its data"
      : `${positions}${tokens.length > positions ? ` of ${tokens.length}` : ""} tokens`;
  const failed = rows.filter((row) => !row.passed).length;
  return [
    `${title}, ${shownPath(path)}: ${rows.length} checks on ${count}`,
    "",
    coloured ? withColour(shown) : shown,
    "",
    passed
      ? "Every hook point holds what its name says."
      : `${failed} of ${rows.length} checks failed: those points are not to be used.`,
  ].join("\n");
}

const everyLayer = (text: string): string => text.replaceAll(/\bblocks\.\d+\./g, "blocks.N.");

const part = ({ error, tolerance }: CheckRow): number => (error === 0 ? 0 : error / tolerance);

const [GREEN, AMBER, PLAIN] = ["\u001b[32m", "\u001b[33m", "\u001b[39m"];

function withColour(text: string): string {
  return text
    .replaceAll(/good$/gm, `${GREEN}good${PLAIN}`)
    .replaceAll(/WRONG.*$/gm, (verdict) => `${AMBER}${verdict}${PLAIN}`);
}
