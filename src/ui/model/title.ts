/** A run's document in a few words. */
import type { DecomposeRecord, TrainRecord } from "../../run/document.ts";

type Described = Pick<TrainRecord, "kind" | "document"> | Pick<DecomposeRecord, "kind" | "document">;

/** `TMS 5-2 + identity, taken apart by SPD`. */
export function titleOf(run: Described): string {
  if (run.kind === "train") return `${targetTitle(run.document)}, trained`;
  return `${targetTitle(run.document.target)}, taken apart by ${run.document.method.toUpperCase()}`;
}

function targetTitle({ target, settings }: TrainRecord["document"]): string {
  const { features, hidden, neurons, identity } = settings;
  const size =
    features === undefined ? "" : ` ${features}-${hidden ?? neurons}${identity === true ? " + identity" : ""}`;
  return `${target.toUpperCase()}${size}`;
}
