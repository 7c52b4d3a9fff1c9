/** APD as an entry in the table of methods. */
import type { DecomposeDocument, Method } from "../methods.ts";
import { decompositionTarget, expectNone, factorsComplaint, networkOf, objectionTo } from "../full-network/target.ts";
import { apdDecomposition } from "./apd-decomposition.ts";
import { apd } from "./apd.ts";
import { apdPresets } from "./presets.ts";
import { type ApdSettings, apdSettings } from "./settings.ts";

const settingsOf = (document: DecomposeDocument): ApdSettings => document.settings as unknown as ApdSettings;

export const apdMethod: Method = {
  summary:
    "attribution-based parameter decomposition: components of the whole network, active by gradients, in batch top-k",
  schema: apdSettings,
  objection: objectionTo,
  presets: (target) => apdPresets(networkOf(target, "")),
  check: (document) => {
    const { sites, components, topK, factors } = settingsOf(document);
    expectNone("apd", [
      topK > components ? `topK: expected at most the ${components} components there are, got ${topK}` : undefined,
      factorsComplaint(networkOf(document.target, sites), factors),
    ]);
  },
  run: async (document, weights, options) => {
    const settings = settingsOf(document);
    return apd(await decompositionTarget(document.target, weights, settings), settings, options);
  },
  open: (document, weights, components) => {
    const settings = settingsOf(document);
    return apdDecomposition(networkOf(document.target, settings.sites), weights, components, settings);
  },
};
