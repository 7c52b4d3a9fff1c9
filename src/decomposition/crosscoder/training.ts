/**
 * Training crosscoders (Lindsey et al. 2024): squared error at all points, and latents that cost what they write at each,
 * `mean over rows of Σ_p ‖x_p - x̂_p‖² + λ Σ_c z_c Σ_p ‖W_dec,c,p‖`. The sum of lengths, and not the length of the sum, lets a latent be at few points only.
 */
import { type NamedValues, type Values, values } from "../../engine/index.ts";
import { add, foldIn, input, type Key, mul, randomNormal, relabel, sum, type Tensor } from "../../tensor/index.ts";
import type { TrainingSettings } from "../dictionary/settings.ts";
import { pressureAt } from "../dictionary/kinds/kind.ts";
import { l1Penalty, meanActive, squaredError, unexplained } from "../dictionary/losses.ts";
import type { RowPoint } from "../dictionary/rows.ts";
import { scalesOf } from "../dictionary/fold.ts";
import { carriedSilence, pointStart, scaleAt, scaledRows, silence } from "../dictionary/several-points.ts";
import { unitRows } from "../dictionary/start.ts";
import { silentName } from "../dictionary/training.ts";
import type { ActivationTraining } from "../dictionary/train.ts";
import {
  crosscoderAt,
  crosscoderLatents,
  crosscoderOutput,
  type CrosscoderShape,
  crosscoderWeights,
  decoderLengths,
} from "./crosscoder.ts";

/** What its training needs to know beside where it acts. */
export type CrosscoderTrainingSettings = TrainingSettings & {
  readonly l1Coefficient: number;
  readonly l1WarmUp: number;
};

export function crosscoderTraining(
  shape: CrosscoderShape,
  points: readonly RowPoint[],
  settings: CrosscoderTrainingSettings,
): ActivationTraining {
  const { site } = shape;
  const specs = crosscoderWeights(shape);
  return {
    points,
    groups: [{ name: site, weights: specs }],
    first: (sample, key) => startCrosscoder(shape, points, settings, sample, key),
    ...(settings.activationNormalization !== "none" && { fixed: scalesOf }),
    scalarsAt: (step) => ({ pressure: pressureAt(settings.l1WarmUp, step, settings.steps) }),
    objective: (weights, { rows }) => {
      const crosscoder = crosscoderAt(weights, site);
      const scaled = points.map((point) => scaledRows(rows[point.name]!, point, settings));
      const z = crosscoderLatents(
        crosscoder,
        scaled.map((x) => relabel(x, "batch d_in")),
      );
      const pairs = scaled.map((x, p) => ({
        y: relabel(x, "batch d_out"),
        output: crosscoderOutput(crosscoder, z, p),
        name: points[p]!.name,
      }));
      const reconstruction = pairs
        .map(({ y, output }) => squaredError(y, output))
        .reduce((total, part) => add(total, part));
      const weight = mul(input("pressure", "", {}), settings.l1Coefficient) as Tensor<"">;
      const sparsity = mul(l1Penalty(z, decoderLengths(crosscoder.W_dec)), weight);
      const silent = silence(site, z, settings.deadAfter);
      return {
        metrics: {
          loss: add(reconstruction, sparsity),
          ...{ reconstruction, sparsity, l0: meanActive(z) },
          ...Object.fromEntries(pairs.map(({ y, output, name }) => [`unexplained ${name}`, unexplained(y, output)])),
          dead: sum(silent.dead) as Tensor<"">,
        },
        ...carriedSilence({ [site]: silent }),
      };
    },
    finished: (state) => foldedCrosscoder(shape, state),
  };
}

/** Decoder rows in random directions, of one length at each point; the encoder is their transpose. */
function startCrosscoder(
  shape: CrosscoderShape,
  points: readonly RowPoint[],
  settings: CrosscoderTrainingSettings,
  sample: NamedValues,
  key: Key,
): NamedValues {
  const { site, width, C } = shape;
  const P = points.length;
  const W_dec = unitRows(randomNormal(foldIn(key, `${site}.W_dec`), C * P * width), width).map(
    (x) => x * settings.decoderStart,
  );
  const W_enc = new Float32Array(P * width * C);
  for (let c = 0; c < C; c++)
    for (let p = 0; p < P; p++)
      for (let i = 0; i < width; i++) W_enc[(p * width + i) * C + c] = W_dec[(c * P + p) * width + i]!;
  const starts = points.map((point) => pointStart(point, sample, settings));
  const b_dec = Float32Array.from(starts.flatMap(({ bias }) => Array.from(bias)));
  return {
    [`${site}.W_enc`]: values("point d_in C", [P, width, C], W_enc),
    [`${site}.b_enc`]: values("C", [C], new Float32Array(C)),
    [`${site}.W_dec`]: values("C point d_out", [C, P, width], W_dec),
    [`${site}.b_dec`]: values("point d_out", [P, width], b_dec),
    [silentName(site)]: values("C", [C], new Float32Array(C)),
    ...Object.assign({}, ...starts.map(({ scale }) => scale)),
  };
}

/** Each point's scale folded into what reads and writes there; latents stay in the units they were trained in. */
function foldedCrosscoder({ site, points, width, C }: CrosscoderShape, state: NamedValues): NamedValues {
  const scales = points.map((point) => scaleAt(state, point));
  const own = (name: string): Values => state[`${site}.${name}`]!;
  const P = points.length;
  if (scales.every((scale) => scale === 1)) {
    return Object.fromEntries(["W_enc", "b_enc", "W_dec", "b_dec"].map((name) => [`${site}.${name}`, own(name)]));
  }
  const folded = (name: string, f: (x: number, i: number) => number): Values => ({
    ...own(name),
    data: Float32Array.from(own(name).data, f),
  });
  return {
    [`${site}.W_enc`]: folded("W_enc", (w, i) => w * scales[Math.floor(i / (width * C))]!),
    [`${site}.b_enc`]: own("b_enc"),
    [`${site}.W_dec`]: folded("W_dec", (w, i) => w / scales[Math.floor(i / width) % P]!),
    [`${site}.b_dec`]: folded("b_dec", (b, i) => b / scales[Math.floor(i / width)]!),
  };
}
