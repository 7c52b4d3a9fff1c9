/**
 * An edited network as a folder: of one that came from elsewhere its own folder again, so that whatever opened that opens this; of one trained
 * here, a folder of ours.
 */
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Edit } from "../circuit/index.ts";
import type { NamedValues } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import { writeAtomic } from "../file/node-atomic.ts";
import { resolveNetworkFolder } from "../file/node-cache.ts";
import { writeSafetensors } from "../file/safetensors.ts";
import { writeEditedFolder } from "../network/huggingface/node-edited-folder.ts";
import { openHuggingFace } from "../network/huggingface/node-folder.ts";
import type { OpenedDecomposition } from "./open-decomposition.ts";
import type { Terminal } from "./terminal.ts";

/**
 * The folder that a decomposed network came from, if it came from one that is still there and holds the same weights.
 *
 * @param given where it is now; without it, where it was
 * @throws `BadArgument` for a network that was trained here; `BadFile` for a folder with other weights
 */
export async function folderOf(
  { decomposition, document, title }: OpenedDecomposition,
  given: string | undefined,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (document.target.target !== "pretrained") {
    if (given === undefined) return undefined;
    throw new MechanistError("BadArgument", `--network: expected a network from elsewhere, got ${title}, trained here`);
  }
  const { name } = document.target.settings as { readonly name?: unknown };
  const folder = await resolveNetworkFolder(given ?? String(name)).catch((error: unknown) => {
    if (given !== undefined || !(error instanceof MechanistError) || error.code !== "MissingFile") throw error;
    terminal.note(
      `${String(name)} is not there any more: the network will have our names; --network says where its folder is`,
    );
    return undefined;
  });
  if (folder === undefined) return undefined;
  terminal.working(`comparing weights with ${folder}`);
  const { weights } = await openHuggingFace(folder, { signal });
  for (const { name: weight } of decomposition.network.weights) {
    const [here, there] = [decomposition.values[weight]!.data, weights[weight]?.data];
    if (here.length === there?.length && here.every((x, i) => x === there[i])) continue;
    throw new MechanistError("BadFile", `${folder}: expected the weights of ${title}, got others in ${weight}`);
  }
  return folder;
}

export interface EditedNetwork {
  readonly edits: readonly Edit[];
  /** All of them, edited, and the names of those that are. */
  readonly weights: NamedValues;
  readonly changed: readonly string[];
  /** The folder it came from. */
  readonly from?: string;
}

/** An edit as documents tell it. */
export const told = (edit: Edit): Record<string, unknown> =>
  edit.kind === "replace" ? { ...edit, write: Array.from(edit.write) } : { ...edit };

/** A folder that opens as a network wherever one is taken; what says what it is comes last, so that one which has it is whole. */
export async function writeNetwork(
  { run, document }: OpenedDecomposition,
  { edits, weights, changed, from }: EditedNetwork,
  out: string,
  signal: AbortSignal,
): Promise<void> {
  const to = resolve(out);
  const content = {
    schema: 1,
    kind: "edited",
    of: { name: run.name, digest: run.record.digest },
    edits: edits.map(told),
  };
  if (from !== undefined) {
    const some = Object.fromEntries(changed.map((name) => [name, weights[name]!]));
    await writeEditedFolder(from, to, some, { signal });
    await writeAtomic(join(to, "mechanist.json"), `${JSON.stringify(content, null, 2)}\n`);
    return;
  }
  await mkdir(to, { recursive: true });
  await writeAtomic(join(to, "model.safetensors"), writeSafetensors(weights));
  const described = { ...content, document: document.target };
  await writeAtomic(join(to, "network.json"), `${JSON.stringify(described, null, 2)}\n`);
}
