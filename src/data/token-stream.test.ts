import fc from "fast-check";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, test } from "vitest";
import { MechanistError } from "../error.ts";
import { byteSource, type ByteSource, memorySource } from "../file/bytes.ts";
import { settingsFrom } from "../settings.ts";
import { keyFromSeed } from "../tensor/index.ts";
import { jsonLineDocuments, type StoredDocument, textDocuments } from "./text-documents.ts";
import { type TokenData, tokenDataSchema } from "./token-data.ts";
import { probeSet, shuffled, type TokenDocument, tokenRows, tokenTable } from "./token-rows.ts";
import { tokenStream } from "./token-stream.ts";

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
const text = (content: string): ByteSource => memorySource("file", new TextEncoder().encode(content));
const contents = async (documents: AsyncIterable<StoredDocument>): Promise<StoredDocument["content"][]> =>
  (await all(documents)).map(({ content }) => content);
/** One id a character: its code. */
const tokenizer = { encode: (content: string): number[] => Array.from(content, (c) => c.codePointAt(0)!) };

const plain: TokenData = settingsFrom("token data", tokenDataSchema, {
  format: "text",
  pos: 4,
  packing: "packed",
  bos: "none",
  eos: "none",
  vocabulary: 100,
});
const rowsOf = async (documents: readonly number[][], data: Partial<TokenData>): Promise<number[][]> =>
  (
    await all(
      tokenRows(
        documents.map((ids, i) => ({ ids, where: `document ${i}` })),
        { ...plain, ...data },
      ),
    )
  ).map(({ tokens }) => Array.from(tokens));

describe("packing", () => {
  const documents = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10]];
  const marks = { bosId: 90, eosId: 91, padId: 99 };

  test.each<[string, Partial<TokenData>, number[][]]>([
    [
      "packed",
      {},
      [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
      ],
    ],
    [
      "packed, the rest padded",
      { remainder: "pad" },
      [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
        [9, 10, 99, 99],
      ],
    ],
    [
      "packed, padded left",
      { remainder: "pad", padding: "left" },
      [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
        [99, 99, 9, 10],
      ],
    ],
    [
      "packed, ends marked",
      { eos: "document" },
      [
        [1, 2, 3, 91],
        [4, 91, 5, 6],
        [7, 8, 9, 10],
      ],
    ],
    [
      "packed, beginnings marked",
      { bos: "document" },
      [
        [90, 1, 2, 3],
        [90, 4, 90, 5],
        [6, 7, 8, 9],
      ],
    ],
    [
      "packed, rows marked",
      { bos: "row" },
      [
        [90, 1, 2, 3],
        [90, 4, 5, 6],
        [90, 7, 8, 9],
      ],
    ],
    [
      "one a row",
      { packing: "one-a-row" },
      [
        [1, 2, 3, 99],
        [4, 99, 99, 99],
        [5, 6, 7, 8],
      ],
    ],
    [
      "one a row, padded left, all marked",
      { packing: "one-a-row", padding: "left", bos: "document", eos: "document" },
      [
        [90, 1, 2, 3],
        [99, 90, 4, 91],
        [90, 5, 6, 7],
      ],
    ],
    [
      "one a row, long ones split",
      { packing: "one-a-row", overflow: "split", eos: "document" },
      [
        [1, 2, 3, 91],
        [4, 91, 99, 99],
        [5, 6, 7, 8],
        [9, 10, 91, 99],
      ],
    ],
    [
      "one a row, split, rows marked",
      { packing: "one-a-row", overflow: "split", bos: "row" },
      [
        [90, 1, 2, 3],
        [90, 4, 99, 99],
        [90, 5, 6, 7],
        [90, 8, 9, 10],
      ],
    ],
  ])("%s", async (_, data, rows) => {
    expect(await rowsOf(documents, { ...marks, ...data })).toEqual(rows);
  });

  test("packing loses and doubles nothing, wherever documents end", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.nat(80), { maxLength: 12 }), { maxLength: 8 }),
        fc.constantFrom<TokenData["bos"]>("none", "document", "row"),
        fc.constantFrom<TokenData["padding"]>("left", "right"),
        async (lists, bos, padding) => {
          const data: TokenData = { ...plain, ...marks, bos, padding, eos: "document", remainder: "pad" };
          const rows = await all(
            tokenRows(
              lists.map((ids) => ({ ids, where: "" })),
              data,
            ),
          );
          const kept = rows.flatMap(({ tokens, padding: count }) => {
            const real = Array.from(padding === "left" ? tokens.slice(count) : tokens.slice(0, 4 - count));
            expect(tokens.filter((id) => id === 99).length).toBe(count);
            if (bos === "row") expect(real.shift()).toBe(90);
            return real;
          });
          expect(kept).toEqual(lists.flatMap((ids) => (bos === "document" ? [90, ...ids, 91] : [...ids, 91])));
        },
      ),
    );
  });

  test("a document without tokens gives no row", async () => {
    expect(await rowsOf([[], [1], []], { packing: "one-a-row", padId: 0 })).toEqual([[1, 0, 0, 0]]);
  });

  test.each<[Partial<TokenData>, string]>([
    [{ bos: "row" }, "token data bosId: expected an id below 100, got none"],
    [{ eos: "document", eosId: 100 }, "token data eosId: expected an id below 100, got 100"],
    [{ packing: "one-a-row" }, "token data padId: expected an id below 100, got none"],
    [{ remainder: "pad" }, "token data padId: expected an id below 100, got none"],
  ])("%j is refused", async (data, message) => {
    await expect(rowsOf([[1]], data)).rejects.toThrow(message);
  });

  test.each([100, -1, 1.5, Number.NaN])("id %d is refused", async (id) => {
    await expect(rowsOf([[1], [2, id]], {})).rejects.toThrow(
      `document 1: token 1: expected an id from 0 to 99, got ${id}`,
    );
  });

  test("a table holds the rows", async () => {
    const documents: TokenDocument[] = [[1, 2], [3]].map((ids) => ({ ids, where: "" }));
    const data: TokenData = { ...plain, pos: 3, packing: "one-a-row", padId: 0 };
    const { tokens, padding } = await tokenTable(tokenRows(documents, data));
    expect(tokens).toEqual({ axes: "row pos", shape: [2, 3], dtype: "i32", data: Int32Array.of(1, 2, 0, 3, 0, 0) });
    expect(Array.from(padding.data)).toEqual([1, 2]);
    expect((await tokenTable(tokenRows(documents, data), 1)).tokens.shape).toEqual([1, 3]);
    await expect(tokenTable(tokenRows([], data))).rejects.toThrow(/expected at least one row, got none/);
  });
});

describe("order", () => {
  const items = Array.from({ length: 50 }, (_, i) => i);
  const key = keyFromSeed(8);

  test("a shuffle keeps every item, and its key decides", async () => {
    for (const buffer of [1, 7, 50, 1000]) {
      const order = await all(shuffled(items, key, buffer));
      expect([...order].sort((a, b) => a - b)).toEqual(items);
      expect(order).toEqual(await all(shuffled(items, key, buffer)));
      // Nothing comes sooner than the buffer allows.
      order.forEach((item, place) => expect(item).toBeLessThan(place + buffer));
    }
    expect(await all(shuffled(items, key, 1))).toEqual(items);
    expect(await all(shuffled(items, key, 50))).not.toEqual(await all(shuffled(items, keyFromSeed(9), 50)));
    await expect(all(shuffled(items, key, 0))).rejects.toThrow(/expected room for at least 1, got 0/);
  });

  test("with room for all, every order is equally likely", async () => {
    const counts = new Map<string, number>();
    const N = 3000;
    for (let seed = 0; seed < N; seed++) {
      const order = (await all(shuffled(["a", "b", "c"], keyFromSeed(seed), 3))).join("");
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const n of counts.values()) expect(Math.abs(n / N - 1 / 6)).toBeLessThan(4 * Math.sqrt(5 / 36 / N));
  });

  test("a probe set is fixed by its key, and takes every item equally often", async () => {
    expect(await probeSet(items, 10, key)).toEqual(await probeSet(items, 10, key));
    expect(await probeSet(items, 10, key)).not.toEqual(await probeSet(items, 10, keyFromSeed(9)));
    expect(await probeSet(items, 50, key)).toEqual(items);
    const N = 2000;
    const taken = items.map(() => 0);
    for (let seed = 0; seed < N; seed++)
      for (const item of await probeSet(items, 10, keyFromSeed(seed))) taken[item]!++;
    for (const n of taken) expect(Math.abs(n / N - 0.2)).toBeLessThan(4 * Math.sqrt(0.16 / N));
    await expect(probeSet(items, 51, key)).rejects.toThrow(/at least 51 rows, got 50/);
  });
});

describe("plain text", () => {
  test("is one document, or several with something between", async () => {
    expect(await contents(textDocuments(text("a b\nc"), ""))).toEqual(["a b\nc"]);
    expect(await contents(textDocuments(text("one<|end|>two<|end|> \n<|end|>three"), "<|end|>"))).toEqual([
      "one",
      "two",
      "three",
    ]);
  });

  test("is read a range at a time, wherever characters and separators are cut", async () => {
    const long = `${"é日🦊".repeat(200_000)}\n\n${"b".repeat(100)}`;
    let largest = 0;
    const inner = text(long);
    const source = byteSource("file", inner.size, async (start, into) => {
      largest = Math.max(largest, into.length);
      await inner.readInto(start, into);
    });
    expect(await contents(textDocuments(source, "\n\n"))).toEqual(long.split("\n\n"));
    expect(largest).toBeLessThanOrEqual(1 << 20);
  });

  test("without text is refused, and so are bytes that are none", async () => {
    await expect(contents(textDocuments(text(""), ""))).rejects.toThrow("file: expected text, got none");
    await expect(contents(textDocuments(text(" \n"), "\n"))).rejects.toThrow("file: expected text, got none");
    await expect(contents(textDocuments(memorySource("file", Uint8Array.of(0x61, 0xff)), ""))).rejects.toThrow(
      "file: expected UTF-8 text, got other bytes",
    );
  });
});

describe("JSON lines", () => {
  test("hold text or ids", async () => {
    const source = text('{"text": "one\\n"}\r\n\n{"text": [1, 2], "other": 3}\n');
    expect(await contents(jsonLineDocuments(source, "text"))).toEqual(["one\n", [1, 2]]);
  });

  test("longer than a range are read whole", async () => {
    const long = "x".repeat(3_000_000);
    const source = text(`{"text": "${long}"}\n{"text": "y"}`);
    expect(await contents(jsonLineDocuments(source, "text"))).toEqual([long, "y"]);
  });

  test.each([
    ['{"text": "a"}\n{"text"', "file, line 2: expected a JSON object, got something else"],
    ["\n[1]", "file, line 2: expected a JSON object, got [1]"],
    ['{"txt": "a", "id": 1}', "file, line 1: expected field txt, got text"],
    ['{"a": 1, "body": 2}', "file, line 1: expected field one of a, body, got text"],
    ['{"text": 3}', "file, line 1: field text: expected text or a list of ids, got 3"],
    ['{"text": [1, "2"]}', "file, line 1: field text: expected text or a list of ids, got a list of something else"],
    ['{"text": "a", "text": "b"}', "file, line 1: expected each key once, got text twice"],
    ["", "file: expected lines of JSON, got none"],
  ])("%j is refused", async (content, message) => {
    await expect(contents(jsonLineDocuments(text(content), "text"))).rejects.toThrow(message);
  });
});

test("lines of any bytes are read or refused in one line", async () => {
  const near = fc.constantFrom(
    "{",
    "}",
    '"text"',
    ":",
    '"a"',
    "[1",
    ",",
    "]",
    "\n",
    "\\u00",
    "1e999",
    "null",
    "__proto__",
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.array(near, { maxLength: 12 }).map((parts) => new TextEncoder().encode(parts.join(""))),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (content) => {
      try {
        const documents = await contents(jsonLineDocuments(memorySource("file", content), "text"));
        for (const document of documents) expect(typeof document === "string" || Array.isArray(document)).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(MechanistError);
        expect((error as MechanistError).message).not.toContain("\n");
      }
    }),
    { numRuns: 2000 },
  );
});

describe("a stream", () => {
  test("is the same from each format", async () => {
    const stories = ["abc", "de", "fghij"];
    const ids = stories.map((story) => tokenizer.encode(story));
    const data: TokenData = { ...plain, vocabulary: 128, bos: "document", bosId: 1, remainder: "pad", padId: 0 };
    const parquet = parquetWriteBuffer({
      columnData: [{ name: "text", data: stories, type: "STRING" }],
    });
    const sources: [Partial<TokenData>, ByteSource][] = [
      [{ separator: "|" }, text(stories.join("|"))],
      [{ format: "jsonl", field: "body" }, text(stories.map((body) => JSON.stringify({ body })).join("\n"))],
      [{ format: "jsonl", field: "ids" }, text(ids.map((list) => JSON.stringify({ ids: list })).join("\n"))],
      [{ format: "parquet" }, memorySource("file", new Uint8Array(parquet))],
    ];
    const want = await rowsOf(ids, data);
    expect(want.length).toBe(4);
    for (const [how, source] of sources) {
      const rows = await all(tokenStream(source, tokenizer, { ...data, ...how }));
      expect(rows.map(({ tokens }) => Array.from(tokens))).toEqual(want);
    }
  });

  test("says where an id came from that is none", async () => {
    const source = text('{"text": "ab"}\n{"text": "é"}');
    await expect(all(tokenStream(source, tokenizer, { ...plain, format: "jsonl", vocabulary: 128 }))).rejects.toThrow(
      "file, line 2: token 0: expected an id from 0 to 127, got 233",
    );
  });

  test("settings left out are named", () => {
    expect(() => settingsFrom("token data", tokenDataSchema, { format: "text" })).toThrow(/token data pos/);
  });
});
