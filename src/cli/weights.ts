/** Tensors from files, held against what a document asks for. */
import { type DecomposeDocument, methodNamed } from "../decomposition/methods.ts";
import type { NamedValues, Values } from "../engine/values.ts";
import { MechanistError } from "../error.ts";
import type { WeightSpec } from "../network/network.ts";
import { carriedOf, hasMeansTogether, weightsIn } from "../training/optimise.ts";
import type { TrainDocument } from "../training/target.ts";
import { targetNamed } from "../training/targets.ts";
import { fromFile } from "./documents.ts";

/** The weights of a document's network, without whatever else there is. */
export function networkWeights(where: string, document: TrainDocument, tensors: NamedValues): NamedValues {
  const { weights } = targetNamed(document.target).network(document.settings);
  return Object.fromEntries(weights.map((spec) => [spec.name, expectTensor(where, spec, tensors)]));
}

/** Refuses a checkpoint whose tensors are not those of the run. */
export function expectTrainState(where: string, document: TrainDocument, tensors: NamedValues): void {
  const found = networkWeights(where, document, tensors);
  const { weights } = targetNamed(document.target).network(document.settings);
  const trained = Object.fromEntries(weights.filter((spec) => !spec.frozen).map(({ name }) => [name, found[name]!]));
  expectMeans(where, trained, tensors);
}

/** The same for a decomposition. */
export function expectDecomposeState(
  where: string,
  document: DecomposeDocument,
  weights: NamedValues,
  tensors: NamedValues,
): void {
  const own = weightsIn(tensors);
  const method = methodNamed(document.method);
  fromFile(where, () => method.open(document, weights, own));
  if (!method.computed) expectMeans(where, own, tensors);
}

/** Refuses a checkpoint without what an optimiser carries of every tensor. */
function expectMeans(where: string, own: NamedValues, tensors: NamedValues): void {
  // What an earlier version finished can still be judged.
  if (hasMeansTogether(tensors)) return;
  for (const [weight, { axes, shape }] of Object.entries(own)) {
    const [usual, other] = carriedOf(weight);
    const names = other!.every((name) => tensors[name] !== undefined) ? other! : usual!;
    for (const name of names) expectTensor(where, { name, axes, shape }, tensors);
  }
}

function expectTensor(where: string, { name, axes, shape }: WeightSpec, tensors: NamedValues): Values {
  const found = tensors[name];
  if (found === undefined) throw new MechanistError("BadFile", `${where}: expected ${name}, got none`);
  const fits = found.shape.length === shape.length && shape.every((size, i) => found.shape[i] === size);
  if (!fits || found.dtype !== "f32") {
    const got = `${found.dtype} of ${found.shape.join("×") || "one number"}`;
    throw new MechanistError("BadFile", `${where}: ${name}: expected f32 "${axes}" of ${shape.join("×")}, got ${got}`);
  }
  return { ...found, axes };
}
