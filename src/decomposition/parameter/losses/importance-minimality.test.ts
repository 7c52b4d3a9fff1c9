/** Importance and frequency minimality against numbers computed by hand (parameter-decomposition dossier, 1.12), and their gradients. */
import { describe, expect, test } from "vitest";
import { interpret, type NamedValues, simplify, values } from "../../../engine/index.ts";
import { constant, gradients, input, mul, scalar, type Tensor } from "../../../tensor/index.ts";
import { inTopologicalOrder } from "../../../tensor/traverse.ts";
import { activityMeans, type ImportancePenalty } from "./activity-means.ts";
import { decayOf, frequencyMinimality, runningFrequencyMinimality } from "./frequency-minimality.ts";
import { importanceMinimality } from "./importance-minimality.ts";

/** Four positions of two components. */
const ROWS = [
  [1, 0],
  [0.5, 0],
  [0, 0.2],
  [1.01, 0],
] as const;
const N = ROWS.length;
const C_FIRST: readonly number[] = [0, 1].flatMap((c) => ROWS.map((row) => row[c]!));
const g = input("g", "C batch", { C: 2, batch: N });
const feeds: NamedValues = {
  g: { axes: "C batch", shape: [2, N], dtype: "f32", data: Float64Array.from(C_FIRST) },
};

const item = (loss: Tensor, more: NamedValues = {}): number => interpret({ loss }, { ...feeds, ...more }).loss.data[0]!;
const gradientOf = (loss: Tensor, more: NamedValues = {}): number[] =>
  Array.from(interpret({ d: gradients(loss, [g])[0] }, { ...feeds, ...more }).d.data);

describe("importance minimality", () => {
  test.each([
    [{ p: 2 }, 0.577525, 1.062853],
    [{ p: 1 }, 0.6775, 1.252425],
    [{ p: 0.4, epsilon: 1e-12 }, 0.821804, 1.5217],
  ] as const)("%o, and with the paper's frequency term at β = ½, the sum in the logarithm", (penalty, alone, both) => {
    expect(item(importanceMinimality([g], penalty))).toBeCloseTo(alone, 6);
    const frequency = item(frequencyMinimality([g], N, penalty));
    expect(item(importanceMinimality([g], penalty)) + frequency / 2).toBeCloseTo(both, 6);
  });

  test.each([
    [{ gamma: 1 }, 0.310859, 0.344171],
    [{ gamma: 0.1 }, 0.935482, 1.625047],
    [{ gamma: 0.01 }, 0.999227, 1.748467],
    [{ gamma: 1, normalizeAtOne: true }, 0.621718, 1.068309],
  ])("smooth L0, %o: activity and frequency", (penalty, activity, frequency) => {
    for (const gamma of [penalty.gamma, constant("", {}, penalty.gamma)]) {
      expect(item(importanceMinimality([g], { ...penalty, gamma }))).toBeCloseTo(activity, 6);
      expect(item(frequencyMinimality([g], 4, { ...penalty, gamma }))).toBeCloseTo(frequency, 6);
    }
  });

  test("adds up sites, each averaged over its own rows", () => {
    const other = constant("C batch", { C: 1, batch: 2 }, [1, 0.5]);
    expect(item(importanceMinimality([g, other], 1))).toBeCloseTo(0.6775 + 0.75, 12);
  });

  test("ε has its place before the power", () => {
    const expected = C_FIRST.reduce((total, x) => total + Math.sqrt(x + 0.01), 0) / N;
    expect(item(importanceMinimality([g], { p: 0.5, epsilon: 0.01 }))).toBeCloseTo(expected, 12);
    expect(item(importanceMinimality([g], { p: 1, epsilon: 0.01 }))).toBeCloseTo(0.6775 + 2 * 0.01, 12);
    expect(item(importanceMinimality([g], { p: 2, epsilon: 0.01 }))).toBeCloseTo(
      C_FIRST.reduce((total, x) => total + (x + 0.01) ** 2, 0) / N,
      12,
    );
  });

  test("with p = 1 and p = 2 is made of sums and squares alone, as it was before there were other penalties", () => {
    const names = (p: number): string[] => inTopologicalOrder([importanceMinimality([g], p)]).map(({ op }) => op);
    expect(names(1)).toEqual(["input", "sum", "constant", "mul"]);
    expect(names(2)).toEqual(["input", "mul", "sum", "constant", "mul"]);
  });

  test.each<[string, ImportancePenalty, (x: number) => number]>([
    ["p = 2", { p: 2 }, (x) => 2 * x],
    ["p = ½ with ε", { p: 0.5, epsilon: 0.01 }, (x) => 0.5 * (x + 0.01) ** -0.5],
    ["γ = 1", { gamma: 1 }, (x) => (2 * x) / (x * x + 1) ** 2],
    ["γ = 0.01", { gamma: scalar(0.01) }, (x) => (2 * x * 1e-4) / (x * x + 1e-4) ** 2],
    ["γ = 1, normalised", { gamma: 1, normalizeAtOne: true }, (x) => (4 * x) / (x * x + 1) ** 2],
  ])("has the gradient written down for it: %s", (_, penalty, slope) => {
    const found = gradientOf(importanceMinimality([g], penalty));
    C_FIRST.forEach((x, i) => expect(found[i]).toBeCloseTo(slope(x) / N, 10));
  });

  test("a smooth L0's slope is steepest at γ/√3, and at most 0.65/γ", () => {
    const points = Array.from({ length: 1001 }, (_, i) => i / 1000);
    const x = input("x", "C batch", { C: 1, batch: points.length });
    const [d] = gradients(importanceMinimality([x], { gamma: 0.1 }), [x]);
    const slopes = Array.from(
      interpret({ d }, { x: values("C batch", [1, points.length], points) }).d.data,
      (s) => s * points.length,
    );
    const steepest = slopes.indexOf(Math.max(...slopes));
    expect(points[steepest]).toBeCloseTo(0.1 / Math.sqrt(3), 2);
    expect(slopes[steepest]).toBeLessThan(0.65 / 0.1);
    expect(slopes[steepest]).toBeGreaterThan(0.64 / 0.1);
    expect(slopes[0]).toBe(0);
  });

  test("shares its means with frequency minimality: each penalty is computed once", () => {
    const penalty = { gamma: 0.1 };
    const both = simplify({
      importance: importanceMinimality([g], penalty),
      frequency: frequencyMinimality([g], 4, penalty),
    });
    expect(inTopologicalOrder(Object.values(both)).filter(({ op }) => op === "div")).toHaveLength(1);
  });
});

describe("frequency minimality", () => {
  test("is zero of what never matters, and Φ of the means elsewhere", () => {
    const reference = 7;
    const [f] = activityMeans([g], { p: 1 });
    const means = Array.from(interpret({ f: f! }, feeds).f.data);
    expect(means[0]).toBeCloseTo(2.51 / 4, 12);
    expect(means[1]).toBeCloseTo(0.05, 12);
    const expected = means.reduce((total, m) => total + m * Math.log2(1 + reference * m), 0);
    expect(item(frequencyMinimality([g], reference))).toBeCloseTo(expected, 12);
    expect(item(frequencyMinimality([mul(g, 0)], reference))).toBe(0);
  });

  test("has the gradient Φ' for each row, over their number", () => {
    const reference = 7;
    const found = gradientOf(frequencyMinimality([g], reference));
    [2.51 / 4, 0.05].forEach((f, c) => {
      const slope = Math.log2(1 + reference * f) + (reference * f) / ((1 + reference * f) * Math.LN2);
      for (let i = 0; i < N; i++) expect(found[c * N + i]).toBeCloseTo(slope / N, 12);
    });
  });
});

describe("frequency minimality of running means", () => {
  const reference = 7;
  const decay = decayOf(200);
  const running = input("running", "C", { C: 2 });
  const correction = input("correction", "", {});
  const at = (means: readonly number[], step: number): NamedValues => ({
    running: { axes: "C", shape: [2], dtype: "f32", data: Float64Array.from(means) },
    correction: { axes: "", shape: [], dtype: "f32", data: Float64Array.of(1 - decay ** (step + 1)) },
  });
  const program = runningFrequencyMinimality([g], reference, { p: 1 }, { means: [running], decay, correction });
  const phi = (f: number): number => f * Math.log2(1 + reference * f);
  const slope = (f: number): number =>
    Math.log2(1 + reference * f) + (reference * f) / ((1 + reference * f) * Math.LN2);

  test("a half-life of 200 steps is a decay of 0.9965403", () => expect(decay).toBeCloseTo(0.9965403, 7));

  test("at the first step is that of the batch, in value and gradient", () => {
    const first = at([0, 0], 0);
    expect(item(program.loss, first)).toBeCloseTo(item(frequencyMinimality([g], reference)), 10);
    const plain = gradientOf(frequencyMinimality([g], reference));
    gradientOf(program.loss, first).forEach((d, i) => expect(d).toBeCloseTo(plain[i]!, 10));
  });

  test("later has the value of the running mean, and its slope on this batch at full strength", () => {
    const [before, step] = [[0.002, 0.1] as const, 99];
    const later = at(before, step);
    const now = [2.51 / 4, 0.05];
    const after = before.map((e, c) => decay * e + (1 - decay) * now[c]!);
    const smooth = after.map((e) => e / (1 - decay ** (step + 1)));
    expect(item(program.loss, later)).toBeCloseTo(phi(smooth[0]!) + phi(smooth[1]!), 12);
    const next = interpret({ next: program.next[0]! }, { ...feeds, ...later }).next;
    after.forEach((e, c) => expect(next.data[c]).toBeCloseTo(e, 14));
    gradientOf(program.loss, later).forEach((d, i) => expect(d).toBeCloseTo(slope(smooth[Math.floor(i / N)]!) / N, 12));
  });

  test("no gradient goes back into the running means", () => {
    const [d] = gradients(program.loss, [running]);
    expect(Array.from(interpret({ d }, { ...feeds, ...at([0.1, 0.1], 3) }).d.data)).toEqual([0, 0]);
  });
});
