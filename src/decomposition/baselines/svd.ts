/** Singular vectors of weight matrices as an entry in the table of methods. */
import { interpret, type NamedValues } from "../../engine/index.ts";
import { type Site, weightInputs } from "../../network/network.ts";
import { targetNamed } from "../../training/targets.ts";
import { networkOf } from "../full-network/target.ts";
import type { DecomposeDocument, Method } from "../methods.ts";
import { Fitting } from "./fitting.ts";
import { dense } from "./linear-algebra.ts";
import { type SvdSettings, svdSettings } from "./settings.ts";
import { SingularVectorDecomposition, singularVectors } from "./singular-vectors.ts";

const settingsOf = (document: DecomposeDocument): SvdSettings => document.settings as unknown as SvdSettings;

const countOf = ({ count }: SvdSettings, { dIn, dOut }: Site): number => {
  const rank = Math.min(dIn, dOut);
  return count === 0 ? rank : Math.min(count, rank);
};

export const svdMethod: Method = {
  summary: "singular vectors of each weight matrix",
  schema: svdSettings,
  computed: true,
  objection: (target) =>
    targetNamed(target.target).network(target.settings).sites.length > 0
      ? undefined
      : "a network with matrices to take apart",
  presets: () => ({ default: { summary: "all of them, of every matrix", source: "Mechanist", settings: {} } }),
  check: (document) => void networkOf(document.target, settingsOf(document).sites),
  run: async (document, weights, options) => {
    const settings = settingsOf(document);
    const network = networkOf(document.target, settings.sites);
    const fitting = new Fitting(options);
    if (fitting.finished) return fitting.finished;
    const components: Record<string, NamedValues[string]> = {};
    for (const [i, site] of network.sites.entries()) {
      await fitting.at("decompose", i, network.sites.length);
      const { W } = interpret({ W: network.matrix(weightInputs(network.weights), site.name) }, weights);
      const matrix = dense(site.dIn, site.dOut, W.data);
      Object.assign(components, singularVectors(site.name, matrix, countOf(settings, site)));
    }
    return fitting.done(components, 0, {});
  },
  open: (document, weights, components) =>
    new SingularVectorDecomposition(networkOf(document.target, settingsOf(document).sites), weights, components),
};
