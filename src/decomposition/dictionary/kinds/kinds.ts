/** All kinds of dictionary by the names of their methods. */
import { named } from "../../../settings.ts";
import { batchTopKKind } from "./batchtopk.ts";
import { gatedKind } from "./gated.ts";
import { jumpReluKind } from "./jumprelu.ts";
import type { Kind } from "./kind.ts";
import { matryoshkaKind } from "./matryoshka.ts";
import { reluKind } from "./relu.ts";
import { topKKind } from "./topk.ts";

export const KINDS = {
  sae: reluKind,
  gated: gatedKind,
  topk: topKKind,
  batchtopk: batchTopKKind,
  jumprelu: jumpReluKind,
  matryoshka: matryoshkaKind,
} as const;

export type KindName = keyof typeof KINDS;

/** The kind called `name`, or the nearest name there is. */
export function kindNamed(name: string): Kind<never> {
  return named("kind of dictionary", name, KINDS as unknown as Readonly<Record<string, Kind<never>>>);
}
