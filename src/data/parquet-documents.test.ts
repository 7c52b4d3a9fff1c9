import fc from "fast-check";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, test } from "vitest";
import { golden } from "../../test/golden/load.ts";
import { MechanistError } from "../error.ts";
import { byteSource, memorySource } from "../file/bytes.ts";
import { parquetDocuments } from "./parquet-documents.ts";
import type { StoredDocument } from "./text-documents.ts";

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
const contents = async (documents: AsyncIterable<StoredDocument>): Promise<StoredDocument["content"][]> =>
  (await all(documents)).map(({ content }) => content);

describe("Parquet", () => {
  const rows = 10;
  const written = new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: "text", data: Array.from({ length: rows }, (_, i) => `story ${i}`), type: "STRING" },
        { name: "label", data: Array.from({ length: rows }, (_, i) => i / 2), type: "DOUBLE" },
      ],
      rowGroupSize: 4,
    }),
  );

  test("is read a row group at a time", async () => {
    const reads: number[] = [];
    const source = byteSource("file", written.length, async (start, into) => {
      reads.push(start);
      into.set(written.subarray(start, start + into.length));
    });
    const documents = parquetDocuments(source, "text");
    expect((await documents.next()).value).toEqual({ content: "story 0", where: "file, row 0" });
    const before = reads.length;
    for (let i = 1; i < 4; i++) await documents.next();
    expect(reads.length).toBe(before);
    expect((await documents.next()).value).toEqual({ content: "story 4", where: "file, row 4" });
    expect(reads.length).toBeGreaterThan(before);
    expect((await all(documents)).map(({ content }) => content)).toEqual([5, 6, 7, 8, 9].map((i) => `story ${i}`));
  });

  test("of another column, or none of text, is refused", async () => {
    const source = memorySource("file", written);
    await expect(contents(parquetDocuments(source, "txt"))).rejects.toThrow("file: expected column text, got txt");
    await expect(contents(parquetDocuments(source, "label"))).rejects.toThrow(
      "file: column label: expected text or lists of ids, got DOUBLE",
    );
  });

  test.each([
    ["a plain text", new TextEncoder().encode("this is no such file at all"), "something else"],
    ["nothing", new Uint8Array(0), "something else"],
    ["a truncated file", written.slice(0, written.length - 50), "one that is cut off"],
    ["only the marks", new TextEncoder().encode("PAR1\xff\xff\xff\x00PAR1"), ""],
  ])("%s is refused", async (_, bytes, reason) => {
    await expect(contents(parquetDocuments(memorySource("file", bytes), "text"))).rejects.toThrow(
      `file: expected a whole Parquet file, got ${reason}`,
    );
  });

  test("damaged anywhere is read or refused in one line, and never hangs", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(written.length - 1), fc.nat(255), fc.nat(60), async (at, byte, cut) => {
        const bytes = written.slice();
        bytes[at] = byte;
        if (cut < 20) bytes.copyWithin(at, at + cut);
        try {
          await contents(parquetDocuments(memorySource("file", bytes), "text"));
        } catch (error) {
          expect(error).toBeInstanceOf(MechanistError);
          expect((error as MechanistError).code).toBe("BadFile");
          expect((error as MechanistError).message).not.toContain("\n");
        }
      }),
      { numRuns: 500 },
    );
  });

  test("as pyarrow writes it, whatever the compression", async () => {
    const file = await golden<{
      rows: { text: string; input_ids: number[] }[];
      files: { codec: string; groups: number; base64: string }[];
    }>("parquet.json");
    expect(file.files.map(({ codec }) => codec)).toEqual(["zstd", "snappy", "gzip", "brotli", "lz4", "none"]);
    for (const { codec, base64 } of file.files) {
      const source = memorySource(
        codec,
        Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)),
      );
      expect(await contents(parquetDocuments(source, "text"))).toEqual(file.rows.map((row) => row.text));
      expect(await contents(parquetDocuments(source, "input_ids"))).toEqual(file.rows.map((row) => row.input_ids));
    }
  });
});
