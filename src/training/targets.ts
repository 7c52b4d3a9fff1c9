/** The networks that can be trained here, by name. A new one is an entry in this table. */
import { MechanistError } from "../error.ts";
import { named, settingsFrom } from "../settings.ts";
import type { LoopOptions } from "./loop.ts";
import type { Target, TrainDocument, Trained } from "./target.ts";
import { compiledTarget } from "./targets/compiled.ts";
import { deepLinearTarget } from "./targets/deep-linear.ts";
import { flipFlopTarget } from "./targets/flip-flop.ts";
import { hierarchicalEqualityTarget } from "./targets/hierarchical-equality.ts";
import { hmmTarget, mess3Target, rrxorTarget } from "./targets/hmm.ts";
import { identityLayersTarget } from "./targets/identity-layers.ts";
import { inductionTarget } from "./targets/induction.ts";
import { linesTarget } from "./targets/lines.ts";
import { modularAdditionTarget } from "./targets/modular-addition.ts";
import { pretrainedTarget } from "./targets/pretrained.ts";
import { reluLayerTarget } from "./targets/relu-layer.ts";
import { residMlpTarget } from "./targets/resid-mlp.ts";
import { storiesTarget } from "./targets/stories.ts";
import { superpositionTarget } from "./targets/superposition.ts";
import { textTarget } from "./targets/text.ts";
import { tmsTarget } from "./targets/tms.ts";
import { twoContextsTarget } from "./targets/two-contexts.ts";

export const TARGETS: Readonly<Record<string, Target>> = {
  tms: tmsTarget,
  superposition: superpositionTarget,
  "resid-mlp": residMlpTarget,
  "deep-linear": deepLinearTarget,
  "identity-layers": identityLayersTarget,
  "relu-layer": reluLayerTarget,
  "two-contexts": twoContextsTarget,
  "modular-addition": modularAdditionTarget,
  "flip-flop": flipFlopTarget,
  "hierarchical-equality": hierarchicalEqualityTarget,
  induction: inductionTarget,
  lines: linesTarget,
  mess3: mess3Target,
  rrxor: rrxorTarget,
  hmm: hmmTarget,
  stories: storiesTarget,
  text: textTarget,
  compiled: compiledTarget,
  pretrained: pretrainedTarget,
};

/** The target called `name`, or the nearest name there is. */
export function targetNamed(name: string): Target {
  return named("target", name, TARGETS);
}

/**
 * Fills a document in: the preset's settings, then `set`'s, then the schema's defaults for the rest.
 *
 * @param set values by key; text is read as the schema needs it
 */
export function resolveTarget(
  name: string,
  options: { readonly preset?: string; readonly set?: Readonly<Record<string, unknown>> } = {},
): TrainDocument {
  const target = targetNamed(name);
  if (Object.keys(target.presets).length === 0) {
    throw new MechanistError("BadArgument", `${name}: expected mechanist import, which makes it, got settings`);
  }
  const preset = options.preset ?? "default";
  const chosen = named(`${name} preset`, preset, target.presets);
  const given = settingsFrom(name, target.schema, chosen.settings, options.set ?? {}) as TrainDocument["settings"];
  return { target: name, preset, settings: target.completed?.(given) ?? given };
}

/** Trains the network of a document. */
export function train(document: TrainDocument, options: LoopOptions = {}): Promise<Trained> {
  return targetNamed(document.target).train(document.settings, options);
}
