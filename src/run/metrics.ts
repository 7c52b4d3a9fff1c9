/** `metrics.jsonl`: one JSON object a line, only ever added to, except that a resumed run takes back what lies after its start. */
import { type FileHandle, open, readFile, truncate } from "node:fs/promises";
import type { MetricsRow } from "../training/loop.ts";
import { diskFailure } from "../file/node-atomic.ts";

/** A log that is being written. */
export class MetricsLog {
  /** The rows that were there when it was opened, without those that were taken back. */
  readonly earlier: readonly MetricsRow[];
  readonly #path: string;
  readonly #handle: FileHandle;

  private constructor(path: string, handle: FileHandle, earlier: readonly MetricsRow[]) {
    this.earlier = earlier;
    this.#path = path;
    this.#handle = handle;
  }

  /**
   * Opens a log for adding to.
   *
   * @param after rows of steps beyond this are taken back first, with whatever was half-written
   */
  static async open(path: string, after: number): Promise<MetricsLog> {
    try {
      const handle = await open(path, "a");
      const { rows } = parseMetrics(await readFile(path));
      const taken = rows.findIndex(({ row }) => row.step > after);
      const kept = taken < 0 ? rows : rows.slice(0, taken);
      await truncate(path, kept.at(-1)?.end ?? 0);
      return new MetricsLog(
        path,
        handle,
        kept.map(({ row }) => row),
      );
    } catch (cause) {
      throw diskFailure(path, cause);
    }
  }

  /** Adds a row. */
  async append(row: MetricsRow): Promise<void> {
    try {
      await this.#handle.appendFile(`${JSON.stringify(row)}\n`);
    } catch (cause) {
      throw diskFailure(this.#path, cause);
    }
  }

  /** Makes the rows so far last: a checkpoint must never be ahead of them. */
  async sync(): Promise<void> {
    try {
      await this.#handle.sync();
    } catch (cause) {
      throw diskFailure(this.#path, cause);
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** A row with the byte after its line's end. */
export interface PlacedRow {
  readonly row: MetricsRow;
  readonly end: number;
}

const NEWLINE = 0x0a;

/**
 * The whole rows at the start of some bytes. A last line without its end is left for later; a line that is not a row ends the
 * reading, because what follows a torn write cannot be trusted.
 *
 * @param offset of the bytes in their file, for `end`
 */
export function parseMetrics(bytes: Uint8Array, offset = 0): { rows: readonly PlacedRow[]; whole: boolean } {
  const rows: PlacedRow[] = [];
  const decoder = new TextDecoder();
  for (let start = 0; start < bytes.length;) {
    const newline = bytes.indexOf(NEWLINE, start);
    if (newline < 0) return { rows, whole: false };
    const row = parseRow(decoder.decode(bytes.subarray(start, newline)));
    if (row === undefined) return { rows, whole: false };
    rows.push({ row, end: offset + newline + 1 });
    start = newline + 1;
  }
  return { rows, whole: true };
}

function parseRow(line: string): MetricsRow | undefined {
  try {
    const row = JSON.parse(line) as MetricsRow | null;
    return typeof row?.step === "number" ? row : undefined;
  } catch {
    return undefined;
  }
}
