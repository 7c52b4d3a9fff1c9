/** A network's folder again, with some of its weights changed: names, layouts, types, shards, config and tokenizer are those it had. */
import { mkdir, readdir, realpath } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { NamedValues } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import { copyAtomic, diskFailure } from "../../file/node-atomic.ts";
import { folderSource } from "../../file/node-bytes.ts";
import { PULLED } from "../../file/node-cache.ts";
import type { CheckpointOptions } from "./checkpoint.ts";
import { storedEdits } from "./stored-edits.ts";

const CONFIG = "config.json";
/** What stands beside the weights and is copied; weights in other formats are not, for they would be the old ones. */
const BESIDE = /\.(json|txt|model|jinja)$/;

/**
 * Writes the folder, `config.json` last: a folder that has it is whole.
 *
 * @param changed weights by our names, whole; all others stay as they are to the bit
 * @throws `BadArgument` for writing over the folder itself; as `storedEdits`; `DiskFailure`
 */
export async function writeEditedFolder(
  from: string,
  to: string,
  changed: NamedValues,
  options: Pick<CheckpointOptions, "signal"> = {},
): Promise<void> {
  if ((await realpath(to).catch(() => resolve(to))) === (await realpath(from))) {
    throw new MechanistError("BadArgument", `${to}: expected another folder than the network's own, got that`);
  }
  const { files, edits } = await storedEdits(folderSource(from), changed, options);
  try {
    await mkdir(to, { recursive: true });
  } catch (cause) {
    throw diskFailure(to, cause);
  }
  for (const file of files) {
    options.signal?.throwIfAborted();
    await copyAtomic(
      join(from, file),
      join(to, file),
      edits.filter((edit) => edit.file === file),
    );
  }
  const beside = (await readdir(from)).filter((file) => BESIDE.test(file) && file !== PULLED && file !== CONFIG);
  for (const file of [...beside, CONFIG]) await copyAtomic(join(from, file), join(to, file));
}
