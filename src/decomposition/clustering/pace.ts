/** Long work that can be watched and stopped: every few hundredths of a second others have their turn. */
import { MechanistError } from "../../error.ts";
import type { Progress } from "../../training/loop.ts";

/** What the caller of long work may ask of it. */
export interface PaceOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

const TURN = 40; // ms

export class Pace {
  readonly #options: PaceOptions;
  readonly #stage: string;
  readonly #steps: number;
  readonly #began = performance.now();
  readonly #from: number;
  #last = performance.now();

  /** @param from the step that the work starts at in this process */
  constructor(stage: string, from: number, steps: number, options: PaceOptions) {
    this.#stage = stage;
    this.#from = from;
    this.#steps = steps;
    this.#options = options;
  }

  /** Whether others are due. */
  get due(): boolean {
    return performance.now() - this.#last > TURN;
  }

  /** @throws `Cancelled` when the signal has aborted */
  async turn(step: number, metrics: Progress["metrics"] = {}): Promise<void> {
    const stepsPerSecond = ((step - this.#from) * 1000) / Math.max(1, performance.now() - this.#began);
    this.#options.onProgress?.({ stage: this.#stage, step, steps: this.#steps, stepsPerSecond, metrics });
    await new Promise<void>((resolve) => {
      if (typeof setImmediate === "function") setImmediate(resolve);
      else setTimeout(resolve);
    });
    this.#last = performance.now();
    if (this.#options.signal?.aborted) {
      throw new MechanistError("Cancelled", `${this.#stage}: stopped at step ${step} of ${this.#steps}`, { step });
    }
  }
}
