import { describe, expect, test } from "vitest";
import { values } from "../engine/index.ts";
import { type Network, passing } from "../network/network.ts";
import { RunnableNetwork } from "../network/run.ts";
import { contract, input } from "../tensor/index.ts";
import type { Metric } from "./metrics.ts";
import { splitDirection, subspacePatch } from "./subspace-patch.ts";

const KAPPA = 2;

/** h = (a, 0, a), y = h₃ + κ h₂: the first part differs and is not read, the second is read and never differs, the third is the way. */
const network: Network = {
  input: { axes: "batch feature", dtype: "f32", sizes: { feature: 1 } },
  sites: [],
  weights: [
    { name: "W_in", axes: "feature hidden", shape: [1, 3] },
    { name: "W_read", axes: "hidden read", shape: [3, 2] },
    { name: "W_out", axes: "read class", shape: [2, 1] },
  ],
  points: [{ name: "hidden", axes: "batch hidden" }],
  forward: (weights, x, hooks = {}) => {
    const hidden = passing(hooks, "hidden", contract(x, weights.W_in!, "batch hidden"));
    return contract(contract(hidden, weights.W_read!, "batch read"), weights.W_out!, "batch class");
  },
  matrix: () => input("none", "d_in d_out", { d_in: 1, d_out: 1 }),
};
const runnable = new RunnableNetwork(
  network,
  {
    W_in: values("feature hidden", [1, 3], [1, 0, 1]),
    W_read: values("hidden read", [3, 2], [0, 0, 1, 0, 0, 1]),
    W_out: values("read class", [2, 1], [KAPPA, 1]),
  },
  { device: "float64" },
);
const metric: Metric = {
  name: "output",
  unit: "units",
  meaning: "what comes out",
  n: 1,
  differentiable: true,
  readsAll: true,
  readout: (output) => contract(output, input("one", "class", { class: 1 }), "batch") as never,
  feeds: () => ({ one: values("class", [1], [1]) }),
};
const contrast = {
  clean: { name: "a = 1", x: values("batch feature", [1, 1], [1]) },
  corrupt: { name: "a = -1", x: values("batch feature", [1, 1], [-1]) },
  direction: "noise" as const,
};
const ask = (direction: readonly number[]) =>
  subspacePatch(runnable, contrast, { point: "hidden", direction, reader: "W_read", metric });

describe("patching along a direction", () => {
  test.each([5, 20, 45, 70, 85])(
    "that mixes what differs with what is read is an illusion: %i degrees",
    async (degrees) => {
      const theta = (degrees * Math.PI) / 180;
      const table = await ask([Math.cos(theta), Math.sin(theta), 0]);
      const [whole, read, unread] = table.rows.map(({ mean }) => mean) as [number, number, number];
      expect(Math.abs(unread)).toBeLessThan(1e-12);
      expect(Math.abs(whole - -KAPPA * Math.sin(2 * theta))).toBeLessThan(1e-12);
      expect(Math.abs(read)).toBeLessThan(1e-12);
      expect(table.illusoryShare).toBeCloseTo(1, 10);
      expect(table.illusion).toBe(true);
    },
  );

  test("at 45 degrees does as much as the true way, and that one is no illusion", async () => {
    const mixture = await ask([1, 1, 0]);
    const way = await ask([0, 0, 1]);
    expect(mixture.rows[0]!.mean).toBeCloseTo(-2, 12);
    expect(way.rows[0]!.mean).toBeCloseTo(-2, 12);
    expect(way).toMatchObject({ illusion: false });
  });

  test("without an effect has no share of one", async () => {
    expect(await ask([1, 0, 0])).toMatchObject({ illusion: false, illusoryShare: null });
  });
});

test("a direction is split at what a matrix reads", () => {
  const { whole, read, unread } = splitDirection(
    [3, 4, 0],
    [
      [0, 1, 0],
      [0, 2, 0],
      [0, 0, 0],
    ],
  );
  expect(whole).toEqual([0.6, 0.8, 0]);
  expect(read).toEqual([0, 0.8, 0]);
  expect(unread).toEqual([0.6, 0, 0]);
  expect(() => splitDirection([0, 0], [])).toThrow("expected a direction, got zeros");
});
