import { describe, expect, test } from "vitest";
import { coloured, colourTable, featureColour } from "./color.ts";
import { formatChange, formatCount, formatDuration, formatFixed, formatNumber, spaced } from "./format.ts";

describe("colours", () => {
  test("0 of a sign scale is paper, ends are red and blue, beyond is the end", () => {
    const [low, zero, high, beyond] = [...chunks(coloured([-1, 0, 1, 9], [-1, 1], "sign", "light"))];
    expect(zero!.slice(0, 3)).toEqual([247, 247, 245]);
    expect(low![0]!).toBeGreaterThan(low![2]!);
    expect(high![2]!).toBeGreaterThan(high![0]!);
    expect(beyond).toEqual(high);
  });

  test("lightness of importance runs one way in either scheme", () => {
    for (const scheme of ["light", "dark"] as const) {
      const table = colourTable("importance", scheme);
      const luminance = Array.from(
        { length: 257 },
        (_, i) => 0.21 * table[i * 3]! + 0.72 * table[i * 3 + 1]! + 0.07 * table[i * 3 + 2]!,
      );
      const steps = luminance.slice(1).map((x, i) => x - luminance[i]!);
      const sign = scheme === "light" ? -1 : 1;
      expect(steps.every((step) => step * sign >= -0.5)).toBe(true);
    }
  });

  test("features have colours of their own", () => {
    const colours = Array.from({ length: 5 }, (_, i) => featureColour(i, 5, "light"));
    expect(new Set(colours).size).toBe(5);
    expect(featureColour(0, 1, "dark")).toMatch(/^(rgb|#)/);
  });
});

describe("numbers", () => {
  test.each([
    [0.99321, "0.993"],
    [0, "0"],
    [12, "12"],
    [10000, "10,000"],
    [3.14159e-7, "3.1e−7"],
    [-0.5, "−0.500"],
    [Number.NaN, "not a number"],
    [undefined, "–"],
  ])("%s reads %s", (value, text) => expect(formatNumber(value)).toBe(text));

  test("changes carry a sign unless they round to 0", () => {
    expect([formatChange(0.5, 2), formatChange(-0.5, 2), formatChange(-0.001, 2)]).toEqual(["+0.50", "−0.50", "0.00"]);
    expect(formatFixed(Number.NaN, 2)).toBe("×");
  });

  test("counts, durations and names", () => {
    expect(formatCount(1234567)).toBe("1,234,567");
    expect([formatDuration(8.2), formatDuration(200), formatDuration(8000)]).toEqual(["8 s", "3 min", "2 h"]);
    expect(spaced("ciMaskedRecon")).toBe("ci masked recon");
  });
});

function* chunks(bytes: Uint8ClampedArray): Generator<number[]> {
  for (let i = 0; i < bytes.length; i += 4) yield [...bytes.slice(i, i + 4)];
}
