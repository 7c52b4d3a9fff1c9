/** The baselines as entries in the table of methods. */
import { MechanistError } from "../../error.ts";
import { axisNames, axisSize, type Tensor } from "../../tensor/index.ts";
import { weightInputs } from "../../network/network.ts";
import { targetNamed } from "../../training/targets.ts";
import type { TrainDocument } from "../../training/target.ts";
import type { RowPoint } from "../dictionary/rows.ts";
import type { Method } from "../methods.ts";
import { activationBaseline, type ActivationBaseline, type BaselineSettings } from "./activation-baseline.ts";
import { alignmentMethod } from "./alignment.ts";
import { centreValues, centreWeights, clusterCoder, clusters } from "./clusters.ts";
import { independentComponents } from "./independent-components.ts";
import { randomOrthonormalRows, transposed } from "./linear-algebra.ts";
import { directionBits, linearCoder, type LinearShape, linearValues, linearWeights } from "./linear-coder.ts";
import { nonNegativeFactors, partCoder, partValues, partWeights } from "./non-negative-factors.ts";
import { headPoints, middlePoint, neuronPoints, nonNegativePoints, streamPoints } from "./points.ts";
import { principalComponents } from "./principal-components.ts";
import { probesMethod } from "./probes.ts";
import { leastSquaresEncoder, randomSubspaces } from "./random-subspaces.ts";
import { meanRow } from "./sample.ts";
import {
  headsSettings,
  icaSettings,
  type IcaSettings,
  kmeansSettings,
  type KmeansSettings,
  neuronsSettings,
  nmfSettings,
  type NmfSettings,
  pcaSettings,
  type PcaSettings,
  randomSettings,
  type RandomSettings,
  residualSettings,
  rotationSettings,
} from "./settings.ts";
import { svdMethod } from "./svd.ts";
import { unitCoder } from "./unit-coder.ts";

/** Units as they are. */
function units(
  name: string,
  own: Pick<ActivationBaseline<BaselineSettings>, "summary" | "schema" | "usualPoints" | "needs">,
  rank?: (point: RowPoint, document: TrainDocument) => number,
): Method {
  return activationBaseline(name, {
    ...own,
    place: (_, point, document) => ({
      coder: unitCoder(point.name, point.width, rank?.(point, document) ?? 1),
      specs: [],
    }),
  });
}

/** How many numbers each head carries at a point. */
function headWidth({ name }: RowPoint, { target, settings }: TrainDocument): number {
  const found = targetNamed(target);
  const network = found.network(settings);
  let value: Tensor | undefined;
  network.forward(weightInputs(network.weights), found.batch("data", settings, 1), {
    at: (point, given) => {
      if (point === name) value = given;
      return undefined;
    },
  });
  const axes = axisNames(value!.axes);
  const place = axes.findIndex((axis) => axis.includes("head") && axis !== "d_head");
  if (place < 0 || place !== axes.length - 2) {
    throw new MechanistError("BadArgument", `heads: ${name}: expected "… head d_head", got "${value!.axes}"`);
  }
  return axisSize(value!, axes.at(-1)!);
}

const shapeAt = ({ name, width }: RowPoint, count: number, rank = 1): LinearShape => ({
  point: name,
  width,
  count: count === 0 ? Math.max(1, Math.floor(width / rank)) : count,
  rank,
});

/** Directions that are no more than dimensions. */
const withinWidth = ({ count }: { readonly count: number }, { width }: RowPoint): string | undefined =>
  count > width ? `expected at most ${width} components, one a dimension, got ${count}` : undefined;

/** A linear code whose components cost what they write. */
function linear<S extends BaselineSettings>(
  name: string,
  {
    shape,
    ...own
  }: Omit<ActivationBaseline<S>, "place" | "needs" | "usualPoints"> & {
    shape(settings: S, point: RowPoint): LinearShape;
  },
): Method {
  return activationBaseline<S>(name, {
    ...own,
    ...MIDDLE,
    place: (settings, point) => {
      const at = shape(settings, point);
      return { coder: linearCoder(at, directionBits(at.width * (at.rank ?? 1))), specs: linearWeights(at) };
    },
  });
}

const MIDDLE = { usualPoints: middlePoint, needs: "a network with hook points" };

export const baselineMethods: Readonly<Record<string, Method>> = {
  neurons: units("neurons", {
    summary: "each neuron of each MLP, after its nonlinearity; hidden units where there is none",
    schema: neuronsSettings,
    usualPoints: neuronPoints,
    needs: "a network with neurons or hidden units",
  }),
  heads: units(
    "heads",
    {
      summary: "each attention head, by what it carries before it is written",
      schema: headsSettings,
      usualPoints: headPoints,
      needs: "a network with attention heads",
    },
    headWidth,
  ),
  residual: units("residual", {
    summary: "each dimension of the residual stream, or of the hidden point",
    schema: residualSettings,
    usualPoints: streamPoints,
    needs: "a network with hook points",
  }),
  pca: linear<PcaSettings>("pca", {
    summary: "principal components: the directions of most variance",
    schema: pcaSettings,
    complaint: withinWidth,
    shape: ({ count }, point) => shapeAt(point, count),
    numbersPerRow: (_, { width }) => width,
    fit: async ({ point, settings, fitting }, rows) => {
      const shape = shapeAt(point, settings.count);
      const { mean, directions } = await principalComponents(rows, shape.count, fitting);
      const components = linearValues(shape, transposed(directions), directions, mean);
      return { components, steps: 0, metrics: {} };
    },
  }),
  ica: linear<IcaSettings>("ica", {
    summary: "independent components, by FastICA",
    schema: icaSettings,
    complaint: withinWidth,
    shape: ({ count }, point) => shapeAt(point, count),
    numbersPerRow: (_, { width }) => 3 * width,
    fit: async ({ point, settings, key, fitting }, rows) => {
      const shape = shapeAt(point, settings.count);
      const options = { ...settings, count: shape.count };
      const { encoder, decoder, mean, iterations, turn } = await independentComponents(rows, options, key, fitting);
      return { components: linearValues(shape, encoder, decoder, mean), steps: iterations, metrics: { turn } };
    },
  }),
  nmf: activationBaseline<NmfSettings>("nmf", {
    summary: "non-negative matrix factorisation: rows as sums of parts, where nothing is below 0",
    schema: nmfSettings,
    usualPoints: nonNegativePoints,
    needs: "a network with hook points",
    numbersPerRow: ({ count }, { width }) => width + 3 * (count || width),
    place: ({ count, codeSteps }, point) => {
      const shape = shapeAt(point, count);
      return { coder: partCoder(shape, codeSteps), specs: partWeights(shape) };
    },
    fit: async ({ point, settings, key, fitting }, rows) => {
      const shape = shapeAt(point, settings.count);
      const options = { ...settings, count: shape.count };
      const { parts, errors } = await nonNegativeFactors(point.name, rows, options, key, fitting);
      return { components: partValues(shape, parts), steps: errors.length, metrics: { error: errors.at(-1)! } };
    },
  }),
  kmeans: activationBaseline<KmeansSettings>("kmeans", {
    summary: "k-means: every row is its cluster's centre; spherical, of directions",
    schema: kmeansSettings,
    ...MIDDLE,
    complaint: ({ count, samples }, { width }) =>
      (count || width) > samples
        ? `expected at most ${samples} components, one a sample, got ${count || width}`
        : undefined,
    numbersPerRow: (_, { width }) => 2 * width,
    place: ({ count, spherical }, point) => {
      const shape = shapeAt(point, count);
      return { coder: clusterCoder(shape, spherical), specs: centreWeights(shape) };
    },
    fit: async ({ point, settings, key, fitting }, rows) => {
      const shape = shapeAt(point, settings.count);
      const { centres, errors } = await clusters(rows, { ...settings, count: shape.count }, key, fitting);
      return { components: centreValues(shape, centres), steps: errors.length, metrics: { error: errors.at(-1)! } };
    },
  }),
  svd: svdMethod,
  rotation: linear<BaselineSettings>("rotation", {
    summary: "a random orthonormal basis: what any basis would do",
    schema: rotationSettings,
    shape: (_, point) => shapeAt(point, 0),
    fit: async ({ point, key }) => {
      const basis = randomOrthonormalRows(point.width, point.width, key);
      return { components: linearValues(shapeAt(point, 0), transposed(basis), basis), steps: 0, metrics: {} };
    },
  }),
  random: linear<RandomSettings>("random", {
    summary: "random directions or subspaces, coded by least squares",
    schema: randomSettings,
    complaint: ({ rank }, { width }) =>
      rank > width ? `expected subspaces of at most ${width} dimensions, got ${rank}` : undefined,
    shape: ({ count, rank }, point) => shapeAt(point, count, rank),
    numbersPerRow: (_, { width }) => width,
    fit: async ({ point, settings, key }, rows) => {
      const shape = shapeAt(point, settings.count, settings.rank);
      const directions = randomSubspaces(shape.count, settings.rank, shape.width, key);
      const encoder = leastSquaresEncoder(directions);
      return { components: linearValues(shape, encoder, directions, meanRow(rows)), steps: 0, metrics: {} };
    },
  }),
  das: alignmentMethod,
  probes: probesMethod,
};
