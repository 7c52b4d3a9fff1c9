import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pathOf, smoothed, thinned } from "./curve.ts";
import { History, nearestIndex } from "./history.ts";

describe("history", () => {
  test("a resumed run forgets what came after the step it resumed from", () => {
    const history = new History();
    for (const step of [1, 2, 3, 4]) history.add({ step, stage: "train", loss: step });
    history.add({ step: 3, stage: "train", loss: 30 });
    expect(history.steps).toEqual([1, 2, 3]);
    expect(history.columns.get("loss")).toEqual([1, 2, 30]);
  });

  test("a metric that begins late or is not a number is NaN where it is missing", () => {
    const history = new History();
    history.add({ step: 1, stage: "train", loss: 1 });
    history.add({ step: 2, stage: "train", loss: null, l0: 5 });
    history.add({ step: 3, stage: "train", loss: 3 });
    expect(history.columns.get("loss")).toEqual([1, Number.NaN, 3]);
    expect(history.columns.get("l0")).toEqual([Number.NaN, 5, Number.NaN]);
  });

  test("the nearest step is found", () => {
    const xs = fc.uniqueArray(fc.integer({ min: 0, max: 999 }), { minLength: 1 }).map((a) => a.sort((x, y) => x - y));
    fc.assert(
      fc.property(xs, fc.integer({ min: -50, max: 1050 }), (steps, x) => {
        const best = Math.min(...steps.map((s) => Math.abs(s - x)));
        expect(Math.abs(steps[nearestIndex(steps, x)]! - x)).toBe(best);
      }),
    );
    expect(nearestIndex([], 3)).toBe(-1);
  });
});

describe("curves", () => {
  test("smoothing keeps a constant, and 0 changes nothing", () => {
    expect(smoothed([2, 2, 2], 0.9, false)).toEqual([2, 2, 2]);
    expect(smoothed([1, 5, 3], 0, false)).toEqual([1, 5, 3]);
  });

  test("smoothing weighs the past: (0.5·1 + 4) / (0.5 + 1) = 3", () => {
    expect(smoothed([1, 4], 0.5, false)).toEqual([1, 3]);
    // In logarithms: (0.5·log 1 + log 8) / 1.5 = log 4.
    expect(smoothed([1, 8], 0.5, true)[1]).toBeCloseTo(4, 12);
    expect(smoothed([0, 8], 0.5, true)[0]).toBeNaN();
  });

  test("thinning keeps first, last, lowest and highest of every pixel column", () => {
    const points = Array.from({ length: 5000 }, (_, i) => ({ x: i / 50, y: Math.sin(i * 12.9) }));
    const [stretch] = thinned(points);
    expect(stretch!.length).toBeLessThanOrEqual(400);
    expect(stretch![0]).toBe(points[0]);
    expect(stretch!.at(-1)).toBe(points.at(-1));
    for (let column = 0; column < 100; column++) {
      const all = points.filter((p) => Math.floor(p.x) === column).map((p) => p.y);
      const kept = stretch!.filter((p) => Math.floor(p.x) === column).map((p) => p.y);
      expect([Math.min(...kept), Math.max(...kept)]).toEqual([Math.min(...all), Math.max(...all)]);
    }
  });

  test("a NaN breaks the line, and a lone point is a dot", () => {
    const stretches = thinned([
      { x: 0, y: 1 },
      { x: 1, y: Number.NaN },
      { x: 2, y: 3 },
      { x: 3, y: 4 },
    ]);
    expect(pathOf(stretches)).toBe("M0 1h0M2 3L3 4");
  });
});
