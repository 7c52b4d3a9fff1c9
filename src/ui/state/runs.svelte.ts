/** The list of runs, looked at again every few seconds, with a short history of each for its sparkline. */
import { SvelteMap } from "svelte/reactivity";
import { fetchMetrics, fetchRuns, type ListedRun } from "../model/api.ts";
import { failed, LOADING, type Loadable } from "./loadable.ts";

const LOOK_EVERY = 2000; // ms
/** Sparklines are fetched for this many runs, the newest; the rest show their last numbers. */
const SPARKLINES = 60;

export class RunsStore {
  runs = $state.raw<Loadable<readonly ListedRun[]>>(LOADING);
  /** Losses by run, oldest first. */
  readonly losses: SvelteMap<string, readonly number[]> = new SvelteMap();

  readonly #gone = new AbortController();
  readonly #drawn = new Map<string, string>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  async open(): Promise<void> {
    try {
      const runs = await fetchRuns(this.#gone.signal);
      this.runs = { is: "ready", value: runs };
      await this.#draw(runs.slice(0, SPARKLINES));
    } catch (cause) {
      if (!this.#gone.signal.aborted) this.runs = failed(cause);
    }
    if (!this.#gone.signal.aborted) this.#timer = setTimeout(() => void this.open(), LOOK_EVERY);
  }

  close(): void {
    this.#gone.abort();
    clearTimeout(this.#timer);
  }

  async #draw(runs: readonly ListedRun[]): Promise<void> {
    for (const { name, status, metrics, createdAt } of runs) {
      const state = `${createdAt} ${status} ${metrics?.step}`;
      if (this.#drawn.get(name) === state) continue;
      const rows = await fetchMetrics(name, this.#gone.signal);
      this.losses.set(
        name,
        rows.map(({ loss }) => (typeof loss === "number" ? loss : Number.NaN)),
      );
      this.#drawn.set(name, state);
    }
  }
}
