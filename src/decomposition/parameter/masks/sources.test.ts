/** Masks from sources that no adversary chooses. */
import { describe, expect, test } from "vitest";
import { interpret, type NamedValues, values } from "../../../engine/index.ts";
import {
  add,
  constant,
  floor,
  gradients,
  input,
  keyFromSeed,
  mul,
  sub,
  sum,
  type Tensor,
  uniform,
} from "../../../tensor/index.ts";
import { lowerLeakyHardSigmoid } from "../importance/hard-sigmoid.ts";
import type { SiteMask } from "./masked-product.ts";
import { drawnMask, type MaskSource } from "./sources.ts";

const ROWS = 20_000;
const key = keyFromSeed(5);
const mean = (x: ArrayLike<number>): number => Array.from(x).reduce((a, b) => a + b, 0) / x.length;
const of = (g: number): Tensor<"C batch"> => constant("C batch", { C: 1, batch: ROWS }, g);
const drawn = (source: MaskSource, g: number): number[] =>
  Array.from(interpret({ mask: drawnMask(source, of(g), "stochastic/s", false).mask }, {}, key).mask.data);

/** As the SPD repository has it: the pre-activation is blurred, and then squashed. */
function repositoryMask(z: Tensor<"C batch">): Tensor {
  const draw = (name: string): Tensor<"C batch"> => uniform(name, "C batch", { C: 1, batch: z.shape[1]! });
  const g = lowerLeakyHardSigmoid(sub(mul(z, 1.05), mul(draw("s/blur"), 0.05)));
  const r = floor(mul(draw("s"), 2));
  return add(g, mul(sub(1, g), r));
}

describe("uniform sources", () => {
  test.each([0, 0.25, 0.9, 1])("masks of importance %f lie evenly between it and 1", (g) => {
    const masks = drawn({ kind: "uniform" }, g);
    expect(Math.min(...masks)).toBeGreaterThanOrEqual(g);
    expect(Math.max(...masks)).toBeLessThanOrEqual(1);
    expect(Math.abs(mean(masks) - (1 + g) / 2)).toBeLessThanOrEqual((4 * (1 - g)) / Math.sqrt(12 * ROWS));
    if (g === 1) return;
    const counts = Array.from({ length: 10 }, () => 0);
    for (const m of masks) counts[Math.min(9, Math.floor((10 * (m - g)) / (1 - g)))]!++;
    const statistic = counts.reduce((total, n) => total + (n - ROWS / 10) ** 2 / (ROWS / 10), 0);
    expect(statistic).toBeLessThan(9 + 4 * Math.sqrt(18));
  });
});

describe("binomial sources", () => {
  test.each([0.3, 0.9])("masks of importance %f are 1 half the time, and about it otherwise", (g) => {
    const masks = drawn({ kind: "binomial" }, g);
    const kept = masks.filter((m) => m === 1).length / ROWS;
    expect(Math.abs(kept - 0.5)).toBeLessThan(4 * Math.sqrt(0.25 / ROWS));
    const others = masks.filter((m) => m !== 1);
    expect(Math.min(...others)).toBeGreaterThan(1.05 * g - 0.05);
    expect(Math.max(...others)).toBeLessThan(1.05 * g + 1e-9);
    expect(mean(others)).toBeCloseTo(1.05 * g - 0.025, 3);
  });

  test("an importance of 1 is never dropped; one just below now and then", () => {
    expect(new Set(drawn({ kind: "binomial" }, 1))).toEqual(new Set([1]));
    // 1.05 g - 0.05 u < 1 wherever u > 21 g - 20: at g = 0.98, 42 % of the draws; half of those have the source 0.
    const dropped = drawn({ kind: "binomial" }, 0.98).filter((m) => m < 1).length / ROWS;
    expect(Math.abs(dropped - 0.21)).toBeLessThan(4 * Math.sqrt((0.21 * 0.79) / ROWS));
  });

  test("no mask is negative", () => expect(Math.min(...drawn({ kind: "binomial" }, 0.01))).toBe(0));

  test("the gradient is that of the lower-leaky sigmoid of the blurred pre-activation", () => {
    const points = [-0.5, 0, 0.01, 0.02, 0.3, 0.99, 1, 1.2];
    for (const sign of [1, -1]) {
      const z = input("z", "C batch", { C: 1, batch: points.length });
      const weight = constant("C batch", { C: 1, batch: points.length }, sign);
      const { mask } = drawnMask({ kind: "binomial" }, lowerLeakyHardSigmoid(z), "s", false);
      const wanted = repositoryMask(z);
      const [d] = gradients(sum(mul(mask, weight)), [z]);
      const [expected] = gradients(sum(mul(wanted, weight)), [z]);
      const feeds: NamedValues = { z: values("C batch", [1, points.length], points) };
      const found = interpret({ d, expected, mask, wanted }, feeds, key);
      Array.from(found.wanted.data).forEach((m, i) => expect(found.mask.data[i]).toBeCloseTo(m, 12));
      Array.from(found.expected.data).forEach((x, i) => expect(found.d.data[i]).toBeCloseTo(x, 12));
    }
  });
});

describe("constant sources", () => {
  test("0 is the importance itself, 1 is everything; neither has a remainder", () => {
    const g = of(0.4);
    const zero: SiteMask = drawnMask({ kind: "constant", value: 0 }, g, "s", true);
    const one: SiteMask = drawnMask({ kind: "constant", value: 1 }, g, "s", true);
    expect(zero.mask).toBe(g);
    expect(new Set(interpret({ m: one.mask }).m.data)).toEqual(new Set([1]));
    expect([zero.remainder, one.remainder]).toEqual([undefined, undefined]);
  });
});

test("the remainder's mask is its source, whatever the importances are", () => {
  const masks = (kind: "uniform" | "binomial"): number[] =>
    Array.from(interpret({ r: drawnMask({ kind }, of(1), "s", true).remainder! }, {}, key).r.data);
  expect(Math.abs(mean(masks("uniform")) - 0.5)).toBeLessThan(4 / Math.sqrt(12 * ROWS));
  expect(new Set(masks("binomial"))).toEqual(new Set([0, 1]));
});
