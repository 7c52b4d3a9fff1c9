/** What needs Node: files and folders on this machine, and networks from the hub. */
export { fileSource, folderSource } from "./file/node-bytes.ts";
export { resolveNetworkFolder } from "./file/node-cache.ts";
export { pull, type PulledNetwork, type PullOptions } from "./file/node-hub.ts";
export { writeEditedFolder } from "./network/huggingface/node-edited-folder.ts";
export { openHuggingFace } from "./network/huggingface/node-folder.ts";
export { HarvestFolder } from "./harvest/node-folder.ts";
