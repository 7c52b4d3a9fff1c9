/** What each similarity must not see, what it must see, and how far from 0 it is by chance (`benchmarks.md` B23). */
import fc from "fast-check";
import { QrDecomposition, Matrix } from "ml-matrix";
import { describe, expect, test } from "vitest";
import { foldIn, keyFromSeed, randomNormal } from "../tensor/index.ts";
import type { Rows } from "../training/linear-regression.ts";
import { anisotropy } from "./anisotropy.ts";
import { canonicalSimilarity, meanCanonicalCorrelation, singularVectorAlignment } from "./canonical-correlation.ts";
import { debiasedKernelAlignment, kernelAlignment, linearKernelAlignment } from "./kernel-alignment.ts";
import { ranks } from "./rank-correlation.ts";
import { distanceCorrelation, representationalSimilarity } from "./representational-similarity.ts";

const gaussian = (seed: number, n: number, columns: number): Rows => ({
  columns,
  data: Float64Array.from(randomNormal(keyFromSeed(seed), n * columns)),
});
const times = ({ data, columns }: Rows, W: Matrix): Rows => ({
  columns: W.columns,
  data: Float64Array.from(
    Matrix.from1DArray(data.length / columns, columns, data as unknown as number[])
      .mmul(W)
      .to1DArray(),
  ),
});
const mixing = (seed: number, d: number): Matrix =>
  Matrix.from1DArray(d, d, Array.from(randomNormal(foldIn(keyFromSeed(seed), "mixing"), d * d)));
const rotation = (seed: number, d: number): Matrix => new QrDecomposition(mixing(seed, d)).orthogonalMatrix;
const moved = ({ data, columns }: Rows, scale: number, shift: number): Rows => ({
  columns,
  data: Float64Array.from(data, (x) => scale * x + shift),
});
/** Features of unequal size, as networks have them. */
const uneven = (seed: number, n: number, d: number): Rows => {
  const { data, columns } = gaussian(seed, n, d);
  return { columns, data: Float64Array.from(data, (x, i) => x * (1 + (i % d))) };
};
const seeds = fc.integer({ min: 0, max: 1e6 });

describe("invariances", () => {
  const d = 6;
  test.each([
    ["CKA", linearKernelAlignment],
    ["debiased CKA", debiasedKernelAlignment],
    ["CCA", meanCanonicalCorrelation],
    ["SVCCA", singularVectorAlignment],
    ["RSA", distanceCorrelation],
  ] as const)("%s sees neither rotations nor one scale nor a shift", (_, measure) => {
    fc.assert(
      fc.property(
        seeds,
        fc.double({ min: 0.1, max: 9, noNaN: true }),
        fc.double({ min: -5, max: 5, noNaN: true }),
        (seed, scale, shift) => {
          const [x, y] = [uneven(seed, 60, d), uneven(seed + 1, 60, d)];
          expect(measure(x, moved(times(x, rotation(seed, d)), scale, shift))).toBeCloseTo(1, 8);
          expect(measure(x, moved(times(y, rotation(seed, d)), scale, shift))).toBeCloseTo(measure(x, y), 8);
        },
      ),
      { numRuns: 20 },
    );
  });

  test("CCA does not see invertible maps; CKA does", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const x = uneven(seed, 80, d);
        const mixed = times(x, mixing(seed, d));
        expect(meanCanonicalCorrelation(x, mixed)).toBeCloseTo(1, 6);
        expect(linearKernelAlignment(x, mixed)).toBeLessThan(0.9999);
      }),
      { numRuns: 20 },
    );
  });

  test("symmetric", () => {
    const [x, y] = [uneven(1, 50, 5), gaussian(2, 50, 7)];
    for (const measure of [
      linearKernelAlignment,
      debiasedKernelAlignment,
      meanCanonicalCorrelation,
      distanceCorrelation,
    ])
      expect(measure(x, y)).toBeCloseTo(measure(y, x), 10);
  });
});

describe("noise", () => {
  test("CKA of Gaussians that have nothing to do with each other falls with n; debiased it is about 0 at any", () => {
    const at = (n: number): number[] => {
      const draws = Array.from({ length: 10 }, (_, i) => [gaussian(2 * i, n, 20), gaussian(2 * i + 1, n, 20)] as const);
      return [linearKernelAlignment, debiasedKernelAlignment].map(
        (measure) => draws.reduce((total, [x, y]) => total + measure(x, y), 0) / draws.length,
      );
    };
    const [biased50, debiased50] = at(50) as [number, number];
    const [biased500, debiased500] = at(500) as [number, number];
    expect(biased50).toBeGreaterThan(0.26);
    expect(biased50).toBeLessThan(0.33);
    expect(biased500).toBeGreaterThan(0.034);
    expect(biased500).toBeLessThan(0.046);
    expect(Math.abs(debiased50)).toBeLessThan(0.03);
    expect(Math.abs(debiased500)).toBeLessThan(0.01);
  });

  test("each value comes with its own noise", () => {
    const [x, y] = [gaussian(1, 50, 20), gaussian(2, 50, 20)];
    const { biased, debiased } = kernelAlignment(x, y, keyFromSeed(3));
    expect(biased.n).toBe(50);
    expect(Math.abs(biased.value - biased.null)).toBeLessThan(4 * biased.nullDeviation);
    expect(biased.null).toBeGreaterThan(0.25);
    expect(Math.abs(debiased.null)).toBeLessThan(0.03);
    const { cca, svcca } = canonicalSimilarity(x, y, keyFromSeed(3));
    expect(cca.null).toBeGreaterThan(0.4); // 40 dimensions fitted to 50 rows
    expect(Math.abs(svcca.value - svcca.null)).toBeLessThan(4 * svcca.nullDeviation);
    const rsa = representationalSimilarity(x, x, keyFromSeed(3));
    expect(rsa.value).toBeCloseTo(1, 12);
    expect(Math.abs(rsa.null)).toBeLessThan(0.2);
  });

  test("a fifth of the rows moved far away changes CKA at will", () => {
    const x = gaussian(1, 1000, 20);
    const away = (by: number): Rows => ({
      ...x,
      data: Float64Array.from(x.data, (v, i) => v + (i < x.data.length / 5 && i % 20 === 0 ? by : 0)),
    });
    const [one, ten, hundred] = [1, 10, 100].map((by) => linearKernelAlignment(x, away(by))) as [
      number,
      number,
      number,
    ];
    expect(one).toBeGreaterThan(0.98);
    expect(ten).toBeLessThan(one);
    expect(hundred).toBeLessThan(0.3);
  });
});

test("CCA refuses fewer rows than dimensions", () => {
  expect(() => meanCanonicalCorrelation(gaussian(1, 10, 6), gaussian(2, 10, 6))).toThrow(
    "more rows than the 12 dimensions",
  );
});

test("a common mean predicts the mean cosine", () => {
  const [n, d] = [2000, 64];
  const { data } = gaussian(5, n, d);
  const rows = { columns: d, data: Float64Array.from(data, (x) => x + 0.64) };
  const found = anisotropy(rows);
  expect(found.predicted).toBeGreaterThan(0.25);
  expect(found.meanCosine).toBeCloseTo(found.predicted, 2);
  expect(Math.abs(found.centredCosine)).toBeLessThan(0.002);
});

test("ranks share ties", () => {
  expect(ranks([3, 1, 3, 2])).toEqual([2.5, 0, 2.5, 1]);
});
