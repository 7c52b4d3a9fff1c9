import { expect, test } from "vitest";
import { resolveMethod } from "../../decomposition/methods.ts";
import { resolveTarget } from "../../training/targets.ts";
import { isPictured } from "./pictured.ts";

test("networks of features are pictured, and of decompositions those with importances", () => {
  const tms = resolveTarget("tms");
  expect(isPictured({ kind: "train", document: tms })).toBe(true);
  expect(isPictured({ kind: "train", document: resolveTarget("induction") })).toBe(false);
  const pictured = ["spd", "vpd", "svd", "sae", "neurons", "apd"].filter((method) =>
    isPictured({ kind: "decompose", document: resolveMethod(method, { target: tms }) }),
  );
  expect(pictured).toEqual(["spd", "vpd"]);
});
