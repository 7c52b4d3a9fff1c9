/** A tokenizer of one's own as the files that everybody reads: `tokenizer.json` and `tokenizer_config.json`. */
import { MechanistError } from "../error.ts";

/** Both files, parsed: `tokenizerFrom(files.tokenizer, files.config)` opens them. */
export interface TokenizerFiles {
  /** `tokenizer.json` */
  readonly tokenizer: Readonly<Record<string, unknown>>;
  /** `tokenizer_config.json` */
  readonly config: Readonly<Record<string, unknown>>;
}

/** Tokens that no text has. Those given get the first ids, in this order. */
export interface SpecialTokens {
  readonly pad?: string;
  readonly bos?: string;
  readonly eos?: string;
  /** Stands for what the vocabulary lacks; without it such a text is refused. */
  readonly unk?: string;
}

const ROLES = ["pad", "bos", "eos", "unk"] as const;

/**
 * Puts the files together.
 *
 * @param tokens every other token, in the order of its id
 * @param parts  the pre-tokenizer, the decoder and the model, which gets the vocabulary
 * @throws `BadArgument` where a special token is empty or one of the others
 */
export function tokenizerFiles(
  tokens: readonly string[],
  special: SpecialTokens,
  parts: {
    readonly model: Readonly<Record<string, unknown>>;
    readonly pre_tokenizer: unknown;
    readonly decoder: unknown;
  },
): TokenizerFiles {
  const given = ROLES.flatMap((role) => (special[role] === undefined ? [] : [special[role]]));
  given.forEach((token, i) => {
    if (token !== "" && !tokens.includes(token) && given.indexOf(token) === i) return;
    throw new MechanistError("BadArgument", `special token: expected one of its own, got ${JSON.stringify(token)}`);
  });
  const vocab = Object.fromEntries([...given, ...tokens].map((token, id) => [token, id]));
  const added = given.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  const { model, pre_tokenizer, decoder } = parts;
  const roles = ROLES.flatMap((role) => (special[role] === undefined ? [] : [[`${role}_token`, special[role]]]));
  return {
    tokenizer: {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: added,
      normalizer: null,
      pre_tokenizer,
      post_processor: null,
      decoder,
      model: { ...model, vocab },
    },
    config: {
      tokenizer_class: "PreTrainedTokenizerFast",
      clean_up_tokenization_spaces: false,
      ...(Object.fromEntries(roles) as Record<string, unknown>),
    },
  };
}
