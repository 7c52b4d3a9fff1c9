/**
 * From a program to a transformer that computes it, with its circuit: the idea of Tracr (Lindner et al. 2023). What differs is in
 * `docs/decisions`.
 */
import { type NamedValues, type Values, values } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import type { Key } from "../../tensor/index.ts";
import { foldIn } from "../../tensor/index.ts";
import { toyTransformer, type TransformerConfig } from "../transformer/config.ts";
import { type Circuit, circuitOf } from "./circuit.ts";
import { withNoise } from "./distractors.ts";
import { Domains } from "./domain.ts";
import { inOrder, type Program } from "./language.ts";
import { lowerProgram } from "./lower.ts";
import { type Ends, matricesOf } from "./matrices.ts";
import { place, sizesFor } from "./place.ts";
import { BOS, directionOf, ONE, type Plan } from "./plan.ts";
import { randomOrthogonal } from "./rotation.ts";
import { type Vocabulary, vocabularyFor } from "./vocabulary.ts";

export interface ProgramCompilation {
  /** Random heads and hidden units to add to each layer, and the key that they and the order of heads are drawn from. */
  readonly noise?: { readonly count: number; readonly key: Key };
  /** Turns the residual stream by a random orthogonal matrix drawn from this key. */
  readonly rotate?: Key;
}

/** A network made of a program, with all there is to know about it. */
export interface Compiled {
  /** What `transformer` makes the network of. Attention looks both ways and its scores are not scaled; there are no norms and no biases. */
  readonly config: TransformerConfig;
  readonly weights: NamedValues;
  readonly vocabulary: Vocabulary;
  /** The parts that the output depends on, and what they read of one another. */
  readonly circuit: Circuit;
  /** All other parts, and all other pairs of an earlier and a later one. */
  readonly outside: Circuit;
  /** The names of the rows of `basis`. */
  readonly directions: readonly string[];
  /** Each direction as a vector of the residual stream; orthonormal. */
  readonly basis: Values<"direction d_model">;
}

/**
 * Compiles a program.
 *
 * The network reads `BOS_TOKEN` and then at most `program.length` tokens; at each of them its logits are the output there.
 */
export function compileTransformer(program: Program, { noise, rotate }: ProgramCompilation = {}): Compiled {
  const { output, length } = program;
  if (!Number.isInteger(length) || length < 1) {
    throw new MechanistError("BadArgument", `program: expected a length of at least 1, got ${length}`);
  }
  const domain = new Domains(program).of(output);
  const vocabulary = vocabularyFor(program.vocabulary, output.kind === "categorical" ? domain : undefined);
  const bare = lowerProgram(program);
  const plan = noise === undefined ? bare : withNoise(bare, noise.count, sizesFor(bare).dHead, noise.key);
  const sizes = sizesFor(plan);
  const read = output.kind === "numerical" ? [output.label] : domain.map((value) => directionOf(output.label, value));
  const placed = place(plan, sizes, read, noise && foldIn(noise.key, "order"));
  const directions = directionsOf(plan);
  const config = configFor(program, vocabulary, plan.layers, sizes, directions.length);
  const basis = rotate === undefined ? undefined : randomOrthogonal(rotate, directions.length);
  const computing = new Set(inOrder([output]).map(({ label }) => label));
  return {
    config,
    weights: matricesOf(placed, endsOf(program, plan, vocabulary, read), config, directions, basis),
    vocabulary,
    ...circuitOf(placed, computing),
    directions,
    basis: values("direction d_model", [directions.length, directions.length], basis ?? identity(directions.length)),
  };
}

/** Every direction, in the order they are written. */
function directionsOf({ layers, embed, posEmbed, heads, mlps }: Plan): string[] {
  const inLayer = (layer: number): string[] =>
    [...heads, ...mlps].flatMap((part) => (part.layer === layer ? part.writes : []));
  return [...new Set([...embed, ...posEmbed, ...Array.from({ length: layers }, (_, i) => inLayer(i)).flat()])];
}

function configFor(
  program: Program,
  vocabulary: Vocabulary,
  layers: number,
  { heads, dHead, dMlp }: ReturnType<typeof sizesFor>,
  dModel: number,
): TransformerConfig {
  const shape = { vocab: vocabulary.tokens.length, context: program.length + 1, layers, dModel, heads, dHead, dMlp };
  const toy = toyTransformer(shape);
  return { ...toy, attention: { ...toy.attention, scale: 1, causal: false } };
}

/** What the tokens and positions write, and what the logits read. */
function endsOf(program: Program, plan: Plan, vocabulary: Vocabulary, read: readonly string[]): Ends {
  const written = new Set(plan.embed);
  const embed = program.vocabulary.flatMap((token, i): Ends["embed"] =>
    [directionOf("tokens", token), ONE].flatMap((direction) =>
      written.has(direction) ? [[i + 1, direction, 1] as const] : [],
    ),
  );
  const before: Ends["embed"] = written.has(BOS) ? [[0, BOS, 1]] : [];
  const ids = vocabulary.output.kind === "numerical" ? [vocabulary.output.id] : vocabulary.output.ids;
  return {
    embed: [...before, ...embed],
    posEmbed: plan.posEmbed.map((direction, i) => [i + 1, direction, 1]),
    unembed: read.map((direction, i) => [ids[i]!, direction, 1]),
  };
}

function identity(size: number): Float32Array {
  return Float32Array.from({ length: size * size }, (_, i) => Number(i % (size + 1) === 0));
}
