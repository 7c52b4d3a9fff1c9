/**
 * Training cross-layer transcoders (Ameisen et al. 2025, "Building an interpretable replacement model"): all layers at once,
 * `mean over rows of Σ_m ‖MLP_m - M̂LP_m‖² + λ Σ_l Σ_c tanh(s ‖W_dec,l,c‖ z_l,c)`, λ rising from 0, with JumpReLU latents whose thresholds
 * learn by straight-through estimates, and a small pull on latents below their thresholds.
 */
import { type NamedValues, type Values, values } from "../../engine/index.ts";
import {
  add,
  einsum,
  foldIn,
  input,
  type Key,
  mul,
  randomNormal,
  relabel,
  relu,
  sum,
  type Tensor,
  type Tensors,
} from "../../tensor/index.ts";
import { scalesOf } from "../dictionary/fold.ts";
import { pressureAt } from "../dictionary/kinds/kind.ts";
import {
  l1Penalty,
  meanActive,
  preActivationPenalty,
  squaredError,
  tanhPenalty,
  unexplained,
} from "../dictionary/losses.ts";
import type { Activations, ActivationTraining } from "../dictionary/train.ts";
import type { RowPoint } from "../dictionary/rows.ts";
import type { TrainingSettings } from "../dictionary/settings.ts";
import { carriedSilence, pointStart, scaleAt, scaledRows, silence } from "../dictionary/several-points.ts";
import { unitRows } from "../dictionary/start.ts";
import { jumpReluThrough, thresholdsOf } from "../dictionary/straight-through.ts";
import { silentName } from "../dictionary/training.ts";
import { crossLayerAt, crossLayerLengths, type CrossLayerShape, crossLayerWeights, decoderTo } from "./cross-layer.ts";

/** What its training needs to know beside where it acts. */
export type CrossLayerTrainingSettings = TrainingSettings & {
  readonly sparsityCoefficient: number;
  readonly sparsityWarmUp: number;
  readonly tanhScale: number;
  readonly preActivationCoefficient: number;
  readonly bandwidth: number;
  readonly thresholdStart: number;
};

/** A layer with how wide the points are. */
export interface PlacedLayer extends CrossLayerShape {
  readonly from: RowPoint;
  readonly to: RowPoint;
}

export function crossLayerTraining(
  layers: readonly PlacedLayer[],
  settings: CrossLayerTrainingSettings,
): ActivationTraining {
  const points = layers.flatMap(({ from, to }) => [from, to]);
  return {
    points: points.filter(({ name }, i) => points.findIndex((point) => point.name === name) === i),
    groups: layers.map((layer) => ({ name: layer.site, weights: crossLayerWeights(layer) })),
    first: (sample, key) =>
      Object.assign({}, ...layers.map((layer) => startLayer(layer, settings, sample, key))) as NamedValues,
    ...(settings.activationNormalization !== "none" && { fixed: scalesOf }),
    scalarsAt: (step) => ({ pressure: pressureAt(settings.sparsityWarmUp, step, settings.steps) }),
    objective: (weights, given) => crossLayerObjective(layers, settings, weights, given),
    finished: (state) => Object.assign({}, ...layers.map((layer) => foldedLayer(layer, layers, state))) as NamedValues,
  };
}

function crossLayerObjective(
  layers: readonly PlacedLayer[],
  settings: CrossLayerTrainingSettings,
  weights: Tensors,
  { rows }: Activations,
): ReturnType<ActivationTraining["objective"]> {
  const weight = mul(input("pressure", "", {}), settings.sparsityCoefficient) as Tensor<"">;
  const made = layers.map(({ site, from, code }) => {
    const own = crossLayerAt(weights, site);
    const x = relabel(scaledRows(rows[from.name]!, from, settings), "batch d_in");
    const pre = add(einsum("batch d_in, d_in C -> batch C", x, own.W_enc), own.b_enc);
    const lengths = crossLayerLengths(own.W_dec);
    if (code === "relu") {
      const z = relu(pre);
      return { own, z, sparsity: l1Penalty(z, lengths), below: undefined };
    }
    const threshold = thresholdsOf(own.threshold!);
    const z = jumpReluThrough(relu(pre), threshold, settings.bandwidth);
    return {
      ...{ own, z },
      sparsity: tanhPenalty(z, settings.tanhScale, lengths),
      below: preActivationPenalty(pre, threshold, lengths),
    };
  });
  const outputs = layers.map(({ to }, m) => {
    const y = relabel(scaledRows(rows[to.name]!, to, settings), "batch d_out");
    const parts = made
      .slice(0, m + 1)
      .map(({ own, z }, l) => einsum("batch C, C d_out -> batch d_out", z, decoderTo(own.W_dec, m - l)));
    const output = add(
      parts.reduce((total, part) => add(total, part)),
      made[m]!.own.b_dec,
    );
    return { name: to.name, y, output };
  });
  const all = (terms: readonly Tensor<"">[]): Tensor<""> => terms.reduce((total, term) => add(total, term));
  const { preActivationCoefficient } = settings;
  const terms = {
    reconstruction: all(outputs.map(({ y, output }) => squaredError(y, output))),
    sparsity: mul(all(made.map(({ sparsity }) => sparsity)), weight),
    ...(preActivationCoefficient > 0 &&
      made[0]!.below !== undefined && {
        preActivation: mul(all(made.map(({ below }) => below!)), preActivationCoefficient),
      }),
  };
  const silences = Object.fromEntries(
    layers.map(({ site }, l): [string, ReturnType<typeof silence>] => [
      site,
      silence(site, made[l]!.z, settings.deadAfter),
    ]),
  );
  return {
    metrics: {
      loss: all(Object.values(terms)),
      ...terms,
      l0: all(made.map(({ z }) => meanActive(z))),
      ...Object.fromEntries(outputs.map(({ name, y, output }) => [`unexplained ${name}`, unexplained(y, output)])),
      dead: all(Object.values(silences).map(({ dead }) => sum(dead) as Tensor<"">)),
    },
    ...carriedSilence(silences),
  };
}

/** Encoder and decoder rows in random directions; a latent's decoders share its length among the layers it writes. */
function startLayer(
  { site, code, writes, dIn, dOut, C, from, to }: PlacedLayer,
  settings: CrossLayerTrainingSettings,
  sample: NamedValues,
  key: Key,
): NamedValues {
  const L = writes.length;
  const encoder = unitRows(randomNormal(foldIn(key, `${site}.W_enc`), C * dIn), dIn);
  const W_enc = new Float32Array(dIn * C);
  for (let c = 0; c < C; c++) for (let i = 0; i < dIn; i++) W_enc[i * C + c] = encoder[c * dIn + i]!;
  const W_dec = unitRows(randomNormal(foldIn(key, `${site}.W_dec`), C * L * dOut), L * dOut);
  const written = pointStart(to, sample, settings);
  return {
    [`${site}.W_enc`]: values("d_in C", [dIn, C], W_enc),
    [`${site}.b_enc`]: values("C", [C], new Float32Array(C)),
    ...(code === "jumprelu" && {
      [`${site}.threshold`]: values("C", [C], new Float32Array(C).fill(Math.log(settings.thresholdStart))),
    }),
    [`${site}.W_dec`]: values(
      "C layer d_out",
      [C, L, dOut],
      W_dec.map((x) => x * settings.decoderStart),
    ),
    [`${site}.b_dec`]: values("d_out", [dOut], written.bias),
    [silentName(site)]: values("C", [C], new Float32Array(C)),
    ...pointStart(from, sample, settings).scale,
    ...written.scale,
  };
}

/** Each point's scale folded into what reads and writes there, thresholds by their exponentials. */
function foldedLayer(
  { site, code, from, to, dOut }: PlacedLayer,
  layers: readonly PlacedLayer[],
  state: NamedValues,
): NamedValues {
  const own = (name: string): Values => state[`${site}.${name}`]!;
  const folded = (name: string, f: (x: number, i: number) => number): [string, Values] => [
    `${site}.${name}`,
    { ...own(name), data: Float32Array.from(own(name).data, f) },
  ];
  const reads = scaleAt(state, from.name);
  const first = layers.findIndex((layer) => layer.site === site);
  const writes = layers.slice(first).map((layer) => scaleAt(state, layer.to.name));
  const same = (name: string): [string, Values] => [`${site}.${name}`, own(name)];
  const scaled = reads !== 1 || writes.some((scale) => scale !== 1);
  return Object.fromEntries([
    scaled ? folded("W_enc", (w) => w * reads) : same("W_enc"),
    same("b_enc"),
    ...(code === "jumprelu" ? [folded("threshold", Math.exp)] : []),
    scaled ? folded("W_dec", (w, i) => w / writes[Math.floor(i / dOut) % writes.length]!) : same("W_dec"),
    scaled ? folded("b_dec", (b) => b / scaleAt(state, to.name)) : same("b_dec"),
  ]);
}
