/**
 * The network of `network/two-contexts` as a target: one weight that two mechanisms use whole, one in each context. There is nothing to train. Right are three
 * parts, if the context passes the first layer by: the weight, in both contexts, and what each does with it, in its own alone.
 */
import { z } from "zod";
import { CONTEXT_ROUTES, TWO_CONTEXTS_INPUTS, twoContexts } from "../../network/two-contexts.ts";
import { concat, less, mul, reshape, sub, type Tensor, uniform, where } from "../../tensor/index.ts";
import type { LoopOptions } from "../loop.ts";
import type { Target, TrainDocument, Trained } from "../target.ts";

const twoContextsSettings = z.strictObject({
  weight: z.number().min(-1).max(1).default(1).describe("w, which both contexts use"),
  route: z
    .enum(CONTEXT_ROUTES)
    .default("past")
    .describe("how the context reaches the second layer: past the first, which has w, or through it"),
  featureProbability: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe("how likely x is there, U[-1, 1); it is 0 otherwise"),
  steps: z.literal(0).default(0).describe("none: nothing is trained"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("changes nothing: nothing is random"),
});
type TwoContextsSettings = z.infer<typeof twoContextsSettings>;

const settingsOf = (settings: TrainDocument["settings"]): TwoContextsSettings =>
  settings as unknown as TwoContextsSettings;

/** `x`, and either context as likely as the other. */
function inputs(name: string, { featureProbability }: TwoContextsSettings, batch: number): Tensor<"batch feature"> {
  const draw = (what: string): Tensor =>
    reshape(uniform(`${name}/${what}`, "batch", { batch }), "batch feature", { batch, feature: 1 });
  const x = where(less(draw("there"), featureProbability), sub(mul(draw("value"), 2), 1), 0);
  const isA = less(draw("context"), 0.5);
  return concat([x, where(isA, 1, 0), where(isA, 0, 1)], "feature") as Tensor<"batch feature">;
}

async function make({ weight, route }: TwoContextsSettings, { onCheckpoint }: LoopOptions): Promise<Trained> {
  const { weights } = twoContexts(weight, route);
  await onCheckpoint?.({ step: 0, tensors: weights });
  return { weights, metrics: { weight }, stepsPerSecond: 0 };
}

export const twoContextsTarget: Target = {
  summary: "one weight that two mechanisms use whole, each in a context of its own; nothing to train",
  schema: twoContextsSettings,
  presets: {
    default: {
      summary: `${TWO_CONTEXTS_INPUTS.join(", ")}: w x + 1 in context A, ReLU(-w x) in B`,
      source: "Mechanist",
      settings: {},
    },
    through: {
      summary: "the same, the context passing through the layer that has w: that layer can be shared out otherwise",
      source: "Mechanist",
      settings: { route: "through" },
    },
  },
  success: [{ metric: "weight", meaning: "the weight that both contexts use" }],
  title: (settings) => `two-contexts${settingsOf(settings).route === "through" ? "-through" : ""}`,
  network: (settings) => {
    const { weight, route } = settingsOf(settings);
    return twoContexts(weight, route).network;
  },
  batch: (name, settings, batch) => inputs(name, settingsOf(settings), batch),
  train: (settings, options = {}) => make(settingsOf(settings), options),
};
