/** Many runs side by side in one folder, `./runs` unless told. */
import { mkdir, readdir } from "node:fs/promises";
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { MechanistError } from "../error.ts";
import { nearest } from "../nearest.ts";
import { diskFailure } from "../file/node-atomic.ts";
import { RunFolder } from "./folder.ts";

/** Where runs go unless told. */
export const RUNS = "runs";

/** Whether a text can be the name of a run's folder: no path, nothing hidden, nothing a terminal would act on. */
export function isRunName(name: string): boolean {
  return /^[^./\\\p{Cc}][^/\\\p{Cc}]{0,199}$/u.test(name);
}

/** The names of the folders that hold a run, in order. */
export async function runNames(folder: string): Promise<string[]> {
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
    throw error;
  });
  return entries.filter((name) => isRunName(name) && existsSync(join(folder, name, "run.json"))).sort();
}

/** Makes an empty folder for a new run: `runs/name`, or `runs/name-2` and so on when that is taken. */
export async function newRunPath(name: string, folder = RUNS): Promise<string> {
  try {
    await mkdir(folder, { recursive: true });
    for (let n = 1; ; n++) {
      const path = join(folder, n === 1 ? name : `${name}-${n}`);
      const made = await mkdir(path).then(
        () => true,
        (error: NodeJS.ErrnoException) => {
          if (error.code === "EEXIST") return false;
          throw error;
        },
      );
      if (made) return path;
    }
  } catch (cause) {
    throw diskFailure(join(folder, name), cause);
  }
}

/**
 * The run that somebody means by a path or by a name in `./runs`.
 *
 * @throws `MissingFile`, with the nearest name there is
 */
export async function findRun(given: string, folder = RUNS): Promise<RunFolder> {
  const candidates = [given, join(folder, given)];
  const found =
    candidates.find((path) => existsSync(join(path, "run.json"))) ?? candidates.find((path) => existsSync(path));
  if (found !== undefined) return RunFolder.open(found);
  const parent = dirname(given) === "." ? folder : dirname(given);
  const close = nearest(basename(given), await runNames(parent));
  const wanted = close === undefined ? "a run folder" : join(parent, close);
  throw new MechanistError("MissingFile", `${given}: expected ${wanted}, got none`, { nearest: close });
}
