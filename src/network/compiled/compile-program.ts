/** The programs of the registry with their settings. */
import { z } from "zod";
import { named, settingsFrom } from "../../settings.ts";
import { foldIn, keyFromSeed } from "../../tensor/index.ts";
import { type Compiled, compileTransformer } from "./compile.ts";
import type { Program } from "./language.ts";
import { COMPILED, decoys } from "./programs.ts";

const MOST_DECOYS = decoys().length;

/** What can be set for every program. */
export const COMPILE_SETTINGS = z.strictObject({
  length: z.int().min(1).max(16).default(6).describe("tokens of the longest input"),
  vocabulary: z.string().default("").describe("the tokens, with commas between; empty for those of the program"),
  noise: z
    .int()
    .min(0)
    .max(64)
    .default(0)
    .describe("random heads, and as many random hidden units, added to each layer"),
  decoys: z.int().min(0).max(MOST_DECOYS).default(0).describe("sequences that are computed and not used"),
  rotate: z.boolean().default(false).describe("turn the residual stream by a random orthogonal matrix"),
  seed: z.int().min(0).default(0).describe("what is random is drawn from it"),
});

export type CompileSettings = z.infer<typeof COMPILE_SETTINGS>;

/** A program of the registry, compiled, with what it was compiled from. */
export interface CompiledProgram extends Compiled {
  readonly name: string;
  readonly settings: CompileSettings;
  readonly program: Program;
}

/**
 * Compiles a program of the registry.
 *
 * @param given settings by key; text is read as the schema needs it
 * @throws `UnknownName`, with the nearest program there is; `BadArgument`
 */
export function compileProgram(name: string, given: Readonly<Record<string, unknown>> = {}): CompiledProgram {
  const maker = named("program", name, COMPILED);
  const settings = settingsFrom(name, COMPILE_SETTINGS, given);
  const { length, noise, rotate, seed } = settings;
  const vocabulary =
    settings.vocabulary === "" ? maker.vocabulary : settings.vocabulary.split(",").map((token) => token.trim());
  const output = maker.output(vocabulary, length);
  const program: Program = { vocabulary, length, output, unused: decoys().slice(0, settings.decoys) };
  const key = keyFromSeed(seed);
  const compiled = compileTransformer(program, {
    ...(noise > 0 && { noise: { count: noise, key: foldIn(key, "noise") } }),
    ...(rotate && { rotate: foldIn(key, "rotate") }),
  });
  return { ...compiled, name, settings, program };
}
