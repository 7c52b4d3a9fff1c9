/**
 * A language model that others trained, with a text of the user's as its data: what `mechanist import` makes of a network's folder. Its
 * description is data among its settings, its weights are a run's only checkpoint, and the text is kept as the tokens that the network's own
 * tokenizer made of it, so that nothing but the run is needed from then on.
 */
import { z } from "zod";
import { drawRows } from "../../data/draws.ts";
import type { NamedValues, Values } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import { parseJson } from "../../file/json.ts";
import { RunnableNetwork } from "../../network/run.ts";
import { asTransformerConfig, transformerConfigSchema } from "../../network/transformer/config-schema.ts";
import { type Transformer, transformer } from "../../network/transformer/transformer.ts";
import { input } from "../../tensor/index.ts";
import { LANGUAGE_MODEL_GATE } from "../known-mechanisms.ts";
import type { LoopOptions } from "../loop.ts";
import { inputsOf, meanLoss, unigramLoss } from "../next-token-scores.ts";
import type { Success, Target, TrainDocument } from "../target.ts";

/** Everything that decides an imported network but the numbers of its weights. */
const pretrainedSettings = z.strictObject({
  name: z.string().min(1).describe("what it is called: a folder's name, or an id"),
  family: z.string().describe("what config.json calls it"),
  weights: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe("sha256 of its weights, by which it is told from others of its shape"),
  network: transformerConfigSchema.describe("the transformer, as data"),
  text: z.string().describe("the file whose text its data is"),
  rows: z.string().describe("that text as token ids, spaces between, a line for each window"),
  windows: z.int().min(1).max(1_000_000).describe("how many there are"),
  context: z.int().min(2).max(1_000_000).describe("tokens of each"),
  bos: z.enum(["none", "row"]).describe("whether each begins with the tokenizer's token for beginnings"),
  names: z.string().describe("how its tokens read: a list in JSON, in the order of their ids"),
  steps: z.literal(0).default(0).describe("optimiser steps here: none"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("of what is drawn from the text"),
});
export type PretrainedSettings = z.infer<typeof pretrainedSettings>;

/** About how many logits are computed at once where the loss is measured: 128 MiB of them. */
const LOGITS_AT_ONCE = 2 ** 25;
/** Windows that the loss is measured on, at most. */
const MEASURED = 64;

/** The transformer, none of whose weights is trained here. */
function pretrainedNetwork({ network: config }: PretrainedSettings): Transformer {
  const network = transformer(asTransformerConfig(config));
  return { ...network, weights: network.weights.map((spec) => ({ ...spec, frozen: true })) };
}

/** Windows as settings keep them. */
export function rowsText({ shape, data }: Values<"row pos">): string {
  const [rows, pos] = shape as [number, number];
  return Array.from({ length: rows }, (_, row) => data.subarray(row * pos, (row + 1) * pos).join(" ")).join("\n");
}

/**
 * The windows of an imported network.
 *
 * @returns `row pos`
 * @throws `BadFile` where they are not as many as the settings say, or hold something else than ids of the network
 */
export function pretrainedRows({ rows, windows, context, network }: PretrainedSettings): Values<"row pos"> {
  const data = new Int32Array(windows * context);
  const lines = rows.split("\n");
  if (lines.length !== windows) {
    throw new MechanistError("BadFile", `rows: expected ${windows} windows, got ${lines.length}`);
  }
  lines.forEach((line, row) => {
    const ids = line.split(" ");
    if (ids.length !== context) {
      throw new MechanistError("BadFile", `rows: window ${row}: expected ${context} tokens, got ${ids.length}`);
    }
    ids.forEach((text, t) => {
      const id = /^\d+$/.test(text) ? Number(text) : Number.NaN;
      if (!(id < network.vocab)) {
        throw new MechanistError(
          "BadFile",
          `rows: window ${row}: expected ids from 0 to ${network.vocab - 1}, got ${JSON.stringify(text)}`,
        );
      }
      data[row * context + t] = id;
    });
  });
  return { axes: "row pos", shape: [windows, context], dtype: "i32", data };
}

/** What an imported network makes of its text: the numbers that `pretrainedTarget.success` explains. */
export async function pretrainedScores(
  settings: PretrainedSettings,
  weights: NamedValues,
  { device, threads }: LoopOptions = {},
): Promise<Record<string, number>> {
  const network = pretrainedNetwork(settings);
  const { vocab } = network.config;
  const all = pretrainedRows(settings);
  const { context, windows } = settings;
  const most = Math.max(1, Math.floor(LOGITS_AT_ONCE / (context * vocab)));
  const count = Math.min(windows, MEASURED, most);
  const rows: Values<"row pos"> = { ...all, shape: [count, context], data: all.data.subarray(0, count * context) };
  const runnable = new RunnableNetwork(network, weights, { ...(device && { device }), ...(threads && { threads }) });
  try {
    const { output } = await runnable.run(inputsOf(rows));
    return {
      textLoss: meanLoss(output, rows),
      unigramLoss: unigramLoss(all, rows, vocab),
      uniformLoss: Math.log(vocab),
    };
  } finally {
    await runnable.dispose();
  }
}

const asPretrained = (settings: TrainDocument["settings"]): PretrainedSettings =>
  settings as unknown as PretrainedSettings;

const success: readonly Success[] = [
  {
    metric: "textLoss",
    meaning: "nats a token on the text's first windows; uniformLoss knows nothing, unigramLoss frequencies of tokens",
  },
  { metric: "unigramLoss", meaning: "what the frequencies of tokens in the whole text alone lose there" },
  { metric: "uniformLoss", meaning: "chance level of textLoss: every token as likely as any other" },
];

/** A network from elsewhere as a target. */
export const pretrainedTarget: Target = {
  summary: "language model that others trained, on a text of yours: mechanist import makes it",
  schema: pretrainedSettings,
  presets: {},
  success,
  title: (settings) => nameOf(asPretrained(settings).name),
  network: (settings) => pretrainedNetwork(asPretrained(settings)),
  known: () => ({ languageModel: {}, gate: LANGUAGE_MODEL_GATE }),
  tables: (settings) => ({ rows: pretrainedRows(asPretrained(settings)) }),
  tokens: (settings) => {
    const names = parseJson(new TextEncoder().encode(asPretrained(settings).names), "names") as readonly string[];
    return { text: (id) => names[id] ?? String(id), separator: "" };
  },
  batch: (name, settings, batch) => {
    const { windows, context } = asPretrained(settings);
    return drawRows(name, input("rows", "row pos", { row: windows, pos: context }, "i32"), batch);
  },
  train: () =>
    Promise.reject(
      new MechanistError("BadArgument", "pretrained: expected mechanist import, got a training from nothing"),
    ),
};

/** `org/some-model` and `./folders/some-model` as the name of a run's folder. */
function nameOf(name: string): string {
  const last = name
    .replace(/[/\\]+$/, "")
    .split(/[/\\]/)
    .at(-1)!;
  return last.replaceAll(/[^\w.-]/g, "-").replace(/^\.+/, "") || "pretrained";
}
