import { expect, test } from "vitest";
import { golden } from "../../../test/golden/load.ts";
import { rotaryPositions } from "./rope.ts";

interface Case {
  readonly sizes: {
    readonly hidden_size: number;
    readonly num_attention_heads: number;
    max_position_embeddings: number;
  };
  readonly rope_parameters: Readonly<Record<string, unknown>>;
  readonly frequencies: readonly number[];
  readonly scale: number;
}

const cases = await golden<readonly Case[]>("networks/ropes.json");
const where = "config.json";

// transformers computes each frequency in a few float32 operations.
const RELATIVE = 1e-6;

test.each(cases.map((one) => [JSON.stringify(one.rope_parameters), one] as const))("%s", (_, one) => {
  const { hidden_size, num_attention_heads, max_position_embeddings: context } = one.sizes;
  const turning = { dHead: hidden_size / num_attention_heads, context };
  const found = rotaryPositions({ rope_theta: 1, rope_parameters: one.rope_parameters }, turning, where);
  expect(found.frequencies.length).toBe(one.frequencies.length);
  found.frequencies.forEach((frequency, i) => {
    expect(Math.abs(frequency / one.frequencies[i]! - 1)).toBeLessThan(RELATIVE);
  });
  expect(found.scale).toBeCloseTo(one.scale, 12);
  // Configs before transformers 5 have the base beside the table, and `type` in it.
  const { rope_theta, rope_type: type, ...rest } = one.rope_parameters;
  const older = { rope_theta: rope_theta as number, rope_scaling: { ...rest, type } };
  expect(rotaryPositions(older, turning, where)).toEqual(found);
});

test("the golden has every kind", () => {
  const kinds = new Set(cases.map(({ rope_parameters }) => rope_parameters.rope_type));
  expect([...kinds].sort()).toEqual(["default", "dynamic", "linear", "llama3", "yarn"]);
});

test.each([
  [
    { rope_scaling: { rope_type: "longrope", short_factor: [1] } },
    'config.json: rope_scaling: expected a kind among default, linear, dynamic, llama3, yarn, got "longrope"',
  ],
  [{ rope_scaling: { type: "linear", factor: "2" } }, 'config.json: rope_scaling: factor: expected a number, got "2"'],
  [
    { rope_scaling: { type: "linear", factor: 0 } },
    "config.json: rope_scaling: factor: expected a number above 0, got 0",
  ],
  [
    { rope_scaling: { type: "linear", factor: 2, mrope_section: [1, 2] } },
    "config.json: rope_scaling: mrope_section: expected no such field, got [1,2]",
  ],
  [
    { rope_parameters: { full_attention: { rope_theta: 1 } } },
    'config.json: rope_parameters: full_attention: expected no such field, got {"rope_theta":1}',
  ],
  [
    { rope_parameters: { partial_rotary_factor: 0.5 } },
    "config.json: rope_parameters: partial_rotary_factor: expected 1, got 0.5",
  ],
  [{ rope_scaling: "linear" }, 'config.json: rope_scaling: expected a table, got "linear"'],
])("refuses %j", (fields, message) => {
  const given = { rope_theta: 10_000, ...fields };
  expect(() => rotaryPositions(given, { dHead: 8, context: 16 }, where)).toThrow(message);
});
