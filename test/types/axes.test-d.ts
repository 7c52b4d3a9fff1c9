/**
 * What the compiler must refuse, and what it must infer, about named axes. `npm run types` checks this file; nothing runs it. Each
 * `@ts-expect-error` is an error of its own where the line under it compiles.
 */
import {
  add,
  axisSize,
  concat,
  constant,
  crossEntropy,
  einsum,
  type Fits,
  gradients,
  input,
  layerNorm,
  less,
  logSoftmax,
  max,
  mean,
  mul,
  type Names,
  pad,
  relu,
  select,
  slice,
  softmax,
  sub,
  sum,
  type Tensor,
  transpose,
  valueAndGrad,
  where,
  type Wider,
  type Without,
} from "../../src/tensor/index.ts";

/** Compiles only where the two types are one. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Same<A, B>): void {}

declare const x: Tensor<"batch pos d_model">;
declare const V: Tensor<"d_model C">;
declare const U: Tensor<"C d_out">;
declare const bias: Tensor<"d_model">;
declare const other: Tensor<"batch key">;
declare const loss: Tensor<"">;
declare const some: Tensor;

// Names
same<Names<"batch pos">, "batch" | "pos">(true);
same<Names<"">, never>(true);
same<Names<string>, string>(true);
same<Without<"batch pos C", "pos">, "batch C">(true);
same<Without<"batch pos C", "C batch">, "pos">(true);
same<Without<"batch", "batch">, "">(true);
same<Wider<"batch C", "C">, "batch C">(true);
same<Wider<"C", "batch C">, "batch C">(true);
same<Wider<"batch C", "C batch">, "batch C">(true);
same<Wider<"batch", "C">, never>(true);
same<Fits<"batch C", "C">, unknown>(true);

// einsum
const inner = einsum("batch pos d_model, d_model C -> batch pos C", x, V);
same<typeof inner, Tensor<"batch pos C">>(true);
same<typeof total, Tensor<"">>(true);
const total = einsum("d_model C, d_model C -> ", V, V);
// @ts-expect-error U is "C d_out", not "d_model C"
einsum("batch pos d_model, d_model C -> batch pos C", x, U);
// @ts-expect-error d_out appears in no operand
einsum("batch pos d_model, d_model C -> batch pos d_out", x, V);
// @ts-expect-error the operands are the other way round
einsum("d_model C, batch pos d_model -> batch pos C", x, V);
// @ts-expect-error the axes of x are in another order
einsum("pos batch d_model, d_model C -> batch pos C", x, V);
// @ts-expect-error there is no arrow
einsum("batch pos d_model, d_model C", x, V);

// Broadcasting by name
same<Names<(typeof sums)["axes"]>, "batch" | "pos" | "d_model">(true);
const sums = add(x, bias);
same<typeof scaled, Tensor<"batch pos d_model">>(true);
const scaled = mul(x, 2);
same<typeof turned, Tensor<"d_model">>(true);
const turned = sub(1, bias);
const wide: Tensor<"batch pos d_model"> = mul(bias, x);
const shifted: Tensor<"batch pos d_model"> = add(x, loss);
// @ts-expect-error "batch key" has key, x has pos and d_model: neither has all the axes of the other
add(x, other);
// @ts-expect-error nor do "d_model C" and "C d_out"
mul(V, U);
// @ts-expect-error and so for comparisons
less(V, U);
// @ts-expect-error the result has all the axes of x
const narrow: Tensor<"d_model"> = add(x, bias);
// @ts-expect-error a text is no operand
add(x, "1");

// Reductions
same<typeof perToken, Tensor<"batch pos">>(true);
const perToken = sum(x, "d_model");
same<typeof perModel, Tensor<"d_model">>(true);
const perModel = mean(x, "batch pos");
same<typeof largest, Tensor<"">>(true);
const largest = max(x);
// @ts-expect-error what is left is "batch pos"
const wrong: Tensor<"batch"> = sum(x, "d_model");

// Axes as arguments
softmax(x, "pos");
layerNorm(x, "d_model", { scale: bias });
slice(x, "pos", 0, 2);
// @ts-expect-error x has no axis C
softmax(x, "C");
// @ts-expect-error x has no axis C
logSoftmax(x, "C");
// @ts-expect-error x has no axis C
layerNorm(x, "C");
// @ts-expect-error x has no axis C
slice(x, "C", 0, 1);
// @ts-expect-error x has no axis C
pad(x, "C", 0, 1);
same<typeof first, Tensor<"batch d_model">>(true);
const first = select(x, "pos", 0);

// Labels have the axes of the logits without the vocabulary
declare const logits: Tensor<"batch pos vocab">;
declare const labels: Tensor<"batch pos">;
same<typeof surprise, Tensor<"batch pos">>(true);
const surprise = crossEntropy(logits, labels, "vocab");
const known: Tensor = crossEntropy(logits, labels, "vocab");
// @ts-expect-error labels have "batch pos", logits without pos have "batch vocab"
crossEntropy(logits, labels, "pos");

// Arrangement
same<typeof joined, Tensor<"d_model C">>(true);
const joined = concat([V, V], "C");
// @ts-expect-error U has other axes than V
concat<"d_model C">([V, U], "C");
same<typeof flipped, Tensor<"C d_model">>(true);
const flipped = transpose(V, "C d_model");

// Leaves
same<typeof weight, Tensor<"d_in C">>(true);
const weight = input("V", "d_in C", { d_in: 5, C: 20 });
// @ts-expect-error C needs a size
input("V", "d_in C", { d_in: 5 });
// @ts-expect-error there is no axis d_out
constant("d_in", { d_in: 2, d_out: 3 }, 0);

// Functions keep axes
same<typeof active, Tensor<"batch pos d_model">>(true);
const active = relu(x);
const chosen: Tensor<"batch pos d_model"> = where(less(x, 0), x, 0);

// Gradients have the axes of what they belong to
const [dV, dU] = gradients(loss, [V, U]);
same<typeof dV, Tensor<"d_model C">>(true);
same<typeof dU, Tensor<"C d_out">>(true);
// @ts-expect-error a loss of a batch is no scalar
valueAndGrad(() => perToken);
const { gradient } = valueAndGrad((weights: { V: Tensor<"d_model C"> }) => sum(weights.V))({ V });
same<typeof gradient.V, Tensor<"d_model C">>(true);

// Axes that are known only at run time pass everywhere, and are checked when traced
const checkedLater: Tensor = add(some, x as Tensor);
axisSize(some, "anything");

/** Everything above that would otherwise be unused. */
export const uses = { inner, wide, shifted, narrow, wrong, surprise, known, chosen, checkedLater };
