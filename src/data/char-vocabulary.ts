/** A tokenizer with one token a character: the smallest that writes a given text. */
import { MechanistError } from "../error.ts";
import { type SpecialTokens, type TokenizerFiles, tokenizerFiles } from "./tokenizer-files.ts";

/**
 * Every character (code point) of the texts, in the order of Unicode, after the special tokens.
 *
 * @throws `BadArgument` where the texts have none
 */
export async function characterTokenizer(
  texts: Iterable<string> | AsyncIterable<string>,
  special: SpecialTokens = {},
): Promise<TokenizerFiles> {
  const seen = new Set<string>();
  for await (const text of texts) for (const character of text) seen.add(character);
  if (seen.size === 0) throw new MechanistError("BadArgument", "character tokenizer: expected text, got none");
  const characters = [...seen].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  return tokenizerFiles(characters, special, {
    pre_tokenizer: { type: "Split", pattern: { Regex: "[\\s\\S]" }, behavior: "Isolated", invert: false },
    decoder: { type: "Fuse" },
    model: { type: "WordLevel", ...(special.unk !== undefined && { unk_token: special.unk }) },
  });
}
