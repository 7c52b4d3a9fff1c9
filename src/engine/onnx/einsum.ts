/**
 * Contractions as matrix products. Axes fall into four groups: shared by all (batch), only in the first operand and the result
 * (M), only in the second and the result (N), and summed (K). Each group becomes one axis of a batched product; the
 * orders are chosen so that as few transpositions as possible remain.
 */
import { axisNames, sizeOf } from "../../tensor/axes.ts";
import type { NodeOf, Tensor } from "../../tensor/tensor.ts";
import { aligned, type Emitter, type OnnxValue } from "./emitter.ts";

interface Operand {
  readonly value: OnnxValue;
  readonly names: readonly string[];
}

/** Lowers a contraction and answers its value in the order of the node's axes. */
export function lowerEinsum(emitter: Emitter, node: NodeOf<"einsum">, values: readonly OnnxValue[]): OnnxValue {
  const [a, b] = node.inputs as [Tensor, Tensor];
  const result = axisNames(node.axes);
  const first: Operand = { value: values[0]!, names: axisNames(a.axes) };
  const second: Operand = { value: values[1]!, names: axisNames(b.axes) };
  const summed = first.names.filter((name) => !result.includes(name));
  if (summed.length === 0) return product(emitter, node, values);

  const sizes: Record<string, number> = {};
  for (const t of [a, b]) axisNames(t.axes).forEach((name, i) => (sizes[name] = t.shape[i]!));
  const plans = [
    plan(first, second, result, summed),
    plan(second, first, result, summed),
    plan(
      first,
      second,
      result,
      second.names.filter((name) => summed.includes(name)),
    ),
    plan(
      second,
      first,
      result,
      second.names.filter((name) => summed.includes(name)),
    ),
  ];
  const best = plans.reduce((x, y) => (y.cost(sizes) < x.cost(sizes) ? y : x));
  return best.emit(emitter, sizes, node.attributes.alpha);
}

/** Without summed axes a contraction is a product element by element. */
function product(emitter: Emitter, node: NodeOf<"einsum">, values: readonly OnnxValue[]): OnnxValue {
  const { alpha } = node.attributes;
  const [a, b] = node.inputs as [Tensor, Tensor];
  const smaller = sizeOf(a.shape) <= sizeOf(b.shape) ? 0 : 1;
  const operands = node.inputs.map((x, i) => {
    const operand = aligned(emitter, values[i]!, x, node.axes);
    return i === smaller && alpha !== 1
      ? emitter.emit("Mul", [operand, emitter.constant("f32", [], [alpha])])
      : operand;
  });
  return { name: emitter.emit("Mul", operands), dims: node.shape };
}

interface Plan {
  /** How many numbers must be moved before and after the product. */
  cost(sizes: Readonly<Record<string, number>>): number;
  emit(emitter: Emitter, sizes: Readonly<Record<string, number>>, alpha: number): OnnxValue;
}

/** The product with `left` giving the rows: `[batch…, M, K] · [batch…, K, N]`. */
function plan(left: Operand, right: Operand, result: readonly string[], k: readonly string[]): Plan {
  const batch = result.filter((name) => left.names.includes(name) && right.names.includes(name));
  const m = result.filter((name) => left.names.includes(name) && !right.names.includes(name));
  const n = result.filter((name) => right.names.includes(name) && !left.names.includes(name));
  const made = [...batch, ...m, ...n];

  const leftPlain = matches(left.names, [...batch, ...m, ...k]);
  const leftTurned = matches(left.names, [...batch, ...k, ...m]);
  const rightPlain = matches(right.names, [...batch, ...k, ...n]);
  const rightTurned = matches(right.names, [...batch, ...n, ...k]);

  return {
    cost(sizes) {
      const size = (names: readonly string[]): number => sizeOf(names.map((name) => sizes[name]!));
      const turn = 0.05; // a transposed read inside the product is nearly free, but a straight one is freer
      return (
        (leftPlain ? 0 : leftTurned ? turn * size(left.names) : size(left.names)) +
        (rightPlain ? 0 : rightTurned ? turn * size(right.names) : size(right.names)) +
        (matches(made, result) ? 0 : size(result))
      );
    },
    emit(emitter, sizes, alpha) {
      const count = (names: readonly string[]): number => sizeOf(names.map((name) => sizes[name]!));
      const batchDims = batch.length > 0 ? [count(batch)] : [];
      const side = (
        x: Operand,
        plain: readonly string[],
        turned: readonly string[],
        isPlain: boolean,
        isTurned: boolean,
      ) => {
        const order = isPlain || !isTurned ? plain : turned;
        return emitter.permute(
          x.value,
          order.map((name) => x.names.indexOf(name)),
        );
      };
      const transA = !leftPlain && leftTurned;
      const transB = !rightPlain && rightTurned;
      const [M, N, K] = [count(m), count(n), count(k)];
      const A = emitter.reshape(side(left, [...batch, ...m, ...k], [...batch, ...k, ...m], leftPlain, leftTurned), [
        ...batchDims,
        ...(transA ? [K, M] : [M, K]),
      ]);
      const B = emitter.reshape(side(right, [...batch, ...k, ...n], [...batch, ...n, ...k], rightPlain, rightTurned), [
        ...batchDims,
        ...(transB ? [N, K] : [K, N]),
      ]);
      const dims = [...batchDims, M, N];
      const matrix = { name: multiply(emitter, A, B, transA, transB, alpha), dims };
      const shaped = emitter.reshape(
        matrix,
        made.map((name) => sizes[name]!),
      );
      return emitter.permute(
        shaped,
        result.map((name) => made.indexOf(name)),
      );
    },
  };
}

function matches(names: readonly string[], order: readonly string[]): boolean {
  return names.length === order.length && names.every((name, i) => name === order[i]);
}

function multiply(
  emitter: Emitter,
  a: OnnxValue,
  b: OnnxValue,
  transA: boolean,
  transB: boolean,
  alpha: number,
): string {
  if (!transA && !transB && alpha === 1) return emitter.emit("MatMul", [a.name, b.name]);
  if (emitter.features.fusedMatMul) {
    const attributes = { transA: Number(transA), transB: Number(transB), alpha: { float: alpha } };
    return emitter.emit("FusedMatMul", [a.name, b.name], attributes, "com.microsoft");
  }
  const turned = (x: OnnxValue, turn: boolean): string => {
    const last = x.dims.length - 1;
    const order = x.dims.map((_, i) => (i === last ? last - 1 : i === last - 1 ? last : i));
    return turn ? emitter.permute(x, order).name : x.name;
  };
  const product = emitter.emit("MatMul", [turned(a, transA), turned(b, transB)]);
  return alpha === 1 ? product : emitter.emit("Mul", [product, emitter.constant("f32", [], [alpha])]);
}
