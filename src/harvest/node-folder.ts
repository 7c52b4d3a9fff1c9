/** A harvest in a run's folder: its tables, its document, and what is there of one that stopped. */
import { mkdir, readdir, readFile, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { NamedValues } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import { diskFailure, writeAtomic } from "../file/node-atomic.ts";
import { readSafetensors, writeSafetensors } from "../file/safetensors.ts";
import { type HarvestDocument, parseHarvest } from "./document.ts";
import { writeParquet, type WrittenFile } from "./node-parquet.ts";
import { DiskSpill } from "./node-spill.ts";
import type { Table } from "./tables.ts";

const DOCUMENT = "harvest.json";
const PARTIAL = "partial.safetensors";

export class HarvestFolder {
  readonly path: string;

  /** @param run the run's folder */
  constructor(run: string) {
    this.path = join(run, "harvest");
  }

  /** Where a table lies. */
  tablePath(table: string): string {
    return join(this.path, `${table}.parquet`);
  }

  /** The document, if there is a finished harvest. */
  async document(): Promise<HarvestDocument | undefined> {
    const path = join(this.path, DOCUMENT);
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
      throw error;
    });
    return text === undefined ? undefined : parseHarvest(text, path);
  }

  /** @throws `MissingFile` where there is no finished harvest */
  async expectDocument(): Promise<HarvestDocument> {
    const found = await this.document();
    if (found !== undefined) return found;
    throw new MechanistError("MissingFile", `${this.path}: expected a harvest, got none; mechanist harvest makes one`);
  }

  /** Free bytes of the disk. */
  async freeDisk(): Promise<number> {
    await this.#make();
    const { bavail, bsize } = await statfs(this.path);
    return bavail * bsize;
  }

  /** Where full tables of counts go. */
  spills(): { readonly pairs: DiskSpill; readonly tokens: DiskSpill } {
    return { pairs: new DiskSpill(this.path, "pairs"), tokens: new DiskSpill(this.path, "tokens") };
  }

  /**
   * What is there of a pass that stopped, if it asked for the same.
   *
   * @param identity of what is asked for
   * @throws `BadFile` where it is damaged
   */
  async partial(identity: string): Promise<NamedValues | undefined> {
    const path = join(this.path, PARTIAL);
    const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
      throw error;
    });
    if (bytes === undefined) return undefined;
    const { tensors, metadata } = readSafetensors(bytes, path);
    return metadata.identity === identity ? tensors : undefined;
  }

  /** Keeps what a pass has counted so far. */
  async savePartial(identity: string, tensors: NamedValues): Promise<void> {
    await this.#make();
    await writeAtomic(join(this.path, PARTIAL), writeSafetensors(tensors, { identity }));
  }

  /** Writes the tables, and the document last: a folder that has one is whole. */
  async write(
    tables: Readonly<Record<string, Table>>,
    document: Omit<HarvestDocument, "files">,
  ): Promise<HarvestDocument> {
    await this.#make();
    await rm(join(this.path, DOCUMENT), { force: true });
    const files: Record<string, WrittenFile> = {};
    for (const [name, table] of Object.entries(tables)) {
      files[`${name}.parquet`] = await writeParquet(this.tablePath(name), table);
    }
    const whole = { ...document, files };
    await writeAtomic(join(this.path, DOCUMENT), `${JSON.stringify(whole, null, 2)}\n`);
    await this.clear();
    return whole;
  }

  /** Removes what is there of a pass that stopped. */
  async clear(): Promise<void> {
    const names = await readdir(this.path).catch(() => []);
    for (const name of names) {
      if (name === PARTIAL || /\.(run|tmp)$/.test(name)) await rm(join(this.path, name), { force: true });
    }
  }

  async #make(): Promise<void> {
    await mkdir(this.path, { recursive: true }).catch((cause: unknown) => {
      throw diskFailure(this.path, cause);
    });
  }
}
