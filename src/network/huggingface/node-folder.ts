/** Hugging Face folders on this machine. */
import { folderSource } from "../../file/node-bytes.ts";
import { type Checkpoint, type CheckpointOptions, readCheckpoint } from "./checkpoint.ts";

/**
 * Opens a network's folder: `config.json` and `model.safetensors`, whole or in shards.
 *
 * @throws `MissingFile` and `BadFile` as `readCheckpoint`
 */
export function openHuggingFace(path: string, options: CheckpointOptions = {}): Promise<Checkpoint> {
  return readCheckpoint(folderSource(path), options);
}
