import fc from "fast-check";
import { Matrix } from "ml-matrix";
import { describe, expect, test } from "vitest";
import { ablate } from "../intervention/ablation.ts";
import { logitDifference } from "../intervention/metrics.ts";
import { handCodedInduction } from "../network/compiled/induction.ts";
import { RunnableNetwork, tokenValues } from "../network/run.ts";
import { foldIn, keyFromSeed, randomBits, randomNormal } from "../tensor/index.ts";
import type { LabelledRows } from "./classifier.ts";
import { directionalAblation, erased, erasureHook, leastSquaresErasure } from "./concept-erasure.ts";
import { probe } from "./probe.ts";
import { rowCount } from "./activations.ts";

/** Classes whose means differ, in uneven and mixed noise. */
function classesApart(n: number, d: number, classes: number, seed: number): LabelledRows {
  const key = keyFromSeed(seed);
  const labels = Array.from(randomBits(foldIn(key, "label"), n), (bits) => bits % classes);
  const means = randomNormal(foldIn(key, "means"), classes * d);
  const noise = Matrix.from1DArray(n, d, Array.from(randomNormal(foldIn(key, "noise"), n * d)));
  const mixed = noise.mmul(Matrix.from1DArray(d, d, Array.from(randomNormal(foldIn(key, "mixing"), d * d))));
  const data = Float64Array.from(mixed.to1DArray(), (x, i) => x + 4 * means[labels[Math.floor(i / d)]! * d + (i % d)]!);
  return { x: { columns: d, data }, labels, classes };
}

describe("LEACE", () => {
  test("covariance is zero, and the rank is the number of classes less one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), fc.integer({ min: 2, max: 4 }), (seed, classes) => {
        const found = leastSquaresErasure(classesApart(200, 6, classes, seed));
        expect(found.rank).toBe(classes - 1);
        expect(found.covariance.before).toBeGreaterThan(0.01);
        expect(found.covariance.after).toBeLessThan(1e-9 * Math.max(1, found.covariance.before));
        // A projection, along which nothing is left to take.
        expect(Matrix.sub(found.P.mmul(found.P), found.P).norm("frobenius")).toBeLessThan(
          1e-6 * found.P.norm("frobenius"),
        );
      }),
      { numRuns: 20 },
    );
  });

  test("a linear probe reads everything before, and nothing after", async () => {
    const data = classesApart(2000, 12, 2, 7);
    const key = keyFromSeed(0);
    const options = { kind: "ridge", key } as const;
    const before = await probe(data, options);
    const after = await probe({ ...data, x: erased(leastSquaresErasure(data), data.x) }, options);
    expect(before.accuracy).toBeGreaterThan(0.95);
    expect(Math.abs(after.accuracy - after.majority)).toBeLessThan(0.05);
  });

  test("it changes less than taking the difference of means out does", () => {
    const data = classesApart(1000, 8, 2, 3);
    const { x, labels } = data;
    const found = leastSquaresErasure(data);
    const difference = Float64Array.from({ length: 8 }, (_, j) => {
      const [sums, counts] = [
        [0, 0],
        [0, 0],
      ];
      for (let row = 0; row < rowCount(x); row++) {
        sums[labels[row]!]! += x.data[row * 8 + j]!;
        counts[labels[row]!]!++;
      }
      return sums[1]! / counts[1]! - sums[0]! / counts[0]!;
    });
    const squares = difference.reduce((a, b) => a + b * b, 0);
    const plain = {
      mean: found.mean,
      P: Matrix.from1DArray(
        8,
        8,
        Array.from({ length: 64 }, (_, i) => (difference[Math.floor(i / 8)]! * difference[i % 8]!) / squares),
      ),
    };
    const change = (erasure: typeof plain): number => {
      const after = erased(erasure, x).data as Float64Array;
      return after.reduce((total, v, i) => total + (v - x.data[i]!) ** 2, 0);
    };
    expect(change(found)).toBeLessThan(change(plain));
  });
});

describe("in a network", () => {
  const { network, weights } = handCodedInduction({ beta: 100 });
  const runnable = new RunnableNetwork(network, weights, { device: "float64" });
  const x = tokenValues([[3, 1, 4, 0, 5, 2, 3, 1, 4]]);
  const direction = (of: (i: number) => number): Float64Array => Float64Array.from({ length: 48 }, (_, i) => of(i));

  test("nothing is left along a direction that is taken out", async () => {
    const r = Float64Array.from(randomNormal(keyFromSeed(1), 48));
    const points = ["blocks.0.hook_resid_pre", "blocks.1.hook_resid_post"];
    const { cache } = await runnable.run(x, { hooks: directionalAblation(runnable, points, r), cache: points });
    for (const point of points) {
      const { data } = cache[point]!;
      for (let row = 0; row < 9; row++) {
        const along = r.reduce((total, v, i) => total + v * data[row * 48 + i]!, 0);
        expect(Math.abs(along)).toBeLessThan(1e-6);
      }
    }
  });

  test("what the circuit uses, when erased, changes the answer; what it does not use does not", async () => {
    const answer = async (at: number): Promise<number> => {
      const hooks = directionalAblation(
        runnable,
        ["blocks.1.hook_resid_pre"],
        direction((i) => (i === at ? 1 : 0)),
      );
      const { output } = await runnable.run(x, { hooks });
      return output.data[8 * 8]!;
    };
    const { output } = await runnable.run(x);
    const own = output.data[8 * 8]!;
    expect(own).toBeGreaterThan(7);
    // Token 4 is asked for by its dimension; `junk` begins at 40.
    expect(await answer(4)).toBeLessThan(own / 2);
    expect(await answer(41)).toBeCloseTo(own, 9);
    const metric = logitDifference({ answer: [0], against: [7] });
    const table = await ablate(
      runnable,
      { name: "one", x },
      { variants: [{ point: "blocks.1.hook_resid_pre", at: { d_model: [4] } }], ablation: { kind: "zero" }, metric },
    );
    expect(table.rows[0]!.mean).toBeLessThan(-1);
  });

  test("an erasure as a hook is the erasure of rows", async () => {
    const data = classesApart(300, 48, 3, 5);
    const found = leastSquaresErasure(data);
    const point = "blocks.1.hook_resid_pre";
    const plain = (await runnable.run(x, { cache: [point] })).cache[point]!;
    const { cache } = await runnable.run(x, { hooks: [erasureHook(runnable, point, found)], cache: [point] });
    const expected = erased(found, { columns: 48, data: plain.data });
    cache[point]!.data.forEach((v, i) => expect(v).toBeCloseTo(expected.data[i]!, 5));
    const wrong = erasureHook(runnable, point, { mean: new Float64Array(3), P: Matrix.eye(3) });
    await expect(runnable.run(x, { hooks: [wrong] })).rejects.toThrow("expected a direction of 48, got 3");
  });
});
