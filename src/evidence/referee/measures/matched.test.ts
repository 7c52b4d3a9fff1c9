/** Scores at a matched size on prompts that are simulated: thresholds from reference data move, and the band has to say so. */
import { describe, expect, test } from "vitest";
import { foldIn, type Key, keyFromSeed, randomNormal } from "../../../tensor/index.ts";
import { bandOfSpread, ratio, Resampling } from "../noise.ts";
import { readOff, type Rung, rungsAround, type Sized } from "./matched.ts";

const [PROMPTS, UNITS, SIZE] = [300, 12, 3];

/** Units of each prompt with their strengths: prompts differ in how much there is. */
function strengths(key: Key): Float64Array[] {
  const much = randomNormal(foldIn(key, "much"), PROMPTS);
  const each = randomNormal(foldIn(key, "each"), PROMPTS * UNITS);
  return Array.from({ length: PROMPTS }, (_, i) =>
    Float64Array.from({ length: UNITS }, (__, u) => Math.abs(each[i * UNITS + u]!) * Math.exp(0.3 * much[i]!)),
  );
}

/** One evaluation with a seed of its own: what is below the threshold is lost. */
function evaluation(seed: number) {
  const key = foldIn(keyFromSeed(seed), "evaluation");
  const prompts = strengths(foldIn(key, "prompts"));
  const reference = strengths(foldIn(key, "reference"))
    .flatMap((units) => [...units])
    .sort((a, b) => b - a);
  const trial: Sized = {
    thresholds: async (sizes) => sizes.map((size) => reference[Math.round(size * PROMPTS)]!),
    sizes: async (threshold) => Float64Array.from(prompts, (units) => units.filter((s) => s > threshold).length),
  };
  const lost = (threshold: number): Float64Array =>
    Float64Array.from(prompts, (units) => units.reduce((sum, s) => sum + (s > threshold ? 0 : s * s), 0));
  const all = Float64Array.from(prompts, (units) => units.reduce((sum, s) => sum + s * s, 0));
  return { trial, measured: (threshold: number) => ratio(lost(threshold), all) };
}

const resampling = new Resampling(keyFromSeed(1), PROMPTS);

async function boards(score: "at one threshold" | "read off"): Promise<{ value: number; band: number }[]> {
  return Promise.all(
    Array.from({ length: 160 }, async (_, seed) => {
      const { trial, measured } = evaluation(seed);
      const rungs = await rungsAround(trial, SIZE);
      const read = readOff(
        rungs.map((rung) => ({ ...rung, measured: measured(rung.threshold) })),
        SIZE,
      );
      const spread = resampling.spread(score === "read off" ? read : measured(rungs[0]!.threshold));
      return { value: spread.value, band: bandOfSpread(spread) };
    }),
  );
}

function held(all: readonly { readonly value: number; readonly band: number }[]): number {
  const pairs = all.flatMap((a) => all.filter((b) => b !== a).map((b) => Math.abs(a.value - b.value) <= a.band));
  return pairs.filter(Boolean).length / pairs.length;
}

describe("at a matched size", () => {
  test("two evaluations lie within the band 95 times in 100, and did not while thresholds moved unseen", async () => {
    expect(held(await boards("at one threshold"))).toBeLessThan(0.85);
    const share = held(await boards("read off"));
    expect(share).toBeGreaterThan(0.93);
    expect(share).toBeLessThan(0.97);
  }, 30_000);

  const constant = (x: number): Float64Array => new Float64Array(4).fill(x);
  const rung = (size: number, score: number): Rung & { measured: ReturnType<typeof ratio> } => ({
    ...{ threshold: -size, sizes: constant(size) },
    measured: ratio(constant(score), constant(1)),
  });
  const value = (sizes: readonly (readonly [number, number])[], wanted: number | Float64Array): number =>
    new Resampling(keyFromSeed(0), 4).value(
      readOff(
        sizes.map(([size, score]) => rung(size, score)),
        wanted,
      ),
    );

  test("is read off between the sizes beside it, and beyond them is the nearest", () => {
    const three = [[2, 10], [1, 20], [4, 0]] as const; // prettier-ignore
    expect(value(three, 1.5)).toBeCloseTo(15, 12);
    expect(value(three, 3)).toBeCloseTo(5, 12);
    expect(value(three, 0.5)).toBe(20);
    expect(value(three, 9)).toBe(0);
    expect(value([[2, 10]], 3)).toBe(10);
    expect(value(three, Float64Array.of(1, 2, 1, 2))).toBeCloseTo(15, 12);
  });

  test("equal scores make one threshold, and none is below the least", async () => {
    const sized: Sized = {
      thresholds: async (sizes) => sizes.map((size) => (size > 2 ? 0 : 1)),
      sizes: async (threshold) => Float64Array.of(threshold, 2 * threshold, 3),
    };
    expect((await rungsAround(sized, 2)).map(({ threshold }) => threshold)).toEqual([1, 0]);
    expect((await rungsAround(sized, 9)).map(({ threshold }) => threshold)).toEqual([0]);
    expect((await rungsAround(sized, 2, 1)).map(({ threshold }) => threshold)).toEqual([1]);
  });
});
