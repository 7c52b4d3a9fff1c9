/** The referee on subjects of known worth: the mechanisms themselves, strangers, and the mechanisms with their importances mixed up. */
import { beforeAll, describe, expect, test } from "vitest";
import {
  always,
  featureImportances,
  features,
  handMade,
  pentagon,
  pentagonNetwork,
  strangers,
} from "../../../test/evidence/subjects.ts";
import { sparseFeatures } from "../../data/sparse-feature.ts";
import { resolveTarget, targetNamed } from "../../training/targets.ts";
import type { DataSource } from "../fresh-data.ts";
import { referee } from "./referee.ts";
import type { MeasureResult, Scoreboard } from "./scoreboard.ts";

const known = targetNamed("tms").known!(resolveTarget("tms").settings);
const source: DataSource = { batch: (batch) => sparseFeatures("data", { features: 5, batch, probability: 0.2 }) };
const about = { title: "pentagon", digest: "", source };
const truth = { name: "truth", decomposition: handMade(pentagonNetwork, pentagon, features, featureImportances(0)) };
const mixed = { name: "mixed", decomposition: handMade(pentagonNetwork, pentagon, features, featureImportances(1)) };
const stranger = {
  name: "strangers",
  decomposition: handMade(pentagonNetwork, pentagon, strangers, featureImportances(0)),
};
const options = { threads: 1, prompts: 256 };

let board: Scoreboard;
beforeAll(async () => {
  board = await referee([truth, mixed, stranger], { ...about, known }, options);
}, 120_000);

const measure = (id: string): MeasureResult => board.measures.find((one) => one.id === id)!;
const score = (id: string, subject: string): number => measure(id).scores.find((one) => one.subject === subject)!.value;

describe("on a network of features", () => {
  test("every subject is there with what it is made of, and nothing is missing", () => {
    expect(board.gaps).toEqual([]);
    expect(board.subjects.map(({ control }) => control)).toEqual([
      ...[undefined, undefined, undefined, "oracle", "random", "permuted"],
      ...["oracle ranking", "random", "permuted"],
      ...["oracle ranking", "random", "permuted"],
      ...["oracle ranking", "random", "permuted", "random directions"],
    ]);
    const [first] = board.subjects;
    expect(first).toMatchObject({ name: "truth", measure: "importance", units: 16, components: 16, skipped: 0 });
    expect(first!.granularity[0]).toEqual({ site: "linear1", components: 8, rank: 1 });
    // A fifth of five features, read and written.
    expect(first!.size).toBeCloseTo(2, 0);
    expect(board.subjects.every(({ size, units }) => size <= units)).toBe(true);
  });

  test("the truth is first, the mechanisms under wrong names next, strangers last", () => {
    for (const id of [
      "sufficiency/zero/own/units",
      "sufficiency/mean/own/bits",
      "robustness/random/matched",
      "robustness/adversarial/matched",
    ]) {
      const scores = ["truth", "mixed", "strangers"].map((name) => score(id, name));
      expect(scores[0], id).toBeLessThan(scores[1]!);
      expect(scores[1], id).toBeLessThan(scores[2]!);
      expect(
        measure(id).ranks.map(({ rank }) => rank),
        id,
      ).toEqual([1, 2, 3]);
      expect(measure(id).tellsControlsApart, id).toBe(true);
    }
    expect(score("edits/specificity", "truth")).toBeGreaterThan(0.99);
    expect(score("edits/specificity", "truth · permuted")).toBeCloseTo(0.5, 1);
    expect(score("necessity/zero/own/others", "truth")).toBeLessThan(0.01);
  });

  test("gradients stand beside permuted gradients, and own sizes beside the controls' own", () => {
    for (const id of ["sufficiency/zero/gradient/units", "necessity/zero/gradient/units"]) {
      const { scores, discrimination, tellsControlsApart } = measure(id);
      const names = scores.map(({ subject }) => subject);
      expect(names).toContain("truth · permuted");
      expect(names).not.toContain("truth · random");
      expect(discrimination.find(({ good }) => good === "truth")).toMatchObject({
        bad: "truth · permuted",
        separates: true,
      });
      expect(tellsControlsApart, id).toBe(true);
    }
    for (const id of ["robustness/random/natural", "robustness/adversarial/natural"])
      expect(measure(id).tellsControlsApart, id).toBe(true);
    expect(measure("robustness/random/natural").scores).toHaveLength(board.subjects.length);
    // Attacks take time: only where known mechanisms stand beside them.
    expect(measure("robustness/adversarial/natural").scores.map(({ subject }) => subject)).toEqual([
      ...["truth", "mixed", "strangers", "oracle", "oracle · random", "oracle · permuted"],
      "random directions, linear1, linear2",
    ]);
  });

  test("the oracle scores as the truth does, and what is permuted as what is random", () => {
    for (const id of ["sufficiency/zero/own/units", "robustness/random/matched"]) {
      expect(score(id, "oracle"), id).toBeCloseTo(score(id, "truth"), 2);
      const [a, b] = ["truth · random", "truth · permuted"].map((name) =>
        measure(id).scores.find(({ subject }) => subject === name)!,
      );
      expect(Math.abs(a!.value - b!.value), id).toBeLessThan(a!.band + b!.band);
    }
    for (const { good, bad, separates } of measure("sufficiency/zero/own/units").discrimination)
      if (good === "truth" || good === "oracle") expect(separates, `${good} and ${bad}`).toBe(true);
  });

  test("what does not look at activities cannot tell who has the right ones, and says so", () => {
    const lost = measure("remainder/lost");
    expect(lost.tellsControlsApart).toBe(false);
    for (const name of ["truth", "mixed", "truth · random", "truth · permuted", "random directions, linear1, linear2"])
      expect(score("remainder/lost", name), name).toBeLessThan(1e-6);
    expect(score("remainder/lost", "strangers")).toBeGreaterThan(0.5);
    expect(lost.differences.find(({ a, b }) => a === "truth" && b === "mixed")).toMatchObject({
      decided: false,
      because: "noise",
    });
    expect(lost.ranks.slice(0, 2)).toEqual([
      { subject: "truth", rank: 1, tied: true },
      { subject: "mixed", rank: 1, tied: true },
    ]);
  });

  test("known mechanisms are found in the truth, and in strangers are not", () => {
    const [first, , last] = board.known;
    expect(first).toMatchObject({ subject: "truth", targetCiError: 0, mutualBestMatch: 1, falseComponents: 0 });
    expect(first!.mmcs).toBeCloseTo(1, 5);
    expect(board.known.find(({ subject }) => subject === "strangers")!.mmcs).toBeLessThan(0.97);
    expect(last).toBeDefined();
  });

  test("measures say what they are", () => {
    for (const one of board.measures) {
      for (const text of [one.formula, one.source, one.unit, one.reduction, one.establishes, one.doesNotEstablish])
        expect(text.length, one.id).toBeGreaterThan(3);
      expect(
        one.scores.every(({ value }) => Number.isFinite(value)),
        one.id,
      ).toBe(true);
    }
    expect(JSON.parse(JSON.stringify(board))).toEqual(board);
  });
});

test("the same seed gives the same board, whatever else is on it", async () => {
  const again = await referee([truth], { ...about, known }, { ...options, measures: ["remainder", "edits"] });
  for (const { id, scores } of again.measures) {
    const [own] = scores;
    expect(own!.value, id).toBeCloseTo(score(id, "truth"), 6);
  }
}, 60_000);

test("components that are never out are told to be robust by construction, and to be necessary as nothing", async () => {
  const whole = { name: "whole", decomposition: handMade(pentagonNetwork, pentagon, features, always(1)) };
  const found = await referee([whole], about, { ...options, measures: ["necessity", "robustness", "edits"] });
  expect(found.notes.filter(({ subject }) => subject === "whole").map(({ measure }) => measure)).toEqual([
    "necessity",
    "robustness",
  ]);
  // Nobody knows the mechanisms here: an oracle cannot be made, and the rest is.
  expect(found.gaps.map(({ what }) => what)).toContain("oracle");
  expect(found.subjects.map(({ name }) => name)).toContain("whole · random");
}, 60_000);

test("two networks are not compared", async () => {
  const other = { ...pentagon, b: { ...pentagon.b!, data: new Float32Array(5) } };
  const second = { name: "other", decomposition: handMade(pentagonNetwork, other, features, always(1)) };
  await expect(referee([truth, second], about, options)).rejects.toThrow(
    "expected decompositions of one network, got truth and other of two",
  );
});
