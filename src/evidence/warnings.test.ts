import { describe, expect, test } from "vitest";
import { type SiteSymptoms, type Symptoms, type SymptomsAtStep, warningsOf } from "./warnings.ts";

const healthySite: SiteSymptoms = {
  components: 20,
  rank: 2,
  l0: 0.25,
  aliveMean: 5,
  allOn: 0,
  lowest: 0,
  highest: 1,
  relativeFaithfulness: 1e-6,
};
const healthy: Symptoms = {
  ml2r: 0.99,
  stochastic: 1e-4,
  adversarial: 1e-3,
  zero: 0.05,
  sites: { linear1: healthySite },
  history: steps((t) => ({ faithfulness: 1e-3 / (1 + t), importanceMinimality: 3 - t / 10, l0: 10 - t / 2 })),
};

function steps(at: (t: number) => Omit<SymptomsAtStep, "step">): SymptomsAtStep[] {
  return Array.from({ length: 16 }, (_, t) => ({ step: 100 * t, ...at(t) }));
}

const names = (symptoms: Symptoms): string[] => warningsOf(symptoms).map(({ name }) => name);
const withSite = (site: Partial<SiteSymptoms>, whole: Partial<Symptoms> = {}): Symptoms => ({
  ...healthy,
  ...whole,
  sites: { linear1: { ...healthySite, ...site } },
});

test("a healthy run is left in peace, and so is one of which nothing is known", () => {
  expect(warningsOf(healthy)).toEqual([]);
  expect(warningsOf({})).toEqual([]);
});

describe("one trouble each", () => {
  test.each<[string, Symptoms, RegExp, RegExp]>([
    ["shrinkage", { ...healthy, ml2r: 0.893 }, /0\.893 of the length/, /faithfulness/],
    ["weak adversary", { ...healthy, adversarial: 5e-5 }, /5e-05|0\.00005/, /--ladder/],
    ["all on", withSite({ allOn: 20, l0: 20 }), /20 of 20 components/, /importanceMinimality/],
    ["all on", withSite({ allOn: 3, l0: 3.1 }), /3 of 20 components.*where 2 would do/, /importanceMinimality/],
    ["L0 not falling", withSite({ l0: 4.5 }), /4\.5 components of a matrix of rank 2/, /importanceMinimality/],
    ["negative masks", withSite({ lowest: -0.08 }), /from -0\.08 to 1/, /lowerLeak/],
    ["negative masks", withSite({ highest: 1.02 }), /to 1\.02/, /lowerLeak/],
    ["faithfulness drift", withSite({ relativeFaithfulness: 0.2 }), /miss 0\.2 of the matrix/, /faithfulness/],
    ["too few components", withSite({ components: 1 }), /1 components cannot add up .* rank 2/, /at least 2/],
    ["dead site", withSite({ aliveMean: 0, l0: 0, highest: 0 }), /no component matters/, /does not need/],
    [
      "dead site",
      withSite({ aliveMean: 0, l0: 0, highest: 0 }, { stochastic: 0.04, adversarial: 0.05 }),
      /no component matters/,
      /lower importanceMinimality/,
    ],
    [
      "importance collapse",
      withSite({ highest: 0.6 }, { stochastic: 0.04, adversarial: 0.05 }),
      /above 0\.6 .* 0\.8 of zero ablation/,
      /lower importanceMinimality/,
    ],
    [
      "faithfulness drift",
      { history: steps((t) => ({ faithfulness: 1e-6 * 2 ** t })) },
      /risen from 0\.000001/,
      /learningRate/,
    ],
    [
      "importance divergence",
      { ...healthy, history: steps((t) => ({ importanceMinimality: t < 8 ? 3 : 3 * 2 ** (t - 8) })) },
      /risen from 3 to 384/,
      /clipNorm/,
    ],
    ["L0 not falling", { ...healthy, history: steps(() => ({ l0: 9 })) }, /still uses 9 components/, /steps/],
  ])("%s", (name, symptoms, cause, knob) => {
    const found = warningsOf(symptoms);
    expect(found.map((warning) => warning.name)).toEqual([name]);
    expect(found[0]!.cause).toMatch(cause);
    expect(found[0]!.knob).toMatch(knob);
  });

  test("a site's warning says which site", () => {
    expect(warningsOf(withSite({ lowest: -1 }))[0]!.site).toBe("linear1");
  });
});

describe("what looks like trouble and is none", () => {
  test("an attack below random masks when both are rounding", () => {
    expect(names({ ...healthy, stochastic: 2e-10, adversarial: 1e-10 })).toEqual([]);
  });
  test("as many always on as the matrix has rank: a block that every input needs", () => {
    expect(names(withSite({ allOn: 2, l0: 2, aliveMean: 2 }))).toEqual([]);
  });
  test("low importances where reconstruction is fine", () => {
    expect(names(withSite({ highest: 0.6 }))).toEqual([]);
  });
  test("a faithfulness that rises from nothing to nothing", () => {
    const rising = steps((t) => ({ faithfulness: 1e-9 * 2 ** t }));
    expect(names({ ...healthy, history: rising })).toEqual([]);
    expect(names(withSite({ relativeFaithfulness: 5e-3 }, { history: rising }))).toEqual(["faithfulness drift"]);
  });
  test("a few steps are no trend, nor is L0 at rest below the ranks", () => {
    expect(names({ ...healthy, history: steps((t) => ({ faithfulness: 1e-6 * 2 ** t })).slice(0, 5) })).toEqual([]);
    expect(names({ ...healthy, history: steps(() => ({ l0: 1.5 })) })).toEqual([]);
  });
});
