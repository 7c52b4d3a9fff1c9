/** A run is a folder: what was asked for, what came of it, and enough to go on from wherever it stopped. */
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { NamedValues } from "../engine/values.ts";
import { MechanistError } from "../error.ts";
import { diskFailure, TEMPORARY, writeAtomic } from "../file/node-atomic.ts";
import { Checkpoints } from "./checkpoints.ts";
import { digestOf } from "./digest.ts";
import { type DecomposeRecord, parseRunRecord, RUN_SCHEMA, type RunRecord, type TrainRecord } from "./document.ts";
import type { MetricsRow } from "../training/loop.ts";
import { MetricsLog, parseMetrics } from "./metrics.ts";
import { readFrom } from "./tail.ts";
import { effectiveStatus, processStart } from "./process.ts";
import { TEXTS, withoutTexts, withTexts, writeTexts } from "./texts.ts";
import { readSafetensors, writeSafetensors } from "../file/safetensors.ts";

const RECORD = "run.json";
const METRICS = "metrics.jsonl";
const TARGET = "target.safetensors";

type Generated = "schema" | "name" | "createdAt" | "status" | "pid" | "pidStarted" | "digest";
/** What the maker of a run says; the rest is filled in. */
export type NewRun = Omit<TrainRecord, Generated> | Omit<DecomposeRecord, Generated>;
/** What changes while a run goes on. */
export type RunChange = Partial<Pick<RunRecord, "status" | "environment" | "result">> & {
  /** `null` takes the error of an earlier attempt away. */
  readonly error?: RunRecord["error"] | null;
};

export class RunFolder {
  readonly path: string;
  readonly checkpoints: Checkpoints;
  #record: RunRecord;

  private constructor(path: string, record: RunRecord) {
    this.path = path;
    this.checkpoints = new Checkpoints(path, record.digest);
    this.#record = record;
  }

  /**
   * Makes the folder of a new run, which this process writes.
   *
   * @param path   must not exist, or hold nothing but what a crash left of a run that had hardly begun
   * @param target the weights of the network that is to be taken apart, kept so that the folder needs no other
   */
  static async create(path: string, run: NewRun, target?: NamedValues): Promise<RunFolder> {
    const absolute = resolve(path);
    await mkdir(absolute, { recursive: true }).catch((cause: unknown) => {
      throw diskFailure(absolute, cause);
    });
    const taken = (await readdir(absolute)).filter(
      (name) => ![TARGET, TEXTS].includes(name) && !name.endsWith(TEMPORARY),
    );
    if (taken.length > 0) {
      throw new MechanistError("BadArgument", `${path}: expected a new or empty folder, got one with files in it`);
    }
    const { document, texts } = withoutTexts(run.document);
    const { kind, ...rest } = { ...run, document };
    const about = { schema: RUN_SCHEMA, kind, name: basename(absolute), createdAt: new Date().toISOString() };
    const record = { ...about, status: "running", ...self(), digest: digestOf(document), ...rest } as RunRecord;
    const folder = new RunFolder(absolute, record);
    await folder.#sweep();
    // The record last: a folder that has one is a run that can be gone on with.
    await writeTexts(absolute, texts);
    if (target !== undefined) await writeAtomic(folder.targetPath, writeSafetensors(target, { schema: "1" }));
    await folder.#write();
    return folder;
  }

  /** @throws `MissingFile` when there is no run; `BadFile` or `NewerSchema` when it cannot be read */
  static async open(path: string): Promise<RunFolder> {
    const absolute = resolve(path);
    const file = join(absolute, RECORD);
    const text = await readFile(file, "utf8").catch((cause: unknown) => {
      throw new MechanistError("MissingFile", `${path}: expected a run folder with ${RECORD}, got none`, {}, { cause });
    });
    // The folder's name is the run's, so that a copy or a renamed one can be told from its original.
    return new RunFolder(absolute, { ...parseRunRecord(text, file), name: basename(absolute) });
  }

  get record(): RunRecord {
    return this.#record;
  }

  /** A document of this run with the long texts that `run.json` has only the digests of. */
  withTexts<D>(document: D): Promise<D> {
    return withTexts(document, this.path);
  }

  get name(): string {
    return this.#record.name;
  }

  get metricsPath(): string {
    return join(this.path, METRICS);
  }

  get targetPath(): string {
    return join(this.path, TARGET);
  }

  /**
   * Makes this process the one that writes a run that stopped, and clears away what a crash left behind.
   *
   * @throws `Refused` when another process is writing it
   */
  async takeOver(environment: RunRecord["environment"]): Promise<void> {
    const { pid } = this.#record;
    if (effectiveStatus(this.#record) === "running" && pid !== process.pid) {
      throw new MechanistError("Refused", `${this.path}: process ${pid} is writing this run`, { pid });
    }
    await this.#sweep();
    this.#record = { ...this.#record, ...self() };
    await this.update({ status: "running", environment, error: null });
  }

  /** Writes `run.json` anew. */
  async update({ error, ...change }: RunChange): Promise<void> {
    const { error: before, ...rest } = this.#record;
    const now = error === undefined ? before : error;
    this.#record = { ...rest, ...change, ...(now && { error: now }) } as RunRecord;
    await this.#write();
  }

  /** Opens `metrics.jsonl` for adding to; rows of steps beyond `after` are taken back. */
  metricsLog(after: number): Promise<MetricsLog> {
    return MetricsLog.open(this.metricsPath, after);
  }

  /** What was recorded so far; nothing of an imported run, which took no steps here. */
  async metrics(): Promise<MetricsRow[]> {
    return parseMetrics(await readFrom(this.metricsPath, 0)).rows.map(({ row }) => row);
  }

  async loadTarget(): Promise<NamedValues> {
    const bytes = await readFile(this.targetPath).catch((cause: unknown) => {
      throw new MechanistError(
        "MissingFile",
        `${this.targetPath}: expected the network's weights, got none`,
        {},
        { cause },
      );
    });
    return readSafetensors(bytes, this.targetPath).tensors;
  }

  /** Removes the temporary files that a crash left. */
  async #sweep(): Promise<void> {
    for (const folder of [this.path, join(this.path, "checkpoints"), join(this.path, TEXTS)]) {
      const names = await readdir(folder).catch(() => []);
      for (const name of names) if (name.endsWith(TEMPORARY)) await rm(join(folder, name), { force: true });
    }
  }

  #write(): Promise<void> {
    return writeAtomic(join(this.path, RECORD), `${JSON.stringify(this.#record, null, 2)}\n`);
  }
}

function self(): Pick<RunRecord, "pid" | "pidStarted"> {
  return { pid: process.pid, pidStarted: processStart(process.pid) };
}
