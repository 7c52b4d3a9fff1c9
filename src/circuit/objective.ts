/** What a circuit is asked to keep: a token's probability, a distribution, or values, as one number for each row of a batch. */
import { type Values, values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import {
  axisNames,
  axisSize,
  broadcast,
  constant,
  exp,
  klDivergence,
  logSoftmax,
  mean,
  neg,
  select,
  square,
  sub,
  type Tensor,
} from "../tensor/index.ts";
import type { Observed } from "./observed.ts";
import { outputAxis } from "./observed.ts";
import type { RankOneDecomposition } from "./subject.ts";

/** What is kept, at one position. */
export interface CircuitTask {
  /** Where the output is read; the last position unless given. */
  readonly position?: number;
  /** A token or class whose cross-entropy is to stay small; without one, the whole distribution is to stay (or the values are). */
  readonly token?: number;
}

/** One number for each row. */
export interface TaskOutcome {
  /** What a circuit is optimised for and an adversary raises: cross-entropy of the token, else `divergence`. */
  readonly loss: Tensor<"batch">;
  /** From the network's own output there: KL in nats, or squared error, mean over outputs. */
  readonly divergence: Tensor<"batch">;
  /** Of the token. */
  readonly probability?: Tensor<"batch">;
}

/** A task with the network's own output at its position. */
export interface ReadTask {
  readonly position: number;
  readonly token?: number;
  /** `batch` 1. */
  readonly own: Values;
}

/** @throws `BadArgument` for a position or a token that there is not */
export function readTask({ network }: RankOneDecomposition, { own }: Observed, task: CircuitTask): ReadTask {
  const perPosition = axisNames(own.axes).includes("pos");
  const [count, size] = [perPosition ? own.shape[1]! : 1, own.shape.at(-1)!];
  const { position = count - 1, token } = task;
  if (position < 0 || position >= count) {
    throw new MechanistError("BadArgument", `circuit: expected a position from 0 to ${count - 1}, got ${position}`);
  }
  if (token !== undefined && network.logits === undefined) {
    throw new MechanistError("BadArgument", "circuit: expected no token for a network of values, got one");
  }
  if (token !== undefined && !(token >= 0 && token < size)) {
    throw new MechanistError("BadArgument", `circuit: expected a token from 0 to ${size - 1}, got ${token}`);
  }
  const row = own.data.subarray(position * size, (position + 1) * size);
  const axis = outputAxis(own.axes);
  return { position, ...(token !== undefined && { token }), own: values(`batch ${axis}`, [1, size], row) };
}

/** The outcome in a run whose output is `output`. */
export function outcomeOf({ network }: RankOneDecomposition, task: ReadTask, output: Tensor): TaskOutcome {
  const axis = outputAxis(output.axes);
  const here = axisNames(output.axes).includes("pos") ? (select(output, "pos", task.position) as Tensor) : output;
  const sizes = { batch: axisSize(output, "batch"), [axis]: axisSize(output, axis) };
  const known = constant(axis, { [axis]: sizes[axis]! }, task.own.data) as Tensor;
  const own = broadcast(known, `batch ${axis}`, sizes) as Tensor;
  if (network.logits === undefined) {
    const error = mean(square(sub(here, own)), axis) as Tensor<"batch">;
    return { loss: error, divergence: error };
  }
  const divergence = klDivergence(own, here, axis) as Tensor<"batch">;
  if (task.token === undefined) return { loss: divergence, divergence };
  const surprise = neg(select(logSoftmax(here, axis), axis, task.token) as Tensor<"batch">);
  return { loss: surprise, divergence, probability: exp(neg(surprise)) };
}
