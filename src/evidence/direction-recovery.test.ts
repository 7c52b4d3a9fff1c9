import { describe, expect, test } from "vitest";
import { ActivationDecomposition } from "../decomposition/activation/activation-decomposition.ts";
import { dictionaryCoder } from "../decomposition/dictionary/coder.ts";
import { dictionaryWeights } from "../decomposition/dictionary/dictionary.ts";
import { type NamedValues, type Values, values } from "../engine/index.ts";
import { keyFromSeed, randomNormal } from "../tensor/index.ts";
import { resolveTarget, targetNamed, train } from "../training/targets.ts";
import { directionRecovery, matchDirections } from "./direction-recovery.ts";
import { FreshData } from "./fresh-data.ts";

const target = resolveTarget("superposition", { set: { features: 8, dimensions: 8, geometry: "orthogonal" } });
const { weights } = await train(target);
const F = weights.F!;
const point = "hook_hidden";

/** A ReLU dictionary with decoder rows `D` whose encoder is their transpose, latents times `gain`. */
function dictionary(D: Values, gain = 1): ActivationDecomposition {
  const [C, d] = D.shape as [number, number];
  const shape = { site: point, code: "relu", dIn: d, dOut: d, C } as const;
  const W_enc = new Float32Array(d * C);
  for (let c = 0; c < C; c++) for (let i = 0; i < d; i++) W_enc[i * C + c] = gain * D.data[c * d + i]!;
  const own: NamedValues = {
    [`${point}.W_enc`]: values("d_in C", [d, C], W_enc),
    [`${point}.b_enc`]: values("C", [C], new Float32Array(C)),
    [`${point}.W_dec`]: { ...D, axes: "C d_out" },
    [`${point}.b_dec`]: values("d_out", [d], new Float32Array(d)),
  };
  const network = targetNamed("superposition").network(target.settings);
  const coder = dictionaryCoder({ shape, reads: point, writes: point });
  return new ActivationDecomposition(network, weights, [coder], dictionaryWeights(shape), own);
}

async function recovery(decomposition: ActivationDecomposition): ReturnType<typeof directionRecovery> {
  const source = { batch: (size: number) => targetNamed("superposition").batch("data", target.settings, size) };
  const data = await FreshData.open(decomposition, source, { threads: 1 });
  try {
    return await directionRecovery(data, decomposition, { point, weight: "F" });
  } finally {
    await data.dispose();
  }
}

describe("recovery of directions", () => {
  test("is whole for the features themselves, in any order and of any sign", async () => {
    const turned = { ...F, data: F.data.map((x) => -x) };
    expect(matchDirections(F, turned)).toMatchObject({ found: 1, mutual: 1 });
    const own = await recovery(dictionary(F));
    expect(own.mmcs).toBeCloseTo(1, 5);
    expect(own.activationRatio).toBeCloseTo(1, 5);
    expect(own.mutual).toBe(1);
  });

  test("says by how much latents have shrunk", async () => {
    expect((await recovery(dictionary(F, 0.7))).activationRatio).toBeCloseTo(0.7, 5);
  });

  test("is at the null for random directions", () => {
    const random = values("C d", [8, 8], randomNormal(keyFromSeed(5), 64));
    const { mmcs, nullMmcs, found } = matchDirections(F, random);
    expect(Math.abs(mmcs - nullMmcs)).toBeLessThan(0.1);
    expect(found).toBe(0);
  });

  test("a feature split over two components, and one that lacks, are seen", async () => {
    const rows = Array.from({ length: 8 }, (_, i) => Array.from(F.data.subarray(i * 8, (i + 1) * 8)));
    // Component 7 repeats feature 0; feature 7 has none.
    const without = values("C d", [8, 8], [...rows.slice(0, 7), rows[0]!].flat());
    const match = await recovery(dictionary(without));
    expect(match.found).toBe(7 / 8);
    expect(match.features[7]!.cosine).toBeLessThan(0.9);
    expect(match.activationRatio).toBeCloseTo(1, 5);
    expect(match.activationRatioOfAll).toBeCloseTo(7 / 8, 5);
  });
});
