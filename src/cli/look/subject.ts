/** What an instrument looks at from the command line: a network, some inputs, and how to speak of them. */
import type { TokenNames } from "../../data/token-names.ts";
import { interpret, type Values } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import type { Examples } from "../../intervention/index.ts";
import type { RunnableNetwork } from "../../network/run.ts";
import { tokenValues } from "../../network/run.ts";
import { isTransformer } from "../../network/transformer/transformer.ts";
import { foldIn, type Key, keyFromSeed } from "../../tensor/index.ts";
import { targetNamed } from "../../training/targets.ts";
import { openNetwork, type OpenedNetwork } from "../open-network.ts";
import { wholeNumber } from "../options.ts";
import type { Terminal } from "../terminal.ts";

export interface LookOptions {
  readonly prompt?: string;
  readonly tokens?: string;
  readonly point?: string;
  readonly unit?: string;
  readonly layer?: string;
  readonly head?: string;
  readonly answer?: string;
  readonly against?: string;
  readonly towards?: string;
  readonly away?: string;
  readonly examples?: string;
  readonly steps?: string;
  readonly seed?: string;
  readonly out?: string;
}

export interface Subject {
  readonly opened: OpenedNetwork;
  readonly runnable: RunnableNetwork;
  readonly options: LookOptions;
  readonly key: Key;
  readonly signal: AbortSignal;
  readonly terminal: Terminal;
  readonly names: TokenNames | undefined;
  /** A token as text. */
  readonly text: (id: number) => string;
}

/** A network with what is asked of it. */
export async function openSubject(
  given: string,
  options: LookOptions,
  {
    signal,
    terminal,
    runnableOf,
  }: {
    readonly signal: AbortSignal;
    readonly terminal: Terminal;
    readonly runnableOf: (opened: OpenedNetwork) => RunnableNetwork;
  },
): Promise<Subject> {
  const opened = await openNetwork(given, { signal });
  const { document, tokenizer } = opened;
  const names = await (document && targetNamed(document.target).tokens?.(document.settings));
  const text = (id: number): string => tokenizer?.decode([id]) ?? names?.text(id) ?? String(id);
  const key = keyFromSeed(options.seed === undefined ? 0 : wholeNumber("--seed", options.seed, 0, 2 ** 32 - 1));
  return { opened, runnable: runnableOf(opened), options, key, signal, terminal, names, text };
}

/** The ids of a prompt: as numbers with commas between, or as text where it is certain how the network would cut it. */
export function idsOf({ opened, names }: Subject, option: string, given: string): number[] {
  const { tokenizer, title, network } = opened;
  const vocab = network.input.vocab ?? 0;
  if (vocab === 0) throw new MechanistError("BadArgument", `--${option}: expected a network of tokens, got ${title}`);
  if (/^\d+(,\d+)*$/.test(given)) {
    const ids = given.split(",").map(Number);
    const bad = ids.find((id) => id >= vocab);
    if (bad === undefined) return ids;
    throw new MechanistError("BadArgument", `--${option}: expected ids from 0 to ${vocab - 1}, got ${bad}`);
  }
  if (tokenizer !== undefined) return [...tokenizer.encode(given, "tokenizer")];
  const wanted = `--${option}: expected token ids as 1,2,3 for ${title}`;
  if (names === undefined) throw new MechanistError("BadArgument", `${wanted}, which has no tokenizer, got ${given}`);
  const byText = new Map(Array.from({ length: vocab }, (_, id) => [names.text(id), id]));
  const words = names.separator === "" ? [...given] : given.trim().split(/\s+/);
  return words.map((word) => {
    const id = byText.get(word);
    if (id !== undefined) return id;
    throw new MechanistError("BadArgument", `${wanted}, or words it knows, got ${JSON.stringify(word)}`);
  });
}

/** The prompt asked for; nothing where none is. */
export function promptOf(subject: Subject): Examples | undefined {
  const { prompt, tokens } = subject.options;
  if (prompt !== undefined && tokens !== undefined) {
    throw new MechanistError("BadArgument", "look: expected --prompt or --tokens, got both");
  }
  const given = prompt ?? tokens;
  if (given === undefined) return undefined;
  const ids = idsOf(subject, prompt === undefined ? "tokens" : "prompt", given);
  return { name: "the prompt", x: tokenValues([ids]) };
}

/** The prompt, or the sentence that one is needed. */
export function expectPrompt(subject: Subject): Examples {
  const prompt = promptOf(subject);
  if (prompt !== undefined) return prompt;
  throw new MechanistError("BadArgument", "--prompt: expected a text or token ids, got none");
}

/**
 * The prompt; or else some of the data that the network was trained on here.
 *
 * @param what names the draw, so that two are different data
 */
export async function examplesOf(subject: Subject, what = "look", always = false): Promise<Examples> {
  const prompt = always ? undefined : promptOf(subject);
  if (prompt !== undefined) return prompt;
  const { document, title } = subject.opened;
  if (document === undefined) {
    const wanted = always ? "a run, which has data of its own" : "--prompt, or a run, which has data of its own";
    throw new MechanistError("BadArgument", `look: expected ${wanted}, got ${title}`);
  }
  const count =
    subject.options.examples === undefined ? 64 : wholeNumber("--examples", subject.options.examples, 2, 65_536);
  const target = targetNamed(document.target);
  const x = target.batch(what, document.settings, count);
  const tables = (await target.tables?.(document.settings)) ?? {};
  const drawn = interpret({ x }, tables, foldIn(subject.key, what)).x;
  return { name: `${count} rows of its data`, x: inputOf(subject, drawn) };
}

/** Data may have one token more than the network reads: what the last is to be predicted from. */
function inputOf({ opened: { network } }: Subject, x: Values): Values {
  const { context, dtype } = network.input;
  const [rows, pos] = x.shape as [number, number];
  const given: Values =
    dtype === "i32" ? { ...x, data: Int32Array.from(x.data) } : { ...x, data: Float32Array.from(x.data) };
  if (dtype !== "i32" || context === undefined || pos <= context) return given;
  const data = new Int32Array(rows * context);
  for (let i = 0; i < data.length; i++) data[i] = x.data[Math.floor(i / context) * pos + (i % context)]!;
  return { ...given, shape: [rows, context], data };
}

/** A token by its id or text. */
export function tokenOf(subject: Subject, option: string, given: string): number {
  const ids = [given, ` ${given}`].flatMap((text) => {
    if (/^\d+$/.test(given)) return [[Number(given)]];
    const { tokenizer } = subject.opened;
    return [tokenizer === undefined ? idsOf(subject, option, text) : [...tokenizer.encode(text, "none")]];
  });
  const one = ids.find((list) => list.length === 1)?.[0];
  const { vocab = 0 } = subject.opened.network.input;
  if (one !== undefined && one < vocab) return one;
  throw new MechanistError("BadArgument", `--${option}: expected one token, or an id below ${vocab}, got ${given}`);
}

/** The point asked for; else where the network's values are most telling: the middle of the stream, the last hidden layer. */
export function pointOf({ runnable, options }: Subject): string {
  if (options.point !== undefined) return runnable.point(options.point).name;
  const { network } = runnable;
  if (isTransformer(network)) return `blocks.${Math.floor(network.config.layers / 2)}.hook_resid_pre`;
  const rows = network.points.filter(({ axes }) => !/\b(query|key)\b/.test(axes) && axes.includes(" "));
  const before = rows.filter(({ name }) => !/(hook_out|output)$/.test(name)).at(-1) ?? rows.at(-1);
  if (before !== undefined) return before.name;
  throw new MechanistError(
    "BadArgument",
    "--point: expected a hook point, got none, and the network has none that fits",
  );
}

/** Points that hold a vector at each position, of one width, for tables over the whole network. */
export function vectorPoints({ runnable }: Subject): string[] {
  const { network } = runnable;
  if (isTransformer(network)) {
    const { layers } = network.config;
    const before = Array.from({ length: layers }, (_, layer) => `blocks.${layer}.hook_resid_pre`);
    return [...before, `blocks.${layers - 1}.hook_resid_post`];
  }
  return network.points
    .filter(({ axes }) => !/\b(query|key)\b/.test(axes) && axes.includes(" "))
    .map(({ name }) => name);
}
