import fc from "fast-check";
import { expect, test } from "vitest";
import { compile, interpret, values } from "../../engine/index.ts";
import { constant, gradients, input, mul, sum, type Tensor } from "../../tensor/index.ts";
import { batchTopK } from "./batch-top-k.ts";

const maskOf = (
  C: number,
  batch: number,
  scores: readonly number[],
  k: number,
): { mask: number[]; threshold: number } => {
  const { mask, threshold } = batchTopK(constant("C batch", { C, batch }, scores), k);
  const found = interpret({ mask, threshold });
  return { mask: Array.from(found.mask.data), threshold: found.threshold.data[0]! };
};

test("keeps exactly the largest of the whole batch, whatever the scores and ties are", () => {
  const problem = fc
    .record({ C: fc.integer({ min: 1, max: 5 }), batch: fc.integer({ min: 1, max: 7 }) })
    .chain(({ C, batch }) =>
      fc.record({
        C: fc.constant(C),
        batch: fc.constant(batch),
        // Few different values, so that ties are the rule.
        scores: fc.array(fc.constantFrom(0, 0.5, 1, 2), { minLength: C * batch, maxLength: C * batch }),
        k: fc.double({ min: 0.01, max: C, noNaN: true }),
      }),
    );
  fc.assert(
    fc.property(problem, ({ C, batch, scores, k }) => {
      const { mask, threshold } = maskOf(C, batch, scores, k);
      const count = Math.max(1, Math.floor(k * batch));
      const kept = scores.filter((_, i) => mask[i] === 1);
      const sorted = scores.slice().sort((a, b) => b - a);
      expect(mask.every((m) => m === 0 || m === 1)).toBe(true);
      expect(kept.slice().sort((a, b) => b - a)).toEqual(sorted.slice(0, count));
      expect(threshold).toBe(sorted[count - 1]);
      // Of equal ones the first.
      const tied = mask.filter((_, i) => scores[i] === threshold);
      expect(tied).toEqual(tied.slice().sort((a, b) => b - a));
    }),
    { seed: 20250127 },
  );
});

test("0.211 of 2048 examples keeps 432 pairs; too small a fraction keeps one", () => {
  const scores = Array.from({ length: 5 * 2048 }, (_, i) => (i * 7919) % 10_240);
  expect(maskOf(5, 2048, scores, 0.211).mask.reduce((a, b) => a + b)).toBe(432);
  expect(maskOf(2, 3, [1, 2, 3, 4, 9, 5], 0.01).mask).toEqual([0, 0, 0, 0, 1, 0]);
});

test("an example may get many components or none", () => {
  expect(maskOf(2, 3, [9, 1, 0, 8, 0, 2], 1).mask).toEqual([1, 0, 0, 1, 0, 1]);
});

test("more than there are components is refused, with both numbers", () => {
  expect(() => maskOf(2, 3, [1, 2, 3, 4, 5, 6], 2.5)).toThrow(
    "batch top-k: expected k of at most 2, the number of components, got 2.5",
  );
});

test("no gradient flows through the choice", () => {
  const scores = input("scores", "C batch", { C: 2, batch: 2 });
  const { mask } = batchTopK(scores, 1);
  const [slope] = gradients(sum(mul(mask, mask)) as Tensor, [scores]);
  const feeds = { scores: values("C batch", [2, 2], [1, 2, 3, 4]) };
  expect(Array.from(interpret({ slope }, feeds).slope.data)).toEqual([0, 0, 0, 0]);
});

test("ONNX Runtime makes the same choice, ties included", async () => {
  const [C, batch] = [6, 50];
  const scores = input("scores", "C batch", { C, batch });
  const program = { ...batchTopK(scores, 2.5) };
  const feeds = {
    scores: values(
      "C batch",
      [C, batch],
      Array.from({ length: C * batch }, (_, i) => (i * 37) % 11),
    ),
  };
  const executable = await compile(program, { threads: 1 });
  const found = await executable.run(feeds);
  expect(Array.from(found.mask.data)).toEqual(Array.from(interpret(program, feeds).mask.data));
  expect(Array.from(found.mask.data).reduce((a, b) => a + b)).toBe(125);
  await executable.dispose();
});
