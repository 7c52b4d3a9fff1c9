/** Folders that a command is asked to write: new, or empty. */
import { readdir } from "node:fs/promises";
import { MechanistError } from "../error.ts";
import { diskFailure } from "../file/node-atomic.ts";

/** @throws `BadArgument` for a folder that holds something; `DiskFailure` for what is no folder, or cannot be read */
export async function expectNewFolder(path: string): Promise<void> {
  const taken = await readdir(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return [];
    throw diskFailure(path, cause);
  });
  if (taken.length === 0) return;
  throw new MechanistError("BadArgument", `${path}: expected a new or empty folder, got one with files in it`);
}
