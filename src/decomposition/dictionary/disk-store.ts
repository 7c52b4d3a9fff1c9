/**
 * Tables of rows that are shuffled over more than fits in memory. The rows of a pool go to files, each to one that a permutation of the whole pool says, and
 * a file at a time comes back as a table, its rows in the places that the permutation says: the same order as if all had been in memory.
 */
import { type NamedValues, values } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import { foldIn, type Key } from "../../tensor/index.ts";
import type { RowDisk } from "../../training/loop.ts";
import { permuted } from "./permuted.ts";
import type { ActivationSource, RowPoint } from "./rows.ts";
import { memoryTables, RowReader, type RowTables, type StoreOptions } from "./store.ts";

/** So many numbers of rows are held in memory at once, at most: 256 MiB. */
const MOST_IN_MEMORY = 2 ** 26;

export interface TableOptions extends StoreOptions {
  readonly disk?: RowDisk;
  /** Numbers of rows that are held in memory at once. */
  readonly mostInMemory?: number;
}

/**
 * Tables of shuffled rows: in memory, or on disk where they are too many.
 *
 * @throws `BadArgument` where they are too many and there is no disk
 */
export function rowTables(
  source: ActivationSource,
  points: readonly RowPoint[],
  rows: number,
  key: Key,
  { disk, mostInMemory = MOST_IN_MEMORY, ...options }: TableOptions = {},
): Promise<RowTables> {
  const width = points.reduce((sum, point) => sum + point.width, 0);
  const files = Math.ceil((rows * width) / mostInMemory);
  if (files <= 1) return memoryTables(source, points, rows, key, options);
  if (disk === undefined) {
    const most = Math.floor(mostInMemory / width);
    throw new MechanistError(
      "BadArgument",
      `storeRows: expected at most ${most} rows ${width} wide without a disk, got ${rows}`,
    );
  }
  return diskTables({ source, points, rows: Math.floor(rows / files), files, key, disk }, options);
}

interface Pool {
  readonly source: ActivationSource;
  readonly points: readonly RowPoint[];
  /** Rows of a file, and how many files there are. */
  readonly rows: number;
  readonly files: number;
  readonly key: Key;
  readonly disk: RowDisk;
}

async function diskTables(pool: Pool, options: StoreOptions): Promise<RowTables> {
  const { source, points, rows, files, key, disk } = pool;
  const reader = await RowReader.open(source, points, options);
  let filled = -1;
  return {
    rows,
    table: async (index) => {
      const [number, file] = [Math.floor(index / files), index % files];
      if (number !== filled) {
        await disk.clear();
        await fill(pool, reader, foldIn(key, number), options.signal);
        filled = number;
      }
      const places = await disk.read(`${file}.places`);
      const found = points.map(async ({ name, width }, p): Promise<[string, NamedValues[string]]> => {
        const stored = await disk.read(`${file}.${p}`);
        const data = new Float32Array(rows * width);
        places.forEach((place, i) => data.set(stored.subarray(i * width, (i + 1) * width), place * width));
        return [name, values("row d", [rows, width], data)];
      });
      return Object.fromEntries(await Promise.all(found));
    },
    dispose: async () => {
      await reader.dispose();
      await disk.clear();
    },
  };
}

/** Runs the network and sends every row to its file. */
async function fill(
  { points, rows, files, disk }: Pool,
  reader: RowReader,
  own: Key,
  signal: AbortSignal | undefined,
): Promise<void> {
  const [total, order, drawn] = [rows * files, foldIn(own, "order"), foldIn(own, "rows")];
  for (let done = 0, run = 0; done < total; run++) {
    signal?.throwIfAborted();
    const found = await reader.read(foldIn(drawn, run));
    const count = Math.min(total - done, found[points[0]!.name]!.shape[0]!);
    const sent = Array.from({ length: files }, (): number[] => []);
    const places = Array.from({ length: files }, (): number[] => []);
    for (let i = 0; i < count; i++) {
      const at = permuted(order, done + i, total);
      const file = Math.floor(at / rows);
      sent[file]!.push(i);
      places[file]!.push(at % rows);
    }
    for (let file = 0; file < files; file++) {
      await disk.append(`${file}.places`, Float32Array.from(places[file]!));
      for (const [p, { name, width }] of points.entries()) {
        const data = new Float32Array(sent[file]!.length * width);
        sent[file]!.forEach((row, i) => {
          data.set(found[name]!.data.subarray(row * width, (row + 1) * width) as Float32Array, i * width);
        });
        await disk.append(`${file}.${p}`, data);
      }
    }
    done += count;
  }
}
