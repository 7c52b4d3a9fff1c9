/**
 * Text to token ids and back, as `tokenizer.json` of a Hugging Face folder says. Exact ids are all a network ever sees: what is added to
 * them is a policy that the caller states.
 */
import { Tokenizer as Engine } from "@huggingface/tokenizers";
import { MechanistError } from "../error.ts";
import type { SourceFolder } from "../file/bytes.ts";
import { describeJson, isTable, parseJson } from "../file/json.ts";
import { exactPreTokenizer, expectPatterns } from "./pre-tokenizer.ts";
import { tokenDisplay } from "./token-text.ts";

/**
 * What stands before a text: nothing; the beginning-of-sequence token; or what the tokenizer's own post-processor adds, which may be
 * nothing, and may be something at the end too.
 */
export type BosPolicy = "none" | "prepend" | "tokenizer";

export interface Tokenizer {
  /** The largest id plus one: what an embedding must have at least. */
  readonly size: number;
  /** The ids that begin and end a sequence, where the configuration names such tokens. */
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  /**
   * A text's ids. A special token written out in the text becomes that token, and a BPE without an unknown token passes over
   * letters it does not know, as both do in `transformers`.
   *
   * @param bos without it, `none`: no id that the text does not have
   * @throws `BadArgument` for `prepend` without such a token, and for letters that are unknown to a tokenizer that has no token for that
   */
  encode(text: string, bos?: BosPolicy): number[];
  /** The text of ids, special tokens written out. @throws `BadArgument` for an id that no token has */
  decode(ids: readonly number[]): string;
  /** One token for display: its text with its spaces, or `<0xE2>` for bytes that are no whole character. */
  tokenText(id: number): string;
  /** The id of a token as the vocabulary writes it. */
  idOf(token: string): number | undefined;
}

/**
 * A tokenizer from its parsed files.
 *
 * @param description `tokenizer.json`
 * @param config `tokenizer_config.json`, for which token begins and ends a sequence; may be empty
 * @throws `BadFile` where they are no tokenizer, or one of a kind that is not known
 */
export function tokenizerFrom(description: unknown, config: unknown = {}, where = "tokenizer.json"): Tokenizer {
  if (!isTable(description) || !isTable(description.model)) {
    throw new MechanistError(
      "BadFile",
      `${where}: expected a tokenizer with a model, got ${describeJson(description)}`,
    );
  }
  const settings = isTable(config) ? config : {};
  const names = tokensById(description, where);
  const size = names.length;
  const engine = engineOf(description, settings, where);
  const special = (role: string): number | undefined => {
    const token = settings[role];
    const content = isTable(token) ? token.content : token;
    return typeof content === "string" ? engine.token_to_id(content) : undefined;
  };
  const [bosId, eosId] = [special("bos_token"), special("eos_token")];
  const display = tokenDisplay(description.decoder, specialTokens(description));
  const nameOf = (id: number): string => {
    const name = names[id];
    if (name !== undefined) return name;
    throw new MechanistError(
      "BadArgument",
      `${where}: expected ids from 0 to ${size - 1} that have a token, got ${id}`,
      { id },
    );
  };
  return {
    size,
    bosId,
    eosId,
    encode(text, bos = "none") {
      const { ids } = known(where, () => engine.encode(text, { add_special_tokens: bos === "tokenizer" }));
      // The library gives no id where there is no token for what is unknown.
      if (ids.some((id: number | undefined) => id === undefined)) {
        throw new MechanistError(
          "BadArgument",
          `${where}: expected text that its vocabulary can write, got other letters and no unk_token`,
        );
      }
      if (bos !== "prepend") return ids;
      if (bosId !== undefined) return [bosId, ...ids];
      throw new MechanistError(
        "BadArgument",
        `${where}: expected a bos_token in tokenizer_config.json to prepend, got none`,
      );
    },
    decode(ids) {
      for (const id of ids) nameOf(id);
      if (ids.length === 0) return "";
      return known(where, () => engine.decode([...ids], { clean_up_tokenization_spaces: false }));
    },
    tokenText: (id) => display(nameOf(id)),
    idOf: (token) => engine.token_to_id(token),
  };
}

/** Far above any tokenizer; the largest are below 40 MB. */
const LONGEST_FILE = 200_000_000;

/**
 * Reads a network folder's tokenizer.
 *
 * @throws `MissingFile` where it has no `tokenizer.json`; `BadFile`
 */
export async function readTokenizer(folder: SourceFolder): Promise<Tokenizer> {
  const description = await readJson(folder, "tokenizer.json");
  if (description === undefined) {
    throw new MechanistError("MissingFile", `${folder.name}: expected tokenizer.json, got none`);
  }
  const roles = await readJson(folder, "special_tokens_map.json");
  const config = await readJson(folder, "tokenizer_config.json");
  const settings = { ...(isTable(roles) && roles), ...(isTable(config) && config) };
  return tokenizerFrom(description, settings, `${folder.name}/tokenizer.json`);
}

async function readJson(folder: SourceFolder, file: string): Promise<unknown> {
  const source = await folder.open(file);
  if (source === undefined) return undefined;
  try {
    if (source.size > LONGEST_FILE) {
      throw new MechanistError("BadFile", `${source.name}: expected at most ${LONGEST_FILE} bytes, got ${source.size}`);
    }
    return parseJson(await source.read(0, source.size), source.name);
  } finally {
    await source.close();
  }
}

/**
 * Refuses a tokenizer with ids that a network has no embedding for. More embeddings than ids are common: sizes are rounded up.
 *
 * @param rows how many tokens the embedding has
 * @throws `ShapeMismatch`
 */
export function expectEmbedded({ size }: Pick<Tokenizer, "size">, rows: number, where = "tokenizer"): void {
  if (size <= rows) return;
  throw new MechanistError(
    "ShapeMismatch",
    `${where}: expected at most ${rows} ids, as the embedding has, got ${size}`,
    {
      expected: rows,
      got: size,
    },
  );
}

/** Far above any vocabulary; ids are places in a list. */
const MOST_IDS = 2 ** 24;

/** The vocabulary and the tokens added to it, by id. */
function tokensById(description: Readonly<Record<string, unknown>>, where: string): readonly (string | undefined)[] {
  const { vocab } = description.model as Record<string, unknown>;
  const added = description.added_tokens ?? [];
  const bad = (what: string): MechanistError => new MechanistError("BadFile", `${where}: ${what}`);
  let entries: [unknown, unknown][];
  // A unigram model lists tokens with their scores; the others map tokens to ids.
  if (Array.isArray(vocab)) entries = vocab.map((entry, id) => [Array.isArray(entry) ? entry[0] : undefined, id]);
  else if (isTable(vocab)) entries = Object.entries(vocab);
  else throw bad(`expected a vocabulary, got ${describeJson(vocab)}`);
  if (!Array.isArray(added)) throw bad(`expected a list of added tokens, got ${describeJson(added)}`);
  const tokens: (string | undefined)[] = [];
  for (const [token, id] of [...entries, ...added.map((one) => (isTable(one) ? [one.content, one.id] : [one, one]))]) {
    if (typeof token !== "string" || !Number.isInteger(id) || (id as number) < 0 || (id as number) >= MOST_IDS) {
      throw bad(`expected tokens with ids below ${MOST_IDS}, got ${describeJson(token)} with ${describeJson(id)}`);
    }
    tokens[id as number] = token;
  }
  return tokens;
}

function specialTokens({ added_tokens: added }: Readonly<Record<string, unknown>>): ReadonlySet<string> {
  return new Set((Array.isArray(added) ? added : []).map((one) => String((one as { content: unknown }).content)));
}

const MODELS = ["BPE", "WordPiece", "Unigram", "WordLevel"];

function engineOf(
  description: Readonly<Record<string, unknown>>,
  settings: Readonly<Record<string, unknown>>,
  where: string,
): Engine {
  const { type, unk_token } = description.model as Record<string, unknown>;
  // Files older than the field leave it out; the library finds out.
  if (type !== undefined && !MODELS.includes(String(type))) {
    const got = describeJson(type);
    throw new MechanistError("BadFile", `${where}: expected a model among ${MODELS.join(", ")}, got ${got}`);
  }
  for (const part of ["normalizer", "pre_tokenizer", "decoder"]) expectPatterns(description[part], where);
  const complete = {
    decoder: null,
    post_processor: null,
    normalizer: null,
    added_tokens: [],
    ...description,
    pre_tokenizer: exactPreTokenizer(description.pre_tokenizer ?? null, where),
  };
  // The library has no words of its own for WordLevel; its simplest model takes the unknown token from the settings.
  const engine = known(where, () => new Engine(complete, type === "WordLevel" ? { ...settings, unk_token } : settings));
  const { decoders = [] } = (engine.decoder ?? {}) as { readonly decoders?: readonly Engine["decoder"][] };
  for (const decoder of [engine.decoder, ...decoders]) {
    if (decoder?.config.type === "ByteFallback") Object.assign(decoder, { text_decoder: { decode: bytesText } });
  }
  return engine;
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes as Rust's library decodes them: with their byte order marks, and where they are no text, a mark for each. */
function bytesText(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    return "\ufffd".repeat(bytes.length);
  }
}

/** The library finds out what it does not know by stumbling over it, sometimes only when it is used. */
function known<T>(where: string, use: () => T): T {
  try {
    return use();
  } catch (cause) {
    const reason = (cause instanceof Error ? cause.message : String(cause)).replaceAll(/\s+/g, " ").slice(0, 200);
    throw new MechanistError("BadFile", `${where}: expected a tokenizer of a known kind, got ${reason}`, {}, { cause });
  }
}
