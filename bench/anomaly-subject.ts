/** What the benchmarks of anomalies have in common: a method's decomposition of a network, ready to be measured. */
import type { Decomposition } from "../src/decomposition/decomposition.ts";
import { decompose, type DecomposeDocument, methodNamed, resolveMethod } from "../src/decomposition/methods.ts";
import type { NamedValues } from "../src/engine/index.ts";
import type { AnomalyData } from "../src/evidence/anomalies/index.ts";
import { strengthOf, type Place } from "../src/evidence/anomalies/place.ts";
import type { KnownMechanisms } from "../src/training/known-mechanisms.ts";
import type { TrainDocument } from "../src/training/target.ts";
import { targetNamed } from "../src/training/targets.ts";

export type Settings = Readonly<Record<string, unknown>>;

/** A decomposition with the data of its network and what is known of it. */
export interface Subject {
  readonly document: DecomposeDocument;
  readonly weights: NamedValues;
  readonly components: NamedValues;
  readonly decomposition: Decomposition;
  readonly data: AnomalyData;
  readonly known?: KnownMechanisms;
}

/** Takes a trained network apart. */
export async function takenApart(
  target: TrainDocument,
  weights: NamedValues,
  method: string,
  set: Settings,
): Promise<Subject> {
  const document = resolveMethod(method, { target, set });
  const { components } = await decompose(document, weights, { threads: 1 });
  const entry = targetNamed(target.target);
  const known = entry.known?.(target.settings);
  const tables = await entry.tables?.(target.settings);
  const padding = known?.languageModel?.padding;
  const data = {
    batch: (size: number) => entry.batch("data", target.settings, size),
    ...(tables && { tables }),
    ...(padding !== undefined && { padding }),
  };
  const decomposition = methodNamed(method).open(document, weights, components);
  return { document, weights, components, decomposition, data, ...(known && { known }) };
}

/** How many components act on some row. */
export const alive = (place: Place): number =>
  Array.from({ length: place.C }, (_, c) => strengthOf(place, c)).filter((z) => z.some((v) => v !== 0)).length;
