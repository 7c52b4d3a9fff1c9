/** L3D as an entry in the table of methods. */
import type { DecomposeDocument, Method } from "../methods.ts";
import { decompositionTarget, expectNone, factorsComplaint, networkOf, objectionTo } from "../full-network/target.ts";
import { L3dDecomposition } from "./l3d-decomposition.ts";
import { l3d } from "./l3d.ts";
import { l3dPresets } from "./presets.ts";
import { type L3dSettings, l3dSettings } from "./settings.ts";

const settingsOf = (document: DecomposeDocument): L3dSettings => document.settings as unknown as L3dSettings;

export const l3dMethod: Method = {
  summary: "local loss-landscape decomposition: directions in weight space that few gradients need at a time",
  schema: l3dSettings,
  objection: objectionTo,
  presets: (target) => l3dPresets(networkOf(target, "")),
  check: (document) => {
    const { sites, factors } = settingsOf(document);
    expectNone("l3d", [factorsComplaint(networkOf(document.target, sites), factors)]);
  },
  run: async (document, weights, options) => {
    const settings = settingsOf(document);
    return l3d(await decompositionTarget(document.target, weights, settings), settings, options);
  },
  open: (document, weights, components) => {
    const settings = settingsOf(document);
    return new L3dDecomposition(networkOf(document.target, settings.sites), weights, components, settings);
  },
};
