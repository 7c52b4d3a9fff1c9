/** Documents out of a Parquet file, a row group at a time: a column of text, or one of token ids. */
import {
  type AsyncBuffer,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from "hyparquet";
import { type Compressors, compressors } from "hyparquet-compressors";
import { MechanistError } from "../error.ts";
import type { ByteSource } from "../file/bytes.ts";
import { asContent, missing, type StoredDocument } from "./text-documents.ts";
import { quoted } from "../file/json.ts";

/** A page may unpack to this much: writers make pages of about a megabyte, and a damaged header may say anything. */
const LARGEST_PAGE = 1 << 28; // bytes
/** Values of a column in a row group. */
const MOST_VALUES = 1 << 28;

/** Decompressors that allocate nothing on the word of a damaged header. */
const CHECKED: Compressors = Object.fromEntries(
  Object.entries(compressors).map(([codec, unpack]) => [
    codec,
    (input: Uint8Array, length: number) => {
      if (!(length >= 0 && length <= LARGEST_PAGE)) throw new Error(`a page of ${length} bytes`);
      return unpack(input, length);
    },
  ]),
);

/**
 * The documents of a Parquet file, in the order of its rows. One row group of one column is in memory at a time.
 *
 * @param column text, or lists of whole numbers
 * @throws `BadFile` where the bytes are no whole Parquet file, or the column is not there or holds something else
 */
export async function* parquetDocuments(source: ByteSource, column: string): AsyncGenerator<StoredDocument> {
  const file: AsyncBuffer = {
    byteLength: source.size,
    slice: async (start, end = source.size) => {
      const bytes = await source.read(start, Math.min(end, source.size));
      return bytes.buffer as ArrayBuffer;
    },
  };
  const metadata = await reading(source, () => readMetadata(file));
  const columns = parquetSchema(metadata).children.map((child) => child.element.name);
  if (!columns.includes(column)) throw missing(source.name, "column", column, columns);
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    const rows = await reading(source, async () => {
      for (const { meta_data: chunk } of group.columns) {
        if (chunk === undefined || !(chunk.num_values >= 0n && chunk.num_values <= MOST_VALUES))
          throw new Error(`${chunk?.num_values ?? "no"} values in a column`);
      }
      const objects = await parquetReadObjects({
        file,
        metadata,
        columns: [column],
        rowStart,
        rowEnd,
        compressors: CHECKED,
      });
      if (objects.length !== rowEnd - rowStart)
        throw new Error(`${objects.length} rows instead of ${rowEnd - rowStart}`);
      return objects;
    });
    for (const [i, row] of rows.entries()) {
      const where = `${source.name}, row ${rowStart + i}`;
      yield { content: asContent(row[column], `${where}: column ${quoted(column)}`), where };
    }
    rowStart = rowEnd;
  }
  if (rowStart === 0) throw new MechanistError("BadFile", `${source.name}: expected rows, got none`);
}

async function readMetadata(file: AsyncBuffer): Promise<FileMetaData> {
  const MAGIC = "PAR1";
  const text = async (start: number): Promise<string> =>
    String.fromCharCode(...new Uint8Array(await file.slice(start, start + MAGIC.length)));
  // The shortest file has the mark twice and a length between.
  if (file.byteLength < 12 || (await text(0)) !== MAGIC) throw new Error("something else");
  if ((await text(file.byteLength - MAGIC.length)) !== MAGIC) throw new Error("one that is cut off");
  return parquetMetadataAsync(file);
}

/** What the library throws at bytes that are wrong, as one of our errors. */
async function reading<T>(source: ByteSource, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof MechanistError && cause.code !== "BadFile") throw cause;
    const reason = cause instanceof Error ? cause.message.split("\n")[0]! : String(cause);
    throw new MechanistError("BadFile", `${source.name}: expected a whole Parquet file, got ${reason}`, {}, { cause });
  }
}
