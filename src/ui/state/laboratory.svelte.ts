/** The checkpoint on show: fetched, taken apart in a worker, and kept in step with what the reader takes out. */
import { fetchCheckpoint, fetchTarget, type LiveRecord } from "../model/api.ts";
import type { Analysis } from "../model/laboratory.ts";
import type { Reply, Request } from "../model/laboratory-messages.ts";
import type { TrainDocument } from "../../training/target.ts";
import { failed, LOADING, type Loadable } from "./loadable.ts";

/** A checkpoint as drawn. */
export interface Shown {
  readonly step: number;
  readonly analysis: Analysis;
}

/** Checkpoints kept at hand while the reader moves along the slider, in bytes. */
const KEPT = 128e6;

export class LaboratoryStore {
  shown = $state.raw<Loadable<Shown>>(LOADING);
  /** The step being fetched or computed, when that is not the one on show. */
  awaited = $state<number | undefined>();
  /** The answers to the probe without what is out, `input feature`, and what was out for them. */
  after = $state.raw<{ readonly off: readonly string[]; readonly output: Float64Array } | undefined>();

  readonly #worker = new Worker(new URL("../laboratory.worker.ts", import.meta.url), { type: "module" });
  readonly #files = new Map<number, Promise<Uint8Array>>();
  #bytes = 0;
  #target: Promise<Uint8Array> | undefined;
  #off: readonly string[] = [];
  #asking = false;
  #stale = false;

  constructor() {
    this.#worker.addEventListener("message", ({ data }: MessageEvent<Reply>) => this.#take(data));
    this.#worker.addEventListener("error", () => {
      this.shown = failed(new Error("the page's worker could not be started"));
    });
  }

  /** Goes to a checkpoint. When the reader has moved on before it is there, it is left. */
  async show(run: LiveRecord, step: number): Promise<void> {
    if (this.awaited === step) return;
    const there = this.awaited === undefined && this.shown.is === "ready" && this.shown.value.step === step;
    if (there && !this.#stale) return;
    this.awaited = step;
    try {
      const apart = run.kind === "decompose";
      this.#target ??= apart ? fetchTarget(run.name) : undefined;
      const [file, target] = await Promise.all([this.#file(run.name, step), this.#target]);
      if (this.awaited !== step) return;
      const document = (run.kind === "decompose" ? run.document.target : run.document) as TrainDocument;
      this.#stale = false;
      const weights = target ?? file;
      const parts = apart ? { components: file, settings: run.document.settings } : {};
      this.#post({ kind: "load", step, target: document, weights, ...parts, off: this.#off });
    } catch (cause) {
      this.#files.delete(step);
      this.#target = undefined;
      if (this.awaited !== step) return;
      this.awaited = undefined;
      this.shown = failed(cause);
    }
  }

  /** Takes exactly these components out. */
  remove(off: readonly string[]): void {
    this.#off = off;
    if (this.#asking || this.shown.is !== "ready") return;
    this.#asking = true;
    this.#post({ kind: "remove", off });
  }

  /** Forgets what was fetched: a run that is done again writes other checkpoints under the same steps. */
  forget(): void {
    this.#empty();
    this.#target = undefined;
    this.#stale = true;
  }

  close(): void {
    this.#worker.terminate();
  }

  #empty(): void {
    this.#files.clear();
    this.#bytes = 0;
  }

  #post(request: Request): void {
    // Proxies of state cannot be cloned; addresses are plain text.
    this.#worker.postMessage({ ...request, off: [...request.off] });
  }

  #take(reply: Reply): void {
    if (reply.kind === "failed") {
      this.#asking = false;
      if (reply.step !== undefined && reply.step !== this.awaited) return;
      this.awaited = undefined;
      this.shown = failed(reply);
      return;
    }
    if (reply.kind === "load") {
      if (reply.step === this.awaited) this.awaited = undefined;
      this.shown = { is: "ready", value: { step: reply.step, analysis: reply.analysis } };
    } else {
      this.#asking = false;
    }
    this.after = { off: reply.off, output: reply.after };
    if (reply.off.join() !== this.#off.join()) this.remove(this.#off);
  }

  #file(name: string, step: number): Promise<Uint8Array> {
    const kept = this.#files.get(step);
    if (kept) return kept;
    if (this.#bytes > KEPT) this.#empty();
    const file = fetchCheckpoint(name, step);
    this.#files.set(step, file);
    file.then((bytes) => (this.#bytes += bytes.length)).catch(() => this.#files.delete(step));
    return file;
  }
}
