/**
 * A run as a stream of events, from its files: the whole history first, then whatever is added. Who comes late or comes back sees the
 * same as who was there, and it does not matter which process writes the run.
 *
 * | event | data | id |
 * |---|---|---|
 * | `run` | `run.json` with the status as it really is, whenever that changes | |
 * | `metrics` | one row of `metrics.jsonl` | the byte after the row in the file |
 * | `checkpoint` | `{step}` | |
 * | `reset` | `{}`: rows were taken back, because the run was resumed; all of them follow anew | `0` |
 */
import type { Context } from "hono";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import { MechanistError } from "../error.ts";
import { RunFolder } from "../run/folder.ts";
import { parseMetrics } from "../run/metrics.ts";
import { readFrom } from "../run/tail.ts";
import { live } from "./live.ts";

const LOOK_EVERY = 150; // ms
/** A comment now and then finds out whether anybody still listens. */
const SIGN_OF_LIFE_EVERY = 15_000; // ms

/** Answers with the events of a run until the listener leaves. */
export function runEvents(context: Context, run: RunFolder): Response {
  context.header("x-accel-buffering", "no");
  const resumeAt = Number(context.req.header("last-event-id") ?? 0);
  return streamSSE(context, async (stream) => {
    const follower = new Follower(stream, run.path, Number.isSafeInteger(resumeAt) && resumeAt > 0 ? resumeAt : 0);
    let quietSince = Date.now();
    while (!stream.aborted && !stream.closed) {
      if (await follower.look()) quietSince = Date.now();
      if (Date.now() - quietSince > SIGN_OF_LIFE_EVERY) {
        await stream.write(":\n\n");
        quietSince = Date.now();
      }
      await stream.sleep(LOOK_EVERY);
    }
  });
}

class Follower {
  readonly #stream: SSEStreamingApi;
  readonly #path: string;
  #offset: number;
  #record = "";
  #checkpoints = new Set<number>();

  constructor(stream: SSEStreamingApi, path: string, offset: number) {
    this.#stream = stream;
    this.#path = path;
    this.#offset = offset;
  }

  /** Sends what is new; answers whether anything was. */
  async look(): Promise<boolean> {
    let run: RunFolder;
    try {
      run = await RunFolder.open(this.#path);
    } catch (error) {
      // Removed while somebody looks: there is nothing more to tell.
      if (!(error instanceof MechanistError)) throw error;
      await this.#stream.close();
      return false;
    }
    const sent = [await this.#lookAtRows(run), await this.#lookAtCheckpoints(run), await this.#lookAtRecord(run)];
    return sent.some(Boolean);
  }

  async #lookAtRecord(run: RunFolder): Promise<boolean> {
    const record = JSON.stringify(live(run.record));
    if (record === this.#record) return false;
    this.#record = record;
    await this.#stream.writeSSE({ event: "run", data: record });
    return true;
  }

  async #lookAtRows(run: RunFolder): Promise<boolean> {
    if (await this.#isCut(run)) await this.#reset();
    const { rows } = parseMetrics(await readFrom(run.metricsPath, this.#offset), this.#offset);
    for (const { row, end } of rows) {
      await this.#stream.writeSSE({ event: "metrics", id: String(end), data: JSON.stringify(row) });
      this.#offset = end;
    }
    return rows.length > 0;
  }

  /** Whether the place reached is no longer the end of a row: the file was cut, and may have grown again since. */
  async #isCut(run: RunFolder): Promise<boolean> {
    if (this.#offset === 0) return false;
    const [before] = await readFrom(run.metricsPath, this.#offset - 1, 1);
    return before !== 0x0a;
  }

  async #lookAtCheckpoints(run: RunFolder): Promise<boolean> {
    const steps = await run.checkpoints.steps();
    const fresh = steps.filter((step) => !this.#checkpoints.has(step));
    for (const step of fresh) await this.#stream.writeSSE({ event: "checkpoint", data: JSON.stringify({ step }) });
    this.#checkpoints = new Set(steps);
    return fresh.length > 0;
  }

  async #reset(): Promise<void> {
    this.#offset = 0;
    this.#checkpoints.clear();
    await this.#stream.writeSSE({ event: "reset", id: "0", data: "{}" });
  }
}
