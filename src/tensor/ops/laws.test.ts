/** Laws that operations keep whatever the numbers: of broadcasting, of sums, of softmax, of reading by index. */
import fc from "fast-check";
import { describe, test } from "vitest";
import { interpret } from "../../engine/interpreter/interpret.ts";
import { expectClose } from "../../../test/expect-close.ts";
import {
  add,
  axisNames,
  broadcast,
  cast,
  clamp,
  constant,
  contract,
  crossEntropy,
  einsum,
  equal,
  exp,
  foldIn,
  gather,
  greater,
  input,
  keyFromSeed,
  klDivergence,
  layerNorm,
  less,
  log,
  logSoftmax,
  max,
  maximum,
  mean,
  minimum,
  mul,
  neg,
  not,
  pad,
  randomUniform,
  relu,
  rmsNorm,
  scatterAdd,
  sizeOf,
  slice,
  softmax,
  sub,
  sum,
  takeAlong,
  type Tensor,
  topK,
  transpose,
  where,
} from "../index.ts";

const SIZES = { batch: 3, pos: 2, C: 4 } as const;
const x = input("x", "batch pos C", SIZES);
const y = input("y", "C batch", SIZES);
const z = input("z", "C", SIZES);
const i = constant("batch pos", { batch: 3, pos: 2 }, [0, 3, 1, 1, 2, 0], "i32");
const tokens = constant("pos", { pos: 5 }, [2, 0, 2, 3, 2], "i32");
const oneHot = (indices: Tensor): Tensor => {
  const axes = [...axisNames(indices.axes), "C"].join(" ");
  const ramp = constant("C", { C: 4 }, [0, 1, 2, 3]);
  const sizes = { batch: 3, pos: indices.shape.at(-1)!, C: 4 };
  return cast(equal(broadcast(cast(indices, "f32"), axes, sizes), ramp as never), "f32");
};

/** Pairs of programs that must agree; the second in the axes of the first. */
const LAWS: Readonly<Record<string, readonly [Tensor, Tensor]>> = {
  "broadcasting is repeating first": [add(x, y), add(x, broadcast(y, "batch pos C", SIZES) as never)],
  "broadcasting does not depend on the order of axes": [mul(x, y), mul(x, transpose(y, "batch C"))],
  "sums commute": [add(x, y), add(y, x)],
  "sums associate": [add(add(x, y), z), add(x, add(y, z))],
  "products distribute": [mul(x, add(y, z)), add(mul(x, y), mul(x, z))],
  "a difference is a sum": [sub(x, y), add(x, neg(y))],
  "the larger and the smaller add up": [add(maximum(x, y), minimum(x, y)), add(x, y)],
  "relu is the larger of it and zero": [relu(x), maximum(x, 0)],
  "clamp is min of max": [clamp(x, -0.5, 0.75), minimum(maximum(x, -0.5), 0.75)],
  "greater is less, turned round": [cast(greater(x, y), "f32"), cast(less(y, x), "f32")],
  "where chooses": [where(less(x, y), x, y), minimum(x, y)],
  "where with the condition turned round": [where(not(less(x, y)), x, y), where(less(x, y), y, x)],
  "sums of sums": [sum(sum(x, "batch"), "C") as Tensor, sum(x, "C batch") as Tensor],
  "a mean is a sum divided": [mean(x, "batch C") as Tensor, mul(sum(x, "batch C"), 1 / 12) as Tensor],
  "the sum of something repeated is a multiple": [sum(broadcast(z, "batch C", SIZES), "batch") as Tensor, mul(z, 3)],
  "a maximum of maxima": [max(max(x, "pos"), "C") as Tensor, max(x, "pos C") as Tensor],
  "max is min of the negatives": [max(x, "C") as Tensor, neg(max(neg(neg(x)), "C")).inputs[0]!],
  "einsum is a product and a sum": [einsum("batch pos C, C batch -> pos", x, y), sum(mul(x, y), "batch C") as Tensor],
  "einsum does not care which comes first": [contract(x, y, "batch pos"), contract(y, x, "batch pos")],
  "softmax adds up to one": [sum(softmax(x, "C"), "C") as Tensor, broadcast(constant("", {}, 1), "batch pos", SIZES)],
  "softmax does not see a shift": [softmax(add(x, 100), "C"), softmax(x, "C")],
  "logSoftmax is the log of softmax": [logSoftmax(x, "pos"), log(softmax(x, "pos"))],
  "softmax is exp over its sum": [softmax(x, "C"), mul(exp(x) as Tensor, exp(neg(log(sum(exp(x), "C"))) as Tensor))],
  "cross-entropy picks a logarithm": [
    crossEntropy(x, i, "C"),
    neg(contract(logSoftmax(x, "C"), oneHot(i), "batch pos")),
  ],
  "the divergence from itself is zero": [klDivergence(x, x, "C"), mul(sum(x, "C"), 0)],
  "layer norm sees no shift": [layerNorm(add(x, 3), "C"), layerNorm(x, "C")],
  "layer norm sees no scale, but for epsilon": [layerNorm(mul(x, 2), "C", { epsilon: 4e-5 }), layerNorm(x, "C")],
  "RMS norm sees no scale, but for epsilon": [rmsNorm(mul(x, 2), "C", { epsilon: 4e-6 }), rmsNorm(x, "C")],
  "gather is a product with one-hot rows": [gather(y, tokens, "C"), contract(oneHot(tokens), y, "pos batch")],
  "scatterAdd is its transpose": [
    scatterAdd(gather(y, tokens, "C"), tokens, "C", 4, "C batch"),
    contract(oneHot(tokens), contract(oneHot(tokens), y, "pos batch"), "C batch"),
  ],
  "takeAlong is a product with one-hot rows": [takeAlong(x, i, "C"), contract(x, oneHot(i), "batch pos")],
  "the first of the largest is the largest": [sum(topK(x, "C", 1).values, "k") as Tensor, max(x, "C") as Tensor],
  "all of the largest add up to the sum": [sum(topK(x, "pos", 2).values, "k") as Tensor, sum(x, "pos") as Tensor],
  "a pad is cut off again": [slice(pad(x, "C", 2, 1, 7), "C", 2, 6), x],
};

describe("laws", () => {
  test.each(Object.entries(LAWS))("%s", (_, [one, other]) => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const feeds = Object.fromEntries(
          [x, y, z].map((tensor) => {
            const name = (tensor.attributes as { name: string }).name;
            const draws = randomUniform(foldIn(keyFromSeed(seed), name), sizeOf(tensor.shape));
            return [name, { ...tensor, data: Float64Array.from(draws, (u) => 6 * u - 3) }];
          }),
        );
        const results = interpret({ one, other: transpose(other, one.axes) }, feeds);
        expectClose(results.one, results.other, { relative: 1e-12 });
      }),
      { seed: 20250622, numRuns: 20 },
    );
  });
});
