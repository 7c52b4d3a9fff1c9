/** Files, read by ranges wherever they lie. */
export { blobSource, type ByteSource, memorySource, type SourceFolder, webSource } from "./bytes.ts";
export { openSafetensors, openWeights } from "./open-safetensors.ts";
export type { OpenTensors, ReadOptions, TensorInfo } from "./open-tensors.ts";
export { readSafetensors, writeSafetensors } from "./safetensors.ts";
export { openNpz, writeNpz } from "./npz.ts";
