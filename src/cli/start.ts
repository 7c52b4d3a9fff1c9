/** `mechanist start`, which `npm start` runs: a first network trained, taken apart and judged while the page shows it. */
import { resolveMethod } from "../decomposition/methods.ts";
import { MechanistError } from "../error.ts";
import type { RunFolder } from "../run/folder.ts";
import { RUNS } from "../run/runs.ts";
import { resolveTarget } from "../training/targets.ts";
import { decomposeInto, newDecomposition } from "./decompose.ts";
import { aborted, interruptible } from "./interrupt.ts";
import type { Host } from "./main.ts";
import { type DeviceOptions, placementFrom } from "./options.ts";
import type { RecordOptions } from "./record.ts";
import { pageOf, serve } from "./serve.ts";
import { summary } from "./summary.ts";
import type { Terminal } from "./terminal.ts";
import { describeRun } from "./describe-run.ts";
import { newTraining, trainedLine, trainInto } from "./train.ts";

export interface StartOptions extends DeviceOptions {
  readonly serve: boolean;
  readonly port?: string;
}

/** Quick settings: enough to see the mechanisms come apart, fewer steps than a careful run takes. */
const PRESET = "quick";

export async function startCommand(options: StartOptions, terminal: Terminal, host: Host): Promise<void> {
  const placement = placementFrom(options);
  await interruptible(terminal, async (controller) => {
    // Stopping a run from the page stops that run; stopping the command stops whatever is under way.
    let current: { readonly name: string; readonly controller: AbortController } | undefined;
    const stop = (name: string): boolean => {
      if (current?.name !== name) return false;
      current.controller.abort();
      return true;
    };
    const server = options.serve ? await serve({ runs: RUNS, port: options.port, stop }, terminal, host) : undefined;
    const during = async <T>(run: RunFolder, work: (options: RecordOptions) => Promise<T>): Promise<T> => {
      const own = new AbortController();
      current = { name: run.name, controller: own };
      try {
        return await work({ ...placement, terminal, signal: AbortSignal.any([controller.signal, own.signal]) });
      } finally {
        current = undefined;
      }
    };
    const stay = async (): Promise<void> => {
      if (server === undefined) return;
      terminal.print(`\n${server.url}  stays up until Ctrl-C`);
      await aborted(controller.signal);
    };
    if (server !== undefined) terminal.print(`${server.url}  shows what follows`);
    try {
      await firstRuns(placement, during, terminal, server && ((run) => pageOf(server, run)));
      await stay();
    } catch (error) {
      // Stopped from the page, which has more to show. A document of what came out there is none.
      if (!isStop(error) || controller.signal.aborted || terminal.json) throw error;
      terminal.print(error.message);
      await stay();
    } finally {
      await server?.close();
    }
  });
}

function isStop(error: unknown): error is MechanistError {
  return error instanceof MechanistError && error.code === "Cancelled";
}

async function firstRuns(
  placement: ReturnType<typeof placementFrom>,
  during: <T>(run: RunFolder, work: (options: RecordOptions) => Promise<T>) => Promise<T>,
  terminal: Terminal,
  page: ((run: string) => string) | undefined,
): Promise<void> {
  const began = performance.now();
  const trainDocument = resolveTarget("tms", { preset: PRESET });
  const training = await newTraining(trainDocument, undefined, placement);
  const { weights } = await during(training, (options) => trainInto(training, trainDocument, options));
  terminal.print(trainedLine(training));

  const document = resolveMethod("spd", { target: trainDocument, preset: PRESET });
  const decomposing = await newDecomposition(training, { document, weights }, undefined, placement);
  if (page !== undefined) terminal.print(`taking it apart, live: ${page(decomposing.name)}`);
  await during(decomposing, (options) => decomposeInto(decomposing, { document, weights }, options));
  const seconds = (performance.now() - began) / 1000;
  const result = decomposing.record.result ?? {};
  terminal.document("start", {
    preset: PRESET,
    seconds,
    train: { ...describeRun(training), ...training.record.result },
    decompose: { ...describeRun(decomposing), ...result },
  });
  terminal.print(`\n${summary(decomposing.name, decomposing.path, result)}`);
  terminal.print(`${seconds.toFixed(1)} s in all, with the ${PRESET} preset; mechanist list presets shows the others`);
}
