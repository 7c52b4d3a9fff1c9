import { expect, test } from "vitest";
import { add, einsum, exp, input, mul, reshape, sin, type Tensor } from "../tensor/index.ts";
import { peakBytes } from "./memory.ts";

const SIZES = { batch: 1000, d: 100 };
const x: Tensor = input("x", "batch d", SIZES);
/** One tensor of that size, with the gaps that the arena leaves. */
const ONE = 4 * 1000 * 100 * 1.15;

test("inputs and outputs lie elsewhere", () => {
  expect(peakBytes([exp(x)])).toBe(0);
});

test("a chain of operations that work element by element takes one buffer, however long it is", () => {
  let y = exp(x);
  for (let i = 0; i < 10; i++) y = sin(mul(y, 2) as Tensor);
  expect(peakBytes([y])).toBeCloseTo(ONE, -1);
});

test("what is read again later stays", () => {
  // Each of these is needed at the end: together with the first, which is read by all.
  const y = exp(x);
  const kept = [1, 2, 3].map((i) => sin(mul(y, i) as Tensor));
  const product = kept.reduceRight((a, b) => mul(a, b) as Tensor);
  expect(peakBytes([product])).toBeCloseTo(3 * ONE, -1);
});

test("another shape of the same numbers is no copy", () => {
  const flat = reshape(exp(x), "all", { all: 100_000 });
  expect(peakBytes([mul(flat, 2)])).toBeCloseTo(ONE, -1);
});

test("a buffer waits for the next value of its shape, and is given back where there is none", () => {
  const W: Tensor = input("W", "d e", { d: 100, e: 50 });
  const narrow = (y: Tensor): Tensor => einsum("batch d, d e -> batch e", y as Tensor<"batch d">, W as Tensor<"d e">);
  const first = narrow(exp(x));
  const second = narrow(sin(x));
  // The wide buffer serves twice; the first of the narrow results waits beside it.
  expect(peakBytes([add(first, second)])).toBeCloseTo(2 * ONE, -1);
});
