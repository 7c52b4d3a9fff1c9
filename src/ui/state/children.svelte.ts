/** The runs that took a run's network apart, looked for every few seconds: one may begin while the page is open. */
import { fetchRuns, type ListedRun } from "../model/api.ts";

const LOOK_EVERY = 2000; // ms

export class ChildrenStore {
  runs = $state.raw<readonly ListedRun[]>([]);
  #closed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Begins to look for the runs whose parent is `name`. */
  async open(name: string): Promise<void> {
    const all = await fetchRuns().catch((): ListedRun[] => []);
    if (this.#closed) return;
    this.runs = all.filter((run) => run.kind === "decompose" && run.parent?.name === name);
    this.#timer = setTimeout(() => void this.open(name), LOOK_EVERY);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
