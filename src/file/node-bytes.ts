/** Files under Node, read a range at a time. */
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { MechanistError } from "../error.ts";
import { byteSource, type ByteSource, type SourceFolder } from "./bytes.ts";

/**
 * Opens a file for reading.
 *
 * @throws `MissingFile`, or `BadFile` for what is no file or cannot be read
 */
export async function fileSource(path: string): Promise<ByteSource> {
  const source = await openIfThere(path);
  if (source === undefined) throw new MechanistError("MissingFile", `${path}: expected a file, got none`);
  return source;
}

/** How long a file is, in bytes; 0 when there is none yet. */
export async function sizeOfFile(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

/** A folder's files. Only names directly in it are opened. */
export function folderSource(path: string): SourceFolder {
  return {
    name: path,
    async open(file) {
      if (/[/\\]|^\.{0,2}$/.test(file)) {
        throw new MechanistError("BadFile", `${path}: expected the name of a file in it, got ${JSON.stringify(file)}`);
      }
      return openIfThere(join(path, file));
    },
  };
}

async function openIfThere(path: string): Promise<ByteSource | undefined> {
  try {
    const handle = await open(path, "r");
    const stats = await handle.stat();
    if (!stats.isFile()) {
      await handle.close();
      throw new MechanistError("BadFile", `${path}: expected a file, got something else`);
    }
    const readInto = async (start: number, into: Uint8Array): Promise<void> => {
      for (let done = 0; done < into.length;) {
        const { bytesRead } = await handle.read(into, done, into.length - done, start + done).catch(unreadable(path));
        if (bytesRead === 0) {
          throw new MechanistError(
            "BadFile",
            `${path}: expected ${stats.size} bytes, got ${start + done}: it was cut while read`,
          );
        }
        done += bytesRead;
      }
    };
    return byteSource(path, stats.size, readInto, () => handle.close());
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    return unreadable(path)(cause);
  }
}

function unreadable(path: string): (cause: unknown) => never {
  return (cause) => {
    if (cause instanceof MechanistError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MechanistError("BadFile", `${path}: expected to read it, got ${reason}`, {}, { cause });
  };
}
