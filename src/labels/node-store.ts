/** Labels in a run's folder: one JSON object a line, only ever added to, so that work that stops has lost nothing. */
import { mkdir, open, readFile, rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { MechanistError } from "../error.ts";
import { diskFailure } from "../file/node-atomic.ts";
import type { Labelled } from "./score.ts";

const score = z.strictObject({ right: z.int(), n: z.int(), unanswered: z.int() });
const line = z.strictObject({
  /** Of the harvest, the model, the prompts and the trials. */
  identity: z.string(),
  address: z.string(),
  label: z.string().optional(),
  reasoning: z.string().optional(),
  scores: z.strictObject({ detection: score.optional(), fuzzing: score.optional(), intruder: score.optional() }),
  usage: z.strictObject({ calls: z.int(), promptTokens: z.int(), completionTokens: z.int() }),
});

/** The labels of one model. */
export class LabelStore {
  readonly path: string;
  readonly #identity: string;
  readonly #folder: string;
  #writing: Promise<void> = Promise.resolve();

  /** @param identity labels of another are not mixed with these */
  constructor(run: string, model: string, identity: string) {
    this.#folder = join(run, "labels");
    this.path = join(this.#folder, `${model.replaceAll(/[^\w.-]+/g, "_").slice(0, 100)}.jsonl`);
    this.#identity = identity;
  }

  /**
   * What is there, after taking back a half-written line.
   *
   * @throws `BadFile` where a line is none of ours; `BadArgument` where the labels are of other settings
   */
  async resume(): Promise<Labelled[]> {
    const bytes = await readFile(this.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
      throw error;
    });
    if (bytes === undefined) return [];
    const whole = bytes.lastIndexOf(10) + 1;
    if (whole < bytes.length) await truncate(this.path, whole);
    const lines = bytes
      .subarray(0, whole)
      .toString("utf8")
      .split("\n")
      .filter((text) => text !== "");
    return lines.map((text, i) => this.#read(text, i + 1));
  }

  #read(text: string, number: number): Labelled {
    let content: unknown;
    try {
      content = JSON.parse(text);
    } catch {
      content = undefined;
    }
    const parsed = line.safeParse(content);
    if (!parsed.success)
      throw new MechanistError("BadFile", `${this.path}: line ${number}: expected a label, got something else`);
    const { identity, ...labelled } = parsed.data;
    if (identity !== this.#identity) {
      throw new MechanistError(
        "BadArgument",
        `${this.path}: expected labels of this harvest and these settings, got others; without --resume they are replaced`,
      );
    }
    return labelled as Labelled;
  }

  /** Forgets what is there. */
  async clear(): Promise<void> {
    await rm(this.path, { force: true });
  }

  /** Adds a label, one after another. @throws `DiskFailure` */
  async add(labelled: Labelled): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      try {
        await mkdir(this.#folder, { recursive: true });
        const handle = await open(this.path, "a");
        try {
          await handle.appendFile(`${JSON.stringify({ identity: this.#identity, ...labelled })}\n`);
          await handle.sync();
        } finally {
          await handle.close();
        }
      } catch (cause) {
        throw diskFailure(this.path, cause);
      }
    });
    return this.#writing;
  }
}
