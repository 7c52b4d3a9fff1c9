/** `checkpoints/step-000500.safetensors`: everything needed to go on from a step to the same bits. */
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { MechanistError } from "../error.ts";
import type { Checkpoint } from "../training/loop.ts";
import { diskFailure, type Files, writeAtomic } from "../file/node-atomic.ts";
import { readSafetensors, writeSafetensors } from "../file/safetensors.ts";

/** The version of what a checkpoint's metadata and names mean. */
const CHECKPOINT_SCHEMA = 1;
const FOLDER = "checkpoints";
const NAME = /^step-(\d{6,})\.safetensors$/;

/** The checkpoints of one run folder. */
export class Checkpoints {
  readonly #folder: string;
  readonly #digest: string;
  readonly #files: Files | undefined;

  /**
   * @param digest of the run's document, by which a checkpoint that belongs to another run is known
   * @param files  a test's, that fail
   */
  constructor(run: string, digest: string, files?: Files) {
    this.#folder = join(run, FOLDER);
    this.#digest = digest;
    this.#files = files;
  }

  /** Where the checkpoint of a step lies, or would. */
  pathOf(step: number): string {
    return join(this.#folder, `step-${String(step).padStart(6, "0")}.safetensors`);
  }

  /** The steps that have a checkpoint, rising. */
  async steps(): Promise<number[]> {
    const names = await readdir(this.#folder).catch(emptyWhenMissing);
    const steps = names.flatMap((name) => NAME.exec(name)?.[1] ?? []);
    return steps.map(Number).sort((a, b) => a - b);
  }

  /** @throws `DiskFailure` with earlier checkpoints as they were and no temporary file left */
  async save({ step, tensors }: Checkpoint): Promise<void> {
    await mkdir(this.#folder, { recursive: true }).catch((cause: unknown) => {
      throw diskFailure(this.#folder, cause);
    });
    const about = { step: String(step), schema: String(CHECKPOINT_SCHEMA), digest: this.#digest };
    const bytes = writeSafetensors(tensors, about);
    await writeAtomic(this.pathOf(step), bytes, this.#files);
  }

  /** @throws `MissingFile`, `BadFile` or `NewerSchema` */
  async load(step: number): Promise<Checkpoint> {
    const path = this.pathOf(step);
    const bytes = await readFile(path).catch((cause: unknown) => {
      throw new MechanistError("MissingFile", `${path}: expected a checkpoint, got none`, {}, { cause });
    });
    const { tensors, metadata } = readSafetensors(bytes, path);
    const schema = Number(metadata.schema ?? CHECKPOINT_SCHEMA);
    if (schema > CHECKPOINT_SCHEMA) {
      throw new MechanistError("NewerSchema", `${path}: expected schema ${CHECKPOINT_SCHEMA}, got ${schema}`);
    }
    if (metadata.step !== String(step)) {
      throw new MechanistError("BadFile", `${path}: expected step ${step}, got ${metadata.step ?? "none"}`);
    }
    if ((metadata.digest ?? this.#digest) !== this.#digest) {
      throw new MechanistError("BadFile", `${path}: expected a checkpoint of this run, got one of another`);
    }
    return { step, tensors };
  }

  /**
   * The latest checkpoint, which must be good.
   *
   * @param check throws `BadFile` when the tensors are not those of this run
   */
  async latest(check: (checkpoint: Checkpoint) => void): Promise<Checkpoint> {
    const step = (await this.steps()).at(-1);
    if (step === undefined) throw new MechanistError("MissingFile", `${this.#folder}: expected a checkpoint, got none`);
    const checkpoint = await this.load(step);
    check(checkpoint);
    return checkpoint;
  }

  /**
   * The latest checkpoint that is good, to go on from; absent when none is. Those after it are removed, because the run will
   * come by their steps again.
   *
   * @param warn told of each one that is not good
   */
  async lastGood(
    check: (checkpoint: Checkpoint) => void,
    warn: (why: string) => void,
  ): Promise<Checkpoint | undefined> {
    for (const step of (await this.steps()).reverse()) {
      try {
        const checkpoint = await this.load(step);
        check(checkpoint);
        return checkpoint;
      } catch (error) {
        if (!(error instanceof MechanistError) || error.code !== "BadFile") throw error;
        warn(`${error.message}; going back to the checkpoint before it`);
        await rm(this.pathOf(step), { force: true });
      }
    }
    return undefined;
  }
}

function emptyWhenMissing(error: NodeJS.ErrnoException): string[] {
  if (error.code === "ENOENT") return [];
  throw error;
}
