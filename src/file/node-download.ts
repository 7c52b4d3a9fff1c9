/**
 * One file over HTTP, into a `.partial` beside its place that a later try goes on with, checked against its checksum, and only then put
 * there. What was cut short is kept; what is wrong is removed.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { MechanistError } from "../error.ts";
import { diskFailure } from "./node-atomic.ts";
import { sizeOfFile } from "./node-bytes.ts";

/** What a file must be: git's own checksum for small files, sha256 for those in large file storage. */
export interface Expected {
  readonly bytes: number;
  readonly checksum: { readonly kind: "sha256" | "git"; readonly hex: string };
}

/** How the web is asked. */
export interface Fetching {
  /** Answers with a status below 400, or throws: `TryAgain` where another try may help. */
  readonly fetch: (url: string, headers: Readonly<Record<string, string>>) => Promise<Response>;
  /** Milliseconds to wait before each further try. Bytes that came begin the count anew. */
  readonly waits: readonly number[];
  readonly signal?: AbortSignal | undefined;
}

/** A failure that may be gone in a moment: a dropped connection, a busy server. */
export class TryAgain extends Error {}

/** Does something until it works, a few times. `progressed` tells that the tries so far were not in vain. */
export async function patiently<T>(
  what: string,
  { waits, signal }: Pick<Fetching, "waits" | "signal">,
  attempt: (progressed: () => void) => Promise<T>,
): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt(() => (tries = 0));
    } catch (error) {
      if (signal?.aborted) throw new MechanistError("Cancelled", `${what}: stopped; what came so far is kept`);
      if (!(error instanceof TryAgain)) throw error;
      const wait = waits[tries];
      if (wait === undefined) {
        const got = `${error.message} ${tries + 1} times`;
        throw new MechanistError(
          "Unavailable",
          `${what}: expected an answer, got ${got}; the next pull goes on from there`,
          {},
          { cause: error },
        );
      }
      await setTimeout(wait, undefined, { signal }).catch(() => undefined);
    }
  }
}

/**
 * Downloads a file.
 *
 * @param onBytes how many bytes of it are here
 * @returns its sha256
 * @throws `BadFile` for a wrong checksum, `Unavailable` when the connection fails again and again, `DiskFailure`, `Cancelled`
 */
export async function download(
  url: string,
  path: string,
  expected: Expected,
  fetching: Fetching,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<string> {
  const partial = partialOf(path);
  const { bytes, checksum } = expected;
  try {
    // A pull that was stopped may have finished this file.
    const whole = await checksums(path, bytes).catch(() => undefined);
    if (whole?.[checksum.kind] === checksum.hex) {
      onBytes(bytes);
      return whole.sha256;
    }
    await patiently(url, fetching, async (progressed) => {
      let have = await sizeOfFile(partial);
      if (have > bytes) have = await removed(partial);
      if (have === bytes && bytes > 0) return;
      await append(url, partial, have, bytes, fetching, (now) => {
        progressed();
        onBytes(now);
      });
    });
    const got = await checksums(partial, bytes);
    if (got[checksum.kind] !== checksum.hex) {
      await removed(partial);
      throw new MechanistError(
        "BadFile",
        `${path}: expected the checksum ${checksum.hex}, got ${got[checksum.kind]}; the file was removed`,
        { expected: checksum.hex, got: got[checksum.kind] },
      );
    }
    await rename(partial, path);
    onBytes(bytes);
    return got.sha256;
  } catch (error) {
    throw diskFailure(path, error);
  }
}

function partialOf(path: string): string {
  return `${path}.partial`;
}

/** How much of a file is here, whole or in part. */
export async function bytesHere(path: string): Promise<number> {
  return (await sizeOfFile(path)) || sizeOfFile(partialOf(path));
}

async function removed(path: string): Promise<0> {
  await rm(path, { force: true });
  return 0;
}

/** Adds what is missing. A server that does not know ranges sends all of it anew. */
async function append(
  url: string,
  partial: string,
  have: number,
  bytes: number,
  { fetch }: Fetching,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const answer = await fetch(url, { "Accept-Encoding": "identity", ...(have > 0 && { Range: `bytes=${have}-` }) });
  const continued = answer.status === 206 && answer.headers.get("Content-Range")?.startsWith(`bytes ${have}-`);
  let at = continued ? have : 0;
  const handle = await open(partial, continued ? "a" : "w");
  try {
    if (answer.status === 206 && have > 0 && !continued) throw new TryAgain("another range than asked for");
    for await (const part of bodyOf(answer)) {
      at += part.length;
      if (at > bytes) {
        await removed(partial);
        throw new MechanistError("BadFile", `${url}: expected ${bytes} bytes, got more`);
      }
      await handle.writeFile(part);
      onBytes(at);
    }
    if (at < bytes) throw new TryAgain(`a connection that ended after ${at} of ${bytes} bytes`);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The answer's bytes; a connection that drops is worth another try. */
async function* bodyOf(answer: Response): AsyncGenerator<Uint8Array> {
  if (answer.body === null) return;
  const reader = answer.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw new TryAgain("a dropped connection", { cause });
      });
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** A file's sha256, and its checksum as git's object: SHA-1 of `blob`, its length, a zero byte and its content. */
async function checksums(path: string, bytes: number): Promise<{ readonly sha256: string; readonly git: string }> {
  const sha256 = createHash("sha256");
  const git = createHash("sha1").update(`blob ${bytes}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) {
    sha256.update(chunk as Buffer);
    git.update(chunk as Buffer);
  }
  return { sha256: sha256.digest("hex"), git: git.digest("hex") };
}
