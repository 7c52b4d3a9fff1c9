import { expect, test } from "vitest";
import { values } from "../../engine/index.ts";
import type { MetricsRow } from "../loop.ts";
import { resolveTarget, train } from "../targets.ts";
import { deepLinearScores, type DeepLinearSettings, deepLinearTeacher } from "./deep-linear.ts";

const settings = resolveTarget("deep-linear", {
  set: { inputs: 4, hidden: 4, outputs: 3, layers: 2, modes: 2 },
}).settings as unknown as DeepLinearSettings;
const identity = values("d_in d_out", [4, 4], [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);

test("the teacher itself is right, zero is wrong, half of it half wrong", () => {
  const { W } = deepLinearTeacher(settings);
  const scored = (share: number): Record<string, number> =>
    deepLinearScores(settings, {
      "blocks.0.mlp.W_in": identity,
      "unembed.W_U": values(
        "d_in d_out",
        [4, 3],
        W.data.map((w) => w * share),
      ),
    });
  for (const value of Object.values(scored(1))) expect(value).toBeLessThan(1e-6);
  expect(scored(0)).toEqual({ relativeError: 1, singularValueError: 1, residualSingularValue: 0 });
  expect(scored(0.5).relativeError).toBeCloseTo(0.5, 6);
  expect(scored(0.5).singularValueError).toBeCloseTo(0.5, 6);
});

test("it learns the teacher mode by mode, stronger ones earlier", async () => {
  const rows: MetricsRow[] = [];
  const document = resolveTarget("deep-linear", { preset: "quick" });
  const { metrics } = await train(document, { threads: 1, onMetrics: (row) => void rows.push(row) });
  expect(metrics.relativeError).toBeLessThan(0.03);
  expect(metrics.singularValueError).toBeLessThan(1e-3);
  const halfway = [3, 2, 1].map((s, k) => rows.find((row) => Number(row[`mode${k + 1}`]) >= s / 2)!.step);
  expect(halfway[0]).toBeLessThan(halfway[1]!);
  expect(halfway[1]).toBeLessThan(halfway[2]!);
});
