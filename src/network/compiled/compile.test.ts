import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { distance, everyInput, outputsOf } from "../../../test/network/compiled-runs.ts";
import { instructions, programOf } from "../../../test/network/random-sequence.ts";
import { MechanistError } from "../../error.ts";
import { compileTransformer } from "./compile.ts";
import { compileProgram } from "./compile-program.ts";
import { evaluate } from "./evaluate.ts";
import { aggregate, everywhere, indices, map, mapToNumber, select, sequenceMap, tokens } from "./language.ts";
import { COMPILED } from "./programs.ts";

// Hundreds of small programs are compiled and run: on a machine that does much else at once a test may take a while.
vi.setConfig({ testTimeout: 60_000 });

/** What is promised of numbers. Categories are compared as they are: `distance` is 1 where two differ, or more. */
const NUMERICAL = 1e-4;

describe.each(Object.keys(COMPILED))("%s", (name) => {
  // Vocabularies of three or four tokens: 1,092 or 5,460 inputs, one batch for each length.
  test.each([
    ["as it is", {}],
    ["rotated, with noise and decoys", { rotate: true, noise: 2, decoys: 3, seed: 7 }],
  ])("%s computes what it means on every input up to length 6", async (_, settings) => {
    const compiled = compileProgram(name, settings);
    for (const length of [1, 2, 3, 4, 5, 6]) {
      const inputs = everyInput(compiled.program.vocabulary, [length]);
      const wanted = inputs.map((tokens) => evaluate(compiled.program.output, tokens));
      expect(distance(await outputsOf(compiled, inputs), wanted)).toBeLessThan(NUMERICAL);
    }
  });

  test("so does the arbiter, on a sample", async () => {
    const compiled = compileProgram(name);
    const all = everyInput(compiled.program.vocabulary, [5]);
    const inputs = all.filter((_, i) => i % Math.floor(all.length / 12) === 0);
    const wanted = inputs.map((tokens) => evaluate(compiled.program.output, tokens));
    // Weights are float32: a third, for instance, is off by 1e-8.
    expect(distance(await outputsOf(compiled, inputs, "float64"), wanted)).toBeLessThan(1e-6);
  });

  test("for other vocabularies and lengths, too", async () => {
    const compiled = compileProgram(name, { vocabulary: "u, v", length: 8 });
    const inputs = everyInput(["u", "v"], [8]);
    const wanted = inputs.map((tokens) => evaluate(compiled.program.output, tokens));
    expect(distance(await outputsOf(compiled, inputs), wanted)).toBeLessThan(NUMERICAL);
  });
});

test("programs of random operations compute what they mean", async () => {
  const inputs = everyInput(["a", "b"], [1, 2, 3]);
  let operations = 0;
  await fc.assert(
    fc.asyncProperty(instructions, async (list) => {
      const program = programOf(list);
      const compiled = compileTransformer(program);
      for (const length of [1, 2, 3]) {
        const some = inputs.filter((tokens) => tokens.length === length);
        const wanted = some.map((tokens) => evaluate(program.output, tokens));
        expect(distance(await outputsOf(compiled, some), wanted)).toBeLessThan(NUMERICAL);
      }
      operations += compiled.circuit.nodes.length;
    }),
    { seed: 20261121, numRuns: 40 },
  );
  // Some random programs are trivial, most are not.

  expect(operations).toBeGreaterThan(40 * 5);
});

describe("where nothing is selected", () => {
  const before = select(indices, indices, (key, query) => key === query - 1);
  const vocabulary = ["a", "b"];
  const inputs = everyInput(vocabulary, [3]);

  test("a category is what the program says", async () => {
    const output = aggregate("previous", before, tokens, "nobody");
    const found = await outputsOf(compileTransformer({ vocabulary, length: 3, output }), inputs);
    expect(found.map((row) => row.join(" "))).toContain("nobody b a");
    expect(found).toEqual(inputs.map(([x, y]) => ["nobody", x, y]));
  });

  test("a number is 0, also for who looks at it", async () => {
    const one = mapToNumber("one", tokens, () => 1);
    const there = aggregate("there", before, one);
    const output = aggregate("mean of that", everywhere, there);
    const found = await outputsOf(compileTransformer({ vocabulary, length: 3, output }), inputs);
    expect(
      distance(
        found,
        inputs.map(() => [2 / 3, 2 / 3, 2 / 3]),
      ),
    ).toBeLessThan(1e-6);
  });
});

describe("a program that cannot be compiled is refused", () => {
  const refuse = (make: () => unknown, message: RegExp): void => {
    expect(make).toThrow(MechanistError);
    expect(make).toThrow(message);
  };
  const compileIt = (output: Parameters<typeof evaluate>[0], length = 3): unknown =>
    compileTransformer({ vocabulary: ["a", "b"], length, output });

  test.each([
    ["a length of 0", () => compileIt(tokens, 0), /expected a length of at least 1, got 0/],
    ["one label twice", () => compileIt(map("tokens", tokens, (t) => t)), /two sequences called tokens/],
    [
      "a value for nothing that something may have",
      () =>
        compileIt(
          aggregate(
            "x",
            select(tokens, tokens, () => false),
            tokens,
            "a",
          ),
        ),
      /expected another value where nothing is selected than "a"/,
    ],
    ["an unknown program", () => compileProgram("revers"), /program: expected reverse, got revers/],
    ["an unknown setting", () => compileProgram("reverse", { lenght: 3 }), /settings: expected length, got lenght/],
    ["a length beyond all", () => compileProgram("reverse", { length: 99 }), /length: .*16, got 99/],
    ["one token twice", () => compileProgram("reverse", { vocabulary: "a,b,a" }), /different tokens, got a twice/],
    [
      "one bracket",
      () => compileProgram("dyck", { vocabulary: "(" }),
      /expected an opening and a closing bracket, got \(/,
    ],
  ])("%s", (_, make, message) => refuse(make, message));

  test("a broken promise is found by evaluating", () => {
    const none = aggregate(
      "x",
      select(tokens, tokens, () => false, { nonempty: true }),
      tokens,
    );
    refuse(() => evaluate(none, ["a"]), /program x: expected something selected, as promised, got nothing/);
    const both = aggregate("y", everywhere, tokens);
    refuse(() => evaluate(both, ["a", "b"]), /program y: expected one category, got a and b/);
    const gap = sequenceMap("z", tokens, indices, () => undefined);
    refuse(() => evaluate(gap, ["a"]), /program z: expected a value for \(a, 0\), got none/);
  });
});
