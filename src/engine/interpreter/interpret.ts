/**
 * The arbiter: runs a traced program in float64, one operation after another. Slow and plain; every other engine is held
 * against it.
 */
import { MechanistError } from "../../error.ts";
import { sizeOf } from "../../tensor/axes.ts";
import type { Key } from "../../tensor/random.ts";
import { isOp, type NodeOf, type Tensor } from "../../tensor/tensor.ts";
import { inTopologicalOrder } from "../../tensor/traverse.ts";
import { drawUniform } from "../randomness.ts";
import { expectFit, type NamedValues, type Values } from "../values.ts";
import { evaluate } from "./evaluate.ts";

/**
 * The numbers of some tensors, in float64.
 *
 * @param outputs what to compute, by name
 * @param feeds   the program's inputs, by name
 * @param key     where its uniform draws come from; needed only by programs that draw
 */
export function interpret<O extends Readonly<Record<string, Tensor>>>(
  outputs: O,
  feeds: NamedValues = {},
  key?: Key,
): { [K in keyof O]: Values } {
  const results = new Map<Tensor, Float64Array>();
  for (const node of inTopologicalOrder(Object.values(outputs))) {
    results.set(
      node,
      isOp(node, "input")
        ? read(node, feeds, key)
        : evaluate(
            node,
            node.inputs.map((x) => results.get(x)!),
          ),
    );
  }
  return Object.fromEntries(
    Object.entries(outputs).map(([name, tensor]) => {
      const { axes, shape, dtype } = tensor;
      return [name, { axes, shape, dtype, data: results.get(tensor)! }];
    }),
  ) as { [K in keyof O]: Values };
}

function read(node: NodeOf<"input">, feeds: NamedValues, key: Key | undefined): Float64Array {
  const { name, source } = node.attributes;
  if (source === "uniform") {
    if (key === undefined) {
      throw new MechanistError("BadArgument", `interpret: the program draws ${name}, so it needs a key`);
    }
    return Float64Array.from(drawUniform(key, name, new Float32Array(sizeOf(node.shape))));
  }
  const given = feeds[name];
  expectFit(name, node, given);
  return Float64Array.from(given.data);
}
