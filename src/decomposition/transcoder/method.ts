/**
 * Transcoders: codes that read what an MLP reads and write what it writes, so that latents stand for what it computes rather than for what its output
 * holds (Dunefsky, Chlenski & Nanda 2024); and the same with an affine map beside the latents, which need not carry what is linear
 * (Paulo, Shabalin & Belrose 2025).
 *
 *     z = σ(x W_enc + b_enc)      MLP(x) ≈ z W_dec + b_dec (+ x W_skip)
 */
import { MechanistError } from "../../error.ts";
import type { TrainDocument } from "../../training/target.ts";
import { targetNamed } from "../../training/targets.ts";
import type { Kind } from "../dictionary/kinds/kind.ts";
import { kindNamed } from "../dictionary/kinds/kinds.ts";
import { activationSource, openedDictionaries } from "../dictionary/method.ts";
import { trainOnActivations } from "../dictionary/train.ts";
import { dictionaryTraining, latentCount, type PlacedDictionary } from "../dictionary/training.ts";
import type { DecomposeDocument, Method } from "../methods.ts";
import { pairObjection, type PointPair, pointPairs } from "./pairs.ts";
import { transcoderPresets } from "./presets.ts";
import { kindComplaint, type TranscoderSettings, transcoderSettings } from "./settings.ts";

const settingsOf = ({ settings }: DecomposeDocument): TranscoderSettings => ({
  ...(settings as unknown as TranscoderSettings),
  // What is written is not what is read.
  subtractDecoderBias: false,
});

function pairsOf(document: TrainDocument, names: { readonly reads: string; readonly writes: string }): PointPair[] {
  const target = targetNamed(document.target);
  const network = target.network(document.settings);
  return pointPairs(network, names, (size) => target.batch("data", document.settings, size));
}

/** The transcoders that settings ask for, called after the points they write. */
function placed(document: DecomposeDocument, skip: boolean): PlacedDictionary[] {
  const settings = settingsOf(document);
  return pairsOf(document.target, settings).map(({ reads, writes }) => ({
    site: writes.name,
    ...{ reads, writes, skip },
    C: latentCount(settings, reads.width),
  }));
}

function transcoderMethod(name: string, summary: string, skip: boolean): Method {
  const kindOf = (document: DecomposeDocument): Kind<TranscoderSettings> =>
    kindNamed(settingsOf(document).kind) as unknown as Kind<TranscoderSettings>;
  return {
    summary,
    schema: transcoderSettings,
    objection: pairObjection,
    presets: (target) => transcoderPresets(pairsOf(target, { reads: "", writes: "" })[0]!.reads.width, skip),
    check: (document) => {
      const settings = settingsOf(document);
      for (const { C } of placed(document, skip)) {
        const complaint = kindComplaint(document.settings) ?? kindOf(document).complaint?.(settings, C);
        if (complaint !== undefined) throw new MechanistError("BadArgument", `${name} ${complaint}`);
      }
    },
    run: async (document, weights, options) => {
      const settings = settingsOf(document);
      const source = await activationSource(document.target, weights);
      const training = dictionaryTraining(placed(document, skip), kindOf(document), settings, source.network);
      return trainOnActivations(source, training, settings, options);
    },
    open: (document, weights, components) => {
      const { k } = settingsOf(document);
      const kind = kindOf(document);
      const how = kind.code === "topk" ? { k } : {};
      return openedDictionaries(document, placed(document, skip), kind, how, weights, components);
    },
  };
}

export const transcoderMethods: Readonly<Record<string, Method>> = {
  transcoder: transcoderMethod("transcoder", "sparse latents between what each MLP reads and what it writes", false),
  "skip-transcoder": transcoderMethod("skip-transcoder", "the same with an affine map beside the latents", true),
};
