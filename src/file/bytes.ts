/** Bytes that are read a range at a time: of a file, a Blob, memory, or an address on the web. */
import { MechanistError } from "../error.ts";

/** Something with bytes. `node-bytes.ts` opens files. */
export interface ByteSource {
  /** Names it in an error. */
  readonly name: string;
  readonly size: number;
  /** The bytes from `start` to before `end`. */
  read(start: number, end: number): Promise<Uint8Array>;
  /** Fills `into` with the bytes from `start` on. */
  readInto(start: number, into: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Files of one folder, by name. */
export interface SourceFolder {
  readonly name: string;
  /** Opens a file; absent where there is none of that name. */
  open(file: string): Promise<ByteSource | undefined>;
}

/**
 * A source made of its `readInto`, with every range checked.
 *
 * @throws `BadFile` for a range outside
 */
export function byteSource(
  name: string,
  size: number,
  readInto: (start: number, into: Uint8Array) => Promise<void>,
  close: () => Promise<void> = () => Promise.resolve(),
): ByteSource {
  const checked = (start: number, end: number): void => {
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start || end > size) {
      throw new MechanistError("BadFile", `${name}: expected bytes within ${size}, got ${start} to ${end}`);
    }
  };
  return {
    name,
    size,
    async read(start, end) {
      checked(start, end);
      const bytes = new Uint8Array(end - start);
      await readInto(start, bytes);
      return bytes;
    },
    async readInto(start, into) {
      checked(start, start + into.length);
      await readInto(start, into);
    },
    close,
  };
}

/** Bytes in memory. */
export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  return byteSource(name, bytes.length, async (start, into) => into.set(bytes.subarray(start, start + into.length)));
}

/** A Blob: a file that somebody dropped on the page. */
export function blobSource(name: string, blob: Blob): ByteSource {
  return byteSource(name, blob.size, async (start, into) =>
    into.set(new Uint8Array(await blob.slice(start, start + into.length).arrayBuffer())),
  );
}

/**
 * A file on a web server that answers `Range` requests.
 *
 * @throws `Unavailable` where the server does not answer, or not with the range asked for
 */
export async function webSource(url: string, signal?: AbortSignal): Promise<ByteSource> {
  const get = async (range: string): Promise<Response> => {
    const init = { headers: { Range: range }, ...(signal !== undefined && { signal }) };
    const answer = await fetch(url, init).catch((cause: unknown) => {
      throw new MechanistError("Unavailable", `${url}: expected an answer, got ${String(cause)}`, {}, { cause });
    });
    if (answer.status === 206) return answer;
    await answer.body?.cancel();
    throw new MechanistError("Unavailable", `${url}: expected status 206 for ${range}, got ${answer.status}`);
  };
  const first = await get("bytes=0-0");
  const size = Number(/\/(\d+)$/.exec(first.headers.get("Content-Range") ?? "")?.[1]);
  await first.body?.cancel();
  if (!Number.isSafeInteger(size)) {
    throw new MechanistError("Unavailable", `${url}: expected the file's size in Content-Range, got none`);
  }
  return byteSource(url, size, async (start, into) => {
    if (into.length === 0) return;
    const answer = await get(`bytes=${start}-${start + into.length - 1}`);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    if (bytes.length !== into.length) {
      throw new MechanistError("Unavailable", `${url}: expected ${into.length} bytes, got ${bytes.length}`);
    }
    into.set(bytes);
  });
}
