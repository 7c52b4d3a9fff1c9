/**
 * Checks the pages of a Parquet column before they are decoded. The library that decodes them takes their counts and lengths at their word, so
 * a damaged file could make it fill memory or run for ever.
 *
 * Source: the format's specification, https://github.com/apache/parquet-format (`parquet.thrift`, `Encodings.md`).
 */

/** What the file's footer says of a column, as far as its pages depend on it. */
export interface PageColumn {
  /** Values in all of its pages. */
  readonly values: number;
  /** How deep lists nest in it, and how many of its levels may be absent. */
  readonly maxRepetition: number;
  readonly maxDefinition: number;
  /** Unpacks a page into so many bytes. */
  readonly unpack: (page: Uint8Array, length: number) => Uint8Array;
}

const PAGE = { data: 0, dictionary: 2, dataV2: 3 } as const;
const ENCODING = { dictionaryPlain: 2, delta: 5, deltaLength: 6, deltaBytes: 7, dictionary: 8 } as const;

/** Miniblocks in a block of differences, at most; writers make four. */
const MOST_MINIBLOCKS = 1024;

/**
 * Refuses pages whose lengths leave the column's bytes, whose counts go beyond the footer's, or whose runs are longer than their page.
 *
 * @throws an `Error` that says what was found
 */
export function expectPages(bytes: Uint8Array, column: PageColumn): void {
  let at = 0;
  // A last single byte is padding that some writers leave.
  while (at < bytes.length - 1) {
    const cursor = new Cursor(bytes, at);
    const header = readStruct(cursor, 0);
    const packed = whole(header, 3, bytes.length - cursor.at, "bytes of a page");
    const body = bytes.subarray(cursor.at, cursor.at + packed);
    at = cursor.at + packed;
    const unpacked = whole(header, 2, 2 ** 31, "bytes of an unpacked page");
    switch (header[1]) {
      case PAGE.data:
        expectData(column.unpack(body, unpacked), part(header, 5), column);
        break;
      case PAGE.dataV2:
        expectDataV2(body, unpacked, part(header, 8), column);
        break;
      case PAGE.dictionary:
        // Each entry has at least the four bytes of its length, or of its number.
        whole(part(header, 7), 1, unpacked / 4, "entries of a dictionary");
        break;
      default:
    }
  }
}

function expectData(page: Uint8Array, header: Struct, column: PageColumn): void {
  const count = whole(header, 1, column.values, "values of a page");
  let at = 0;
  for (const most of [column.maxRepetition, column.maxDefinition]) {
    if (most === 0) continue;
    const cursor = new Cursor(page, at);
    const length = cursor.byte() + (cursor.byte() << 8) + (cursor.byte() << 16) + cursor.byte() * 2 ** 24;
    expectRuns(new Cursor(page, at + 4, at + 4 + length), bitWidth(most), count);
    at += 4 + length;
  }
  expectEncoded(page, at, header[2], count);
}

function expectDataV2(body: Uint8Array, unpacked: number, header: Struct, column: PageColumn): void {
  const count = whole(header, 1, column.values, "values of a page");
  whole(header, 2, count, "absent values of a page");
  whole(header, 3, count, "rows of a page");
  const definition = whole(header, 5, body.length, "bytes of levels");
  const repetition = whole(header, 6, body.length - definition, "bytes of levels");
  if (column.maxRepetition > 0) expectRuns(new Cursor(body, 0, repetition), bitWidth(column.maxRepetition), count);
  const values = repetition + definition;
  if (column.maxDefinition > 0) expectRuns(new Cursor(body, repetition, values), bitWidth(column.maxDefinition), count);
  if (unpacked < values) throw new Error(`${unpacked} bytes of an unpacked page`);
  const rest = body.subarray(values);
  expectEncoded(header[7] === 0 ? rest : column.unpack(rest, unpacked - values), 0, header[4], count);
}

function expectEncoded(page: Uint8Array, at: number, encoding: number | Struct | undefined, count: number): void {
  if (at >= page.length) return;
  const cursor = new Cursor(page, at);
  if (encoding === ENCODING.dictionary || encoding === ENCODING.dictionaryPlain) {
    const width = cursor.byte();
    if (width > 32) throw new Error(`indices of ${width} bits`);
    expectRuns(cursor, width, count);
  }
  if (encoding === ENCODING.delta || encoding === ENCODING.deltaLength || encoding === ENCODING.deltaBytes) {
    const [block, miniblocks] = [cursor.varint(), cursor.varint()];
    if (miniblocks < 1 || miniblocks > MOST_MINIBLOCKS || block % miniblocks !== 0)
      throw new Error(`blocks of ${block} differences in ${miniblocks} parts`);
  }
}

/** Runs of one value, and groups of eight packed ones, until there are `count` values or no more bytes. */
function expectRuns(cursor: Cursor, width: number, count: number): void {
  for (let left = count; left > 0 && cursor.at < cursor.end;) {
    const header = cursor.varint();
    const packed = header % 2 === 1;
    const run = Math.floor(header / 2) * (packed ? 8 : 1);
    // The last group is filled up.
    if (run > left + (packed ? 7 : 0)) throw new Error(`a run of ${run} where ${left} values are left`);
    cursor.at += packed ? (run / 8) * width : Math.ceil(width / 8);
    left -= run;
  }
}

const bitWidth = (most: number): number => 32 - Math.clz32(most);

/** A structure of Thrift's compact protocol, by field number; what is no number and no structure is left out. */
interface Struct {
  [field: number]: number | Struct;
}

/** A whole number from 0 to `most` that must be there. */
function whole(struct: Struct, field: number, most: number, what: string): number {
  const value = struct[field];
  if (typeof value === "number" && value >= 0 && value <= most) return value;
  throw new Error(`${typeof value === "number" ? value : "no"} ${what}`);
}

function part(struct: Struct, field: number): Struct {
  const value = struct[field];
  if (typeof value === "object") return value;
  throw new Error("a page without its header");
}

class Cursor {
  readonly bytes: Uint8Array;
  readonly end: number;
  at: number;

  constructor(bytes: Uint8Array, at: number, end = bytes.length) {
    if (end > bytes.length) throw new Error(`bytes up to ${end} of ${bytes.length}`);
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  byte(): number {
    if (this.at >= this.end) throw new Error(`${this.end} bytes where more should follow`);
    return this.bytes[this.at++]!;
  }

  /** An unsigned number, seven bits a byte, the lowest first. */
  varint(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 70; scale *= 128) {
      const byte = this.byte();
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
    throw new Error("a number of more than ten bytes");
  }

  /** A signed number: 0, -1, 1, -2, … */
  zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}

const DEEPEST = 8;

function readStruct(cursor: Cursor, depth: number): Struct {
  if (depth > DEEPEST) throw new Error(`structures more than ${DEEPEST} deep`);
  const struct: Struct = {};
  for (let field = 0; ;) {
    const head = cursor.byte();
    if (head % 16 === 0) return struct;
    field = head >= 16 ? field + (head >> 4) : cursor.zigzag();
    const value = readElement(cursor, head % 16, depth);
    if (value !== undefined) struct[field] = value;
  }
}

function readElement(cursor: Cursor, type: number, depth: number): number | Struct | undefined {
  switch (type) {
    // The two truth values are types of their own.
    case 1:
    case 2:
      return 2 - type;
    case 3:
      return cursor.byte();
    case 4:
    case 5:
    case 6:
      return cursor.zigzag();
    case 7:
      cursor.at += 8;
      return undefined;
    case 8: {
      const length = cursor.varint();
      cursor.at += length;
      return undefined;
    }
    case 12:
      return readStruct(cursor, depth + 1);
    default:
      // Page headers have no lists, sets or maps.
      throw new Error(`a field of type ${type} in a page's header`);
  }
}
