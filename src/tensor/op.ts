/**
 * The primitive operations, with what each needs to know beside its inputs. This list is the whole contract between
 * the tracer and the engines: the float64 arbiter and the ONNX lowering each have one entry for every name here.
 */
export interface OpAttributes {
  /** A value from outside: given by the caller, or uniform draws made by the engine from the run's key. */
  input: { readonly name: string; readonly source: "given" | "uniform" };
  /** Row-major numbers, or a single one that fills the shape. */
  constant: { readonly data: Float64Array };
  /** Passes its first input through; the others are only seen by its derivative. */
  identity: None;

  // One value in, one value out, element by element.
  neg: None;
  abs: None;
  sign: None;
  floor: None;
  exp: None;
  log: None;
  sqrt: None;
  reciprocal: None;
  erf: None;
  tanh: None;
  sigmoid: None;
  relu: None;
  sin: None;
  cos: None;
  not: None;
  /** Changes the type; the new one is on the tensor. */
  cast: None;
  /** Keeps values between two numbers. */
  clamp: { readonly low: number; readonly high: number };

  // Several values in, one out, element by element; the narrower ones are repeated by axis name.
  add: None;
  sub: None;
  mul: None;
  div: None;
  pow: None;
  maximum: None;
  minimum: None;
  less: None;
  lessEqual: None;
  equal: None;
  and: None;
  or: None;
  where: None;

  sum: { readonly over: readonly string[] };
  reduceMax: { readonly over: readonly string[] };
  /** Multiplies two tensors and sums the axes that the result lacks; `alpha` scales the result. */
  einsum: { readonly alpha: number };
  softmax: { readonly axis: string };
  logSoftmax: { readonly axis: string };

  // Arrangement. The new axes and sizes are on the tensor.
  rename: None;
  transpose: None;
  broadcast: None;
  /** Same numbers in the same order under other axes: splits or merges neighbours. */
  reshape: None;
  slice: { readonly axis: string; readonly start: number; readonly end: number };
  concat: { readonly axis: string };
  pad: { readonly axis: string; readonly before: number; readonly after: number; readonly value: number };

  /** `table` along `axis` at `indices`: the axis is replaced by the axes of the indices. */
  gather: { readonly axis: string };
  /** The transpose of `gather`: adds rows of the first input into a zero table at the indices. */
  scatterAdd: { readonly axis: string };
  /** Picks along `axis` at indices that have all the other axes too. */
  takeAlong: { readonly axis: string };
  /** The transpose of `takeAlong`. */
  scatterAlong: { readonly axis: string };
  /** Where the `k` largest values lie along `axis`, largest first. */
  topKIndices: { readonly axis: string; readonly k: number };
}

type None = Readonly<Record<never, never>>;

/** The name of a primitive operation. */
export type OpName = keyof OpAttributes;
