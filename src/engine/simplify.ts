/**
 * Makes a traced program smaller without changing what it computes: equal nodes become one, constants are folded, nodes that
 * only pass values along disappear, and products that are summed become contractions. Nodes that nothing needs are
 * gone because only what the outputs reach is rebuilt.
 */
import { axisNames } from "../tensor/axes.ts";
import { contract } from "../tensor/ops/einsum.ts";
import { sumTo } from "../tensor/ops/reduce.ts";
import { concat, pad } from "../tensor/ops/shape.ts";
import { axisSize, isOp, node, type NodeOf, scalar, sizesOf, type Tensor } from "../tensor/tensor.ts";
import { inTopologicalOrder } from "../tensor/traverse.ts";
import { evaluate } from "./interpreter/evaluate.ts";
import { contractNarrowly, contractThrough, filled, scaledInside } from "./products.ts";

/** The largest constant that folding may make; a bigger one would cost more memory than it saves time. */
const MOST_FOLDED = 65_536;

/** The same outputs by a smaller program. */
export function simplify<O extends Readonly<Record<string, Tensor>>>(outputs: O): O {
  const rebuilt = new Map<Tensor, Tensor>();
  const known = new Map<string, Tensor>();
  const ids = new Map<Tensor, number>();
  const order = inTopologicalOrder(Object.values(outputs));
  const uses = countUses(order);
  const usesOf = new Map<Tensor, number>();

  const keyOf = (x: Tensor): string =>
    `${x.op}|${x.dtype}|${x.axes}|${x.shape.join()}|${describe(x)}|${x.inputs.map((i) => ids.get(i)).join()}`;
  const intern = (x: Tensor): Tensor => {
    const key = keyOf(x);
    const same = known.get(key);
    if (same !== undefined) return same;
    known.set(key, x);
    ids.set(x, ids.size);
    return x;
  };
  /** Interns a rewritten node together with the nodes that the rewriting made below it. */
  const internAll = (x: Tensor): Tensor => {
    if (ids.has(x)) return x;
    const inputs = x.inputs.map(internAll);
    return intern(inputs.every((input, i) => input === x.inputs[i]) ? x : { ...x, inputs });
  };

  const onlyHere = (x: Tensor): boolean => (usesOf.get(x) ?? 1) === 1;
  const exists = (x: Tensor): boolean => x.inputs.every((input) => ids.has(input)) && known.has(keyOf(x));

  for (const original of order) {
    const inputs =
      original.op === "identity" ? [rebuilt.get(original.inputs[0]!)!] : original.inputs.map((x) => rebuilt.get(x)!);
    const copy: Tensor = { ...original, inputs };
    delete (copy as { derivative?: unknown }).derivative;
    const result = internAll(rewrite(copy, { onlyHere, exists }));
    rebuilt.set(original, result);
    usesOf.set(result, (usesOf.get(result) ?? 0) + (uses.get(original) ?? 1));
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, x]) => [name, rebuilt.get(x)!])) as O;
}

function countUses(order: readonly Tensor[]): Map<Tensor, number> {
  const uses = new Map<Tensor, number>();
  for (const x of order) {
    for (const input of x.op === "identity" ? x.inputs.slice(0, 1) : x.inputs)
      uses.set(input, (uses.get(input) ?? 0) + 1);
  }
  return uses;
}

function describe(x: Tensor): string {
  if (isOp(x, "constant")) return Array.from(x.attributes.data, (v) => (Object.is(v, -0) ? "-0" : String(v))).join();
  return JSON.stringify(x.attributes);
}

/** What a rewriting must know of the program around a node. */
interface Around {
  /** Whether nothing else uses an input. */
  onlyHere(input: Tensor): boolean;
  /** Whether a node is computed anyway. */
  exists(x: Tensor): boolean;
}

/** One step of simplification at a node whose inputs are simple already. */
function rewrite(x: Tensor, { onlyHere, exists }: Around): Tensor {
  if (isOp(x, "identity")) return x.inputs[0]!;
  const folded = foldConstant(x);
  if (folded !== undefined) return folded;
  switch (x.op) {
    case "mul":
      return rewriteProduct(x, onlyHere);
    case "add":
      return (
        zeroOf(x, x.inputs[1]!) ?? zeroOf(x, x.inputs[0]!, 1) ?? joinPieces(x) ?? withoutSign(x) ?? withoutBroadcasts(x)
      );
    case "sub":
      return zeroOf(x, x.inputs[1]!) ?? withoutSign(x) ?? withoutBroadcasts(x);
    case "div":
      return rewriteQuotient(x, onlyHere);
    case "pow":
      return rewritePower(x);
    case "sum":
      return rewriteSum(x as NodeOf<"sum">, { onlyHere, exists });
    case "einsum":
      return rewriteEinsum(x as NodeOf<"einsum">);
    case "neg":
      return x.inputs[0]!.op === "neg" ? x.inputs[0]!.inputs[0]! : (negatedInside(x.inputs[0]!, onlyHere) ?? x);
    case "transpose":
      return x.inputs[0]!.op === "transpose" && x.inputs[0]!.inputs[0]!.axes === x.axes ? x.inputs[0]!.inputs[0]! : x;
    case "reshape":
      return rewriteReshape(x);
    case "maximum":
    case "minimum":
    case "where":
    case "less":
    case "lessEqual":
    case "equal":
      return withoutBroadcasts(x);
    default:
      return x;
  }
}

/** Of several reshapes in a row only the last counts, and none where it gives what was there before. */
function rewriteReshape(x: Tensor): Tensor {
  const [given] = x.inputs as readonly [Tensor];
  const from = given.op === "reshape" ? given.inputs[0]! : given;
  const same = from.axes === x.axes && from.shape.join() === x.shape.join();
  return same ? from : from === given ? x : { ...x, inputs: [from] };
}

function foldConstant(x: Tensor): Tensor | undefined {
  if (x.inputs.length === 0 || x.inputs.some((input) => input.op !== "constant")) return undefined;
  const size = x.shape.reduce((a, b) => a * b, 1);
  if (size > MOST_FOLDED) return undefined;
  const full = x.inputs.map((input) => evaluate(input, []));
  const data = evaluate(x, full);
  const uniform = data.length > 0 && data.every((value) => Object.is(value, data[0]));
  return node({
    op: "constant",
    inputs: [],
    axes: x.axes,
    shape: x.shape,
    dtype: x.dtype,
    attributes: { data: uniform ? data.slice(0, 1) : data },
  });
}

/** `x + 0`: the other operand, where it has the axes of the result already. */
function zeroOf(x: Tensor, operand: Tensor, other = 0): Tensor | undefined {
  const rest = x.inputs[other]!;
  return filled(operand) === 0 && rest.axes === x.axes ? rest : undefined;
}

/**
 * The sum of neighbouring pieces, each padded with zeros to the whole length, is the pieces put side by side. This is how the
 * gradients of slices of one tensor come back together.
 */
function joinPieces(x: Tensor): Tensor | undefined {
  const [a, b] = x.inputs as [Tensor, Tensor];
  if (!isOp(a, "pad") || !isOp(b, "pad")) return undefined;
  const { axis } = a.attributes;
  if (b.attributes.axis !== axis || a.attributes.value !== 0 || b.attributes.value !== 0 || a.axes !== b.axes)
    return undefined;
  const total = axisSize(x, axis);
  const [first, second] = a.attributes.before < b.attributes.before ? [a, b] : [b, a];
  if (total - first.attributes.after !== second.attributes.before) return undefined;
  const pieces = [first, second].flatMap((piece) => piecesOf(piece.inputs[0]!, axis));
  return pad(concat(pieces, axis as never), axis as never, first.attributes.before, second.attributes.after);
}

function piecesOf(x: Tensor, axis: string): readonly Tensor[] {
  return isOp(x, "concat") && x.attributes.axis === axis ? x.inputs : [x];
}

function rewriteProduct(x: Tensor, onlyHere: (input: Tensor) => boolean): Tensor {
  for (const [i, j] of [
    [0, 1],
    [1, 0],
  ] as const) {
    const factor = filled(x.inputs[i]!);
    const rest = x.inputs[j]!;
    if (factor === undefined || rest.axes !== x.axes) continue;
    if (factor === 1) return rest;
    if (factor === -1) return { ...x, op: "neg", inputs: [rest] };
    const scaled = scaledInside(rest, factor, onlyHere);
    if (scaled !== undefined && scaled.op !== "mul") return scaled;
    // (k·y)·factor is (k·factor)·y
    if (rest.op === "mul") {
      const at = rest.inputs.findIndex((input) => filled(input) !== undefined);
      if (at >= 0 && rest.inputs[1 - at]!.axes === x.axes) {
        return { ...x, inputs: [rest.inputs[1 - at]!, scalar(filled(rest.inputs[at]!)! * factor)] };
      }
    }
    if (rest.op === "neg") return { ...x, inputs: [rest.inputs[0]!, scalar(-factor)] };
  }
  return negatedOutside(x, onlyHere) ?? withoutBroadcasts(x);
}

/** `(-a) b` is `-(a b)`: signs move outwards, where they meet and cancel or become a subtraction. */
function negatedOutside(x: Tensor, onlyHere: (input: Tensor) => boolean): Tensor | undefined {
  const at = x.inputs.findIndex((input) => input.op === "neg" && onlyHere(input));
  if (at < 0) return undefined;
  const inputs = x.inputs.map((input, i) => (i === at ? input.inputs[0]! : input));
  return { ...x, op: "neg", inputs: [withoutBroadcasts({ ...x, inputs })] };
}

/** `a + (-b)` is `a - b`, and `a - (-b)` is `a + b`. */
function withoutSign(x: Tensor): Tensor | undefined {
  const [a, b] = x.inputs as [Tensor, Tensor];
  if (b.op === "neg") return withoutBroadcasts({ ...x, op: x.op === "add" ? "sub" : "add", inputs: [a, b.inputs[0]!] });
  if (a.op === "neg" && x.op === "add") return withoutBroadcasts({ ...x, op: "sub", inputs: [b, a.inputs[0]!] });
  return undefined;
}

function negatedInside(x: Tensor, onlyHere: (input: Tensor) => boolean): Tensor | undefined {
  const negated = scaledInside(x, -1, onlyHere);
  return negated?.op === "mul" ? undefined : negated;
}

/** Division by a number is a product, which has more ways to disappear. */
function rewriteQuotient(x: Tensor, onlyHere: (input: Tensor) => boolean): Tensor {
  const divisor = filled(x.inputs[1]!);
  if (divisor === undefined || x.inputs[0]!.axes !== x.axes) return withoutBroadcasts(x);
  return rewriteProduct({ ...x, op: "mul", inputs: [x.inputs[0]!, scalar(1 / divisor)] }, onlyHere);
}

function rewritePower(x: Tensor): Tensor {
  const [base, exponent] = x.inputs as [Tensor, Tensor];
  if (base.axes !== x.axes) return x;
  switch (filled(exponent)) {
    case 0:
      return node({
        op: "constant",
        inputs: [],
        axes: x.axes,
        shape: x.shape,
        attributes: { data: Float64Array.of(1) },
      });
    case 1:
      return base;
    case 2:
      return { ...x, op: "mul", inputs: [base, base] };
    case 0.5:
      return { ...x, op: "sqrt", inputs: [base] };
    case -1:
      return { ...x, op: "reciprocal", inputs: [base] };
    default:
      return x;
  }
}

/** Repeating a value along axes that another operand has anyway is left to the operation itself. */
function withoutBroadcasts(x: Tensor): Tensor {
  const inputs = x.inputs.slice();
  inputs.forEach((input, i) => {
    if (input.op !== "broadcast") return;
    const wide = inputs.some((other, j) => j !== i && hasAll(other, x));
    if (wide) inputs[i] = input.inputs[0]!;
  });
  return inputs.every((input, i) => input === x.inputs[i]) ? x : { ...x, inputs };
}

function hasAll(x: Tensor, axesOf: Tensor): boolean {
  return axisNames(x.axes).length === axisNames(axesOf.axes).length;
}

/** The sum of a product is a contraction; the sum of something repeated is a multiple of it. */
function rewriteSum(x: NodeOf<"sum">, { onlyHere, exists }: Around): Tensor {
  const [inner] = x.inputs as [Tensor];
  // What was spread along an axis is what it was before.
  if (isOp(inner, "scatterAlong") && x.attributes.over.join() === inner.attributes.axis)
    return sumTo(inner.inputs[0]!, x);
  const narrow = contractNarrowly([inner], x.axes, 1);
  if (narrow !== undefined) return narrow;
  if (isOp(inner, "mul") && inner.inputs[0] !== inner.inputs[1] && onlyHere(inner)) {
    const [a, b] = inner.inputs as [Tensor, Tensor];
    const through = contractThrough(a, b, x, exists) ?? contractThrough(b, a, x, exists);
    if (through !== undefined) return through;
    const shared = x.attributes.over.every(
      (axis) => axisNames(a.axes).includes(axis) && axisNames(b.axes).includes(axis),
    );
    if (shared) return contract(a, b, x.axes);
  }
  if (isOp(inner, "broadcast")) {
    const source = inner.inputs[0]!;
    const added = x.attributes.over.filter((axis) => !axisNames(source.axes).includes(axis));
    const same = x.attributes.over.length === added.length && source.axes === x.axes;
    if (same) {
      const sizes = sizesOf(inner);
      const times = added.reduce((product, axis) => product * sizes[axis]!, 1);
      return { ...x, op: "mul", attributes: {}, inputs: [source, scalar(times)] };
    }
  }
  return x;
}

/** A contraction does not care about the order of axes in memory or about a number in front of an operand. */
function rewriteEinsum(x: NodeOf<"einsum">): Tensor {
  let { alpha } = x.attributes;
  const inputs = x.inputs.map((input) => {
    if (input.op === "transpose") return input.inputs[0]!;
    if (input.op !== "mul") return input;
    const at = input.inputs.findIndex((factor) => filled(factor) !== undefined);
    const rest = input.inputs[1 - at];
    if (at < 0 || rest!.axes !== input.axes) return input;
    alpha *= filled(input.inputs[at]!)!;
    return rest!;
  });
  return contractNarrowly(inputs, x.axes, alpha) ?? { ...x, inputs, attributes: { alpha } };
}
