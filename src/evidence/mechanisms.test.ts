import { describe, expect, test } from "vitest";
import { decompose, methodNamed, resolveMethod } from "../decomposition/methods.ts";
import { type Values, values } from "../engine/index.ts";
import { resolveTarget, targetNamed, train } from "../training/targets.ts";
import { aliveComponents } from "./alive.ts";
import { identityOrder } from "./assignment.ts";
import { checkGate } from "./gate.ts";
import { judge } from "./judge.ts";
import { matchColumns } from "./mean-max-cosine.ts";
import { judgeMechanisms } from "./mechanisms.ts";
import { denseError, identityError, sharedError } from "./target-ci-error.ts";

const importances = (rows: readonly (readonly number[])[]): Values =>
  values("batch C", [rows.length, rows[0]!.length], rows.flat());

describe("target-CI error", () => {
  test("a permuted identity with idle components beside it is solved", () => {
    const found = importances([
      [0, 0.05, 1, 0],
      [0.95, 0, 0, 0.09],
      [0, 1, 0.02, 0],
    ]);
    expect(identityError(found)).toBe(0);
    expect(identityOrder(found)).toEqual([2, 0, 1, 3]);
  });

  test("two features that share a component cost two entries", () => {
    // Row 1 has no component of its own (one below 0.9 on the diagonal), and row 0's is on for it (one off it).
    expect(
      identityError(
        importances([
          [1, 0, 0],
          [1, 0, 0],
          [0, 0, 1],
        ]),
      ),
    ).toBe(2);
  });

  test("inputs that share a component: it is on for each of its group, and for no other", () => {
    const groups = [[0, 2], [1]];
    const right = [
      [0, 0, 1],
      [1, 0.05, 0],
      [0, 0, 0.95],
    ];
    expect(sharedError(importances(right), groups)).toBe(0);
    // Every input its own component: one of the two that should share lacks theirs, and has another's.
    expect(
      sharedError(
        importances([
          [1, 0, 0],
          [0, 1, 0],
          [0, 0, 1],
        ]),
        groups,
      ),
    ).toBe(2);
    // One component for all: a group's is missing, and the other's is on where it should not be.
    expect(sharedError(importances([[1], [1], [1]]), groups)).toBeGreaterThan(1);
  });

  test("one entry just beyond the tolerance on either side counts once", () => {
    expect(
      identityError(
        importances([
          [0.89, 0],
          [0, 1],
        ]),
      ),
    ).toBe(1);
    expect(
      identityError(
        importances([
          [1, 0.11],
          [0, 1],
        ]),
      ),
    ).toBe(1);
  });

  test("too few components, and a NaN, are errors", () => {
    expect(identityError(importances([[1], [0]]))).toBeGreaterThan(0);
    expect(
      identityError(
        importances([
          [1, NaN],
          [0, 1],
        ]),
      ),
    ).toBe(1);
  });

  test("a block of rank two that is always on", () => {
    expect(
      denseError(
        importances([
          [1, 0.95, 0],
          [0.3, 1, 0.09],
        ]),
        2,
      ),
    ).toBe(0);
    expect(
      denseError(
        importances([
          [1, 0.95, 0.2],
          [0.3, 1, 0.09],
        ]),
        2,
      ),
    ).toBe(1);
    expect(
      denseError(
        importances([
          [1, 0.5, 0],
          [0.3, 0.4, 0.09],
        ]),
        2,
      ),
    ).toBe(1);
  });
});

test("alive means above the threshold on some input", () => {
  expect(
    aliveComponents(
      importances([
        [0.09, 0.11, 0],
        [0, 0, 1],
      ]),
    ),
  ).toEqual([false, true, true]);
});

describe("MMCS and ML2R", () => {
  const W = values("d_in d_out", [2, 2], [3, 4, 0, 2]);

  test("components that are the rows themselves, one of them half as long", () => {
    const V = values("d_in C", [2, 2], [1, 0, 0, 1]);
    const U = values("C d_out", [2, 2], [3, 4, 0, 1]);
    const { mmcs, ml2r, features } = matchColumns(W, V, U, "in");
    expect(mmcs).toBeCloseTo(1, 12);
    expect(ml2r).toBeCloseTo((1 + 0.5) / 2, 12);
    expect(features.map(({ component }) => component)).toEqual([0, 1]);
  });

  test("a component at 90 degrees, and the side where features come out", () => {
    const V = values("d_in C", [2, 1], [4, -3]);
    const U = values("C d_out", [1, 2], [1, 0]);
    // Column 0 of W is (3, 0): cosine 0.8 with (4, -3). Column 1 gets nothing at all.
    const { features } = matchColumns(W, V, U, "out");
    expect(features[0]!.cosine).toBeCloseTo(0.8, 12);
    expect(features[0]!.ratio).toBeCloseTo(5 / 3, 12);
    expect(features[1]).toMatchObject({ cosine: 0, ratio: 0 });
  });
});

describe("a whole decomposition", () => {
  const target = resolveTarget("tms", { preset: "quick" });
  const training = train(target, { threads: 1 });

  test("five mechanisms a matrix, and the attack is worse than chance", { timeout: 120_000 }, async () => {
    const { weights } = await training;
    const found = await decompose(resolveMethod("spd", { target, preset: "default" }), weights, { threads: 1 });
    const verdict = await judge(found, { threads: 1 });
    expect(verdict).toMatchObject({ passed: true, targetCiError: 0, alive: 10, expectedAlive: 10 });
    expect(verdict.adversarialRecon).toBeGreaterThanOrEqual(verdict.stochasticRecon);
    expect(verdict.unmaskedRecon).toBeLessThan(1e-5);
    expect(verdict.l0).toBeCloseTo(verdict.sites.linear1!.l0 + verdict.sites.linear2!.l0, 10);
  });

  test("null: without sparsity MMCS still reads 0.99, and nothing else passes", { timeout: 120_000 }, async () => {
    const { weights } = await training;
    const set = { importanceMinimality: 0, steps: 1500 };
    const document = resolveMethod("spd", { target, preset: "default", set });
    const found = await decompose(document, weights, { threads: 1 });
    const decomposition = methodNamed("spd").open(document, weights, found.components);
    const known = targetNamed("tms").known!(target.settings)!;
    const verdict = judgeMechanisms(decomposition, known.patterns!);
    expect(verdict.sites.linear1!.mmcs).toBeGreaterThan(0.99);
    expect(checkGate(known.gate!, verdict).passed).toBe(false);
    expect(verdict.alive).toBeGreaterThan(40);
    expect(verdict.targetCiError).toBeGreaterThan(100);
  });
});
