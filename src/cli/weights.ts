/** Tensors from files, held against what a document asks for. */
import { type DecomposeDocument, methodNamed } from "../decomposition/methods.ts";
import type { NamedValues, Values } from "../engine/values.ts";
import { MechanistError } from "../error.ts";
import type { WeightSpec } from "../network/network.ts";
import { sizeOf } from "../tensor/axes.ts";
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
  const trained = weights.filter((spec) => !spec.frozen).map(({ name }) => found[name]!);
  expectOptimiser(where, trained, tensors);
}

/** The same for a decomposition. */
export function expectDecomposeState(
  where: string,
  document: DecomposeDocument,
  weights: NamedValues,
  tensors: NamedValues,
): void {
  const own = ownTensors(tensors);
  fromFile(where, () => methodNamed(document.method).open(document, weights, own));
  expectOptimiser(where, Object.values(own), tensors);
}

/** A checkpoint's tensors without those of the optimiser. */
export function ownTensors(tensors: NamedValues): NamedValues {
  return Object.fromEntries(Object.entries(tensors).filter(([name]) => !name.startsWith("adamw.")));
}

function expectOptimiser(where: string, own: readonly Values[], tensors: NamedValues): void {
  const size = own.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  for (const name of ["adamw.m", "adamw.v"]) expectTensor(where, { name, axes: "parameter", shape: [size] }, tensors);
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
