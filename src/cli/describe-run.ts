/** A run as every command's document tells it. */
import type { RunFolder } from "../run/folder.ts";
import { effectiveStatus } from "../run/process.ts";

/** Steps a second; `null` when this process took none. */
export function rate(stepsPerSecond: number): number | null {
  return Number.isFinite(stepsPerSecond) && stepsPerSecond > 0 ? stepsPerSecond : null;
}

/** What every command's document says of a run. */
export function describeRun(run: RunFolder): Record<string, unknown> {
  const { name, kind, digest, document, createdAt, environment: where } = run.record;
  return {
    run: name,
    path: run.path,
    kind,
    status: effectiveStatus(run.record),
    createdAt,
    digest,
    document,
    environment: where,
  };
}
