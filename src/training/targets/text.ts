/**
 * A small language model on a text of the user's: a transformer with layer norm and GELU over characters or byte pairs. The last tenth
 * of the text is held out.
 */
import { z } from "zod";
import { bytePairTokenizer } from "../../data/byte-pair.ts";
import { characterTokenizer } from "../../data/char-vocabulary.ts";
import { drawRows } from "../../data/draws.ts";
import { stories, STORY_VOCABULARY } from "../../data/story-grammar.ts";
import { consecutiveWindows, evenWindows, textTokens, type TextTokens } from "../../data/text-tokens.ts";
import { type Tokenizer, tokenizerFrom } from "../../data/tokenizer.ts";
import type { NamedValues, Values } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import { RunnableNetwork } from "../../network/run.ts";
import type { Transformer } from "../../network/transformer/transformer.ts";
import { input, keyFromSeed, mean, slice, type Tensor, type Tensors } from "../../tensor/index.ts";
import { LANGUAGE_MODEL_GATE } from "../known-mechanisms.ts";
import { languageModel, languageModelSettings, trainLanguageModel } from "../language-model.ts";
import type { LoopOptions } from "../loop.ts";
import { inputsOf, meanLoss, unigramLoss } from "../next-token-scores.ts";
import type { Target, TrainDocument, Trained } from "../target.ts";
import { nextTokenLosses } from "../transformer-start.ts";

/** Everything that decides a trained text model. */
const textSettings = z.strictObject({
  text: z.string().default("").describe("what to learn, @path for a file; nothing: 1,000 built-in stories"),
  tokens: z.enum(["characters", "byte-pairs"]).default("characters").describe("what a token is"),
  vocabulary: z
    .int()
    .min(0)
    .max(100_000)
    .default(0)
    .describe("tokens at most; 0: as many as the text has characters, or 512 byte pairs"),
  windows: z.int().min(1).max(1_000_000).default(8192).describe("pieces of the text, evenly placed, that are learnt"),
  context: z.int().min(2).max(4096).default(128).describe("positions"),
  steps: z.int().min(1).max(10_000_000).default(2000).describe("optimiser steps"),
  ...languageModelSettings,
});
export type TextSettings = z.infer<typeof textSettings>;

/** Windows of the text's end that the trained model is measured on, at most. */
const HELD_OUT = 256;
const BUILT_IN_STORIES = 1000;
const BYTE_PAIRS = 512;

/** The text itself. */
const textOf = ({ text }: TextSettings): string =>
  text === ""
    ? stories(keyFromSeed(0), BUILT_IN_STORIES)
        .map((story) => `${story.text}\n`)
        .join("")
    : text;

/** Every character of the text, or of all stories there could be. */
function alphabetOf({ text }: TextSettings): string {
  const { words } = STORY_VOCABULARY;
  const letters = text === "" ? [...words.join(""), ...words.join("").toUpperCase(), ..." \n"] : text;
  return [...new Set(letters)].join("");
}

/** How many tokens the network has. */
function vocabularyOf(settings: TextSettings): number {
  const { vocabulary, tokens } = settings;
  if (vocabulary > 0) return vocabulary;
  return tokens === "byte-pairs" ? BYTE_PAIRS : [...alphabetOf(settings)].length;
}

/** A text as tokens, with the tokenizer that made them. */
export interface PreparedText extends TextTokens {
  readonly tokenizer: Tokenizer;
}

/**
 * The text of a model as its tokens.
 *
 * @throws `BadArgument` where the text has more characters than the vocabulary has room for, and where it is too short
 */
export async function preparedText(settings: TextSettings): Promise<PreparedText> {
  const text = textOf(settings);
  const size = vocabularyOf(settings);
  const files =
    settings.tokens === "byte-pairs"
      ? await bytePairTokenizer([text], { size })
      : await characterTokenizer([alphabetOf(settings)]);
  const tokenizer = tokenizerFrom(files.tokenizer, files.config);
  if (tokenizer.size > size) {
    throw new MechanistError("BadArgument", `text vocabulary: expected at least ${tokenizer.size}, got ${size}`);
  }
  return { tokenizer, ...textTokens(text, tokenizer, settings.context + 1) };
}

/** The network that these settings describe. */
const textNetwork = (settings: TextSettings): Transformer => languageModel(settings, vocabularyOf(settings));

const tableOf = ({ windows, context }: TextSettings, { training }: TextTokens): Values<"row pos"> =>
  evenWindows(training, windows, context + 1);

/** A batch of whole windows: one token more than the context. */
function drawn(name: string, { windows, context }: TextSettings, batch: number): Tensor<"batch pos"> {
  return drawRows(name, input("windows", "row pos", { row: windows, pos: context + 1 }, "i32"), batch);
}

/** Trains it: AdamW on the mean cross-entropy of every next token. */
async function trainText(settings: TextSettings, options: LoopOptions = {}): Promise<Trained> {
  const network = textNetwork(settings);
  const text = await preparedText(settings);
  const windows = tableOf(settings, text);
  const tokens = drawn("data", settings, settings.batch);
  const loss = (weights: Tensors): Tensor<""> => mean(nextTokenLosses(network, weights, tokens));
  const trained = await trainLanguageModel(network, settings, { loss, tables: { windows } }, options);
  const held = consecutiveWindows(text.held, HELD_OUT, settings.context + 1);
  const scores = await measured(network, trained.weights, { windows, held, tokenizer: text.tokenizer }, options);
  return { ...trained, metrics: { ...trained.metrics, ...scores } };
}

/** The losses that `textTarget.success` explains. */
async function measured(
  network: Transformer,
  weights: NamedValues,
  { windows, held, tokenizer }: { windows: Values; held: Values; tokenizer: Tokenizer },
  { device, threads }: LoopOptions,
): Promise<Record<string, number>> {
  const runnable = new RunnableNetwork(network, weights, { ...(device && { device }), ...(threads && { threads }) });
  const { output: logits } = await runnable.run(inputsOf(held));
  await runnable.dispose();
  const predicted = Array.from(held.data).filter((_, i) => i % held.shape[1]! > 0);
  const bytes = new TextEncoder().encode(tokenizer.decode(predicted)).length;
  const inBits = predicted.length / bytes / Math.LN2;
  const loss = meanLoss(logits, held);
  return {
    bitsPerByte: loss * inBits,
    unigramBitsPerByte: unigramLoss(windows, held, network.config.vocab) * inBits,
    heldOutLoss: loss,
  };
}

const asText = (settings: TrainDocument["settings"]): TextSettings => settings as unknown as TextSettings;

/** The text model as a target. */
export const textTarget: Target = {
  summary: "small language model on a text of yours: --set text=@path",
  schema: textSettings,
  presets: {
    default: { summary: "2 layers, 128 wide, 4 heads, 128 characters: minutes", source: "Mechanist", settings: {} },
    quick: {
      summary: "a first look in seconds: 64 wide, 64 characters",
      source: "Mechanist",
      settings: { windows: 2048, context: 64, width: 64, mlpWidth: 256, steps: 300 },
    },
    "byte-pairs": {
      summary: "the default with 512 byte pairs",
      source: "Mechanist",
      settings: { tokens: "byte-pairs" },
    },
  },
  success: [
    {
      metric: "bitsPerByte",
      meaning:
        "loss on the text's last tenth, in bits a byte of UTF-8; knowing nothing: 8, frequencies: unigramBitsPerByte",
    },
    { metric: "unigramBitsPerByte", meaning: "what the frequencies of tokens alone lose there" },
    { metric: "heldOutLoss", meaning: "the same loss in nats a token" },
  ],
  title: (settings) => `text-${asText(settings).layers}-${asText(settings).width}`,
  completed: (settings) => ({ ...settings, vocabulary: vocabularyOf(asText(settings)) }),
  network: (settings) => textNetwork(asText(settings)),
  known: () => ({ languageModel: {}, gate: LANGUAGE_MODEL_GATE }),
  tables: async (settings) => {
    const text = asText(settings);
    return { windows: tableOf(text, await preparedText(text)) };
  },
  tokens: async (settings) => {
    const { tokenizer } = await preparedText(asText(settings));
    return { text: (id) => tokenizer.tokenText(id), separator: "" };
  },
  batch: (name, settings, batch) => slice(drawn(name, asText(settings), batch), "pos", 0, asText(settings).context),
  train: (settings, options) => trainText(asText(settings), options),
};
