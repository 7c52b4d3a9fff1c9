/** Tables as Parquet files, a group of rows at a time, whole or not at all. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type ColumnSource, fileWriter, ParquetWriter } from "hyparquet-writer";
import { diskFailure, TEMPORARY } from "../file/node-atomic.ts";
import type { ColumnKind, Row, Table } from "./tables.ts";

/** What was written. */
export interface WrittenFile {
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
}

type SchemaElement = ConstructorParameters<typeof ParquetWriter>[0]["schema"][number];

const GROUP = 10_000;
const TYPES: Readonly<Record<string, Partial<SchemaElement>>> = {
  i32: { type: "INT32" },
  f64: { type: "DOUBLE" },
  f32: { type: "FLOAT" },
  text: { type: "BYTE_ARRAY", converted_type: "UTF8" },
};

/** @throws `DiskFailure`; the file is then as it was */
export async function writeParquet(path: string, { columns, rows }: Table): Promise<WrittenFile> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}${TEMPORARY}`);
  try {
    const writer = new ParquetWriter({
      writer: fileWriter(temporary),
      schema: schemaOf(columns),
      createdBy: "mechanist",
    });
    let count = 0;
    let group: Row[] = [];
    const write = async (): Promise<void> => {
      await writer.write({ columnData: columnsOf(columns, group), rowGroupSize: GROUP });
      count += group.length;
      group = [];
    };
    for (const row of rows) {
      group.push(row);
      if (group.length === GROUP) await write();
    }
    if (group.length > 0) await write();
    await writer.finish();
    const handle = await open(temporary, "r+");
    await handle.sync();
    await handle.close();
    await rename(temporary, path);
    return { rows: count, bytes: (await stat(path)).size, sha256: await sha256Of(path) };
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw diskFailure(path, cause);
  }
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  return hash.digest("hex");
}

function schemaOf(columns: Readonly<Record<string, ColumnKind>>): SchemaElement[] {
  const elements = Object.entries(columns).flatMap(([name, kind]): SchemaElement[] => {
    const repetition_type = kind.endsWith("?") ? "OPTIONAL" : "REQUIRED";
    const [base] = kind.split(/[[?]/) as [string];
    if (!kind.includes("[]")) return [{ name, repetition_type, ...TYPES[base] }];
    return [
      { name, repetition_type, converted_type: "LIST", num_children: 1 },
      { name: "list", repetition_type: "REPEATED", num_children: 1 },
      { name: "element", repetition_type: "REQUIRED", ...TYPES[base] },
    ];
  });
  return [{ name: "root", num_children: Object.keys(columns).length }, ...elements];
}

function columnsOf(columns: Readonly<Record<string, ColumnKind>>, rows: readonly Row[]): ColumnSource[] {
  return Object.entries(columns).map(([name, kind]) => ({
    name,
    data: rows.map((row) => {
      const cell = row[name];
      if (cell === undefined) return undefined;
      return kind.includes("[]") ? Array.from(cell as ArrayLike<number | string>) : cell;
    }),
  }));
}
