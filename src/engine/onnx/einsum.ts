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
  const each = first.names.length === second.names.length && summed.length + result.length === first.names.length;
  if (each && sizeOf(node.shape) > 1) return summedProduct(emitter, node, values, summed);

  const sizes: Record<string, number> = {};
  for (const t of [a, b]) axisNames(t.axes).forEach((name, i) => (sizes[name] = t.shape[i]!));
  // A transposed read inside the product is nearly free, but a straight one is freer.
  const turning = emitter.features.fusedMatMul ? 0.05 : 1;
  const turned = second.names.filter((name) => summed.includes(name));
  const plans = [summed, turned].flatMap((k) => [
    plan(first, second, result, k, sizes, turning),
    plan(second, first, result, k, sizes, turning),
  ]);
  const best = plans.reduce((x, y) => (y.cost < x.cost ? y : x));
  return best.emit(emitter, node.attributes.alpha);
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

/**
 * One number for each shared position: a row times a column, which would be as many products as there are positions. Multiplied element by
 * element and then summed instead.
 */
function summedProduct(
  emitter: Emitter,
  node: NodeOf<"einsum">,
  values: readonly OnnxValue[],
  summed: readonly string[],
): OnnxValue {
  const { alpha } = node.attributes;
  const [a] = node.inputs as [Tensor, Tensor];
  const names = axisNames(a.axes);
  const both = emitter.emit(
    "Mul",
    node.inputs.map((x, i) => aligned(emitter, values[i]!, x, a.axes)),
  );
  const over = summed.map((name) => names.indexOf(name)).sort((x, y) => x - y);
  const kept = names.filter((name) => !summed.includes(name));
  const sums = emitter.emit("ReduceSum", [both, emitter.ints(over)], { keepdims: 0 });
  const scaled = alpha === 1 ? sums : emitter.emit("Mul", [sums, emitter.constant("f32", [], [alpha])]);
  return emitter.permute(
    { name: scaled, dims: kept.map((name) => a.shape[names.indexOf(name)]!) },
    axisNames(node.axes).map((name) => kept.indexOf(name)),
  );
}

interface Plan {
  /** How many numbers must be moved before and after the product. */
  readonly cost: number;
  emit(emitter: Emitter, alpha: number): OnnxValue;
}

/** How an operand is brought into the product: its axes in which order, and whether the product then reads it transposed. */
interface Arrangement {
  readonly order: readonly string[];
  readonly turned: boolean;
  readonly cost: number;
}

type AxisSizes = Readonly<Record<string, number>>;

/** The product with `left` giving the rows: `[batch…, M, K] · [batch…, K, N]`. */
function plan(
  left: Operand,
  right: Operand,
  result: readonly string[],
  k: readonly string[],
  sizes: AxisSizes,
  turning: number,
): Plan {
  const batch = result.filter((name) => left.names.includes(name) && right.names.includes(name));
  const m = result.filter((name) => left.names.includes(name) && !right.names.includes(name));
  const n = result.filter((name) => right.names.includes(name) && !left.names.includes(name));
  const made = [...batch, ...m, ...n];
  const count = (names: readonly string[]): number => sizeOf(names.map((name) => sizes[name]!));
  const arranged = ({ names }: Operand, rows: readonly string[], columns: readonly string[]): Arrangement => {
    const plain = [...batch, ...rows, ...columns];
    const other = [...batch, ...columns, ...rows];
    const [straight, turned] = [moved(names, plain, sizes), moved(names, other, sizes) + turning * count(names)];
    return turned < straight
      ? { order: other, turned: true, cost: turned }
      : { order: plain, turned: false, cost: straight };
  };
  const [A, B] = [arranged(left, m, k), arranged(right, k, n)];
  return {
    cost: A.cost + B.cost + moved(made, result, sizes),
    emit(emitter, alpha) {
      const [M, N, K] = [count(m), count(n), count(k)];
      const batchDims = batch.length > 0 ? [count(batch)] : [];
      const matrix = (x: Operand, { order, turned }: Arrangement, rows: number, columns: number): OnnxValue => {
        const value =
          moved(x.names, order, sizes) === 0
            ? x.value
            : emitter.permute(
                x.value,
                order.map((name) => x.names.indexOf(name)),
              );
        return emitter.reshape(value, [...batchDims, ...(turned ? [columns, rows] : [rows, columns])]);
      };
      const name = multiply(emitter, matrix(left, A, M, K), matrix(right, B, K, N), A.turned, B.turned, alpha);
      const shaped = emitter.reshape(
        { name, dims: [...batchDims, M, N] },
        made.map((axis) => sizes[axis]!),
      );
      return emitter.permute(
        shaped,
        result.map((axis) => made.indexOf(axis)),
      );
    },
  };
}

/**
 * How many numbers move when axes are put in another order: none where only axes of size one change places, and half as many where the
 * innermost axis stays, whose rows are copied whole.
 */
function moved(names: readonly string[], order: readonly string[], sizes: AxisSizes): number {
  const [from, to] = [names, order].map((list) => list.filter((name) => sizes[name] !== 1)) as [string[], string[]];
  if (from.every((name, i) => name === to[i])) return 0;
  const numbers = sizeOf(from.map((name) => sizes[name]!));
  return from.at(-1) === to.at(-1) ? numbers / 2 : numbers;
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
