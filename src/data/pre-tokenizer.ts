/**
 * Pre-tokenizers said in the words that the tokenizer library has right. Of the five ways to split at a pattern it knows two, and it takes
 * the others for one of these; so each is written as the pattern whose pieces are the same.
 *
 * Source of what each means: https://github.com/huggingface/tokenizers, `SplitDelimiterBehavior`; held to it by `splits.json`.
 */
import { MechanistError } from "../error.ts";
import { describeJson, isTable } from "../file/json.ts";

type Config = Readonly<Record<string, unknown>>;

/** ASCII's and Unicode's, as Rust's library has it. */
const PUNCTUATION = String.raw`[\p{P}!-\/:-@\[-\x60{-~]`;
/** How GPT-2 cuts, and every byte-level tokenizer that names no other pattern. */
const GPT2 = String.raw`'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;
/** Any letter, line ends too. */
const ANY = String.raw`(?:.|\n)`;

/**
 * A pre-tokenizer that cuts as Rust's library would.
 *
 * @throws `BadFile` for a pattern that is none, and for a removed pattern with groups, which the library would keep
 */
export function exactPreTokenizer(config: unknown, where: string): unknown {
  if (!isTable(config)) return config;
  const { type, pretokenizers } = config;
  if (type === "Sequence" && Array.isArray(pretokenizers)) {
    return { ...config, pretokenizers: pretokenizers.map((one) => exactPreTokenizer(one, where)) };
  }
  if (type === "Split")
    return exactSplit(patternOf(config.pattern, where), config.behavior, config.invert === true, where);
  if (type === "Punctuation") return exactSplit(PUNCTUATION, config.behavior ?? "Isolated", false, where);
  // JavaScript's own `\s`, which the library has in these, takes a byte order mark for a space.
  if (type === "WhitespaceSplit") return exactSplit(String.raw`\s+`, "Removed", false, where);
  if (type === "Whitespace") return exactSplit(String.raw`\w+|[^\w\s]+`, "Removed", true, where);
  if (type === "BertPreTokenizer") {
    return exactPreTokenizer(
      { type: "Sequence", pretokenizers: [{ type: "WhitespaceSplit" }, { type: "Punctuation" }] },
      where,
    );
  }
  if (type === "ByteLevel" && config.use_regex !== false && config.add_prefix_space === false) {
    return {
      type: "Sequence",
      pretokenizers: [exactSplit(GPT2, "Isolated", false, where), { ...config, use_regex: false }],
    };
  }
  if (type === "Metaspace" && config.split !== false) {
    const marks = escaped(typeof config.replacement === "string" ? config.replacement : "▁");
    return { type: "Sequence", pretokenizers: [config, exactSplit(marks, "MergedWithNext", false, where)] };
  }
  return config;
}

/** The source of a pattern. */
function patternOf(pattern: unknown, where: string): string {
  if (isTable(pattern) && typeof pattern.Regex === "string") return pattern.Regex;
  if (isTable(pattern) && typeof pattern.String === "string") return escaped(pattern.String);
  throw new MechanistError("BadFile", `${where}: expected a pattern as Regex or String, got ${describeJson(pattern)}`);
}

/** Refuses patterns, anywhere in a part of a tokenizer, that the library would pass over. */
export function expectPatterns(part: unknown, where: string): void {
  if (Array.isArray(part)) for (const one of part) expectPatterns(one, where);
  if (!isTable(part)) return;
  if ("pattern" in part || part.type === "Split" || part.type === "Replace") patternOf(part.pattern, where);
  for (const inner of Object.values(part)) expectPatterns(inner, where);
}

function exactSplit(pattern: string, behavior: unknown, invert: boolean, where: string): Config {
  const split = (regex: string): Config => ({
    type: "Split",
    pattern: { Regex: regex },
    behavior: "Isolated",
    invert: false,
  });
  // What is between the matches counts as the match: merging it backwards is merging the matches forwards.
  const turned = { MergedWithPrevious: "MergedWithNext", MergedWithNext: "MergedWithPrevious" };
  const way = invert && Object.hasOwn(turned, String(behavior)) ? turned[behavior as keyof typeof turned] : behavior;
  switch (way) {
    case "Isolated":
      return split(pattern);
    case "Contiguous":
      return split(`(?:${pattern})+`);
    case "MergedWithPrevious":
      // To the end where there is none, or the search for one would begin again at every letter.
      return split(`${ANY}*?(?:${pattern}|(?!${ANY}))`);
    case "MergedWithNext":
      return split(`(?:${pattern})${ANY}*?(?=(?:${pattern})|(?!${ANY}))`);
    case "Removed":
      if (!invert && hasGroups(pattern)) {
        throw new MechanistError(
          "BadFile",
          `${where}: expected a removed pattern without groups, got ${describeJson(pattern)}`,
        );
      }
      return { type: "Split", pattern: { Regex: pattern }, behavior: "Removed", invert };
    default:
      throw new MechanistError("BadFile", `${where}: expected a known way to split, got ${describeJson(behavior)}`);
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}

/** Whether a regular expression has groups whose text is kept. */
function hasGroups(pattern: string): boolean {
  const bare = pattern.replaceAll(/\\./gs, "").replaceAll(/\[[^\]]*\]/g, "");
  return /\((?!\?)|\(\?<[^=!]/.test(bare);
}
