import { expect, test } from "vitest";
import { values } from "../../engine/values.ts";
import { matricesOf } from "./matrices.ts";
import { measuredOf } from "./measured.ts";

test("weights become matrices, the optimiser's state does not", () => {
  const [b, W] = matricesOf({
    b: values("d_mlp", [3], [3, -4, 0]),
    W: values("d_model head d_head", [2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]),
    "adamw.m/linear1.V": values("parameter", [2], [0, 0]),
  });
  expect(b).toMatchObject({ name: "b", rows: 1, columns: 3, largest: 4, every: [1, 1] });
  expect(b!.rms).toBeCloseTo(Math.sqrt(25 / 3), 12);
  expect(W).toMatchObject({ rows: 2, columns: 4, axes: "d_model head d_head" });
  expect(Array.from(W!.values)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test("heads lie side by side with what is read or written", () => {
  const [W_O, W_Q] = matricesOf({
    W_O: values("head d_head d_model", [2, 3, 6], new Float32Array(36)),
    W_Q: values("d_model head d_head", [6, 2, 3], new Float32Array(36)),
  });
  expect(W_O).toMatchObject({ rows: 6, columns: 6 });
  expect(W_Q).toMatchObject({ rows: 6, columns: 6 });
});

test("a large weight is shown by every so many rows and columns", () => {
  const data = Float32Array.from({ length: 400 * 200 }, (_, i) => i);
  const [W] = matricesOf({ W: values("vocab d_model", [400, 200], data) });
  expect(W).toMatchObject({ rows: 134, columns: 100, every: [3, 2] });
  expect(W!.values[1]).toBe(2);
  expect(W!.values[100]).toBe(600);
});

test("what was measured is read where it is there", () => {
  const measured = [{ metric: "accuracy", value: 0.5, meaning: "chance 0.5" }];
  expect(measuredOf({ success: measured })).toEqual(measured);
  expect(measuredOf({ success: { accuracy: 1 } })).toEqual([]);
  expect(measuredOf(undefined)).toEqual([]);
});
