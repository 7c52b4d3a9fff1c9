/** What a gradient is taken of: a component's inner activation, or an output, each row of a batch its own. */
import { MechanistError } from "../error.ts";
import type { Network } from "../network/network.ts";
import {
  axisNames,
  axisSize,
  broadcast,
  contract,
  gather,
  input,
  mean,
  mul,
  reshape,
  sub,
  takeAlong,
  type Tensor,
} from "../tensor/index.ts";
import type { CutRun } from "./masked-run.ts";
import type { RankOneDecomposition } from "./subject.ts";

/** `batch pos`, of which there is one position where the network has none. */
const withPositions = (x: Tensor): Tensor<"batch pos"> =>
  axisNames(x.axes).includes("pos")
    ? (x as Tensor<"batch pos">)
    : reshape(x, "batch pos", { batch: axisSize(x, "batch"), pos: 1 });

/**
 * The inner activation of one component for each row, `batch pos`; which it is, is the input `target/component`, `batch`.
 *
 * @throws `Refused` for an embedding, along whose token ids nothing can be followed back
 */
export function chosenActivation(
  { tensors }: RankOneDecomposition,
  { read }: CutRun,
  site: string,
): Tensor<"batch pos"> {
  const activation = read[site]!;
  if (activation.dtype === "i32") {
    throw new MechanistError("Refused", `${site}: expected a site that reads vectors, got an embedding of token ids`);
  }
  const batch = axisSize(activation, "batch");
  const V = tensors[`${site}.V`] as Tensor<"d_in C">;
  const chosen = gather(V, input("target/component", "batch", { batch }, "i32"), "C");
  return withPositions(contract(activation, chosen, activation.axes.replace(/ d_in$/, "")));
}

/** One output for each row, `batch pos`: a value, or a logit less the mean of all logits there, which alone has a meaning. */
export function chosenOutput({ logits }: Network, output: Tensor): Tensor<"batch pos"> {
  const axis = axisNames(output.axes).at(-1)!;
  const batch = axisSize(output, "batch");
  const given = input("target/component", "batch", { batch }, "i32") as Tensor;
  const positioned = axisNames(output.axes).includes("pos");
  const indices = positioned ? broadcast(given, "batch pos", { batch, pos: axisSize(output, "pos") }) : given;
  const chosen = takeAlong(output, indices, axis);
  return withPositions(logits === undefined ? chosen : sub(chosen, mean(output, axis) as Tensor));
}

/** What a source adds to a target: the gradient times the value, summed over what is not asked for. */
export function contribution(gradient: Tensor, value: Tensor, axes: string): Tensor {
  const wanted = axisNames(value.axes).filter((axis) => axisNames(axes).includes(axis));
  return wanted.length === axisNames(value.axes).length
    ? mul(gradient, value)
    : contract(gradient, value, wanted.join(" "));
}
