/** Files that are either whole or absent: written under a temporary name beside the real one, synced, renamed. */
import * as promises from "node:fs/promises";
import { dirname, join, basename } from "node:path";
import { MechanistError } from "../error.ts";

/** The operations on files that this needs; a test hands in ones that fail. */
export type Files = Pick<typeof promises, "open" | "rename" | "rm">;

/** Temporary files end so. Who finds one may remove it when no process writes the run. */
export const TEMPORARY = ".tmp";

/**
 * Writes a file at once. After a crash at any moment the old content is there, or the new, whole.
 *
 * @throws `DiskFailure` when the disk is full or refuses; the temporary file is removed, the old content stays
 */
export async function writeAtomic(path: string, content: Uint8Array | string, files: Files = promises): Promise<void> {
  await replaced(
    path,
    files,
    (temporary) => files.open(temporary, "w"),
    (handle) => handle.writeFile(content),
  );
}

/** Bytes that stand in for those of a file from a place on. */
export interface Patch {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/**
 * Copies a file with some of its bytes changed, however large it is.
 *
 * @throws `DiskFailure` as `writeAtomic`
 */
export async function copyAtomic(from: string, to: string, patches: readonly Patch[] = []): Promise<void> {
  const copied = async (temporary: string): Promise<promises.FileHandle> => {
    await promises.copyFile(from, temporary);
    // What was read-only stays so for others, and is written here.
    await promises.chmod(temporary, 0o644);
    return promises.open(temporary, "r+");
  };
  await replaced(to, promises, copied, async (handle) => {
    for (const { start, bytes } of patches) {
      for (let done = 0; done < bytes.length;) {
        done += (await handle.write(bytes, done, bytes.length - done, start + done)).bytesWritten;
      }
    }
  });
}

/** Puts a temporary file, opened and written as told, in the place of a file. */
async function replaced(
  path: string,
  files: Files,
  opened: (temporary: string) => Promise<promises.FileHandle>,
  write: (handle: promises.FileHandle) => Promise<void>,
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}${TEMPORARY}`);
  try {
    const handle = await opened(temporary);
    try {
      await write(handle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await files.rename(temporary, path);
    await syncFolder(dirname(path), files);
  } catch (cause) {
    await files.rm(temporary, { force: true }).catch(() => undefined);
    throw diskFailure(path, cause);
  }
}

/** Makes a rename last. Some systems cannot sync a folder; there the rename itself has to do. */
async function syncFolder(path: string, files: Files): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await files.open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const DISK_REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "no space is left on the disk",
  EDQUOT: "the quota is used up",
  EFBIG: "the file would be larger than allowed here",
  EROFS: "the disk is read-only",
  EACCES: "writing is not allowed here",
  EPERM: "writing is not allowed here",
  EIO: "the disk reports an error",
  ENOENT: "the folder is gone",
};

/** The error for a file that could not be written. */
export function diskFailure(path: string, cause: unknown): MechanistError {
  if (cause instanceof MechanistError) return cause;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? "";
  const reason = DISK_REASONS[code] ?? String(cause instanceof Error ? cause.message : cause);
  return new MechanistError(
    "DiskFailure",
    `${path}: expected to write, got ${code || "an error"}: ${reason}`,
    { code },
    { cause },
  );
}
