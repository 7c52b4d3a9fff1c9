/** A run's record as the server tells it. */
import type { RunRecord } from "../run/document.ts";
import { effectiveStatus, type EffectiveStatus } from "../run/process.ts";

/** A record with the status that the run really has. */
export type LiveRecord = Omit<RunRecord, "status"> & { readonly status: EffectiveStatus };

export function live(record: RunRecord): LiveRecord {
  return { ...record, status: effectiveStatus(record) };
}
