/** Dictionaries of single points as entries in the table of methods. */
import { MechanistError } from "../../error.ts";
import type { NamedValues } from "../../engine/index.ts";
import type { SettingsSchema } from "../../settings.ts";
import type { TrainDocument } from "../../training/target.ts";
import { targetNamed } from "../../training/targets.ts";
import { ActivationDecomposition } from "../activation/activation-decomposition.ts";
import type { DecomposeDocument, Method } from "../methods.ts";
import { type CoderOptions, dictionaryCoder } from "./coder.ts";
import { dictionaryWeights } from "./dictionary.ts";
import type { Kind } from "./kinds/kind.ts";
import { type KindName, KINDS } from "./kinds/kinds.ts";
import { dictionaryPresets } from "./presets.ts";
import { type ActivationSource, rowPoints, usualPoint } from "./rows.ts";
import {
  gatedSettings,
  jumpReluSettings,
  matryoshkaSettings,
  saeSettings,
  topKSettings,
  type TrainingSettings,
} from "./settings.ts";
import { trainOnActivations } from "./train.ts";
import { dictionaryTraining, latentCount, type PlacedDictionary, shapeOf } from "./training.ts";

/** Settings of a dictionary at points. */
type PointSettings = TrainingSettings & { readonly point: string; readonly k?: number };

/** Where the activations of a document's network come from. */
export async function activationSource(document: TrainDocument, weights: NamedValues): Promise<ActivationSource> {
  const target = targetNamed(document.target);
  const { settings } = document;
  const tables = await target.tables?.(settings);
  const padding = target.known?.(settings)?.languageModel?.padding;
  return {
    network: target.network(settings),
    weights,
    ...(tables && { tables }),
    ...(padding !== undefined && { padding }),
    batch: (size) => target.batch("data", settings, size),
  };
}

/** Dictionaries that were trained, as the decomposition that they are. */
export function openedDictionaries<S>(
  { target }: DecomposeDocument,
  all: readonly PlacedDictionary[],
  kind: Kind<S>,
  how: Pick<CoderOptions, "k" | "normalization">,
  weights: NamedValues,
  components: NamedValues,
): ActivationDecomposition {
  const coders = all.map((one) =>
    dictionaryCoder({ shape: shapeOf(one, kind), reads: one.reads.name, writes: one.writes.name, ...how }),
  );
  const specs = all.flatMap((one) => dictionaryWeights(shapeOf(one, kind)));
  const network = targetNamed(target.target).network(target.settings);
  return new ActivationDecomposition(network, weights, coders, specs, components);
}

/** The dictionaries that settings ask for. */
function placed({ target, settings }: TrainDocument, asked: PointSettings): PlacedDictionary[] {
  const found = targetNamed(target);
  const network = found.network(settings);
  const names = asked.point === "" ? usualPoint(network).name : asked.point;
  return rowPoints(network, names, (size) => found.batch("data", settings, size)).map((point) => ({
    site: point.name,
    reads: point,
    writes: point,
    C: latentCount(asked, point.width),
  }));
}

/** How wide activations are at the point that is taken where none is asked for. */
function usualWidth({ target, settings }: TrainDocument): number {
  const found = targetNamed(target);
  const network = found.network(settings);
  return rowPoints(network, usualPoint(network).name, (size) => found.batch("data", settings, size))[0]!.width;
}

/** A kind of dictionary as a method. */
function dictionaryMethod<S extends TrainingSettings>(
  name: KindName,
  summary: string,
  kind: Kind<S>,
  schema: SettingsSchema,
): Method {
  const settingsOf = (document: DecomposeDocument): S & PointSettings =>
    document.settings as unknown as S & PointSettings;
  return {
    summary,
    schema,
    objection: () => undefined,
    presets: (target) => dictionaryPresets(name, usualWidth(target)),
    check: (document) => {
      const settings = settingsOf(document);
      for (const { C } of placed(document.target, settings)) {
        const complaint = kind.complaint?.(settings, C);
        if (complaint !== undefined) throw new MechanistError("BadArgument", `${name} ${complaint}`);
      }
    },
    run: async (document, weights, options) => {
      const settings = settingsOf(document);
      const source = await activationSource(document.target, weights);
      const training = dictionaryTraining(placed(document.target, settings), kind, settings, source.network);
      return trainOnActivations(source, training, settings, options);
    },
    open: (document, weights, components) => {
      const settings = settingsOf(document);
      const how = {
        normalization: settings.activationNormalization,
        ...(settings.k !== undefined && { k: settings.k }),
      };
      return openedDictionaries(document, placed(document.target, settings), kind, how, weights, components);
    },
  };
}

export const dictionaryMethods: Readonly<Record<string, Method>> = {
  sae: dictionaryMethod("sae", "sparse autoencoder: ReLU latents and a penalty on them", KINDS.sae, saeSettings),
  gated: dictionaryMethod(
    "gated",
    "gated sparse autoencoder: what is on and how much are read apart",
    KINDS.gated,
    gatedSettings,
  ),
  topk: dictionaryMethod(
    "topk",
    "sparse autoencoder with the k largest latents of each input",
    KINDS.topk,
    topKSettings,
  ),
  batchtopk: dictionaryMethod(
    "batchtopk",
    "the largest latents of a whole batch, k an input on average",
    KINDS.batchtopk,
    topKSettings,
  ),
  jumprelu: dictionaryMethod(
    "jumprelu",
    "sparse autoencoder with a threshold for each latent",
    KINDS.jumprelu,
    jumpReluSettings,
  ),
  matryoshka: dictionaryMethod(
    "matryoshka",
    "nested dictionaries: the first few latents have to do by themselves",
    KINDS.matryoshka,
    matryoshkaSettings,
  ),
};
