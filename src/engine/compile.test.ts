import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { describeDevice } from "../../test/engine/describe-device.ts";
import { build, feedsFor, instructions, numbers } from "../../test/engine/random-program.ts";
import { expectClose } from "../../test/expect-close.ts";
import {
  add,
  exp,
  foldIn,
  gather,
  gradients,
  input,
  type Key,
  keyFromSeed,
  mul,
  relu,
  sum,
  type Tensor,
  uniform,
} from "../tensor/index.ts";
import { compile } from "./compile.ts";
import { interpret } from "./interpreter/interpret.ts";
import { drawUniform } from "./randomness.ts";
import { type NamedValues, type Values, values } from "./values.ts";

async function run(
  outputs: Readonly<Record<string, Tensor>>,
  feeds: NamedValues = {},
  key?: Key,
): Promise<Record<string, Values>> {
  const executable = await compile(outputs, { threads: 1 });
  try {
    return await executable.run(feeds, key);
  } finally {
    await executable.dispose();
  }
}

describeDevice("ONNX Runtime on the processor", "cpu");

test("random programs and their gradients agree with the arbiter", async () => {
  await fc.assert(
    fc.asyncProperty(instructions, numbers, async (list, data) => {
      const program = build(list);
      const wrt = gradients(program.loss, Object.values(program.inputs));
      const all = Object.fromEntries([program.loss, ...program.results, ...wrt].map((tensor, i) => [i, tensor]));
      const feeds = feedsFor(program, data);
      const [want, got] = [interpret(all, feeds), await run(all, feeds)];
      // A few dozen roundings one after another, some of them magnified by differences.
      for (const [name, expected] of Object.entries(want)) expectClose(got[name]!, expected, { relative: 2e-5 });
    }),
    { seed: 20250622, numRuns: 100 },
  );
});

describe("uniform draws", () => {
  const key = foldIn(keyFromSeed(3), "run");
  const u = uniform("u", "batch C", { batch: 4, C: 3 });

  test("are those of the key and the name, on the arbiter and in ONNX Runtime", async () => {
    const expected = Array.from(drawUniform(key, "u", new Float32Array(12)));
    expect(Array.from(interpret({ u }, {}, key).u.data)).toEqual(expected);
    expect(Array.from((await run({ u }, {}, key)).u!.data)).toEqual(expected);
  });

  test("do not depend on what else a program holds", async () => {
    const more = add(u, uniform("v", "batch C", { batch: 4, C: 3 }));
    const [alone, beside] = [await run({ u }, {}, key), await run({ u, more }, {}, key)];
    expect(beside.u!.data).toEqual(alone.u!.data);
  });

  test("need a key", async () => {
    await expect(run({ u })).rejects.toThrow("run: the program draws u, so it needs a key");
    expect(() => interpret({ u })).toThrow("interpret: the program draws u, so it needs a key");
  });
});

describe("the same program, key and thread count", () => {
  const x = uniform("x", "batch d", { batch: 512, d: 64 });
  const w = uniform("w", "d C", { d: 64, C: 32 });
  const loss = sum(relu(exp(mul(gradients(sum(mul(x, x)) as Tensor, [x])[0], 0.1)))) as Tensor;

  test.each([1, 2])("gives the same bits each time, with %i threads", async (threads) => {
    const [first, second] = [await compile({ loss, w }, { threads }), await compile({ loss, w }, { threads })];
    const key = keyFromSeed(1);
    const results = [await first.run({}, key), await first.run({}, key), await second.run({}, key)];
    for (const result of results) expect(result).toEqual(results[0]);
    await Promise.all([first.dispose(), second.dispose()]);
  });
});

describe("refusals", () => {
  const x = input("x", "batch C", { batch: 2, C: 3 });

  test.each([
    ["a missing input", {}, 'input x: expected values for "batch C", got none'],
    [
      "other axes",
      { x: values("C batch", [3, 2], new Float32Array(6)) },
      'input x: expected f32 "batch C", got f32 "C batch"',
    ],
    ["another size", { x: values("batch C", [2, 4], new Float32Array(8)) }, "input x: axis C should be 3, got 4"],
    ["too few numbers", { x: values("batch C", [2, 3], new Float32Array(5)) }, "input x: expected 6 numbers, got 5"],
  ])("%s", async (_, feeds, message) => {
    await expect(run({ y: exp(x) }, feeds)).rejects.toThrow(message);
    expect(() => interpret({ y: exp(x) }, feeds)).toThrow(message);
  });

  test("two inputs of one name", async () => {
    const other = input("x", "C", { C: 3 });
    await expect(run({ y: add(x, other) })).rejects.toThrow("compile: two different inputs are called x");
  });

  test("a device that this machine lacks", async () => {
    await expect(compile({ y: exp(x) }, { device: "coreml" })).rejects.toThrow(
      /^device coreml: this machine cannot run it \(.*\); use --device cpu$/,
    );
  });

  test("an index beyond a table, on either engine", async () => {
    const i = input("i", "pos", { pos: 1 }, "i32");
    const feeds = {
      x: values("batch C", [2, 3], [1, 2, 3, 4, 5, 6]),
      i: { axes: "pos", shape: [1], dtype: "i32", data: Int32Array.of(7) } as const,
    };
    await expect(run({ y: gather(x, i, "C") }, feeds)).rejects.toThrow();
    expect(() => interpret({ y: gather(x, i, "C") }, feeds)).toThrow();
  });
});
