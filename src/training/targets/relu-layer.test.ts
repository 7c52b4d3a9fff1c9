import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { interpret } from "../../engine/index.ts";
import { weightInputs } from "../../network/network.ts";
import { resolveTarget, targetNamed, train } from "../targets.ts";
import type { KnownMechanisms } from "../known-mechanisms.ts";

const target = targetNamed("relu-layer");
const SITE = "blocks.0.mlp.W_in";

const knownOf = (matrix: string): KnownMechanisms | undefined =>
  target.known!(resolveTarget("relu-layer", { set: { matrix } }).settings);

test("what comes out is ReLU(W x), for any W", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }).chain((width) =>
        fc.array(fc.array(fc.integer({ min: -5, max: 5 }), { minLength: width, maxLength: width }), {
          minLength: 1,
          maxLength: 4,
        }),
      ),
      async (W) => {
        const matrix = W.map((row) => row.join(" ")).join("; ");
        const { settings } = resolveTarget("relu-layer", { set: { matrix, featureProbability: 0.7, low: -1 } });
        const { weights } = await target.train(settings);
        const network = target.network(settings);
        const x = target.batch("data", settings, 6);
        const found = interpret({ x, y: network.forward(weightInputs(network.weights), x) }, weights, [1, 2]);
        const width = W[0]!.length;
        for (let row = 0; row < 6; row++) {
          W.forEach((weightsOfOne, o) => {
            const sum = weightsOfOne.reduce((total, w, i) => total + w * found.x.data[row * width + i]!, 0);
            expect(found.y.data[row * W.length + o]).toBeCloseTo(Math.max(0, sum), 6);
          });
        }
      },
    ),
    { numRuns: 20 },
  );
});

test("inputs are there as often as is said, and in the range that is said", () => {
  const { settings } = resolveTarget("relu-layer", { set: { featureProbability: 0.3, low: -1, high: -0.5 } });
  const { x } = interpret({ x: target.batch("data", settings, 2000) }, {}, [1, 2]);
  const there = Array.from(x.data).filter((value) => value !== 0);
  expect(there.length / x.data.length).toBeGreaterThan(0.27);
  expect(there.length / x.data.length).toBeLessThan(0.33);
  expect(there.every((value) => value >= -1 && value < -0.5)).toBe(true);
});

describe("what is known", () => {
  test("inputs with multiples of one column share a component", () => {
    expect(knownOf("1 1 0 0; 0 0 1 1")!.patterns!.sites[SITE]).toEqual({
      pattern: "shared",
      groups: [
        [0, 1],
        [2, 3],
      ],
    });
    expect(knownOf("1,0,-2;2,1,-4")!.patterns!.sites[SITE]).toEqual({ pattern: "shared", groups: [[0, 2], [1]] });
  });

  test("others have one each", () => {
    expect(knownOf("1 0; 0 1")!.patterns!.sites[SITE]).toEqual({ pattern: "identity", inputs: 2 });
    expect(knownOf("1 0 1; 0 1 1")!.patterns!.sites[SITE]).toEqual({ pattern: "identity", inputs: 3 });
  });

  test.each(["1 1 1 1", "1 0 0; 0 1 0"])(
    "nothing where the answer is a tie, or an input does nothing: %s",
    (matrix) => {
      expect(knownOf(matrix)).toBeUndefined();
    },
  );

  test("each preset has as many groups as it says", async () => {
    const groups = Object.keys(target.presets).map(
      async (preset) => (await train(resolveTarget("relu-layer", { preset }))).metrics.groups,
    );
    expect(await Promise.all(groups)).toEqual([2, 4, 1, 3]);
  });
});

test.each(["1 1; 1", "a b", "", "1 2;", "1 Infinity"])("%j is no matrix", (matrix) => {
  expect(() => resolveTarget("relu-layer", { set: { matrix } })).toThrow(
    /^relu-layer matrix: expected rows of equally many numbers, ; between rows, got "/,
  );
});
