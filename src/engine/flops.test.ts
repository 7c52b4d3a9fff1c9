import { describe, expect, test } from "vitest";
import { add, einsum, gradients, input, mul, sum } from "../tensor/index.ts";
import { productFlops } from "./flops.ts";
import { simplify } from "./simplify.ts";

describe("floating-point operations of a program", () => {
  const x = input("x", "batch d", { batch: 7, d: 3 });
  const W = input("W", "d m", { d: 3, m: 5 });

  test("two for each multiplication of a product; nothing for what works element by element", () => {
    const y = einsum("batch d, d m -> batch m", x, W);
    expect(productFlops([y])).toBe(2 * 7 * 3 * 5);
    expect(productFlops([add(y, mul(y, 2))])).toBe(2 * 7 * 3 * 5);
    expect(productFlops([mul(x, x)])).toBe(0);
  });

  test("the gradient by a weight costs another product as large", () => {
    const y = einsum("batch d, d m -> batch m", x, W);
    const loss = sum(mul(y, y));
    const { slope } = simplify({ loss, slope: gradients(loss, [W])[0] });
    expect(productFlops([slope!])).toBe(2 * (2 * 7 * 3 * 5));
  });
});
