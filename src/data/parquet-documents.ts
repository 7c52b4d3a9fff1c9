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
import { expectPages, type PageColumn } from "./parquet-pages.ts";
import { asContent, missing, type StoredDocument } from "./text-documents.ts";
import { quoted } from "../file/json.ts";

type RowGroup = FileMetaData["row_groups"][number];
type SchemaTree = ReturnType<typeof parquetSchema>;

/** A page may unpack to this much: writers make pages of about a megabyte, and a damaged header may say anything. */
const LARGEST_PAGE = 1 << 28; // bytes
/** Values of a column in a row group. */
const MOST_VALUES = 1 << 26;

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

/** A column as the schema has it: what its one leaf holds, and how deep. */
interface Leaf extends Pick<PageColumn, "maxRepetition" | "maxDefinition"> {
  readonly path: string;
}

/**
 * The documents of a Parquet file, in the order of its rows. One row group of one column is in memory at a time.
 *
 * @param column text, or lists of whole numbers
 * @throws `BadFile` where the bytes are no whole Parquet file, or the column is not there or holds something else
 */
export async function* parquetDocuments(source: ByteSource, column: string): AsyncGenerator<StoredDocument> {
  const { metadata, columns } = await reading(source, () => readMetadata(fileOf(source)));
  const found = columns.find((child) => child.element.name === column);
  const names = columns.map((child) => child.element.name);
  if (found === undefined) throw missing(source.name, "column", column, names);
  const leaf = leafOf(found);
  if (leaf === undefined) {
    const what = found.element.type ?? "a group of columns";
    const where = `${source.name}: column ${quoted(column)}`;
    throw new MechanistError("BadFile", `${where}: expected text or lists of ids, got ${what}`);
  }
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rows = await reading(source, () => readGroup(source, metadata, group, leaf, column, rowStart));
    for (const [i, row] of rows.entries()) {
      const where = `${source.name}, row ${rowStart + i}`;
      yield { content: asContent(row, `${where}: column ${quoted(column)}`), where };
    }
    rowStart += rows.length;
  }
  if (rowStart === 0) throw new MechanistError("BadFile", `${source.name}: expected rows, got none`);
}

/** A column's leaf; absent where there are several, or one of another type than text and whole numbers. */
function leafOf(tree: SchemaTree): Leaf | undefined {
  let [maxRepetition, maxDefinition] = [0, 0];
  for (let node = tree; ; node = node.children[0]!) {
    const { repetition_type: repetition, type } = node.element;
    maxRepetition += Number(repetition === "REPEATED");
    maxDefinition += Number(repetition === "REPEATED" || repetition === "OPTIONAL");
    if (node.children.length > 1) return undefined;
    if (node.children.length === 1) continue;
    const fits = type === "BYTE_ARRAY" || type === "INT32" || type === "INT64";
    return fits ? { path: node.path.join("."), maxRepetition, maxDefinition } : undefined;
  }
}

/** A column's values in one row group. */
async function readGroup(
  source: ByteSource,
  metadata: FileMetaData,
  group: RowGroup,
  leaf: Leaf,
  column: string,
  rowStart: number,
): Promise<unknown[]> {
  const chunk = group.columns.find(({ meta_data }) => meta_data?.path_in_schema.join(".") === leaf.path)?.meta_data;
  if (chunk === undefined) throw new Error(`a row group without column ${quoted(column)}`);
  const count = Number(group.num_rows);
  const values = Number(chunk.num_values);
  if (!(values >= 0 && values <= MOST_VALUES && count >= 0 && count <= values)) {
    throw new Error(`${values} values in ${count} rows`);
  }
  const start = Number(chunk.dictionary_page_offset || chunk.data_page_offset);
  const bytes = await source.read(start, start + Number(chunk.total_compressed_size));
  expectPages(bytes, { ...leaf, values, unpack: unpackerOf(chunk.codec) });
  const rows = await parquetReadObjects({
    file: fileOf(source, { start, bytes }),
    metadata,
    columns: [column],
    rowStart,
    rowEnd: rowStart + count,
    compressors: CHECKED,
  });
  if (rows.length !== count) throw new Error(`${rows.length} rows instead of ${count}`);
  return rows.map((row): unknown => row[column]);
}

function unpackerOf(codec: keyof Compressors | undefined): PageColumn["unpack"] {
  if (codec === "UNCOMPRESSED") return (page) => page;
  const unpack = codec && CHECKED[codec];
  if (unpack === undefined) throw new Error(`compression by ${codec}`);
  return unpack;
}

/** A source as the library reads it. */
function fileOf(source: ByteSource, held?: { readonly start: number; readonly bytes: Uint8Array }): AsyncBuffer {
  return {
    byteLength: source.size,
    slice: async (start, end = source.size) => {
      const at = held === undefined ? -1 : start - held.start;
      const bytes =
        held !== undefined && at >= 0 && end - held.start <= held.bytes.length
          ? held.bytes.slice(at, end - held.start)
          : await source.read(start, Math.min(end, source.size));
      return bytes.buffer as ArrayBuffer;
    },
  };
}

async function readMetadata(file: AsyncBuffer): Promise<{ metadata: FileMetaData; columns: readonly SchemaTree[] }> {
  const MAGIC = "PAR1";
  const text = async (start: number): Promise<string> =>
    String.fromCharCode(...new Uint8Array(await file.slice(start, start + MAGIC.length)));
  // The shortest file has the mark twice and a length between.
  if (file.byteLength < 12 || (await text(0)) !== MAGIC) throw new Error("something else");
  if ((await text(file.byteLength - MAGIC.length)) !== MAGIC) throw new Error("one that is cut off");
  const metadata = await parquetMetadataAsync(file);
  const columns = parquetSchema(metadata).children;
  if (columns.some(({ element }) => typeof element.name !== "string")) throw new Error("a column without a name");
  return { metadata, columns };
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
