/**
 * Distributed alignment search as a baseline: the subspace that plays the part of a causal model's variable is one component, and all else at the point is what
 * is left over. It is told what to look for; methods that are not can be held against it.
 */
import { alignmentSearch } from "../../intervention/alignment/distributed-alignment-search.ts";
import { interchangeAccuracy } from "../../intervention/alignment/interchange.ts";
import { named } from "../../settings.ts";
import { axisNames } from "../../tensor/index.ts";
import type { RowPoint } from "../dictionary/rows.ts";
import type { Method } from "../methods.ts";
import { activationBaseline, type FitInput, type Found } from "./activation-baseline.ts";
import { CAUSAL_MODELS } from "./causal-models.ts";
import { dense, transposed } from "./linear-algebra.ts";
import { directionBits, linearCoder, type LinearShape, linearValues, linearWeights } from "./linear-coder.ts";
import { neuronPoints } from "./points.ts";
import { type DasSettings, dasSettings } from "./settings.ts";

/** Fresh pairs that the accuracy is measured on. */
const MEASURED_ON = 10_000;

function shapeOf({ rank }: DasSettings, { name, width }: RowPoint): LinearShape {
  return { point: name, width, count: 1, rank: rank === 0 ? Math.max(1, Math.floor(width / 2)) : rank };
}

export const alignmentMethod: Method = activationBaseline<DasSettings>("das", {
  summary: "distributed alignment search: the subspace of a causal model's variable",
  schema: dasSettings,
  usualPoints: (network) => neuronPoints(network).slice(0, 1),
  needs: "a network with neurons or hidden units",
  objection: ({ target }) =>
    target in CAUSAL_MODELS
      ? undefined
      : `a network with a known causal model, ${Object.keys(CAUSAL_MODELS).join(", ")}`,
  complaint: ({ rank }, { width }) => (rank > width ? `expected at most ${width} dimensions, got ${rank}` : undefined),
  place: (settings, point, { target }) => {
    variableOf(settings, target);
    const shape = shapeOf(settings, point);
    return { coder: linearCoder(shape, directionBits(point.width * shape.rank!)), specs: linearWeights(shape) };
  },
  fit: search,
});

function variableOf({ variable }: DasSettings, target: string): string {
  const { variables } = CAUSAL_MODELS[target]!;
  if (variable === "") return variables[0]!;
  return named("causal variable", variable, Object.fromEntries(variables.map((name) => [name, name])));
}

async function search({ point, settings, source, document, fitting }: FitInput<DasSettings>): Promise<Found> {
  const { target, settings: data } = document.target;
  const model = CAUSAL_MODELS[target]!;
  const variable = variableOf(settings, target);
  const shape = shapeOf(settings, point);
  const { network, weights } = source;
  const axis = axisNames(network.points.find(({ name }) => name === point.name)!.axes).at(-1)!;
  const place = { network, point: point.name, axis };
  const pairs = (batch: number): ReturnType<typeof model.pairs> => model.pairs(data, variable, batch);
  const { subspace } = await alignmentSearch(
    {
      ...place,
      weights,
      d: point.width,
      k: shape.rank!,
      pairs,
      readout: model.readout,
      batch: settings.batch,
      steps: settings.steps,
      learningRate: settings.lr,
      seed: settings.seed,
    },
    fitting.watched,
  );
  const fresh = { pairs, readout: model.readout, n: MEASURED_ON, seed: settings.seed + 1 };
  const { accuracy } = await interchangeAccuracy(place, weights, subspace, fresh);
  const frame = dense(point.width, shape.rank!, subspace.data);
  return {
    components: linearValues(shape, frame, transposed(frame)),
    steps: settings.steps,
    metrics: { interchangeAccuracy: accuracy },
  };
}
