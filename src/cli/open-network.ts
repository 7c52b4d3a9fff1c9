/** The network that somebody means: a folder or id from the hub, a compiled program, a run. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expectEmbedded, readTokenizer, type Tokenizer } from "../data/tokenizer.ts";
import type { NamedValues } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import { parseJson } from "../file/json.ts";
import { folderSource } from "../file/node-bytes.ts";
import { resolveNetworkFolder } from "../file/node-cache.ts";
import { readSafetensors } from "../file/safetensors.ts";
import { openCompiled } from "../network/compiled/document.ts";
import { openHuggingFace } from "../network/huggingface/node-folder.ts";
import type { Network } from "../network/network.ts";
import { transformer } from "../network/transformer/transformer.ts";
import { findRun } from "../run/runs.ts";
import { settingsFrom } from "../settings.ts";
import type { TrainDocument } from "../training/target.ts";
import { targetNamed } from "../training/targets.ts";
import { trainedWeights } from "./decompose.ts";
import { fromFile, trainDocumentOf } from "./documents.ts";
import { networkWeights } from "./weights.ts";

/** A network with all that its folder says of it. */
export interface OpenedNetwork {
  /** What it is, in a few words: `gpt2`, `compiled sort`. */
  readonly title: string;
  readonly path: string;
  readonly network: Network;
  readonly weights: NamedValues;
  /** Absent where the folder has no `tokenizer.json`. */
  readonly tokenizer?: Tokenizer;
  /** How it was trained, where it was trained here. */
  readonly document?: TrainDocument;
}

export interface OpenNetworkOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, all: number) => void;
}

/**
 * Opens a network by a path, by the id of one that was pulled, or by the name of a run.
 *
 * @throws `MissingFile` where there is none; `BadFile` where it is wrong; `ShapeMismatch` for a tokenizer larger than the embedding
 */
export async function openNetwork(given: string, options: OpenNetworkOptions = {}): Promise<OpenedNetwork> {
  const isRun = [given, join("runs", given)].some((path) => existsSync(join(path, "run.json")));
  if (isRun) return openRun(given);
  const path = await resolveNetworkFolder(given);
  if (existsSync(join(path, "network.json"))) return openDescribed(path);
  const { network, weights, family } = await openHuggingFace(path, options);
  const folder = folderSource(path);
  const tokenizer = existsSync(join(path, "tokenizer.json")) ? await readTokenizer(folder) : undefined;
  if (tokenizer !== undefined) expectEmbedded(tokenizer, network.config.vocab, join(path, "tokenizer.json"));
  return { title: family, path, network, weights, ...(tokenizer !== undefined && { tokenizer }) };
}

/** A folder with a `network.json`: a compiled program, or a trained network that was edited. */
async function openDescribed(path: string): Promise<OpenedNetwork> {
  const [document, tensors] = [join(path, "network.json"), join(path, "model.safetensors")];
  const bytes = await readFile(tensors).catch((cause: unknown) => {
    throw new MechanistError("MissingFile", `${path}: expected model.safetensors, got none`, {}, { cause });
  });
  const stored = readSafetensors(bytes, tensors).tensors;
  const description = parseJson(await readFile(document), document);
  if ((description as { readonly kind?: unknown } | null)?.kind === "edited") {
    return openEdited(path, description as { readonly document?: unknown }, stored);
  }
  const { name, config, weights } = openCompiled(document, description, stored);
  return { title: `compiled ${name}`, path, network: transformer(config), weights };
}

function openEdited(
  path: string,
  { document: given }: { readonly document?: unknown },
  stored: NamedValues,
): OpenedNetwork {
  const where = join(path, "network.json");
  const { target: name, settings } = (given ?? {}) as Partial<TrainDocument>;
  if (typeof name !== "string" || typeof settings !== "object") {
    throw new MechanistError("BadFile", `${where}: expected how the network was trained, got none`);
  }
  const document = fromFile(where, () => ({
    ...(given as TrainDocument),
    settings: settingsFrom(name, targetNamed(name).schema, settings) as TrainDocument["settings"],
  }));
  const target = targetNamed(name);
  return {
    title: `${target.title(document.settings)}, edited`,
    path,
    network: target.network(document.settings),
    weights: networkWeights(join(path, "model.safetensors"), document, stored),
    document,
  };
}

async function openRun(given: string): Promise<OpenedNetwork> {
  const run = await findRun(given);
  const document = await trainDocumentOf(run);
  const weights = run.record.kind === "train" ? await trainedWeights(run) : await run.loadTarget();
  const target = targetNamed(document.target);
  return {
    title: target.title(document.settings),
    path: run.path,
    network: target.network(document.settings),
    weights,
    document,
  };
}
