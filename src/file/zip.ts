/**
 * ZIP archives, read an entry at a time: stored or deflated, with 64-bit sizes or without. Every size is checked before it is believed,
 * entries may not share bytes, and content is held against its CRC-32.
 *
 * Source: PKWARE, APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3.
 */
import { Inflate } from "fflate";
import { MechanistError } from "../error.ts";
import type { ByteSource } from "./bytes.ts";
import { quoted } from "./json.ts";

/** A file in an archive. */
export interface ZipEntry {
  readonly name: string;
  /** Bytes of its content. */
  readonly size: number;
  readonly stored: boolean;
  /** Bytes in the archive, and the place of its own header. */
  readonly packed: number;
  readonly offset: number;
  readonly crc: number;
}

const [LOCAL, CENTRAL, END, END64, LOCATOR] = [0x04034b50, 0x02014b50, 0x06054b50, 0x06064b50, 0x07064b50];
const [END_BYTES, END64_BYTES, LOCATOR_BYTES, CENTRAL_BYTES, LOCAL_BYTES] = [22, 56, 20, 46, 30];
const LONGEST_COMMENT = 0xffff;
const [STORED, DEFLATED] = [0, 8];
/** No deflated stream says more per byte than this: 258 bytes in two bits. */
const HIGHEST_RATIO = 1032;
const READ_BYTES = 2 ** 20;
/** Bytes inflated at once: at most a thousand times as many come out. */
const INFLATE_BYTES = 2 ** 12;

/**
 * Lists an archive.
 *
 * @throws `BadFile` for what is no archive, or one that contradicts itself
 */
export async function readZipEntries(source: ByteSource): Promise<readonly ZipEntry[]> {
  const bad = (what: string): MechanistError => new MechanistError("BadFile", `${source.name}: ${what}`);
  const { count, start, end } = await findDirectory(source, bad);
  const bytes = await source.read(start, end);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const entries: ZipEntry[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + CENTRAL_BYTES > bytes.length || view.getUint32(at, true) !== CENTRAL) {
      throw bad(`expected entry ${entries.length} of its directory, got something else`);
    }
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) => view.getUint16(at + field, true));
    const next = at + CENTRAL_BYTES + nameLength! + extraLength! + commentLength!;
    if (next > bytes.length) throw bad(`truncated: expected a directory of ${next} bytes, got ${bytes.length}`);
    const nameAt = at + CENTRAL_BYTES;
    const name = new TextDecoder().decode(bytes.subarray(nameAt, nameAt + nameLength!));
    const [flags, method] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
    const extra = new DataView(view.buffer, view.byteOffset + nameAt + nameLength!, extraLength!);
    const [size, packed, offset] = wideFields(
      [24, 20, 42].map((field) => view.getUint32(at + field, true)),
      extra,
    );
    entries.push({
      name,
      size: size!,
      packed: packed!,
      offset: offset!,
      stored: method === STORED,
      crc: view.getUint32(at + 16, true),
    });
    if (flags & 1) throw bad(`${quoted(name)}: expected no encryption, got some`);
    if (method !== STORED && method !== DEFLATED) {
      throw bad(`${quoted(name)}: expected it stored or deflated, got method ${method}`);
    }
    at = next;
  }
  if (entries.length !== count) throw bad(`expected ${count} entries, got ${entries.length}`);
  expectPlausible(entries, start, bad);
  return entries;
}

type Bad = (what: string) => MechanistError;

/** The directory's place, from the record at the archive's end. */
async function findDirectory(source: ByteSource, bad: Bad): Promise<{ count: number; start: number; end: number }> {
  const tailAt = Math.max(0, source.size - END_BYTES - LONGEST_COMMENT);
  const tail = await source.read(tailAt, source.size);
  const view = new DataView(tail.buffer, tail.byteOffset, tail.length);
  let at = tail.length - END_BYTES;
  while (
    at >= 0 &&
    !(view.getUint32(at, true) === END && at + END_BYTES + view.getUint16(at + 20, true) === tail.length)
  )
    at--;
  if (at < 0) throw bad("expected a zip archive, got something else or a part of one");
  let end = tailAt + at;
  let [count, size, start] = [
    view.getUint16(at + 10, true),
    view.getUint32(at + 12, true),
    view.getUint32(at + 16, true),
  ];
  if (count === 0xffff || size === 0xffffffff || start === 0xffffffff) {
    const record = await findWideRecord(source, end, bad);
    end = record.at;
    [count, size, start] = [32, 40, 48].map((field) => Number(record.view.getBigUint64(field, true))) as [
      number,
      number,
      number,
    ];
  }
  if (start + size !== end) throw bad(`expected its directory to end at byte ${end}, got ${start + size}`);
  return { count, start, end };
}

async function findWideRecord(source: ByteSource, end: number, bad: Bad): Promise<{ at: number; view: DataView }> {
  const read = async (at: number, length: number, signature: number): Promise<DataView> => {
    if (at < 0 || at + length > end) throw bad(`expected a record at byte ${at}, got the end at ${end}`);
    const bytes = await source.read(at, at + length);
    const view = new DataView(bytes.buffer, bytes.byteOffset, length);
    if (view.getUint32(0, true) !== signature) throw bad(`expected a record at byte ${at}, got something else`);
    return view;
  };
  const locator = await read(end - LOCATOR_BYTES, LOCATOR_BYTES, LOCATOR);
  const at = Number(locator.getBigUint64(8, true));
  return { at, view: await read(at, END64_BYTES, END64) };
}

/** Sizes of 32 bits, where they are full those of 64 that an extra field has, in the same order. */
function wideFields(narrow: readonly number[], extra: DataView): readonly number[] {
  let wide: DataView = new DataView(new ArrayBuffer(0));
  for (let at = 0; at + 4 <= extra.byteLength;) {
    const length = Math.min(extra.getUint16(at + 2, true), extra.byteLength - at - 4);
    if (extra.getUint16(at, true) === 1) wide = new DataView(extra.buffer, extra.byteOffset + at + 4, length);
    at += 4 + length;
  }
  let at = 0;
  return narrow.map((value) => {
    if (value !== 0xffffffff || at + 8 > wide.byteLength) return value;
    at += 8;
    return Number(wide.getBigUint64(at - 8, true));
  });
}

/** Each name once, no byte in two entries, and no size that its bytes cannot bear out. */
function expectPlausible(entries: readonly ZipEntry[], directory: number, bad: Bad): void {
  const names = new Set<string>();
  let at = 0;
  for (const { name, size, packed, stored, offset } of entries.toSorted((a, b) => a.offset - b.offset)) {
    const where = quoted(name);
    if (names.has(name)) throw bad(`expected each name once, got ${where} twice`);
    names.add(name);
    if (offset < at)
      throw bad(`${where}: overlaps the entry before it: expected it at byte ${at} or later, got ${offset}`);
    at = offset + LOCAL_BYTES + packed;
    if (at > directory) throw bad(`${where}: expected it to end by byte ${directory}, got ${at}`);
    const most = stored ? packed : packed * HIGHEST_RATIO;
    if (size > most || (stored && size !== packed)) {
      throw bad(`${where}: expected at most ${most} bytes in ${packed} of the archive, got ${size}`);
    }
  }
}

/**
 * An entry's content, piece by piece. A piece is valid until the next is asked for.
 *
 * @throws `BadFile` for content that is not what the directory says; a wrong checksum is told after the last piece
 */
export async function* readZipEntry(source: ByteSource, entry: ZipEntry): AsyncGenerator<Uint8Array> {
  const where = `${source.name}: ${quoted(entry.name)}`;
  const bad = (what: string): MechanistError => new MechanistError("BadFile", `${where}: ${what}`);
  let [size, crc] = [0, 0];
  for await (const piece of entry.stored ? packedBytes(source, entry, bad) : inflated(source, entry, bad)) {
    size += piece.length;
    if (size > entry.size) throw bad(`expected ${entry.size} bytes, got more`);
    crc = crc32(crc, piece);
    yield piece;
  }
  if (size !== entry.size) throw bad(`expected ${entry.size} bytes, got ${size}`);
  if (crc !== entry.crc) throw bad(`expected the checksum ${hex(entry.crc)}, got ${hex(crc)}`);
}

async function* packedBytes(source: ByteSource, { offset, packed }: ZipEntry, bad: Bad): AsyncGenerator<Uint8Array> {
  const bytes = await source.read(offset, offset + LOCAL_BYTES);
  const head = new DataView(bytes.buffer, bytes.byteOffset, LOCAL_BYTES);
  if (head.getUint32(0, true) !== LOCAL) throw bad(`expected an entry at byte ${offset}, got something else`);
  let at = offset + LOCAL_BYTES + head.getUint16(26, true) + head.getUint16(28, true);
  const end = at + packed;
  if (end > source.size) throw bad(`truncated: expected it to end at byte ${end}, got ${source.size}`);
  const chunk = new Uint8Array(Math.min(READ_BYTES, packed));
  while (at < end) {
    const piece = chunk.subarray(0, Math.min(READ_BYTES, end - at));
    await source.readInto(at, piece);
    yield piece;
    at += piece.length;
  }
}

async function* inflated(source: ByteSource, entry: ZipEntry, bad: Bad): AsyncGenerator<Uint8Array> {
  let pieces: Uint8Array[] = [];
  let ended = false;
  const inflate = new Inflate((piece, final) => {
    pieces.push(piece);
    ended = final;
  });
  const push = (bytes: Uint8Array, last: boolean): void => {
    try {
      inflate.push(bytes, last);
    } catch (cause) {
      throw new MechanistError("BadFile", bad(`expected deflated bytes, got others`).message, {}, { cause });
    }
  };
  let left = entry.packed;
  for await (const chunk of packedBytes(source, entry, bad)) {
    for (let at = 0; at < chunk.length; at += INFLATE_BYTES) {
      const part = chunk.subarray(at, at + INFLATE_BYTES);
      left -= part.length;
      push(part, left === 0);
      yield* pieces;
      pieces = [];
    }
  }
  if (!ended) throw bad("truncated: expected the end of its deflated bytes, got none");
}

const hex = (crc: number): string => crc.toString(16).padStart(8, "0");

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** CRC-32 of what came before and some more bytes. */
function crc32(before: number, bytes: Uint8Array): number {
  let crc = ~before;
  for (let i = 0; i < bytes.length; i++) crc = CRC_TABLE[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
