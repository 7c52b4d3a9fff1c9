/** Rows of numbers on disk, in files that are only added to and removed when nobody needs them: what does not fit in memory. */
import { appendFile, mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { diskFailure } from "./node-atomic.ts";

export class RowFiles {
  readonly #folder: string;

  /** @param folder is made when the first rows come, and removed with `clear` */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @throws `DiskFailure` when the disk is full or refuses */
  async append(name: string, rows: Float32Array): Promise<void> {
    const path = join(this.#folder, name);
    try {
      await mkdir(this.#folder, { recursive: true });
      await appendFile(path, new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength));
    } catch (cause) {
      throw diskFailure(path, cause);
    }
  }

  async read(name: string): Promise<Float32Array> {
    const bytes = await readFile(join(this.#folder, name));
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  }

  /** Removes all of them. */
  async clear(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
