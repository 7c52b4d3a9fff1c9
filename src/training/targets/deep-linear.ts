/**
 * Deep linear networks that learn a linear teacher. Their function is linear, their learning is not: from a small start each mode of the
 * teacher is learnt in a step of its own, stronger ones earlier (Saxe, McClelland & Ganguli 2014, "Exact solutions to the nonlinear dynamics
 * of learning in deep linear neural networks").
 */
import { SingularValueDecomposition } from "ml-matrix";
import { z } from "zod";
import { type LinearTeacher, linearExamples, linearTeacher } from "../../data/linear-teacher.ts";
import { interpret, type NamedValues, values } from "../../engine/index.ts";
import { mlp } from "../../network/mlp.ts";
import { type Network, weightInputs } from "../../network/network.ts";
import {
  constant,
  einsum,
  foldIn,
  type Key,
  keyFromSeed,
  mean,
  mul,
  randomNormal,
  relabel,
  select,
  sizeOf,
  square,
  sub,
  sum,
  type Tensor,
  type Tensors,
} from "../../tensor/index.ts";
import type { AdamWOptions } from "../adamw.ts";
import type { LoopOptions } from "../loop.ts";
import { constantSchedule } from "../schedule.ts";
import type { Target, TrainDocument, Trained } from "../target.ts";
import { trainNetwork } from "../train-network.ts";

/** Everything that decides a trained deep linear network. */
const deepLinearSettings = z.strictObject({
  inputs: z.int().min(1).max(1000).default(20).describe("numbers that go in"),
  outputs: z.int().min(1).max(1000).default(20).describe("numbers that come out"),
  hidden: z.int().min(1).max(1000).default(20).describe("width of each layer between"),
  layers: z.int().min(1).max(12).default(3).describe("matrices"),
  modes: z.int().min(1).max(100).default(5).describe("rank of the teacher; its singular values are modes, …, 2, 1"),
  startScale: z
    .number()
    .gt(0)
    .default(0.3)
    .describe("weights at the start: normal, this over the root of how many numbers a matrix reads"),
  batch: z.int().min(1).max(1_000_000).default(256).describe("examples a step"),
  steps: z.int().min(1).max(10_000_000).default(2000).describe("steps of gradient descent"),
  learningRate: z.number().gt(0).default(0.01).describe("rate of plain gradient descent"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("of teacher, weights and data"),
});
export type DeepLinearSettings = z.infer<typeof deepLinearSettings>;

/** The network that these settings describe. */
function deepLinearNetwork({ inputs, outputs, hidden, layers }: DeepLinearSettings): Network {
  return mlp({
    features: inputs,
    hidden: Array.from({ length: layers - 1 }, () => hidden),
    outputs,
    activation: "none",
    bias: false,
  });
}

/** What it is to learn. */
export function deepLinearTeacher({ inputs, outputs, modes, seed }: DeepLinearSettings): LinearTeacher {
  const singularValues = Array.from({ length: modes }, (_, k) => modes - k);
  return linearTeacher(inputs, outputs, singularValues, foldIn(keyFromSeed(seed), "teacher"));
}

/**
 * AdamW where ε is so large that the gradient's running size beside it is nothing: θ ← θ - rate · gradient, to one part in ε over the
 * gradient. The dynamics that theory speaks of are those of plain gradient descent.
 */
const EPSILON = 1e6;
const GRADIENT_DESCENT: AdamWOptions = { beta1: 0, beta2: 0, epsilon: EPSILON };

function startingWeights(settings: DeepLinearSettings, key: Key): NamedValues {
  return Object.fromEntries(
    deepLinearNetwork(settings).weights.map(({ name, axes, shape }) => {
      const scale = settings.startScale / Math.sqrt(shape[0]!);
      return [
        name,
        values(
          axes,
          shape,
          randomNormal(foldIn(key, name), sizeOf(shape)).map((x) => x * scale),
        ),
      ];
    }),
  );
}

/** The product of all matrices, `d_in d_out`: what the network computes. */
function product(network: Network, weights: Tensors): Tensor<"d_in d_out"> {
  const [first, ...others] = network.sites.map(({ name }) => network.matrix(weights, name));
  return others.reduce(
    (left, right) =>
      einsum("d_in inner, inner d_out -> d_in d_out", relabel(left, "d_in inner"), relabel(right, "inner d_out")),
    first!,
  );
}

/** How much of each mode the network has: `u_k W v_k` with the teacher's singular vectors, which is to become `s_k`. */
function modeStrengths({ U, V }: LinearTeacher, W: Tensor<"d_in d_out">): Tensor<"mode"> {
  const [modes, dIn] = U.shape as [number, number];
  const left = constant("mode d_in", { mode: modes, d_in: dIn }, U.data);
  const right = constant("mode d_out", { mode: modes, d_out: V.shape[1]! }, V.data);
  return sum(mul(einsum("mode d_in, d_in d_out -> mode d_out", left, W), right), "d_out");
}

/**
 * Trains it: gradient descent on half the squared distance from the teacher's output, summed over outputs, mean over the batch. Each step
 * also says how strong each mode is: `mode1` is the teacher's strongest.
 */
async function trainDeepLinear(settings: DeepLinearSettings, options: LoopOptions = {}): Promise<Trained> {
  const network = deepLinearNetwork(settings);
  const teacher = deepLinearTeacher(settings);
  const { x, y } = linearExamples("data", teacher, settings.batch);
  const trained = await trainNetwork(
    {
      network,
      start: startingWeights(settings, foldIn(keyFromSeed(settings.seed), "weights")),
      objective: (weights) => {
        const output = relabel(network.forward(weights, relabel(x, "batch feature")), "batch d_out");
        const strengths = modeStrengths(teacher, product(network, weights));
        return {
          loss: mul(mean(sum(square(sub(output, y)), "d_out")), 0.5),
          ...Object.fromEntries(
            teacher.singularValues.map((_, k) => [`mode${k + 1}`, select(strengths, "mode", k) as Tensor<"">]),
          ),
        };
      },
      steps: settings.steps,
      seed: settings.seed,
      learningRate: constantSchedule(settings.learningRate * EPSILON),
      adamW: GRADIENT_DESCENT,
    },
    options,
  );
  return { ...trained, metrics: { ...trained.metrics, ...deepLinearScores(settings, trained.weights) } };
}

/** What a network has learnt, from its weights alone: the numbers that `deepLinearTarget.success` explains. */
export function deepLinearScores(settings: DeepLinearSettings, weights: NamedValues): Record<string, number> {
  const network = deepLinearNetwork(settings);
  const { W: wanted, singularValues } = deepLinearTeacher(settings);
  const { W } = interpret({ W: product(network, weightInputs(network.weights)) }, weights);
  const distance = Math.hypot(...W.data.map((w, i) => w - wanted.data[i]!));
  const columns = W.shape[1]!;
  const rows = Array.from({ length: W.shape[0]! }, (_, i) => Array.from(W.data.slice(i * columns, (i + 1) * columns)));
  const found = new SingularValueDecomposition(rows, { autoTranspose: true }).diagonal.sort((a, b) => b - a);
  return {
    relativeError: distance / Math.hypot(...wanted.data),
    singularValueError: Math.max(...singularValues.map((s, k) => Math.abs(found[k]! - s) / s)),
    residualSingularValue: found[singularValues.length] ?? 0,
  };
}

const asDeepLinear = (settings: TrainDocument["settings"]): DeepLinearSettings =>
  settings as unknown as DeepLinearSettings;

/** The deep linear network as a target. */
export const deepLinearTarget: Target = {
  summary: "deep linear network that learns a linear teacher of known singular values, mode by mode",
  schema: deepLinearSettings,
  presets: {
    default: { summary: "3 matrices of 20 × 20, 5 modes: seconds", source: "Mechanist", settings: {} },
    quick: {
      summary: "3 matrices of 8 × 8, 3 modes, 1,000 steps",
      source: "Mechanist",
      settings: { inputs: 8, outputs: 8, hidden: 8, modes: 3, steps: 1000 },
    },
    "two-layer": {
      summary: "2 matrices from a small start, where the time each mode takes is known",
      source: "Saxe, McClelland & Ganguli 2014",
      settings: { layers: 2, startScale: 0.01, batch: 1024, steps: 1500 },
    },
  },
  success: [
    {
      metric: "relativeError",
      meaning:
        "distance of the product of all matrices from the teacher over the teacher's norm (Frobenius); 1 for a network that says 0",
    },
    {
      metric: "singularValueError",
      meaning:
        "largest relative error of the product's leading singular values, the teacher's being modes, …, 2, 1; 1 where one is missing",
    },
    {
      metric: "residualSingularValue",
      meaning: "the product's largest singular value beyond those; the teacher has 0",
    },
  ],
  title: (settings) => {
    const { inputs, hidden, outputs, layers, modes } = asDeepLinear(settings);
    return `deep-linear-${layers}-${inputs}-${hidden}-${outputs}-rank-${modes}`;
  },
  network: (settings) => deepLinearNetwork(asDeepLinear(settings)),
  batch: (name, settings, batch) => {
    const deepLinear = asDeepLinear(settings);
    return relabel(linearExamples(name, deepLinearTeacher(deepLinear), batch).x, "batch feature");
  },
  train: (settings, options) => trainDeepLinear(asDeepLinear(settings), options),
};
