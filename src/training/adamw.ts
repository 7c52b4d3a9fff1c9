/** AdamW over one flat vector of parameters (Loshchilov & Hutter 2019), with PyTorch's conventions. */
import { add, div, input, mul, sqrt, square, sub, type Tensor } from "../tensor/index.ts";

export interface AdamWOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  /** Decoupled: each step also multiplies the parameters by `1 - learningRate · weightDecay`. */
  readonly weightDecay?: number;
}

const BETA1 = 0.9;
const BETA2 = 0.999;

/** What the optimiser carries from step to step; `m` and `v` are the running means of the gradient and its square. */
export interface AdamWState {
  readonly parameters: Tensor<"parameter">;
  readonly m: Tensor<"parameter">;
  readonly v: Tensor<"parameter">;
}

/**
 * The state as inputs of a program.
 *
 * @param group stands before the inputs' names where one program has several vectors
 */
export function adamWInputs(size: number, group = ""): AdamWState {
  const vector = (name: string): Tensor<"parameter"> => input(`${group}${name}`, "parameter", { parameter: size });
  return { parameters: vector("parameters"), m: vector("adamw.m"), v: vector("adamw.v") };
}

/**
 * The state after one step.
 *
 * The program gets three scalars a step, made by `adamWScalars`: the learning rate and the two bias corrections.
 *
 * @param gradient of the loss with respect to the parameters
 * @param group    stands before the scalars' names
 */
export function adamW(
  state: AdamWState,
  gradient: Tensor<"parameter">,
  options: AdamWOptions = {},
  group = "",
): AdamWState {
  const { beta1 = BETA1, beta2 = BETA2, epsilon = 1e-8, weightDecay = 0 } = options;
  const scalarInput = (name: string): Tensor<""> => input(`${group}${name}`, "", {});
  const rate = scalarInput("learningRate");
  const m = add(mul(state.m, beta1), mul(gradient, 1 - beta1));
  const v = add(mul(state.v, beta2), mul(square(gradient), 1 - beta2));
  const size = add(mul(sqrt(v), scalarInput("adamw.inverseRootCorrection2")), epsilon);
  const change = div(mul(m, scalarInput("adamw.stepSize")), size);
  const decayed = weightDecay === 0 ? state.parameters : mul(state.parameters, sub(1, mul(rate, weightDecay)));
  return { parameters: sub(decayed, change), m, v };
}

/** The scalars of step `step`, counted from 1. */
export function adamWScalars(
  step: number,
  learningRate: number,
  options: AdamWOptions = {},
  group = "",
): Record<string, number> {
  const { beta1 = BETA1, beta2 = BETA2 } = options;
  return {
    [`${group}learningRate`]: learningRate,
    [`${group}adamw.stepSize`]: learningRate / (1 - beta1 ** step),
    [`${group}adamw.inverseRootCorrection2`]: 1 / Math.sqrt(1 - beta2 ** step),
  };
}
