import { expect, test } from "vitest";
import { paradigmCard, type PredictionName } from "./card.ts";
import type { Curve, MeasureResult, Scoreboard, SubjectRow } from "./scoreboard.ts";

const CHANCE = 2;

interface Given {
  readonly name: string;
  readonly method: string;
  /** Shares of chance. */
  readonly values: Partial<Record<PredictionName, number>>;
  readonly separates?: readonly boolean[];
  readonly edits?: readonly (readonly [number, number])[];
  readonly notes?: readonly ("robustness" | "edits")[];
}

function row(name: string, more: Partial<Pick<SubjectRow, "method" | "control" | "of">>): SubjectRow {
  const sizes = { components: 4, units: 4, size: 1, bits: 4, coverage: 0.8, seconds: 1, executed: 1, skipped: 0 };
  return { name, measure: "magnitude", granularity: [], ...sizes, ...more };
}

function measured(
  id: string,
  given: readonly Given[],
  of: PredictionName,
  more: Partial<MeasureResult>,
): MeasureResult {
  const text = { title: id, formula: "", source: "", unit: "", reduction: "", establishes: "", doesNotEstablish: "" };
  return {
    ...text,
    id,
    better: "lower",
    scores: given.flatMap(({ name, values }) =>
      values[of] === undefined ? [] : [{ subject: name, value: values[of], interval: [0, 1] as const, band: 0, n: 9 }],
    ),
    differences: [],
    ranks: [],
    minimumDetectable: null,
    discrimination: [],
    tellsControlsApart: null,
    promptsNeeded: null,
    measure: "sufficiency",
    ...more,
  };
}

function board(title: string, given: readonly Given[]): Scoreboard {
  const curves = given.flatMap(({ name, values }): Curve[] =>
    values.enough === undefined
      ? []
      : [
          {
            subject: name,
            measure: "sufficiency",
            ablation: "zero",
            ranking: "own",
            points: [
              { size: 0, bits: 0, divergence: CHANCE },
              { size: 1, bits: 2, divergence: values.enough * CHANCE, natural: true },
            ],
          },
        ],
  );
  const discrimination = given.flatMap(({ name, separates = [] }) =>
    separates.map((one, i) => {
      const bad = `${name}, ${["random", "permuted"][i]}`;
      return { good: name, bad, difference: 0, interval: [0, 0] as const, separates: one };
    }),
  );
  return {
    schema: 1,
    network: { title, digest: `digest of ${title}`, unit: "nats" },
    protocol: { chance: CHANCE } as Scoreboard["protocol"],
    subjects: given.flatMap(({ name, method }) => [
      row(name, { method }),
      row(`${name}, random`, { control: "random", of: name }),
      row(`${name}, permuted`, { control: "permuted", of: name }),
    ]),
    measures: [
      measured("sufficiency/zero/own/units", [], "enough", { ablation: "zero", ranking: "own", discrimination }),
      measured("necessity/zero/own/active", given, "needed", {
        ...{ measure: "necessity", ablation: "zero", ranking: "own", variant: "active" },
      }),
      measured("robustness/adversarial/natural", given, "indifferent", { measure: "robustness" }),
      measured("remainder/lost", given, "complete", { measure: "remainder" }),
    ],
    curves,
    known: [],
    seeds: [],
    edits: given.flatMap(({ name, edits = [] }) =>
      edits.map(([onTarget, offTarget], i) => ({
        ...{ subject: name, address: `a:${i}`, onTarget, offTarget, active: 5, inactive: 5 },
      })),
    ),
    notes: given.flatMap(({ name, notes = [] }) =>
      notes.map((measure) => ({ subject: name, measure, text: "by construction" })),
    ),
    gaps: [],
    seconds: 1,
  };
}

const good = { enough: 0.01, needed: 0.7, indifferent: 0.02, complete: 0 };

test("predictions, networks and edits are counted, each with its runs", () => {
  const card = paradigmCard([
    board("one", [
      {
        name: "s0",
        method: "spd",
        values: good,
        separates: [true, true],
        edits: [
          [1, 0.01],
          [1, 0.2],
          [0, 0],
        ],
      },
      { name: "k0", method: "topk", values: { ...good, indifferent: 0.06 }, separates: [true, false] },
    ]),
    board("two", [
      { name: "s1", method: "spd", values: { ...good, needed: 0.3, enough: 0.2 }, separates: [true, true] },
    ]),
  ]);
  const [spd, topk] = card.families;
  expect(card.networks.map(({ title }) => title)).toEqual(["one", "two"]);
  expect([spd!.family, topk!.family]).toEqual(["spd", "topk"]);
  expect(spd!.predictions).toEqual({ held: 6, made: 8, byConstruction: 0 });
  expect(spd!.networks).toEqual({ held: 1, tried: 2 });
  expect(spd!.edits).toEqual({ worked: 1, made: 3 });
  expect(topk!.predictions).toEqual({ held: 3, made: 4, byConstruction: 0 });
  // Not better than its own components credited to others.
  expect(topk!.networks).toEqual({ held: 0, tried: 1 });
  expect(spd!.cells.map(({ network, runs }) => [network, runs.map(({ subject }) => subject)])).toEqual([
    ["one", ["s0"]],
    ["two", ["s1"]],
  ]);
});

test("a network holds only if all of the family's runs on it do, and one on two boards is one", () => {
  const card = paradigmCard([
    board("one", [{ name: "s0", method: "spd", values: good, separates: [true, true] }]),
    board("one", [{ name: "s1", method: "spd", values: { ...good, enough: 0.9 }, separates: [true, true] }]),
  ]);
  expect(card.networks).toHaveLength(1);
  expect(card.families[0]!.networks).toEqual({ held: 0, tried: 1 });
  expect(card.families[0]!.cells[0]!.runs).toHaveLength(2);
});

test("what was not measured is neither held nor failed", () => {
  const [family] = paradigmCard([board("one", [{ name: "s0", method: "spd", values: { complete: 0 } }])]).families;
  expect(family!.predictions).toEqual({ held: 1, made: 1, byConstruction: 0 });
  expect(family!.networks).toEqual({ held: 0, tried: 0 });
  expect(family!.cells[0]!.runs[0]!.predictions.filter(({ held }) => held === null)).toHaveLength(3);
});

test("what could not have failed is counted apart", () => {
  const [family] = paradigmCard([
    board("one", [{ name: "n", method: "neurons", values: good, edits: [[1, 0]], notes: ["robustness", "edits"] }]),
  ]).families;
  expect(family!.predictions).toEqual({ held: 3, made: 3, byConstruction: 1 });
  expect(family!.edits).toEqual({ worked: 0, made: 0 });
  const all = board("one", [{ name: "p", method: "pca", values: good }]);
  const dense = { ...all, subjects: all.subjects.map((subject) => ({ ...subject, size: subject.units })) };
  expect(paradigmCard([dense]).families[0]!.predictions).toEqual({ held: 3, made: 3, byConstruction: 1 });
});

test("what is needed is held against what there is to lose", () => {
  const heldAt = (needed: number): boolean | null =>
    paradigmCard([
      board("one", [{ name: "s0", method: "spd", values: { needed } }]),
    ]).families[0]!.cells[0]!.runs[0]!.predictions.find(({ name }) => name === "needed")!.held;
  expect([heldAt(0.39), heldAt(0.4)]).toEqual([false, true]);
});
