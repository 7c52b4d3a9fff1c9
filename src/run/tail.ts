/** Reading a file that another process is adding to. */
import { open } from "node:fs/promises";
import { sizeOfFile } from "../file/node-bytes.ts";
import type { MetricsRow } from "../training/loop.ts";
import { parseMetrics } from "./metrics.ts";

/** The bytes from `offset` to the end, or at most `length` of them; none when there is no file yet. */
export async function readFrom(path: string, offset: number, length = Infinity): Promise<Uint8Array<ArrayBuffer>> {
  const size = await sizeOfFile(path);
  if (size <= offset) return new Uint8Array();
  const handle = await open(path, "r");
  try {
    const bytes = new Uint8Array(Math.min(length, size - offset));
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, offset);
    return bytes.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Longer than any row. */
const ROW_BYTES = 16_384;

/** The last whole row of `metrics.jsonl`, without reading all of it; absent when there is none. */
export async function lastRow(path: string): Promise<MetricsRow | undefined> {
  const start = Math.max(0, (await sizeOfFile(path)) - ROW_BYTES);
  const bytes = await readFrom(path, start);
  // What comes before the first line's end may be the end of a row.
  const from = start === 0 ? 0 : bytes.indexOf(0x0a) + 1;
  return parseMetrics(bytes.subarray(from)).rows.at(-1)?.row;
}
