import { describe, expect, test } from "vitest";
import { tms } from "../../network/tms.ts";
import { solvedTms } from "../../../test/e2e/solved-tms.ts";
import { Laboratory, type SiteParts } from "./laboratory.ts";
import { listed } from "./listing.ts";
import { measuresOf } from "./measures.ts";
import { titleOf } from "./title.ts";
import { judged, soFar, warnedOf } from "./verdict.ts";

describe("verdict", () => {
  const sites = { linear1: { mmcs: 0.999, ml2r: 0.9, alive: 5, expectedAlive: 5 } };
  const result = {
    targetCiError: 0,
    mmcs: 0.999,
    ml2r: 0.9,
    alive: 5,
    expectedAlive: 5,
    sites,
    passed: false,
    steps: 10,
  };

  test("is the judge's where there is one, and says which numbers do not pass", () => {
    const verdict = judged(result)!;
    expect(verdict.numbers.ml2r).toBe(0.9);
    expect(verdict.passes).toEqual({ targetCiError: true, mmcs: true, ml2r: false, alive: true });
    expect(verdict.passed).toBe(false);
    expect(judged({ verdict: result })?.passes.ml2r).toBe(false);
    expect([judged(undefined), judged({ stepsPerSecond: 3 })]).toEqual([undefined, undefined]);
  });

  test("of a language model has no mechanisms to hold components against, and another unit", () => {
    const warnings = [
      { site: "blocks.0.mlp.W_in", name: "all on", cause: "9 of 9", knob: "raise importanceMinimality" },
    ];
    const verdict = judged({ unit: "nats", stochasticRecon: 0.2, unmaskedRecon: 0.01, l0: 12, sites: {}, warnings })!;
    expect(verdict.passes).toEqual({});
    expect(verdict.passed).toBeUndefined();
    expect(verdict.warnings).toEqual(["blocks.0.mlp.W_in: all on: 9 of 9; raise importanceMinimality"]);
    const measures = measuresOf(verdict.numbers, verdict.unit);
    expect(measures.map(({ name }) => name)).toEqual(["l0", "stochasticRecon", "unmaskedRecon"]);
    expect(measures[1]!.unit).toBe("divergence in nats a position, fresh data");
  });

  test("says what its gate asks, and what of it was missed", () => {
    const gate = {
      text: "target-CI error 0",
      source: "a paper",
      passed: false,
      missed: ["linear1: target-CI error 2"],
    };
    const verdict = judged({ ...result, targetCiError: 2, gate })!;
    expect(verdict.gate).toMatchObject({ text: "target-CI error 0", missed: ["linear1: target-CI error 2"] });
    expect(measuresOf(verdict.numbers).map(({ name }) => name)).toContain("targetCiError");
  });

  test("comes from the checkpoint while the run goes on", () => {
    const { weights, components } = solvedTms({ features: 5, C: 8 });
    const analysis = new Laboratory(tms({ features: 5, hidden: 2, identity: false }), 5, weights, components, {
      gateWidth: 2,
    }).analysis();
    const verdict = soFar(analysis, 12_000);
    expect(verdict.numbers).toMatchObject({ targetCiError: 0, alive: 10, expectedAlive: 10 });
    expect(Object.values(verdict.passes)).toEqual([true, true, true, true]);
    expect(verdict.numbers.faithfulness).toBeLessThan(1e-3);
    expect(verdict.source).toContain("step 12,000");
  });
});

describe("lists", () => {
  const site = (alive: number, count: number): SiteParts =>
    ({
      name: "linear1",
      order: Array.from({ length: count }, (_, c) => c),
      components: Array.from({ length: count }, (_, c) => ({ alive: c < alive })),
    }) as unknown as SiteParts;

  test("hold all that are alive and some of the dead, or everything when asked", () => {
    expect(listed(site(5, 200), [])).toHaveLength(20);
    expect(listed(site(40, 200), [])).toHaveLength(48);
    expect(listed(site(150, 200), [])).toHaveLength(60);
    expect(listed(site(5, 200), ["linear1"])).toHaveLength(200);
    expect(listed(site(5, 8), ["linear2"])).toHaveLength(8);
  });

  test("name a run by its document", () => {
    const target = { target: "tms", preset: "default", settings: { features: 5, hidden: 2, identity: true } };
    expect(titleOf({ kind: "train", document: target })).toBe("TMS 5-2 + identity, trained");
    expect(titleOf({ kind: "decompose", document: { method: "spd", preset: "quick", settings: {}, target } })).toBe(
      "TMS 5-2 + identity, taken apart by SPD",
    );
  });
});

test("what was warned of on the way, with the step; nothing where nothing was", () => {
  const warned = [{ step: 120, site: "linear1", name: "dead site", cause: "no component matters", knob: "none" }];
  expect(warnedOf({ warned })).toEqual(["step 120: linear1: dead site: no component matters; none"]);
  expect([warnedOf(undefined), warnedOf({}), warnedOf({ warned: "?" })]).toEqual([[], [], []]);
});
