/** Full tables of counts on disk: each run a file of keys and counts, piece by piece. */
import { closeSync, fstatSync, openSync, readdirSync, readSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { diskFailure } from "../file/node-atomic.ts";
import type { CountRun, Spill } from "./counts.ts";

/** Entries of a piece. */
const PIECE = 2 ** 14;

export class DiskSpill implements Spill {
  readonly #folder: string;
  readonly #name: string;
  #runs = 0;

  /** @param name tells these runs from others in the folder */
  constructor(folder: string, name: string) {
    this.#folder = folder;
    this.#name = name;
  }

  get runs(): number {
    return this.#runs;
  }

  /** @throws `DiskFailure` */
  write({ keys, counts }: CountRun): void {
    const path = this.#pathOf(this.#runs);
    try {
      const file = openSync(path, "w");
      try {
        for (let at = 0; at < keys.length; at += PIECE) {
          for (const numbers of [keys, counts]) writeAll(file, numbers.slice(at, at + PIECE));
        }
      } finally {
        closeSync(file);
      }
    } catch (cause) {
      rmSync(path, { force: true });
      throw diskFailure(path, cause);
    }
    this.#runs++;
  }

  *read(index: number): Generator<CountRun> {
    const file = openSync(this.#pathOf(index), "r");
    try {
      let left = fstatSync(file).size / 16;
      while (left > 0) {
        const count = Math.min(PIECE, left);
        yield { keys: readAll(file, count), counts: readAll(file, count) };
        left -= count;
      }
    } finally {
      closeSync(file);
    }
  }

  keep(runs: number): void {
    this.#runs = runs;
    const pattern = new RegExp(`^${this.#name}-(\\d+)\\.run$`);
    for (const name of readdirSync(this.#folder)) {
      const index = pattern.exec(name)?.[1];
      if (index !== undefined && Number(index) >= runs) rmSync(join(this.#folder, name), { force: true });
    }
  }

  #pathOf(index: number): string {
    return join(this.#folder, `${this.#name}-${index}.run`);
  }
}

function writeAll(file: number, numbers: Float64Array): void {
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
}

function readAll(file: number, count: number): Float64Array {
  const bytes = new Uint8Array(count * 8);
  for (let at = 0; at < bytes.length;) {
    const got = readSync(file, bytes, at, bytes.length - at, null);
    if (got === 0) break;
    at += got;
  }
  return new Float64Array(bytes.buffer);
}
