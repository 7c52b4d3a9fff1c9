/** The function that settings ask for. Apart from the settings' schema, so that what only wants to predict need not bring the schema with it. */
import type { Network } from "../../../network/network.ts";
import { chunksOf } from "./chunks.ts";
import { globalMlp } from "./global-mlp.ts";
import type { ImportanceFunction } from "./importance.ts";
import { layerwiseMlp } from "./layerwise-mlp.ts";
import { scalarGates } from "./scalar-gate.ts";
import type { ImportanceSettings } from "./settings.ts";
import { chunkwiseTransformer } from "./transformer.ts";
import { vectorMlps } from "./vector-mlp.ts";

/**
 * What predicts importances, as settings ask for it.
 *
 * @param network what is taken apart, with the sites that are
 */
export function importanceFunction(settings: ImportanceSettings, network: Network): ImportanceFunction {
  const widths = settings.importanceHidden.split(",").map(Number);
  switch (settings.importance) {
    case "gate":
      return scalarGates(settings.gateWidth, settings.gateStart);
    case "vector-mlp":
      return vectorMlps(settings.gateWidth);
    case "layerwise-mlp":
      return layerwiseMlp(widths);
    case "global-mlp":
      return globalMlp(widths);
    case "transformer":
      return transformerOf(settings, network, "all");
    case "chunkwise-transformer":
      return transformerOf(settings, network, settings.importanceChunks);
  }
}

function transformerOf(settings: ImportanceSettings, network: Network, chunks: string): ImportanceFunction {
  const shape = {
    dModel: settings.importanceDModel,
    blocks: settings.importanceBlocks,
    heads: settings.importanceHeads,
    dMlp: settings.importanceDMlp,
    causal: settings.importanceCausal,
  };
  return chunkwiseTransformer(shape, chunksOf(network, chunks, settings.importanceTaps));
}
