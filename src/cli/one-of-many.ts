/**
 * One run of many, in a process of its own: `side-by-side.ts` starts this file. It says over the channel to its parent what a command would
 * say on a terminal, stops cleanly when told to, and ends with its parent, however that ended.
 */
import { type ErrorCode, MechanistError } from "../error.ts";
import type { Progress } from "../training/loop.ts";
import type { DecomposeOptions } from "./decompose.ts";
import { Terminal } from "./terminal.ts";

/** What the parent says: first what is to be made, later perhaps to stop. */
export type Order = { readonly given: string; readonly options: DecomposeOptions } | "stop";

/** What is said to the parent: how it goes, and last how it ended. */
export type Told =
  | { readonly kind: "progress"; readonly progress: Progress }
  | { readonly kind: "working" | "note" | "remark"; readonly text: string }
  | { readonly kind: "memory"; readonly bytes: number }
  | { readonly kind: "finished" }
  | {
      readonly kind: "failed";
      readonly code: ErrorCode;
      readonly message: string;
      readonly details: Readonly<Record<string, unknown>>;
    };

function say(told: Told, then?: () => void): void {
  process.send!(told, undefined, {}, then);
}

/** The parent's terminal, from here. */
class Relay extends Terminal {
  override note(text: string): void {
    say({ kind: "note", text });
  }

  override remark(text: string): void {
    say({ kind: "remark", text });
  }

  override memory(bytes: number): void {
    say({ kind: "memory", bytes });
  }

  override progress(progress: Progress): void {
    say({ kind: "progress", progress });
  }

  override working(text: string): void {
    say({ kind: "working", text });
  }

  override clear(): void {
    // The parent knows when this has ended.
  }
}

const controller = new AbortController();
const stop = (): void => controller.abort();
// A terminal tells all processes in the foreground; a second wish is the parent's to fulfil, who ends.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, stop);
process.on("disconnect", () => process.exit(new MechanistError("Cancelled", "").exitStatus));
process.on("message", (order: Order) => {
  if (order === "stop") stop();
  else void make(order);
});

async function make({ given, options }: Exclude<Order, "stop">): Promise<void> {
  let ending: Told = { kind: "finished" };
  try {
    // Only now, so that signals are heard from the start.
    const { decomposeOne } = await import("./decompose.ts");
    controller.signal.throwIfAborted();
    await decomposeOne(given, options, new Relay(false), controller.signal);
  } catch (error) {
    const { code, details } =
      error instanceof MechanistError
        ? error
        : { code: controller.signal.aborted ? ("Cancelled" as const) : ("Internal" as const), details: {} };
    ending = { kind: "failed", code, message: error instanceof Error ? error.message : String(error), details };
  }
  say(ending, () => process.exit(0));
}
