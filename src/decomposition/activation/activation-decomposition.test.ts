import { describe, expect, test } from "vitest";
import { interpret, type NamedValues, values } from "../../engine/index.ts";
import { tms } from "../../network/tms.ts";
import { constant, einsum, input, mul, reshape, sizesOf, sum, type Tensor } from "../../tensor/index.ts";
import { ActivationDecomposition } from "./activation-decomposition.ts";
import type { Coder } from "./coder.ts";

const FEATURES = 5;
const HIDDEN = 3;
const BATCH = 4;
const POINT = "hook_hidden";
const network = tms({ features: FEATURES, hidden: HIDDEN, identity: false });

const wave = (count: number, from: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(from + 1.7 * i));
const weights: NamedValues = Object.fromEntries(
  network.weights.map(({ name, axes, shape }, i) => [
    name,
    values(
      axes,
      shape,
      wave(
        shape.reduce((a, b) => a * b, 1),
        i,
      ),
    ),
  ]),
);
const x = input("x", "batch feature", { batch: BATCH, feature: FEATURES });

/** Two directions of a basis of three, and a bias: something is left over. */
function coder(read: string, written: string): Coder {
  const along = (axis: string): Tensor<"C d"> =>
    constant(`C ${axis}`, { C: 2, [axis]: HIDDEN }, [1, 0, 0, 0, 0.6, 0.8]) as Tensor<"C d">;
  const flat = (carried: Tensor<"C m batch">): Tensor<"C batch"> => sum(carried, "m") as Tensor<"C batch">;
  return {
    site: { name: written, dIn: HIDDEN, dOut: HIDDEN },
    reads: [read],
    writes: [written],
    count: 2,
    rank: 1,
    bits: 32 * HIDDEN,
    encode: (_, reading) => {
      const z = einsum("batch d_in, C d_in -> C batch", reading[read]!, along("d_in") as Tensor as Tensor<"C d_in">);
      return reshape(z, "C m batch", { ...sizesOf(z), m: 1 });
    },
    decode: (_, carried) =>
      einsum("C batch, C d_out -> batch d_out", flat(carried), along("d_out") as Tensor as Tensor<"C d_out">),
    bias: () => constant("d_out", { d_out: HIDDEN }, [0.1, -0.2, 0.3]),
    magnitudes: (_, carried) => {
      const z = flat(carried);
      return mul(z, z);
    },
  };
}

const decomposition = new ActivationDecomposition(network, weights, [coder(POINT, POINT)]);
const feeds = { ...decomposition.values, x: values("batch feature", [BATCH, FEATURES], wave(BATCH * FEATURES, 9)) };
const kept = (numbers: readonly number[]): Record<string, Tensor<"C batch">> => ({
  [POINT]: constant(
    "C batch",
    { C: 2, batch: BATCH },
    numbers.flatMap((m) => Array<number>(BATCH).fill(m)),
  ),
});
const left = (share: number): { remainder: Record<string, Tensor> } => ({
  remainder: { [POINT]: constant("", {}, share) },
});

/** The value at the hook point and the output. */
function run(output: (at: (point: string, value: Tensor) => undefined) => Tensor): {
  hidden: number[];
  output: number[];
} {
  let hidden: Tensor | undefined;
  const out = output((point, value) => {
    if (point === POINT) hidden = value;
    return undefined;
  });
  const found = interpret({ hidden: hidden!, out }, feeds);
  return { hidden: [...found.hidden.data], output: [...found.out.data] };
}
const own = run((at) => network.forward(decomposition.tensors, x, { at }));
const masked = (mask: readonly number[], options = {}): typeof own =>
  run((at) => decomposition.masked(x, kept(mask), { ...options, at }));
const close = (a: readonly number[], b: readonly number[]): void =>
  a.forEach((value, i) => expect(value).toBeCloseTo(b[i]!, 10));

describe("activations taken apart", () => {
  test("are the network's own, all components and what is left over together", () => {
    close(masked([1, 1], left(1)).output, own.output);
    expect(masked([1, 1]).output).not.toEqual(own.output);
    close(run((at) => decomposition.masked(x, {}, { at })).output, own.output);
  });

  test("are linear in masks and remainder", () => {
    const [none, first, both] = [masked([0, 0]), masked([1, 0]), masked([1, 1])];
    for (let row = 0; row < BATCH; row++) close(none.hidden.slice(row * 3, row * 3 + 3), [0.1, -0.2, 0.3]);
    close(
      masked([0.25, 0]).hidden,
      none.hidden.map((h, i) => h + 0.25 * (first.hidden[i]! - h)),
    );
    close(
      masked([1, 1], left(0.5)).hidden,
      both.hidden.map((h, i) => (h + own.hidden[i]!) / 2),
    );
  });

  test("carry something else instead of what is removed", () => {
    const carried = decomposition.carried(x);
    close(masked([0.3, 0], { instead: carried }).hidden, masked([1, 1]).hidden);
    const mean = { [POINT]: constant("C m", { C: 2, m: 1 }, [2, 3]) };
    const bare = masked([0, 0]).hidden;
    close(
      masked([0, 0], { instead: mean }).hidden,
      bare.map((h, i) => h + 2 * [1, 0, 0][i % 3]! + 3 * [0, 0.6, 0.8][i % 3]!),
    );
  });

  test("have activations with the sign of what is carried", () => {
    const found = interpret({ z: decomposition.carried(x)[POINT]!, a: decomposition.activations(x)[POINT]! }, feeds);
    expect(Array.from(found.z.data).some((z) => z < 0)).toBe(true);
    found.z.data.forEach((z, i) => expect(found.a.data[i]).toBeCloseTo(Math.sign(z) * z * z, 10));
  });

  test("are read from the untouched run where what is read comes after what is written", () => {
    const late = new ActivationDecomposition(network, weights, [
      { ...coder(POINT, POINT), reads: [POINT, "hook_pre"], writes: [POINT] },
    ]);
    const found = interpret({ a: late.masked(x, kept([1, 0])), b: decomposition.masked(x, kept([1, 0])) }, feeds);
    close([...found.a.data], [...found.b.data]);
  });
});
