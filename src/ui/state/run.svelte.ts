/** One run as it goes: what it is, its metrics from the first row on, its checkpoints. The server's stream brings all three. */
import { fetchRun, type LiveRecord, metricsPath, type MetricsRow } from "../model/api.ts";
import { History } from "../model/history.ts";
import { failed, LOADING, type Loadable } from "./loadable.ts";

/** Rows of a long history arrive in bursts; they are drawn together. */
const DRAW_EVERY = 120; // ms
/** Speed is measured over the rows of this many milliseconds. */
const SPEED_WINDOW = 4000;
/** Rows this close together came in one burst, which says nothing about the time between them. */
const BURST = 40; // ms

export class RunStore {
  readonly name: string;
  run = $state.raw<Loadable<LiveRecord>>(LOADING);
  /** Rows so far; read `version` to follow them. */
  readonly history: History = new History();
  version = $state(0);
  /** Steps of the checkpoints, ascending. */
  checkpoints = $state.raw<readonly number[]>([]);
  /** How often everything began anew: what was fetched of checkpoints before is stale. */
  resets = $state(0);
  /** Whether news can arrive. */
  connected = $state(true);
  /** Steps a second, measured from rows as they arrive; unknown until two have. */
  stepsPerSecond = $state<number | undefined>();

  readonly #gone = new AbortController();
  #source: EventSource | undefined;
  #drawing: ReturnType<typeof setTimeout> | undefined;
  #arrivals: { at: number; step: number }[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /** Begins to follow the run. */
  async open(): Promise<void> {
    try {
      const run = await fetchRun(this.name, this.#gone.signal);
      this.#describe(run);
      this.checkpoints = run.checkpoints;
      this.#listen();
    } catch (cause) {
      if (!this.#gone.signal.aborted) this.run = failed(cause);
    }
  }

  close(): void {
    this.#gone.abort();
    this.#source?.close();
    clearTimeout(this.#drawing);
  }

  #listen(): void {
    const source = new EventSource(metricsPath(this.name));
    this.#source = source;
    source.addEventListener("open", () => (this.connected = true));
    source.addEventListener("error", () => (this.connected = false));
    source.addEventListener("metrics", ({ data }: MessageEvent<string>) => this.#row(JSON.parse(data) as MetricsRow));
    source.addEventListener("checkpoint", ({ data }: MessageEvent<string>) => {
      const { step } = JSON.parse(data) as { step: number };
      if (!this.checkpoints.includes(step)) this.checkpoints = [...this.checkpoints, step].sort((a, b) => a - b);
    });
    source.addEventListener("run", ({ data }: MessageEvent<string>) => this.#describe(JSON.parse(data) as LiveRecord));
    // The run was resumed, or its folder made anew: everything follows again.
    source.addEventListener("reset", () => {
      this.history.clear();
      this.checkpoints = [];
      this.resets++;
      this.version++;
    });
  }

  #describe(run: LiveRecord): void {
    this.run = { is: "ready", value: run };
  }

  #row(row: MetricsRow): void {
    this.history.add(row);
    const now = performance.now();
    const last = this.#arrivals.at(-1);
    if (last && row.step <= last.step) this.#arrivals = [];
    if (last && now - last.at < BURST) this.#arrivals.pop();
    this.#arrivals.push({ at: now, step: row.step });
    this.#drawing ??= setTimeout(() => {
      this.#drawing = undefined;
      this.#measure(performance.now());
      this.version++;
    }, DRAW_EVERY);
  }

  #measure(now: number): void {
    while (this.#arrivals.length > 2 && this.#arrivals[0]!.at < now - SPEED_WINDOW) this.#arrivals.shift();
    const [first, last] = [this.#arrivals[0], this.#arrivals.at(-1)];
    if (!first || !last || last.at - first.at < 500) return;
    this.stepsPerSecond = ((last.step - first.step) * 1000) / (last.at - first.at);
  }
}
