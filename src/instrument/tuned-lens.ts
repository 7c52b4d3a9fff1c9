/**
 * The tuned lens (Belrose et al. 2023, "Eliciting latent predictions"): for each point of the residual stream an affine map, learned so that
 * what the unembedding then reads diverges least from what the network will say, `KL(network ‖ lens)`. It starts at the logit lens.
 *
 * The null is the same training on the network with shuffled weights: how well an affine map does where there is no prediction to elicit but
 * how common tokens are.
 */
import { wholeNumbers } from "../data/draws.ts";
import { type NamedValues, values } from "../engine/index.ts";
import type { Examples } from "../intervention/examples.ts";
import type { RunnableNetwork } from "../network/run.ts";
import { weightInputs } from "../network/network.ts";
import type { Transformer } from "../network/transformer/transformer.ts";
import {
  add,
  foldIn,
  gather,
  input,
  type Key,
  klDivergence,
  mean,
  randomBits,
  relabel,
  type Tensor,
} from "../tensor/index.ts";
import type { LoopOptions } from "../training/loop.ts";
import { trainNetwork } from "../training/train-network.ts";
import { activationRows, rowCount } from "./activations.ts";
import { expectTransformer } from "./attention-circuits.ts";
import type { Finding } from "./finding.ts";
import { LENS_LIMITS, lensLogits, lensPoints, type LensScore, lensScores, translatorNames } from "./lens.ts";
import { shuffledWeights } from "./shuffled-weights.ts";

export interface TunedLensTraining {
  readonly steps?: number;
  /** Rows, each one position, a step. */
  readonly batch?: number;
  readonly learningRate?: number;
}

export interface TunedLensRow extends LensScore {
  /** The same point through the logit lens. */
  readonly logitLens: Omit<LensScore, "point">;
  /** A tuned lens on the network with shuffled weights. */
  readonly shuffled: Omit<LensScore, "point">;
}

export interface TunedLens extends Finding {
  readonly rows: readonly TunedLensRow[];
  /** `<point>.A`, `d_in d_out`, and `<point>.b`, `d_out`, for every point. */
  readonly translators: NamedValues;
  /** Positions that translators were trained on. */
  readonly trainedOn: number;
}

/**
 * Trains a tuned lens and scores it on other examples, beside the logit lens and beside a tuned lens on shuffled weights.
 *
 * @param what.train examples for the translators; `test`: others, for the scores
 */
export async function tunedLens(
  runnable: RunnableNetwork,
  {
    train,
    test,
    key,
    ...training
  }: TunedLensTraining & { readonly train: Examples; readonly test: Examples; readonly key: Key },
  options: LoopOptions = {},
): Promise<TunedLens> {
  const { signal } = options;
  const rest = signal === undefined ? {} : { signal };
  const own = await trainTranslators(runnable, train, { key, ...training }, options);
  const tuned = await lensScores(runnable, test, own.translators, rest);
  const plain = await lensScores(runnable, test, undefined, rest);
  const shuffled = runnable.withWeights(shuffledWeights(runnable.weights, foldIn(key, "shuffled")));
  try {
    const other = await trainTranslators(shuffled, train, { key, ...training }, options);
    const unlearnt = await lensScores(shuffled, test, other.translators, rest);
    const without = ({ divergence, agreement }: LensScore): Omit<LensScore, "point"> => ({ divergence, agreement });
    return {
      rows: tuned.scores.map((score, i) => ({
        ...score,
        logitLens: without(plain.scores[i]!),
        shuffled: without(unlearnt.scores[i]!),
      })),
      translators: own.translators,
      trainedOn: own.rows,
      n: tuned.n,
      counted: "positions, none of them trained on",
      nullDescription: "the logit lens, and a tuned lens on the network with shuffled weights",
      doesNotEstablish: LENS_LIMITS,
    };
  } finally {
    await shuffled.dispose();
  }
}

/** Where the last norm reads. */
const finalPoint = (network: Transformer): string => lensPoints(network).at(-1)!;

/** The maps, learned on the rows of some examples, each position a row. */
export async function trainTranslators(
  runnable: RunnableNetwork,
  train: Examples,
  { steps = 1000, batch = 128, learningRate = 1e-3, key }: TunedLensTraining & { readonly key: Key },
  options: LoopOptions = {},
): Promise<{ readonly translators: NamedValues; readonly rows: number }> {
  const network = expectTransformer("tuned lens", runnable.network);
  const { dModel } = network.config;
  const points = lensPoints(network);
  const tables: Record<string, NamedValues[string]> = {};
  let rows = 0;
  for (const point of points) {
    const found = await activationRows(runnable, train, point);
    rows = rowCount(found);
    tables[tableOf(point)] = values("row d_model", [rows, dModel], found.data);
  }
  const specs = points.flatMap((point) => {
    const { A, b } = translatorNames(point);
    return [
      { name: A, axes: "d_in d_out", shape: [dModel, dModel] },
      { name: b, axes: "d_out", shape: [dModel] },
    ];
  });
  const start = Object.fromEntries(
    specs.map(({ name, axes, shape }) => {
      const matrix = shape.length === 2;
      const size = shape.reduce((a, c) => a * c, 1);
      return [
        name,
        values(
          axes,
          shape,
          Array.from({ length: size }, (_, i) => (matrix && i % (dModel + 1) === 0 ? 1 : 0)),
        ),
      ];
    }),
  );
  const weights = weightInputs(network.weights);
  const trained = await trainNetwork(
    {
      network: { weights: specs },
      start,
      objective: (maps) => {
        const index = wholeNumbers("rows", "batch", { batch }, rows);
        const rowsAt = (point: string): Tensor =>
          relabel(
            gather(input(tableOf(point), "row d_model", { row: rows, d_model: dModel }), index, "row") as Tensor,
            "batch d_model",
          );
        const target = lensLogits(network, weights, rowsAt(finalPoint(network)));
        const losses = points.map((point) => {
          const { A, b } = translatorNames(point);
          const logits = lensLogits(network, weights, rowsAt(point), { A: maps[A]!, b: maps[b]! });
          return mean(klDivergence(target, logits, "vocab")) as Tensor<"">;
        });
        return { loss: losses.reduce((a, c) => add(a, c)) };
      },
      tables: { ...tables, ...runnable.weights },
      steps,
      seed: randomBits(foldIn(key, "rows"), 1)[0]!,
      learningRate: [
        { at: 0, value: learningRate },
        { at: 1, value: 0, interpolation: "cosine" },
      ],
    },
    options,
  );
  return { translators: trained.weights, rows };
}

const tableOf = (point: string): string => `lens:${point}`;
