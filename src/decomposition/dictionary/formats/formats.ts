/** The formats in which others keep dictionaries, by name. A new one is an entry in this table. */
import { MechanistError } from "../../../error.ts";
import type { SourceFolder } from "../../../file/bytes.ts";
import { isPickle, pickleRefusal } from "../../../file/pickle.ts";
import { named } from "../../../settings.ts";
import {
  crossLayerFiles,
  encoderFile,
  readCrossLayer,
  readTranscoderSet,
  transcoderFile,
  transcoderSetFiles,
} from "./circuit-tracer.ts";
import { DICTIONARY_LEARNING_WEIGHTS, dictionaryLearningFiles, readDictionaryLearning } from "./dictionary-learning.ts";
import {
  GEMMA_SCOPE,
  GEMMA_SCOPE_2,
  gemmaScope2Files,
  gemmaScopeFiles,
  readGemmaScope,
  readGemmaScope2,
} from "./gemma-scope.ts";
import { LLAMA_SCOPE_CONFIG, llamaScopeFiles, readLlamaScope } from "./llama-scope.ts";
import { hasFile } from "./reading.ts";
import { readSaeLens, SAELENS_WEIGHTS, saeLensFiles } from "./saelens.ts";
import { readSparsify, SPARSIFY_WEIGHTS, sparsifyFiles } from "./sparsify.ts";
import type { Stored, StoredDictionary, StoredFiles } from "./stored.ts";

export interface DictionaryFormat {
  readonly summary: string;
  /** The file by which a folder of it is told. */
  readonly mark: string;
  /** Whether a file is one of its weights. */
  readonly isWeights: (file: string) => boolean;
  /** @param only one file of several; all there are unless given */
  read(folder: SourceFolder, only?: string): Promise<Stored>;
  /** @throws `Refused` for what it has no way to say */
  files(stored: Stored): StoredFiles | Promise<StoredFiles>;
}

/** A format whose folder holds one dictionary. */
function ofOne(
  name: string,
  summary: string,
  mark: string,
  read: (folder: SourceFolder) => Promise<StoredDictionary>,
  files: (dictionary: StoredDictionary) => StoredFiles,
): DictionaryFormat {
  return {
    ...{ summary, mark },
    isWeights: (file) => file === mark,
    read: async (folder) => ({ kind: "dictionaries", dictionaries: [await read(folder)] }),
    files: (stored) => {
      const all = dictionariesOf(name, stored);
      if (all.length === 1) return files(all[0]!);
      throw new MechanistError("Refused", `export ${name}: expected one dictionary, got ${all.length}`);
    },
  };
}

function dictionariesOf(format: string, stored: Stored): readonly StoredDictionary[] {
  if (stored.kind === "dictionaries") return stored.dictionaries;
  throw new MechanistError("Refused", `export ${format}: expected dictionaries or transcoders, got a cross-layer one`);
}

export const DICTIONARY_FORMATS: Readonly<Record<string, DictionaryFormat>> = {
  saelens: ofOne(
    "saelens",
    "SAELens, version 6; earlier ones are read too",
    SAELENS_WEIGHTS,
    readSaeLens,
    saeLensFiles,
  ),
  dictionary_learning: ofOne(
    "dictionary_learning",
    "dictionary_learning, its tensors as safetensors",
    DICTIONARY_LEARNING_WEIGHTS,
    readDictionaryLearning,
    dictionaryLearningFiles,
  ),
  "gemma-scope": ofOne("gemma-scope", "Gemma Scope's params.npz", GEMMA_SCOPE, readGemmaScope, gemmaScopeFiles),
  "gemma-scope-2": ofOne("gemma-scope-2", "Gemma Scope 2", GEMMA_SCOPE_2, readGemmaScope2, gemmaScope2Files),
  sparsify: ofOne("sparsify", "sparsify, a folder for each point", SPARSIFY_WEIGHTS, readSparsify, sparsifyFiles),
  "circuit-tracer": {
    summary: "circuit-tracer, a transcoder for each layer",
    mark: transcoderFile(0),
    isWeights: (file) => /^layer_\d{1,4}\.safetensors$/.test(file),
    read: async (folder, only) => ({ kind: "dictionaries", dictionaries: await readTranscoderSet(folder, only) }),
    files: (stored) => transcoderSetFiles(dictionariesOf("circuit-tracer", stored)),
  },
  "circuit-tracer-clt": {
    summary: "circuit-tracer, a cross-layer transcoder",
    mark: encoderFile(0),
    isWeights: (file) => /^W_(enc|dec)_\d{1,4}\.safetensors$/.test(file),
    read: async (folder) => ({ kind: "cross-layer", transcoder: await readCrossLayer(folder) }),
    files: (stored) => {
      if (stored.kind === "cross-layer") return crossLayerFiles(stored.transcoder);
      throw new MechanistError(
        "Refused",
        "export circuit-tracer-clt: expected a cross-layer transcoder, got dictionaries",
      );
    },
  },
  "llama-scope": ofOne("llama-scope", "Llama Scope", LLAMA_SCOPE_CONFIG, readLlamaScope, llamaScopeFiles),
};

/** Pickles that libraries keep dictionaries in. */
const PICKLES = ["ae.pt", "sae.pt", "sae_weights.pt", "params.pt", "final.pth", "checkpoints/final.pth"] as const;

/** The format called `name`, or the nearest name there is. */
export function dictionaryFormatNamed(name: string): DictionaryFormat {
  return named("format", name, DICTIONARY_FORMATS);
}

/**
 * Reads what a folder holds, in whatever format it is.
 *
 * @param only a file that was meant, rather than its folder
 * @throws `MissingFile` where there is none; `BadFile` for a pickle, and where files contradict each other
 */
export async function readStored(
  folder: SourceFolder,
  only?: string,
): Promise<{ readonly format: string; readonly stored: Stored }> {
  if (only !== undefined && isPickle(only)) throw pickleRefusal(`${folder.name}/${only}`, only);
  for (const [format, { mark, isWeights, read }] of Object.entries(DICTIONARY_FORMATS)) {
    if (only === undefined ? await hasFile(folder, mark) : isWeights(only) || only === mark) {
      return { format, stored: await read(folder, only) };
    }
  }
  if (only === undefined) {
    for (const name of PICKLES) if (await hasFile(folder, name)) throw pickleRefusal(`${folder.name}/${name}`, name);
  }
  const marks = Object.values(DICTIONARY_FORMATS).map(({ mark }) => mark);
  throw new MechanistError(
    only === undefined ? "MissingFile" : "BadFile",
    `${folder.name}: expected a dictionary's file, one of ${marks.join(", ")}, got ${only ?? "none"}`,
  );
}
