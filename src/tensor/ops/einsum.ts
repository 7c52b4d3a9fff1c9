/** Contraction by axis name. */
import { MechanistError } from "../../error.ts";
import { axisNames, joinAxes, type Names } from "../axes.ts";
import { expectType, node, sizesOf, type Tensor } from "../tensor.ts";
import { sum } from "./reduce.ts";

type Missing<A extends string, B extends string, O extends string> = Exclude<Names<O>, Names<A> | Names<B>>;

type Check<A extends string, B extends string, O extends string> = [Missing<A, B, O>] extends [never]
  ? unknown
  : { error: `axis ${Missing<A, B, O>} appears in no operand` };

/**
 * Multiplies two tensors and sums over every axis that the result does not name:
 * `einsum("batch pos d_model, d_model C -> batch pos C", x, V)`.
 *
 * The names are those of the operands, in their order: a wrong operand does not compile, and is refused when traced.
 *
 * @throws `ShapeMismatch` when the text and an operand differ, or an axis has two sizes
 */
export function einsum<A extends string, B extends string, O extends string>(
  spec: `${A}, ${B} -> ${O}` & Check<A, B, O>,
  a: Tensor<NoInfer<A>>,
  b: Tensor<NoInfer<B>>,
): Tensor<O> {
  const [left, result] = spec.split(" -> ");
  const operands = left?.split(", ");
  if (result === undefined || operands?.length !== 2) {
    throw new MechanistError("ShapeMismatch", `einsum: expected "a b, b c -> a c", got "${spec}"`);
  }
  operands.forEach((axes, i) => {
    const got = [a, b][i]!.axes;
    if (axes !== got) {
      throw new MechanistError("ShapeMismatch", `einsum "${spec}": operand ${i + 1} has axes "${got}"`);
    }
  });
  return contract(a, b, result) as Tensor<O>;
}

/** `einsum` where the operands' axes are known only at run time: the axes wanted are all it needs. */
export function contract(a: Tensor, b: Tensor, axes: string): Tensor {
  expectType("einsum", a, "f32");
  expectType("einsum", b, "f32");
  const sizes = sizesOf(a);
  for (const [name, size] of Object.entries(sizesOf(b))) {
    if (sizes[name] !== undefined && sizes[name] !== size) {
      throw new MechanistError(
        "ShapeMismatch",
        `einsum "${a.axes}, ${b.axes} -> ${axes}": axis ${name} is ${sizes[name]} in the first, ${size} in the second`,
        { axis: name, first: sizes[name], second: size },
      );
    }
    sizes[name] = size;
  }
  const wanted = axisNames(joinAxes(axisNames(axes)));
  for (const name of wanted) {
    if (sizes[name] === undefined) {
      throw new MechanistError(
        "ShapeMismatch",
        `einsum "${a.axes}, ${b.axes} -> ${axes}": axis ${name} is in no operand`,
        {
          axis: name,
        },
      );
    }
  }
  // An axis that only one operand has and the result lacks is a plain sum of that operand.
  const first = sumPrivate(a, b, wanted);
  const second = sumPrivate(b, a, wanted);
  return node({
    op: "einsum",
    inputs: [first, second],
    axes,
    shape: wanted.map((name) => sizes[name]!),
    attributes: { alpha: 1 },
    derivative: (g, { inputs: [left, right] }) => [contract(g, right!, left!.axes), contract(g, left!, right!.axes)],
  });
}

function sumPrivate(x: Tensor, other: Tensor, wanted: readonly string[]): Tensor {
  const elsewhere = [...axisNames(other.axes), ...wanted];
  const own = axisNames(x.axes).filter((name) => !elsewhere.includes(name));
  return own.length > 0 ? (sum(x, own.join(" ")) as Tensor) : x;
}
