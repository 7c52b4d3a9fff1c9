/** The data that a network was trained on, as much of it as is asked for. */
import type { EditData } from "../circuit/index.ts";
import { axisNames } from "../tensor/index.ts";
import type { OpenedDecomposition } from "./open-decomposition.ts";

/** Positions in one batch. */
const BATCH = 4096;

/** Batches of at least so many positions together, or examples where the network has none. */
export async function trainingData(
  { target, settings }: Pick<OpenedDecomposition, "target" | "settings">,
  positions: number,
  seed: number,
): Promise<EditData> {
  const one = target.batch("data", settings, 1);
  const long = axisNames(one.axes).includes("pos") ? one.shape[1]! : 1;
  const examples = Math.ceil(positions / long);
  const batch = Math.max(1, Math.min(examples, Math.floor(BATCH / long)));
  const tables = await target.tables?.(settings);
  return {
    x: target.batch("data", settings, batch),
    ...(tables && { feeds: tables }),
    batches: Math.ceil(examples / batch),
    seed,
  };
}
