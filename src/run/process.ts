/** Which process writes a run, and whether it still lives. */
import { readFileSync } from "node:fs";
import type { RunRecord, RunStatus } from "./document.ts";

/**
 * When a process started, as a text that another process of the same number will not have: numbers are used again, and in a
 * container the first process has the same one each time. Empty where the system does not say.
 */
export function processStart(pid: number): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in parentheses, may hold spaces; the start time is the 20th field after it.
    const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    return `${boot}/${start}`;
  } catch {
    return "";
  }
}

/** Whether the process that a run names still runs. */
function isAlive({ pid, pidStarted }: Pick<RunRecord, "pid" | "pidStarted">): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Somebody else's process exists, too.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return pidStarted === "" || processStart(pid) === pidStarted;
}

/** The status as it is: a run that says it is running while its process is gone was interrupted. */
export type EffectiveStatus = RunStatus | "interrupted";

export function effectiveStatus(record: RunRecord): EffectiveStatus {
  return record.status === "running" && !isAlive(record) ? "interrupted" : record.status;
}
