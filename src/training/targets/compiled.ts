/**
 * Compiled programs as targets: a transformer whose weights are written down from a program, and whose circuit is therefore known. Nothing is trained; it is here so that
 * every method can take it apart and the referee can say which parts of the network a method finds.
 */
import { z } from "zod";
import { wholeNumbers } from "../../data/draws.ts";
import { COMPILE_SETTINGS, type CompiledProgram, compileProgram } from "../../network/compiled/compile-program.ts";
import { COMPILED } from "../../network/compiled/programs.ts";
import { transformer } from "../../network/transformer/transformer.ts";
import { add, cast, concat, constant, type Tensor } from "../../tensor/index.ts";
import type { LoopOptions } from "../loop.ts";
import type { Target, TrainDocument, Trained } from "../target.ts";

const compiledSettings = COMPILE_SETTINGS.extend({
  program: z
    .enum(Object.keys(COMPILED) as [string, ...string[]])
    .default("reverse")
    .describe("what it computes"),
  steps: z.literal(0).default(0).describe("none: nothing is trained"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("what is random is drawn from it"),
});
type CompiledSettings = z.infer<typeof compiledSettings>;

const known = new WeakMap<object, CompiledProgram>();

function programOf(settings: TrainDocument["settings"]): CompiledProgram {
  const { program, steps: _, ...rest } = settings as unknown as CompiledSettings;
  const compiled = known.get(settings) ?? compileProgram(program, rest);
  known.set(settings, compiled);
  return compiled;
}

/** Inputs of the greatest length, each token as likely as any other, after the token that stands before all. */
function inputs(name: string, { vocabulary, settings: { length } }: CompiledProgram, batch: number): Tensor {
  const drawn = wholeNumbers(name, "batch pos", { batch, pos: length }, vocabulary.inputs);
  const before = constant("batch pos", { batch, pos: 1 }, 0, "i32");
  return concat([before, cast(add(cast(drawn, "f32"), 1), "i32")], "pos");
}

async function make(settings: TrainDocument["settings"], { onCheckpoint }: LoopOptions): Promise<Trained> {
  const { weights, circuit, outside } = programOf(settings);
  await onCheckpoint?.({ step: 0, tensors: weights });
  const isPart = ({ address }: { readonly address: string }): boolean => address.startsWith("blocks.");
  const circuitParts = circuit.nodes.filter(isPart).length;
  const parts = circuitParts + outside.nodes.filter(isPart).length;
  return { weights, metrics: { circuitParts, parts }, stepsPerSecond: 0 };
}

export const compiledTarget: Target = {
  summary: "transformer that computes a program exactly, compiled from it with its circuit; nothing to train",
  schema: compiledSettings,
  presets: {
    default: {
      summary: "reverses its input, each layer with a random head besides",
      source: "after Lindner et al. 2023 (Tracr)",
      settings: { noise: 1 },
    },
  },
  success: [
    { metric: "circuitParts", meaning: "heads and groups of hidden units that its output depends on, of all parts" },
    { metric: "parts", meaning: "all heads and groups of hidden units" },
  ],
  title: (settings) => `compiled-${(settings as unknown as CompiledSettings).program}`,
  network: (settings) => {
    const network = transformer(programOf(settings).config);
    return { ...network, weights: network.weights.map((spec) => ({ ...spec, frozen: true })) };
  },
  known: (settings) => {
    const { circuit, outside } = programOf(settings);
    return { circuit: { circuit, outside } };
  },
  tokens: (settings) => {
    const { tokens } = programOf(settings).vocabulary;
    return { text: (id) => tokens[id] ?? String(id), separator: " " };
  },
  batch: (name, settings, batch) => inputs(name, programOf(settings), batch),
  train: (settings, options = {}) => make(settings, options),
};
