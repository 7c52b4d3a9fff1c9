import { describe, expect, test } from "vitest";
import { keyFromSeed } from "../../tensor/index.ts";
import { CausalModel, counterfactuals, type Setting } from "./causal-model.ts";
import { wilson } from "./interval.ts";

const equality = new CausalModel(
  ["a", "b", "c", "d"],
  {
    left: { parents: ["a", "b"], of: (a: number, b: number) => a === b },
    right: { parents: ["c", "d"], of: (c: number, d: number) => c === d },
    same: { parents: ["left", "right"], of: (left: boolean, right: boolean) => left === right },
  },
  "same",
);

describe("a causal model", () => {
  test("computes every variable", () => {
    expect(equality.run({ a: 1, b: 1, c: 2, d: 3 })).toEqual({
      a: 1,
      b: 1,
      c: 2,
      d: 3,
      left: true,
      right: false,
      same: false,
    });
  });

  test("can be held somewhere", () => {
    expect(equality.run({ a: 1, b: 1, c: 2, d: 3 }, { right: true }).same).toBe(true);
  });

  test("takes a variable from other inputs", () => {
    const base = { a: 1, b: 1, c: 2, d: 3 };
    expect(equality.interchange(base, { left: { a: 1, b: 2, c: 5, d: 5 } })).toBe(true);
    expect(equality.interchange(base, { left: { a: 7, b: 7, c: 5, d: 5 } })).toBe(false);
  });

  test("is refused where it names what is not there, or goes in circles", () => {
    expect(() => new CausalModel(["a"], { x: { parents: ["b"], of: () => 0 } }, "x")).toThrow(
      "causal variable: expected a, got b",
    );
    const circle = { x: { parents: ["y"], of: () => 0 }, y: { parents: ["x"], of: () => 0 } };
    expect(() => new CausalModel([], circle, "x")).toThrow("causal model: expected no circle, got x → y → x");
    expect(() => equality.run({ a: 1, b: 1, c: 2 })).toThrow("causal model: expected a value for d, got none");
    expect(() => equality.run({ a: 1, b: 1, c: 2, d: 2 }, { lef: true })).toThrow(
      "causal variable: expected left, got lef",
    );
  });

  test("makes pairs with their counterfactual outputs", () => {
    const examples: Setting[] = [0, 1, 2, 3].map((i) => ({ a: 0, b: i & 1, c: 0, d: i >> 1 }));
    const made = counterfactuals(equality, examples, { variable: "left", count: 400, key: keyFromSeed(0) });
    for (const { base, source, output } of made) {
      expect(output).toBe((source.a === source.b) === (base.c === base.d));
    }
    const changed = made.filter(({ base, output }) => equality.run(base).same !== output).length;
    expect(changed).toBeGreaterThan(150);
    expect(changed).toBeLessThan(250);
  });
});

test("Wilson's interval, as published tables have it", () => {
  // Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
  for (const [hits, n, low, high] of [
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ] as const) {
    expect(wilson(hits, n)[0]).toBeCloseTo(low, 4);
    expect(wilson(hits, n)[1]).toBeCloseTo(high, 4);
  }
});
