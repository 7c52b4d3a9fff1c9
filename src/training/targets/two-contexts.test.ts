import { expect, test } from "vitest";
import { interpret } from "../../engine/index.ts";
import { weightInputs } from "../../network/network.ts";
import { resolveTarget, targetNamed } from "../targets.ts";

test.each(["default", "through"])(
  "%s: each example is of one context, and its answer that context's",
  async (preset) => {
    const { settings } = resolveTarget("two-contexts", { preset, set: { weight: "-0.5" } });
    const target = targetNamed("two-contexts");
    const { weights } = await target.train(settings);
    const network = target.network(settings);
    const x = target.batch("data", settings, 200);
    const found = interpret({ x, y: network.forward(weightInputs(network.weights), x) }, weights, [1, 2]);
    const rows = Array.from({ length: 200 }, (_, row) => Array.from(found.x.data.slice(3 * row, 3 * row + 3)));
    rows.forEach(([value, a, b], row) => {
      expect([a, b].sort()).toEqual([0, 1]);
      expect(found.y.data[row]).toBeCloseTo(a === 1 ? 1 - 0.5 * value! : Math.max(0, 0.5 * value!), 6);
    });
    expect(rows.filter(([, a]) => a === 1).length).toBeGreaterThan(70);
    expect(rows.filter(([, a]) => a === 0).length).toBeGreaterThan(70);
    const there = rows.filter(([value]) => value !== 0).map(([value]) => value!);
    expect(there.length).toBeGreaterThan(70);
    expect(there.length).toBeLessThan(130);
    expect(Math.min(...there)).toBeLessThan(-0.8);
    expect(Math.max(...there)).toBeGreaterThan(0.8);
  },
);
