/** Ctrl-C: once stops cleanly, twice stops at once. */
import { MechanistError } from "../error.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Two signals closer than this are one wish: a terminal tells every process in the foreground, and npm, which is one of them,
 * tells its child again.
 */
const SAME_WISH = 300; // ms

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Does something that the user can stop: the signal aborts at the first Ctrl-C, the process ends at the second. */
export async function interruptible<T>(
  terminal: Terminal,
  work: (controller: AbortController) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let askedAt: number | undefined;
  const onSignal = (): void => {
    const now = performance.now();
    if (askedAt === undefined) {
      askedAt = now;
      terminal.remark("stopping after this step; Ctrl-C again stops at once");
      controller.abort();
    } else if (now - askedAt > SAME_WISH) {
      terminal.clear();
      process.exit(new MechanistError("Cancelled", "").exitStatus);
    }
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    return await work(controller);
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

/** Waits until the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
