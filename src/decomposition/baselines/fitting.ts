/** A fit that goes on for a while: how far it is, whether somebody wants it stopped, what it takes. It begins anew where it was stopped. */
import type { CompileOptions, NamedValues } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import type { LoopOptions } from "../../training/loop.ts";
import { weightsIn } from "../../training/optimise.ts";

const PROGRESS_INTERVAL = 100; // ms

export class Fitting {
  readonly #options: LoopOptions;
  readonly #began = performance.now();
  #reported = 0;

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  /** Where programs run. */
  get placed(): CompileOptions {
    const { device, threads } = this.#options;
    return { ...(device && { device }), ...(threads && { threads }) };
  }

  /** The same for a fit that is a training: it reports by itself, and begins anew, too. */
  get watched(): LoopOptions {
    const { signal, onProgress, onMetrics, onMemory, memoryLimit } = this.#options;
    return {
      ...this.placed,
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
      ...(onMetrics && { onMetrics }),
      ...(onMemory && { onMemory }),
      ...(memoryLimit !== undefined && { memoryLimit }),
    };
  }

  /** Says what the fit will take beside what the process has, and refuses one that needs more than there is. */
  expectMemory(bytes: number): void {
    const limit = this.#options.memoryLimit ?? Infinity;
    if (bytes > limit) {
      const [expected, got] = [limit, bytes].map((n) => `${Number((n / 2 ** 30).toPrecision(3))} GiB`);
      const message = `memory: expected a fit that needs at most ${expected}, got one that needs about ${got}; fewer samples need less`;
      throw new MechanistError("Refused", message, { needed: bytes, limit });
    }
    this.#options.onMemory?.(bytes);
  }

  /**
   * Between two steps.
   *
   * @throws `Cancelled` where somebody asked for a stop
   */
  async at(stage: string, step: number, steps: number, metrics: Readonly<Record<string, number>> = {}): Promise<void> {
    const { signal, onProgress } = this.#options;
    if (signal?.aborted) {
      throw new MechanistError("Cancelled", `${stage}: stopped at step ${step} of ${steps}`, { step });
    }
    const now = performance.now();
    if (onProgress === undefined || (now - this.#reported < PROGRESS_INTERVAL && step < steps)) return;
    this.#reported = now;
    const stepsPerSecond = (step * 1000) / Math.max(1, now - this.#began);
    onProgress({ stage, step, steps, stepsPerSecond, metrics });
    // Timers and signals have their turn.
    await new Promise((resolve) => setTimeout(resolve));
  }

  /** What an earlier run had come to when it was done; nothing where it was stopped before. */
  get finished(): Fitted | undefined {
    const { resume } = this.#options;
    return resume && { components: weightsIn(resume.tensors), metrics: {}, stepsPerSecond: 0 };
  }

  /** The end: a checkpoint of what was found, and what was measured. */
  async done(components: NamedValues, step: number, metrics: Readonly<Record<string, number>>): Promise<Fitted> {
    const { onMetrics, onCheckpoint } = this.#options;
    await onMetrics?.({ step, stage: "decompose", ...metrics });
    await onCheckpoint?.({ step, tensors: components });
    const stepsPerSecond = (step * 1000) / Math.max(1, performance.now() - this.#began);
    return { components, metrics, stepsPerSecond };
  }
}

/** What a fit came to. */
export interface Fitted {
  readonly components: NamedValues;
  readonly metrics: Readonly<Record<string, number>>;
  readonly stepsPerSecond: number;
}
