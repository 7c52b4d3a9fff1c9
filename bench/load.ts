/**
 * `npm run bench:load -- [--json] [--megabytes n] [--rounds n]`: reading a safetensors file tensor by tensor, as a network is loaded, against
 * reading the same file at once with Node's `readFile`: GB/s of the file, and how far memory rises above the numbers that are kept.
 * Each measurement is a process of its own; the file lies in the system's cache for both, so the disk is not what is measured.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, openSync, rmSync, writeSync, closeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Values } from "../src/engine/values.ts";
import { fileSource } from "../src/file/node-bytes.ts";
import { openSafetensors } from "../src/file/open-safetensors.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    megabytes: { type: "string", default: "512" },
    rounds: { type: "string", default: "5" },
    way: { type: "string" },
    path: { type: "string" },
  },
});

/** One process's measurement. */
interface Load {
  readonly seconds: number;
  readonly fileBytes: number;
  /** Bytes of the arrays that are kept. */
  readonly keptBytes: number;
  /** The most memory that the process ever had, less what it had before. */
  readonly risenBytes: number;
}

interface Row {
  readonly type: string;
  readonly fileBytes: number;
  readonly keptBytes: number;
  /** Medians of the rounds, 10^9 bytes of the file a second. */
  readonly gigabytesPerSecond: number;
  readonly plainGigabytesPerSecond: number;
  /** Ours over plain. */
  readonly ratio: number;
  /** The largest of the rounds, over the bytes kept. */
  readonly peakOverKept: number;
}

const TYPES = { F32: 4, BF16: 2, F16: 2 } as const;

if (values.way !== undefined) console.log(JSON.stringify(await load(values.way, values.path!)));
else {
  const dir = mkdtempSync(join(tmpdir(), "mechanist-load-"));
  try {
    const results = Object.entries(TYPES).map(([type, width]) => measure(dir, type, width));
    if (values.json) console.log(JSON.stringify({ schema: 1, results }));
    else for (const row of results) console.log(line(row));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function load(way: string, path: string): Promise<Load> {
  const before = process.memoryUsage.rss();
  const began = performance.now();
  let keptBytes = 0;
  let fileBytes: number;
  const kept: (Values | Uint8Array)[] = [];
  if (way === "plain") {
    const bytes = await readFile(path);
    kept.push(bytes);
    keptBytes = fileBytes = bytes.length;
  } else {
    const source = await fileSource(path);
    fileBytes = source.size;
    const file = await openSafetensors(source);
    for (const name of file.tensors.keys()) {
      const x = await file.readTensor(name);
      kept.push(x);
      keptBytes += x.data.byteLength;
    }
    await file.close();
  }
  const seconds = (performance.now() - began) / 1000;
  const risenBytes = process.resourceUsage().maxRSS * 1024 - before;
  if (kept.length === 0) throw new Error("nothing was read");
  return { seconds, fileBytes, keptBytes, risenBytes };
}

function measure(dir: string, type: string, width: number): Row {
  const path = join(dir, `${type}.safetensors`);
  writeLayers(path, type, width, Number(values.megabytes) * 1e6);
  const run = (way: string): Load => {
    const args = [fileURLToPath(import.meta.url), "--way", way, "--path", path];
    return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as Load;
  };
  run("plain");
  const rounds = Array.from({ length: Number(values.rounds) }, () => ({ ours: run("ours"), plain: run("plain") }));
  rmSync(path);
  const speed = (way: "ours" | "plain"): number =>
    rounds.map((round) => round[way].fileBytes / round[way].seconds / 1e9).sort((a, b) => a - b)[rounds.length >> 1]!;
  const { fileBytes, keptBytes } = rounds[0]!.ours;
  return {
    type,
    fileBytes,
    keptBytes,
    gigabytesPerSecond: speed("ours"),
    plainGigabytesPerSecond: speed("plain"),
    ratio: speed("ours") / speed("plain"),
    peakOverKept: Math.max(...rounds.map(({ ours }) => ours.risenBytes / ours.keptBytes)),
  };
}

/** Layers as a transformer has them: matrices of 4 million numbers, and a vector of 2048 beside each. */
function writeLayers(path: string, type: string, width: number, bytes: number): void {
  const [matrix, vector] = [2048 * 2048, 2048];
  const layers = Math.max(1, Math.round(bytes / width / (matrix + vector)));
  let at = 0;
  const place = (shape: readonly number[], count: number): object => {
    const start = at;
    at += count * width;
    return { dtype: type, shape, data_offsets: [start, at] };
  };
  const tensors = Array.from({ length: layers }, (_, i) => [
    [`layers.${i}.weight`, place([2048, 2048], matrix)],
    [`layers.${i}.norm`, place([2048], vector)],
  ]).flat();
  const header = Buffer.from(JSON.stringify(Object.fromEntries(tensors)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  // 0x3c in every byte is a small number in each of the types.
  const layer = Buffer.alloc((matrix + vector) * width, 0x3c);
  const file = openSync(path, "w");
  writeSync(file, length);
  writeSync(file, header);
  for (let i = 0; i < layers; i++) writeSync(file, layer);
  closeSync(file);
}

function line({ type, fileBytes, gigabytesPerSecond, plainGigabytesPerSecond, ratio, peakOverKept }: Row): string {
  return [
    type.padEnd(6),
    `${(fileBytes / 1e6).toFixed(0)} MB`.padStart(8),
    `${gigabytesPerSecond.toFixed(2)} GB/s`.padStart(12),
    `readFile ${plainGigabytesPerSecond.toFixed(2)} GB/s`.padStart(22),
    `ratio ${ratio.toFixed(2)}`.padStart(12),
    `peak ${peakOverKept.toFixed(3)} of what is kept`.padStart(30),
  ].join("");
}
