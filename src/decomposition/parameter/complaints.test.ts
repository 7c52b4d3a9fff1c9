/** Settings that contradict one another or the network are refused in one line, before anything is done. */
import { describe, expect, test } from "vitest";
import { resolveTarget } from "../../training/targets.ts";
import { type DecomposeDocument, METHODS, resolveMethod } from "../methods.ts";

const toy = resolveTarget("tms", { set: { features: 5, hidden: 2 } });
const mlp = resolveTarget("resid-mlp", { set: { features: 4, width: 6, neurons: 5, layers: 1 } });
const tokens = resolveTarget("induction", { set: { vocabulary: 5, context: 8, shortest: 2, longest: 4 } });

const resolved = (
  method: string,
  target: typeof toy,
  set: Readonly<Record<string, unknown>>,
  preset?: string,
): DecomposeDocument => resolveMethod(method, { target, set, ...(preset !== undefined && { preset }) });

const nothing = { stochasticRecon: 0, layerwiseRecon: 0 };

describe("refused", () => {
  test.each<[string, string, typeof toy, Readonly<Record<string, unknown>>, string]>([
    ["a site that is not there", "spd", toy, { sites: "linear3" }, "site: expected linear1, got linear3"],
    [
      "a pattern that fits none",
      "spd",
      toy,
      { sites: "blocks.*" },
      "site: expected one of linear1, linear2, got blocks.*",
    ],
    [
      "slots at a site that is not there",
      "spd",
      toy,
      { componentsAt: "linear3=4" },
      "componentsAt: expected linear1, got linear3",
    ],
    [
      "an entry that is none",
      "spd",
      toy,
      { componentsAt: "linear1" },
      "componentsAt: expected site=slots from 1 to 100000, got linear1",
    ],
    [
      "a hook point that is not there",
      "spd",
      toy,
      { identities: "hook_hiden" },
      "hook point: expected hook_hidden, got hook_hiden",
    ],
    [
      "more slots than numbers, for an aligned start",
      "vpd",
      mlp,
      { start: "nonlinearity-aligned", components: 31 },
      "components at blocks.0.mlp.W_in: expected at most 30, one for each number of the matrix, for an aligned start, got 31",
    ],
    [
      "an aligned start where nothing is aligned",
      "vpd",
      toy,
      { start: "nonlinearity-aligned", sites: "linear1" },
      "start: expected sites that face neurons or heads for nonlinearity-aligned, got none",
    ],
    [
      "a pool without an adversary",
      "spd",
      toy,
      { persistentScope: "pool" },
      "persistentScope: expected persistentRecon or mergedRecon above 0 for a pool of adversaries, got 0 of both",
    ],
    [
      "no reconstruction at all",
      "spd",
      toy,
      nothing,
      "reconstructions: expected a coefficient above 0, of stochasticRecon, layerwiseRecon, subsetRecon, ciMaskedRecon, unmaskedRecon, adversarialRecon, persistentRecon, mergedRecon, hiddenRecon, got 0 of each",
    ],
    [
      "ties where nothing is tied",
      "spd",
      mlp,
      { tied: true },
      "tied: expected a network that uses one matrix twice at its sites, got one without",
    ],
    [
      "other slots where components are the same",
      "spd",
      toy,
      { tied: true, componentsAt: "linear2=7", components: 6 },
      "componentsAt linear2: expected 6 as at linear1, to which it is tied, got 7",
    ],
    [
      "prompts of unequal length",
      "tpd",
      tokens,
      { targetPrompts: "1 2 3; 1 2" },
      "targetPrompts: expected 3 tokens in each, as in the first, got 2 in prompt 2",
    ],
    [
      "features and prompts",
      "tpd",
      tokens,
      { targetPrompts: "1 2", targetFeatures: "1" },
      "targetFeatures: expected none where targetPrompts are given, got both",
    ],
    ["no target", "tpd", toy, {}, "tpd: expected --set targetFeatures=… or --set targetPrompts=…, got neither"],
    [
      "hidden reconstruction at no point",
      "spd",
      toy,
      { hiddenRecon: 1, hiddenPoints: "*.hook_resid_post" },
      "hiddenPoints: expected hook_post, got *.hook_resid_post",
    ],
    [
      "heads that do not divide",
      "vpd",
      tokens,
      { importance: "transformer", importanceDModel: 10, importanceHeads: 4 },
      "importance",
    ],
    [
      "more active than there are",
      "apd",
      toy,
      { components: 5, topK: 6 },
      "apd topK: expected at most the 5 components there are, got 6",
    ],
    [
      "a rank above the matrix",
      "apd",
      toy,
      { factors: 3 },
      "apd factors: expected at most 2, the largest rank of a matrix, got 3",
    ],
    [
      "a rank above the matrix",
      "l3d",
      toy,
      { factors: 3 },
      "l3d factors: expected at most 2, the largest rank of a matrix, got 3",
    ],
  ])("%s", (_, method, target, set, message) => {
    let caught: unknown;
    try {
      resolved(method, target, set);
    } catch (error) {
      caught = error;
    }
    expect(caught).toMatchObject({ message: expect.stringContaining(message) as string });
    expect((caught as Error).message).not.toContain("\n");
    expect(["BadArgument", "UnknownName"]).toContain((caught as { code: string }).code);
  });

  test.each([
    ["vpd", "vpd-2026-05"],
    ["vpd", "simplestories-2l"],
    ["tpd", "css-4l"],
  ])("%s preset %s on a network without its sites", (method, preset) => {
    const set = method === "tpd" ? { targetFeatures: "1" } : {};
    expect(() => resolved(method, toy, set, preset)).toThrow(
      new RegExp(
        `^${method} preset ${preset}: expected a network with sites \\*\\.W_Q, .*, got one with linear1, linear2$`,
      ),
    );
    // Whoever says what else there is to have may use the rest.
    const own = { ...set, componentsAt: "linear1=4", importance: "gate" };
    expect(resolved(method, toy, own, preset).settings.componentsAt).toBe("linear1=4");
  });
});

test("every preset of a method fits the network it is chosen for", () => {
  for (const name of ["spd", "vpd", "tpd", "apd", "l3d"])
    for (const preset of ["default", "quick"].filter((p) => p in METHODS[name]!.presets(toy))) {
      const set = name === "tpd" ? { targetFeatures: "0" } : {};
      expect(resolved(name, toy, set, preset).preset).toBe(preset);
    }
  expect(resolved("vpd", tokens, {}).settings.steps).toBeGreaterThan(0);
});
