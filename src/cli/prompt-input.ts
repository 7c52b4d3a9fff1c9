/** One input to a network as the command line has it: token ids, a text, or features with their values. */
import { type Values, values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import { tokenValues } from "../network/run.ts";
import { axisNames } from "../tensor/index.ts";
import type { OpenedDecomposition } from "./open-decomposition.ts";

export interface PromptOptions {
  readonly tokens?: string;
  readonly prompt?: string;
  readonly features?: string;
}

/** An input, and how to speak of it. */
export interface PromptInput {
  /** `batch` 1. */
  readonly x: Values;
  /** The text of each token; of features their names. */
  readonly tokens: readonly string[];
  readonly prompt: string;
  readonly inputName: (component: number) => string;
  readonly outputName: (component: number) => string;
  /** A token by its text or id. */
  readonly tokenNamed: (option: string, text: string) => number;
}

/**
 * Reads it.
 *
 * @throws `BadArgument` where nothing, too much, or the wrong thing for the network is given
 */
export async function promptInput(opened: OpenedDecomposition, options: PromptOptions): Promise<PromptInput> {
  const given = (["tokens", "prompt", "features"] as const).filter((name) => options[name] !== undefined);
  const { axes, dtype } = opened.decomposition.network.input;
  const wanted = dtype === "i32" ? "--tokens or --prompt" : "--features";
  if (given.length !== 1 || (dtype === "i32") === (given[0] === "features")) {
    const got = given.length === 0 ? "none" : given.map((name) => `--${name}`).join(" and ");
    throw new MechanistError("BadArgument", `input: expected ${wanted} for ${opened.title}, got ${got}`);
  }
  if (dtype === "i32") return tokenPrompt(opened, options);
  if (axisNames(axes).includes("pos")) {
    throw new MechanistError("BadArgument", `input: expected a network of tokens or of features, got ${opened.title}`);
  }
  return featurePrompt(opened, options.features!);
}

async function tokenPrompt(
  { target, settings, decomposition, title }: OpenedDecomposition,
  options: PromptOptions,
): Promise<PromptInput> {
  const { vocab = 0, context = Infinity } = decomposition.network.input;
  const names = await target.tokens?.(settings);
  const text = (id: number): string => names?.text(id) ?? String(id);
  const texts = names && new Map(Array.from({ length: vocab }, (_, id) => [names.text(id), id]));
  const idOf = (option: string, word: string): number => {
    const id = texts?.get(word) ?? (/^\d+$/.test(word) ? Number(word) : Number.NaN);
    if (id < vocab) return id;
    const wanted = `a token of ${title}, or an id from 0 to ${vocab - 1}`;
    throw new MechanistError("BadArgument", `${option}: expected ${wanted}, got ${JSON.stringify(word)}`);
  };
  const ids =
    options.tokens === undefined
      ? wordsOf(options.prompt!, title, names, texts).map((word) => idOf("--prompt", word))
      : idsOf(options.tokens, vocab);
  if (ids.length > context) {
    throw new MechanistError("BadArgument", `input: expected at most ${context} tokens, got ${ids.length}`);
  }
  const tokens = ids.map(text);
  return {
    x: tokenValues([ids]),
    tokens,
    prompt: tokens.join(names?.separator ?? " "),
    inputName: text,
    outputName: text,
    tokenNamed: idOf,
  };
}

function idsOf(text: string, vocab: number): number[] {
  if (!/^\d+(,\d+)*$/.test(text)) {
    throw new MechanistError("BadArgument", `--tokens: expected token ids as 1,2,3, got ${text}`);
  }
  const ids = text.split(",").map(Number);
  const bad = ids.find((id) => id >= vocab);
  if (bad === undefined) return ids;
  throw new MechanistError("BadArgument", `--tokens: expected ids from 0 to ${vocab - 1}, got ${bad}`);
}

/** A text cut where it is certain how the network would: at spaces, or into letters. */
function wordsOf(
  prompt: string,
  title: string,
  names: { readonly separator: string } | undefined,
  texts: ReadonlyMap<string, number> | undefined,
): string[] {
  if (names === undefined || texts === undefined) {
    throw new MechanistError("BadArgument", `--prompt: expected token ids in --tokens for ${title}, got a text`);
  }
  if (names.separator !== "") return prompt.trim().split(/\s+/);
  const letters = [...prompt];
  if (letters.every((letter) => texts.has(letter)) && [...texts.keys()].every((text) => [...text].length === 1)) {
    return letters;
  }
  throw new MechanistError(
    "BadArgument",
    `--prompt: expected token ids in --tokens for ${title}, whose tokens are more than letters, got a text`,
  );
}

function featurePrompt({ decomposition, title }: OpenedDecomposition, text: string): PromptInput {
  const features = decomposition.network.input.sizes.feature!;
  const data = new Float32Array(features);
  for (const pair of text.split(",")) {
    const [, index, value] = /^(\d+)=(-?\d*\.?\d+(?:e-?\d+)?)$/.exec(pair.trim()) ?? [];
    if (index === undefined || Number(index) >= features) {
      const wanted = `feature=value with features from 0 to ${features - 1}`;
      throw new MechanistError("BadArgument", `--features: expected ${wanted}, got ${JSON.stringify(pair)}`);
    }
    data[Number(index)] = Number(value);
  }
  const name = (feature: number): string => `feature ${feature}`;
  return {
    x: values("batch feature", [1, features], data),
    tokens: Array.from({ length: features }, (_, feature) => name(feature)),
    prompt: text,
    inputName: name,
    outputName: (output) => String(output),
    tokenNamed: (option) => {
      throw new MechanistError("BadArgument", `${option}: expected no token for ${title}, whose outputs are values`);
    },
  };
}
