/** Crosscoders as an entry in the table of methods. */
import { z } from "zod";
import { MechanistError } from "../../error.ts";
import { fitsPattern } from "../../network/site-patterns.ts";
import type { Preset } from "../../settings.ts";
import type { TrainDocument } from "../../training/target.ts";
import { targetNamed } from "../../training/targets.ts";
import { ActivationDecomposition } from "../activation/activation-decomposition.ts";
import { activationSource } from "../dictionary/method.ts";
import { rowPoints, type RowPoint } from "../dictionary/rows.ts";
import { l1Fields, severalPointFields } from "../dictionary/settings.ts";
import { trainOnActivations } from "../dictionary/train.ts";
import { latentCount } from "../dictionary/training.ts";
import type { DecomposeDocument, Method } from "../methods.ts";
import { rowCounts } from "../transcoder/pairs.ts";
import { crosscoderCoder, type CrosscoderShape, crosscoderWeights } from "./crosscoder.ts";
import { type CrosscoderTrainingSettings, crosscoderTraining } from "./training.ts";

const crosscoderSettings = z.strictObject({
  points: z
    .string()
    .default("")
    .describe(
      "hook points of one width, commas between and * for any part of a name; empty: the stream after every block",
    ),
  ...severalPointFields,
  ...l1Fields,
  decoderStart: z.number().gt(0).default(0.1).describe("length of the decoder's rows at each point at the start"),
  activationNormalization: z
    .enum(["none", "expected_average_only_in"])
    .default("expected_average_only_in")
    .describe("how activations are scaled in training, each point's by itself"),
});

/** The name of its site. */
const CROSSCODER = "crosscoder";

type Settings = z.infer<typeof crosscoderSettings>;
const settingsOf = ({ settings }: DecomposeDocument): Settings => settings as unknown as Settings;

/** The points that settings ask for. @throws `BadArgument` where they are not of one width, or do not have a row each for the same thing */
function pointsOf(document: TrainDocument, asked: string): RowPoint[] {
  const target = targetNamed(document.target);
  const network = target.network(document.settings);
  const batch = (size: number): ReturnType<typeof target.batch> => target.batch("data", document.settings, size);
  const rows = rowCounts(network, batch);
  const own = asked === "" ? usualPoints(rowPoints(network, [...rows.keys()].join(","), batch), rows) : asked;
  if (own === "") throw new MechanistError("BadArgument", `crosscoder points: expected ${NO_POINTS}, got none`);
  const points = rowPoints(network, own, batch);
  const [first] = points as [RowPoint];
  for (const { name, width } of points) {
    if (width === first.width && rows.get(name) === rows.get(first.name)) continue;
    const got = [first.name, name].map((point, i) => `${rows.get(point)} × ${[first.width, width][i]} at ${point}`);
    throw new MechanistError(
      "BadArgument",
      `crosscoder points: expected hook points of one width and as many rows an example, got ${got.join(" and ")}`,
    );
  }
  if (points.length > 1) return points;
  throw new MechanistError("BadArgument", `crosscoder points: expected two or more hook points, got ${first.name}`);
}

/**
 * The stream after every block; where there is one block, before it, too; in a network without blocks the first points that are alike.
 *
 * @returns names with commas between; nothing where no two are alike
 */
function usualPoints(points: readonly RowPoint[], rows: ReadonlyMap<string, number>): string {
  const fitting = (pattern: string): RowPoint[] => points.filter(({ name }) => fitsPattern(pattern, name));
  const streams = fitting("blocks.*.hook_resid_post");
  const before = fitting("blocks.*.hook_resid_pre").slice(0, streams.length > 1 ? 0 : 1);
  const alike = ({ name, width }: RowPoint): RowPoint[] =>
    points.filter((other) => other.width === width && rows.get(other.name) === rows.get(name));
  const found = [...before, ...streams];
  const chosen = found.length > 1 ? found : (points.map(alike).find((group) => group.length > 1) ?? []);
  return chosen.map(({ name }) => name).join(",");
}

/** What a network lacks that no crosscoder fits into. */
const NO_POINTS = "a network with two or more hook points of one width";

function shapeFor(document: DecomposeDocument): { readonly shape: CrosscoderShape; readonly points: RowPoint[] } {
  const settings = settingsOf(document);
  const points = pointsOf(document.target, settings.points);
  const width = points[0]!.width;
  const C = latentCount(settings as unknown as CrosscoderTrainingSettings, width);
  return { shape: { site: CROSSCODER, points: points.map(({ name }) => name), width, C }, points };
}

const presets: Readonly<Record<string, Preset>> = {
  default: { summary: "for small networks", source: "Mechanist", settings: { lr: 3e-3, l1Coefficient: 0.2 } },
  quick: {
    summary: "a first look in seconds",
    source: "Mechanist",
    settings: { lr: 3e-3, l1Coefficient: 0.2, steps: 1000 },
  },
  "after-lindsey-2024": {
    summary: "the stream after every block; rate and warm-ups of that group's dictionaries of that year",
    source:
      "after Lindsey et al. 2024 (Sparse crosscoders), Conerly et al. 2024 (Circuits Updates, April); not yet checked against it",
    settings: {
      ...{ batch: 4096, steps: 200_000, lr: 5e-5, lrWarmUp: 0, lrDecay: 0.2, clipNorm: 1 },
      ...{ l1Coefficient: 5, l1WarmUp: 0.05, decoderStart: 0.1 },
    },
  },
};

export const crosscoderMethod: Method = {
  summary: "one set of sparse latents that reads and writes several hook points at once",
  schema: crosscoderSettings,
  objection: (target) => {
    try {
      pointsOf(target, "");
      return undefined;
    } catch (error) {
      if (!(error instanceof MechanistError)) throw error;
      return NO_POINTS;
    }
  },
  presets: () => presets,
  check: (document) => void shapeFor(document),
  run: async (document, weights, options) => {
    const settings = settingsOf(document) as unknown as CrosscoderTrainingSettings;
    const source = await activationSource(document.target, weights);
    const { shape, points } = shapeFor(document);
    return trainOnActivations(source, crosscoderTraining(shape, points, settings), settings, options);
  },
  open: (document, weights, components) => {
    const { shape } = shapeFor(document);
    const network = targetNamed(document.target.target).network(document.target.settings);
    return new ActivationDecomposition(
      network,
      weights,
      [crosscoderCoder(shape)],
      crosscoderWeights(shape),
      components,
    );
  },
};
