/** Tensors of a decomposition, held against what it is made of. */
import type { NamedValues } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import type { WeightSpec } from "../network/network.ts";

/**
 * The tensors that were asked for, without others that may be there.
 *
 * @throws `BadFile` where one is missing or has another shape
 */
export function expectWeights(wanted: readonly WeightSpec[], given: NamedValues): NamedValues {
  return Object.fromEntries(wanted.map((spec) => [spec.name, expectWeight(spec, given)]));
}

function expectWeight(spec: WeightSpec, given: NamedValues): NamedValues[string] {
  const found = given[spec.name];
  if (found === undefined) throw new MechanistError("BadFile", `components: expected ${spec.name}, got none`);
  const fits = found.shape.length === spec.shape.length && spec.shape.every((size, i) => found.shape[i] === size);
  if (!fits) {
    throw new MechanistError(
      "BadFile",
      `components: ${spec.name}: expected "${spec.axes}" of ${spec.shape.join("×")}, got ${found.shape.join("×")}`,
    );
  }
  return { ...found, axes: spec.axes };
}
