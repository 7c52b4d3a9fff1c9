/** Our own presets: what they take from a network. */
import { expect, test } from "vitest";
import { resolveMethod } from "../../methods.ts";
import { resolveTarget } from "../../../training/targets.ts";

const settingsFor = (target: string, preset: string, set = {}): Readonly<Record<string, unknown>> =>
  resolveMethod("spd", { target: resolveTarget(target, { preset, set }) }).settings;

test("the pressure is that of each answer, however many positions stand before it", () => {
  const everywhere = Number(settingsFor("induction", "default").importanceMinimality);
  const pressure = (context: number): number =>
    Number(settingsFor("induction", "marker", { context }).importanceMinimality);
  expect(pressure(64) / everywhere).toBeCloseTo(64, 10);
  expect(pressure(16) / everywhere).toBeCloseTo(16, 10);
});

test("networks of tokens get importances that see what stands around; networks of features do not", () => {
  expect(settingsFor("stories", "default").importance).toBe("transformer");
  expect(settingsFor("tms", "default").importance).toBe("gate");
});

test("many features that share a matrix between hidden values may use it as one block", () => {
  const [shared, apart] = [true, false].map((identity) =>
    settingsFor("tms", "default", { features: 40, hidden: 10, identity }),
  );
  expect([shared!.frequencyMinimality, shared!.pStart, shared!.pEnd, shared!.importanceEnd]).toEqual([0, 2, 0.5, 0]);
  expect([apart!.frequencyMinimality, apart!.pStart, apart!.pEnd]).toEqual([1, 1, 1]);
  // Where no matrix reads features themselves, none is between others that do.
  expect(settingsFor("resid-mlp", "resid-mlp-1").frequencyMinimality).toBe(1);
});
