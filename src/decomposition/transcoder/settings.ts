/** Everything that decides how transcoders are trained: where they act, what kind of latents they have, and what that kind's dictionaries are trained by. */
import { z } from "zod";
import { type KindName, KINDS } from "../dictionary/kinds/kinds.ts";
import {
  gatedSettings,
  jumpReluSettings,
  matryoshkaSettings,
  saeSettings,
  topKSettings,
  type TrainingSettings,
} from "../dictionary/settings.ts";

/** What each kind of latents is trained by. */
const OF_KIND: Readonly<Record<KindName, z.ZodObject>> = {
  sae: saeSettings,
  gated: gatedSettings,
  topk: topKSettings,
  batchtopk: topKSettings,
  jumprelu: jumpReluSettings,
  matryoshka: matryoshkaSettings,
};

const kinds = Object.keys(KINDS) as [KindName, ...KindName[]];

/** What is not for a code between two points: it reads no bias of what it writes, and knows no row's length of it. */
const {
  point: _point,
  subtractDecoderBias: _bias,
  ...shared
} = Object.assign({}, ...Object.values(OF_KIND).map(({ shape }) => shape)) as Omit<
  typeof saeSettings.shape & typeof matryoshkaSettings.shape & typeof jumpReluSettings.shape,
  "activationNormalization"
>;

export const transcoderSettings = z.strictObject({
  reads: z
    .string()
    .default("")
    .describe(
      "hook points that are read, with commas between and * for any part of a name; empty: what each MLP reads",
    ),
  writes: z
    .string()
    .default("")
    .describe("hook points that are written, in the same order; empty: what each MLP writes"),
  kind: z
    .enum(kinds)
    .default("sae")
    .describe("the kind of latents, by the name of the method of dictionaries with them"),
  ...shared,
  activationNormalization: z
    .enum(["none", "expected_average_only_in"])
    .default("none")
    .describe("how activations are scaled in training"),
});

/** Settings of a transcoder, with those that its kind of latents has. */
export type TranscoderSettings = z.infer<typeof transcoderSettings> & Pick<TrainingSettings, "subtractDecoderBias">;

/** What is set that a kind of latents knows nothing of; nothing where all is well. */
export function kindComplaint(settings: Readonly<Record<string, unknown>>): string | undefined {
  const kind = settings.kind as KindName;
  const own = new Set([...Object.keys(OF_KIND[kind].shape), "reads", "writes", "kind"]);
  const { success, data: defaults } = transcoderSettings.safeParse({ kind });
  const other = Object.keys(settings).find(
    (key) => !own.has(key) && success && settings[key] !== defaults[key as never],
  );
  if (other === undefined) return undefined;
  return `${other}: expected ${String(defaults![other as never])} for latents of kind ${kind}, which has none, got ${String(settings[other])}; --preset ${kind} starts without`;
}
