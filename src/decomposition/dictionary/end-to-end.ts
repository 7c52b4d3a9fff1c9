/**
 * End-to-end dictionaries (Braun et al. 2024): what is written in the place of an activation is to leave the network's output as it was, rather than to
 * be near the activation. In the downstream variant later activations are to stay as they were, too, so that the way to the output is the network's own.
 */
import { fitsPattern } from "../../network/site-patterns.ts";
import type { Network } from "../../network/network.ts";
import { add, axisSize, mul, square, sub, sum, type Tensor, type Tensors } from "../../tensor/index.ts";
import { likePoint, pointRows } from "../activation/coder.ts";
import { divergence } from "../parameter/losses/reconstruction.ts";

/** A run of the network whose activations are read. */
export interface OwnRun {
  readonly network: Network;
  readonly weights: Tensors;
  readonly x: Tensor;
}

/** The stream after each block, which the downstream variant looks at; in a network without one, all points. */
const STREAM = "blocks.*.hook_resid_post";

function laterPoints({ points }: Network, point: string): readonly string[] {
  const names = points.map(({ name }) => name);
  const later = names.slice(names.indexOf(point) + 1);
  const streams = later.filter((name) => fitsPattern(STREAM, name));
  return streams.length > 0 ? streams : later;
}

/**
 * The output's divergence from the network's own (squared error of values, nats of distributions), and, where it is asked for, the mean over later points of
 * the mean over rows of `‖a - a'‖²`.
 *
 * @param written `batch d_out`, what stands at the point instead, in the activations' units
 */
export function endToEndTerms(
  { network, weights, x }: OwnRun,
  point: string,
  written: Tensor<"batch d_out">,
  downstream: boolean,
): { readonly output: Tensor<"">; readonly downstream?: Tensor<""> } {
  const watched = downstream ? laterPoints(network, point) : [];
  const [own, changed]: [Record<string, Tensor>, Record<string, Tensor>] = [{}, {}];
  const watching =
    (seen: Record<string, Tensor>) =>
    (name: string, value: Tensor): undefined => {
      if (watched.includes(name)) seen[name] = pointRows(value);
    };
  const target = network.forward(weights, x, { at: watching(own) });
  const output = network.forward(weights, x, {
    at: (name, value) => (name === point ? likePoint(written, value) : watching(changed)(name, value)),
  });
  const errors = watched
    .filter((name) => own[name] !== undefined && own[name].dtype === "f32")
    .map((name) => mul(sum(square(sub(own[name]!, changed[name]!) as Tensor)), 1 / axisSize(own[name]!, "batch")));
  return {
    output: divergence(network, output, target),
    ...(errors.length > 0 && {
      downstream: mul(
        errors.reduce((a, b) => add(a, b)),
        1 / errors.length,
      ),
    }),
  };
}
