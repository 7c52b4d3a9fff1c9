/** What a feature is, whether it is there, and whether activations are all there is: each on a case where the answer is known. */
import { describe, expect, test } from "vitest";
import { methodNamed, resolveMethod } from "../../decomposition/methods.ts";
import type { Decomposition } from "../../decomposition/decomposition.ts";
import type { NamedValues } from "../../engine/index.ts";
import { foldIn, keyFromSeed, randomUniform, slice, concat, type Tensor, mul } from "../../tensor/index.ts";
import { resolveTarget, targetNamed, train } from "../../training/targets.ts";
import { disagreement } from "./definitions.ts";
import { along, featureToy, type HandMade, mix, unit } from "./hand-made.ts";
import { isFound } from "./measure.ts";
import { changedOffData, offDataDifference } from "./off-data.ts";
import { observe } from "./place.ts";
import { readability } from "./readability.ts";
import { auroc } from "./usefulness.ts";

const options = { rows: 2048, threads: 1 };

describe("definitions of a feature", () => {
  test("agree where each feature has a dimension and a latent", async () => {
    const toy = await featureToy({ features: 6, dimensions: 8, geometry: "orthogonal", probability: 0.3, low: 0.5 });
    const { places } = await observe(toy.dictionary(along(toy.F)), toy.data, { ...options, known: toy.known });
    expect(await disagreement(places[0]!)).toMatchObject({
      ...{ value: 0, present: false, n: 6 },
      details: { found: { probe: 6, direction: 6, activity: 6 } },
    });
  });

  test("part where latents are absent, turned, or go by their direction and act at the wrong time", async () => {
    const toy = await featureToy({ features: 6, dimensions: 8, geometry: "orthogonal", probability: 0.3, low: 0.5 });
    const [first, second, third, ...absent] = toy.F as [number[], number[], number[], ...number[][]];
    const made: HandMade = {
      latents: [
        { reads: first, writes: first },
        // Right when it acts, wrong in what it writes.
        { reads: second, writes: unit(mix([1, second], [1, absent[0]!])) },
        // Right in what it writes, at the second's time.
        { reads: second, writes: third },
      ],
    };
    const { places } = await observe(toy.dictionary(made), toy.data, { ...options, known: toy.known });
    const found = await disagreement(places[0]!);
    if (!isFound(found)) throw new Error(found.missing);
    expect(found.details.found).toEqual({ probe: 6, direction: 2, activity: 2 });
    expect(found.details.disagreement.direction.activity).toBeCloseTo(1 / 6);
    expect(found.details.disagreement.activity.direction).toBeCloseTo(1 / 6);
    expect(found).toMatchObject({ present: true, value: 4 / 6 });
  });
});

describe("what can be read", () => {
  const key = keyFromSeed(5);
  const rows = 1200;
  const draws = randomUniform(key, 2 * rows);
  const data = Float32Array.from(draws, (u) => (u < 0.5 ? -1 : 1));
  const bit = (row: number, i: number): number => (data[2 * row + i]! > 0 ? 1 : 0);
  const labelled = (label: (row: number) => number) => ({
    ...{ x: { columns: 2, data }, classes: 2 },
    labels: Array.from({ length: rows }, (_, row) => label(row)),
  });

  test("the exclusive or of two coordinates is read by hidden units and by no line", async () => {
    const found = await readability(
      labelled((row) => bit(row, 0) ^ bit(row, 1)),
      key,
      1,
      { threads: 1 },
    );
    expect(found.linear).toBeLessThan(0.6);
    expect(found.nonlinear).toBeGreaterThan(0.99);
    expect(found).toMatchObject({ readable: "nonlinearly", used: true });
    expect(found.control).toBeLessThan(0.8);
  });

  test("a coordinate is read by a line, and a coin by nothing", async () => {
    const own = await readability(
      labelled((row) => bit(row, 0)),
      key,
      undefined,
      { threads: 1 },
    );
    expect(own).toMatchObject({ linear: 1, readable: "linearly", used: null });
    const coin = randomUniform(foldIn(key, 1), rows);
    const none = await readability(
      labelled((row) => (coin[row]! < 0.5 ? 1 : 0)),
      key,
      0,
      { threads: 1 },
    );
    expect(none).toMatchObject({ readable: "not", used: false });
  });
});

test("AUROC is the share of pairs in the right order, ties a half", () => {
  expect(auroc([1, 2, 3, 4], [0, 0, 1, 1])).toBe(1);
  expect(auroc([4, 3, 2, 1], [0, 0, 1, 1])).toBe(0);
  expect(auroc([1, 1, 1, 1], [0, 1, 0, 1])).toBe(0.5);
  expect(auroc([1, 2, 2, 3], [0, 0, 1, 1])).toBe(0.875);
});

test("weights that the data do not reach: what is made of activations is the same, what is made of weights is not", async () => {
  const target = resolveTarget("superposition", { set: { features: 6, dimensions: 8, probability: 0.4 } });
  const { weights } = await train(target);
  const changed = changedOffData(weights, "F", [4, 5], keyFromSeed(2));
  const all = targetNamed("superposition");
  // The last two features never come.
  const data = {
    batch: (size: number): Tensor => {
      const x = all.batch("data", target.settings, size) as Tensor<"batch feature">;
      return concat([slice(x, "feature", 0, 4), mul(slice(x, "feature", 4, 6), 0)] as never, "feature") as Tensor;
    },
  };
  const opened = async (method: string, of: NamedValues, set = {}): Promise<Decomposition> => {
    const document = resolveMethod(method, { target, set });
    const { components } = await methodNamed(method).run(document, of, { threads: 1 });
    return methodNamed(method).open(document, of, components);
  };
  const neurons = await offDataDifference(
    ...([
      await opened("neurons", weights, { point: "hook_hidden" }),
      await opened("neurons", changed, { point: "hook_hidden" }),
    ] as const),
    data,
    options,
  );
  expect(neurons).toMatchObject({ values: 0, made: 0, strengths: 0, directions: 0, sees: false });
  expect(neurons.weights).toBeGreaterThan(0.3);
  const singular = await offDataDifference(await opened("svd", weights), await opened("svd", changed), data, options);
  expect(singular.values).toBeLessThan(1e-6);
  expect(singular.directions).toBeGreaterThan(0.1);
  expect(singular.sees).toBe(true);
});
