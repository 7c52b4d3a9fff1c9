/** The tensor layer: named axes, operations and their derivatives, keys. */
export type { Fits, Names, Wider, Without } from "./axes.ts";
export { axisNames, sizeOf } from "./axes.ts";
export type { OpAttributes, OpName } from "./op.ts";
export type { Derivative, DType, Operand, Sizes, Tensor } from "./tensor.ts";
export { axisSize, constant, input, scalar, sizesOf, uniform } from "./tensor.ts";
export * from "./ops/arithmetic.ts";
export * from "./ops/comparison.ts";
export * from "./ops/exponential.ts";
export * from "./ops/activation.ts";
export { max, mean, sum } from "./ops/reduce.ts";
export { contract, einsum } from "./ops/einsum.ts";
export * from "./ops/softmax.ts";
export * from "./ops/normalize.ts";
export * from "./ops/shape.ts";
export { gather, scatterAdd, scatterAlong, takeAlong, topK } from "./ops/gather.ts";
export { stopGradient, withDerivative } from "./ops/derivative.ts";
export type { Tensors } from "./gradient.ts";
export { grad, gradients, valueAndGrad } from "./gradient.ts";
export type { Key } from "./random.ts";
export {
  foldIn,
  keyFromSeed,
  randomBits,
  randomNormal,
  randomPermutation,
  randomUniform,
  split,
  threefry2x32,
} from "./random.ts";
export { fillUniform } from "./stream.ts";
