/**
 * Linear probes of features that are known: the supervised ceiling of what reads a point linearly. Each component is one feature; it reads by ridge regression
 * of the feature on activations, and writes by regression of activations on all features, which where the network is `x = Σ_j c_j F_j` is the feature's
 * direction itself (supervised feature dictionaries, Makelov, Lange & Nanda 2024).
 *
 * What they do not say: that the network uses what can be read.
 */
import { compile } from "../../engine/index.ts";
import { weightInputs } from "../../network/network.ts";
import { einsum, foldIn, rename, relabel, reshape, sizeOf, sum, type Tensor } from "../../tensor/index.ts";
import { targetNamed } from "../../training/targets.ts";
import type { TrainDocument } from "../../training/target.ts";
import { rowsAt } from "../dictionary/rows.ts";
import type { Method } from "../methods.ts";
import { activationBaseline, type FitInput, type Found } from "./activation-baseline.ts";
import { dense, type Dense, product, pseudoInverse, transposed } from "./linear-algebra.ts";
import { directionBits, linearCoder, linearValues, linearWeights } from "./linear-coder.ts";
import { middlePoint } from "./points.ts";
import { type ProbesSettings, probesSettings } from "./settings.ts";

/** Examples of one run. */
const CHUNK = 2048;

export const probesMethod: Method = activationBaseline<ProbesSettings>("probes", {
  summary: "linear probes of known features: the supervised ceiling",
  schema: probesSettings,
  usualPoints: middlePoint,
  needs: "a network with hook points",
  objection: (target) => (featuresOf(target) === undefined ? "a network whose inputs are its features" : undefined),
  place: (_, point, target) => {
    const shape = { point: point.name, width: point.width, count: featuresOf(target)!, offset: true };
    // What is read does not follow from what is written.
    return { coder: linearCoder(shape, directionBits(2 * point.width + 1)), specs: linearWeights(shape) };
  },
  fit: fitProbes,
});

/** How many features a network's inputs are; nothing where they are something else. */
function featuresOf({ target, settings }: TrainDocument): number | undefined {
  const { axes, sizes } = targetNamed(target).network(settings).input;
  return axes === "batch feature" ? sizes.feature : undefined;
}

/** Means, and mean products of what is centred. */
interface Moments {
  readonly h: Float64Array;
  readonly c: Float64Array;
  readonly hh: Dense;
  readonly hc: Dense;
  readonly cc: Dense;
}

async function fitProbes(input: FitInput<ProbesSettings>): Promise<Found> {
  const { point, settings } = input;
  const { h, c, hh, hc, cc } = await moments(input);
  const trace = hh.data.reduce((total, x, i) => total + (i % (point.width + 1) === 0 ? x : 0), 0);
  const ridge = (settings.ridge * trace) / point.width;
  const regular = dense(
    point.width,
    point.width,
    hh.data.map((x, i) => x + (i % (point.width + 1) === 0 ? ridge : 0)),
  );
  const reads = product(pseudoInverse(regular), hc);
  const writes = product(pseudoInverse(cc), transposed(hc));
  const shape = { point: point.name, width: point.width, count: c.length, offset: true };
  // Activations are what features write, h̄ + (c - c̄) D, so that one that is 0 writes nothing; and a feature is read as it is: c̄ + (h - h̄) W.
  const along = product(dense(1, c.length, c), writes).data;
  const bias = h.map((x, i) => x - along[i]!);
  const shift = product(dense(1, point.width, along), reads).data;
  const offset = c.map((x, j) => x - shift[j]!);
  return {
    components: linearValues(shape, reads, writes, bias, offset),
    steps: 0,
    metrics: { readVariance: readVariance(hh, hc, cc, reads) },
  };
}

/** Mean over features of the part of a feature's variance that its probe reads, R². */
function readVariance(hh: Dense, hc: Dense, cc: Dense, W: Dense): number {
  const HW = product(hh, W);
  let [total, count] = [0, 0];
  for (let j = 0; j < cc.rows; j++) {
    const all = cc.data[j * cc.columns + j]!;
    if (all <= 0) continue;
    let [along, own] = [0, 0];
    for (let i = 0; i < hh.rows; i++) {
      along += W.data[i * W.columns + j]! * hc.data[i * hc.columns + j]!;
      own += W.data[i * W.columns + j]! * HW.data[i * HW.columns + j]!;
    }
    total += (2 * along - own) / all;
    count += 1;
  }
  return count === 0 ? 0 : total / count;
}

/** In one pass over the data, without keeping it. */
async function moments({ point, settings, key, fitting, source }: FitInput<ProbesSettings>): Promise<Moments> {
  const x = source.batch(CHUNK);
  const weights = weightInputs(source.network.weights);
  const found = rowsAt(source.network, weights, x, [point.name])[point.name]!;
  const H = relabel(found, "row i") as Tensor<"row i">;
  const features = sizeOf(x.shape) / CHUNK;
  const C = reshape(x, "row j", { row: CHUNK, j: features });
  const sums = {
    h: sum(H, "row"),
    c: sum(C, "row"),
    hh: einsum("row i, row k -> i k", H, rename<"row k">(H, "i -> k")),
    hc: einsum("row i, row j -> i j", H, C),
    cc: einsum("row j, row k -> j k", C, rename<"row k">(C, "j -> k")),
  };
  const program = await compile(sums, fitting.placed);
  const total = Object.fromEntries(
    Object.entries(sums).map(([name, { shape }]) => [name, new Float64Array(sizeOf(shape))]),
  ) as Record<keyof typeof sums, Float64Array>;
  const runs = Math.ceil(settings.samples / CHUNK);
  try {
    for (let run = 0; run < runs; run++) {
      await fitting.at("collect", run * CHUNK, settings.samples);
      const part = await program.run({ ...source.tables, ...source.weights }, foldIn(key, run));
      for (const name of Object.keys(sums) as (keyof typeof sums)[]) {
        part[name].data.forEach((value: number, i: number) => (total[name][i]! += value));
      }
    }
  } finally {
    await program.dispose();
  }
  const n = runs * CHUNK;
  const means = (data: Float64Array): Float64Array => data.map((value) => value / n);
  const [h, c] = [means(total.h), means(total.c)];
  const centred = (data: Float64Array, a: Float64Array, b: Float64Array): Dense =>
    dense(
      a.length,
      b.length,
      data.map((value, i) => value / n - a[Math.floor(i / b.length)]! * b[i % b.length]!),
    );
  return { h, c, hh: centred(total.hh, h, h), hc: centred(total.hc, h, c), cc: centred(total.cc, c, c) };
}
