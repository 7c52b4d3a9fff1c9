/** Warnings while a decomposition is made: each told once, and kept with the run. */
import type { DecomposeDocument } from "../decomposition/methods.ts";
import type { NamedValues } from "../engine/values.ts";
import { Watch } from "../evidence/watch.ts";
import type { Warning } from "../evidence/warnings.ts";
import type { RunFolder } from "../run/folder.ts";
import type { LoopOptions } from "../training/loop.ts";
import type { Terminal } from "./terminal.ts";

/** A warning with the step at which it first had cause. */
export interface Warned extends Warning {
  readonly step: number;
}

/** Looking may take this part of a run's time, beside so many milliseconds; where it has taken more a look is left out. */
const MOST_TIME = { part: 0.05, free: 2000 } as const;

/**
 * Does some work that hands its options to the training loop, and says what is wrong as it goes.
 *
 * @returns what the work does, and all that was warned of, in earlier attempts at the run too
 */
export async function watched<T>(
  run: RunFolder,
  { document, weights }: { readonly document: DecomposeDocument; readonly weights: NamedValues },
  loop: LoopOptions,
  terminal: Terminal,
  work: (options: LoopOptions) => Promise<T>,
): Promise<{ readonly value: T; readonly warned: readonly Warned[] }> {
  const { device, threads } = loop;
  const watch = Watch.over(document, weights, { ...(device && { device }), ...(threads && { threads }) });
  const warned = [...((run.record.result?.warned ?? []) as unknown as Warned[])];
  if (watch === undefined) return { value: await work(loop), warned };
  const began = performance.now();
  let looking = 0;
  try {
    const value = await work({
      ...loop,
      onMetrics: async (row, took) => {
        watch.note(row);
        await loop.onMetrics?.(row, took);
      },
      onCheckpoint: async (checkpoint) => {
        await loop.onCheckpoint?.(checkpoint);
        const from = performance.now();
        if (loop.signal?.aborted || looking > MOST_TIME.free + MOST_TIME.part * (from - began)) return;
        const found = await watch.look(checkpoint);
        looking += performance.now() - from;
        const isNew = ({ name, site }: Warning): boolean => !warned.some((w) => w.name === name && w.site === site);
        for (const warning of found.filter(isNew)) {
          if (!isNew(warning)) continue;
          warned.push({ step: checkpoint.step, ...warning });
          terminal.note(`step ${checkpoint.step}: ${sentence(warning)}`);
          await run.update({ result: { ...run.record.result, warned: plainly(warned) } });
        }
      },
    });
    return { value, warned };
  } finally {
    await watch.dispose();
  }
}

/** A warning as one line. */
export function sentence({ site, name, cause, knob }: Warning): string {
  return `${site === undefined ? "" : `${site}: `}${name}: ${cause}; ${knob}`;
}

/** As `run.json` takes it. */
export function plainly(warned: readonly Warned[]): Record<string, string | number>[] {
  return warned.map((warning) => ({ ...warning }));
}
