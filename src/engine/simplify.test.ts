import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { build, feedsFor, instructions, numbers } from "../../test/engine/random-program.ts";
import { expectClose } from "../../test/expect-close.ts";
import {
  add,
  constant,
  contract,
  div,
  exp,
  gradients,
  input,
  keyFromSeed,
  mul,
  neg,
  pow,
  randomNormal,
  reshape,
  scalar,
  softmax,
  square,
  stopGradient,
  sum,
  takeAlong,
  type Tensor,
  transpose,
} from "../tensor/index.ts";
import { inTopologicalOrder } from "../tensor/traverse.ts";
import { interpret } from "./interpreter/interpret.ts";
import { simplify } from "./simplify.ts";
import { values } from "./values.ts";

const x = input("x", "a b", { a: 2, b: 3 });
const y = input("y", "b", { b: 3 });

/** The operations that remain of a program, inputs and constants apart. */
function operations(output: Tensor): string[] {
  return inTopologicalOrder([simplify({ output }).output])
    .map(({ op }) => op)
    .filter((op) => op !== "input" && op !== "constant");
}

test("changes no number of random programs and of their gradients", () => {
  fc.assert(
    fc.property(instructions, numbers, (list, data) => {
      const program = build(list);
      const wrt = gradients(program.loss, Object.values(program.inputs));
      const all = Object.fromEntries([program.loss, ...program.results, ...wrt].map((tensor, i) => [i, tensor]));
      const feeds = feedsFor(program, data);
      const [before, after] = [interpret(all, feeds), interpret(simplify(all), feeds)];
      for (const [name, want] of Object.entries(before)) expectClose(after[name]!, want, { relative: 1e-11 });
    }),
    { seed: 20250622, numRuns: 300 },
  );
});

test("of several reshapes the last is left, and none that gives what was there before", () => {
  const flat = reshape(x, "c", { c: 6 });
  expect(operations(exp(reshape(flat, "d e", { d: 3, e: 2 })))).toEqual(["reshape", "exp"]);
  expect(operations(exp(reshape(flat, "a b", { a: 2, b: 3 })))).toEqual(["exp"]);
  expect(operations(exp(reshape(x, "a b", { a: 2, b: 3 })))).toEqual(["exp"]);
});

test("simplifying twice changes nothing more", () => {
  fc.assert(
    fc.property(instructions, (list) => {
      const { loss } = build(list);
      const once = simplify({ loss });
      const size = (program: { loss: Tensor }): number => inTopologicalOrder([program.loss]).length;
      expect(size(simplify(once))).toBeLessThanOrEqual(size(once));
    }),
    { seed: 20250622, numRuns: 100 },
  );
});

describe("what goes away", () => {
  test("nodes that nothing needs", () => {
    exp(x);
    expect(operations(neg(x))).toEqual(["neg"]);
  });

  test("the second of two equal nodes", () => {
    expect(operations(mul(exp(x), exp(x)))).toEqual(["exp", "mul"]);
  });

  test("nodes that pass values along", () => {
    expect(operations(stopGradient(exp(stopGradient(x))))).toEqual(["exp"]);
  });

  test("arithmetic on constants", () => {
    expect(operations(add(exp(scalar(2)), mul(scalar(3), scalar(4))))).toEqual([]);
  });

  test("neutral elements", () => {
    expect(operations(add(mul(pow(x, 1), 1), 0))).toEqual([]);
  });

  test("a transposition and its opposite", () => {
    expect(operations(transpose(transpose(x, "b a"), "a b"))).toEqual([]);
  });

  test("a product that is only summed: it becomes a contraction", () => {
    expect(operations(sum(mul(x, y), "b"))).toEqual(["einsum"]);
  });

  test("a number that a contraction is divided by", () => {
    expect(operations(div(contract(x, y, "a") as Tensor, 3))).toEqual(["einsum"]);
  });

  test("the sum of what was spread along an axis", () => {
    const at = input("at", "a", { a: 2 }, "i32");
    const spread = gradients(sum(takeAlong(x, at, "b")) as Tensor, [x])[0] as Tensor;
    expect(spread.op).toBe("scatterAlong");
    expect(operations(sum(spread, "b") as Tensor)).not.toContain("scatterAlong");
  });

  test("what attention's gradient sums over keys, where what a head has read is at hand", () => {
    const [scores, v] = [input("scores", "query key", { query: 5, key: 5 }), input("v", "key d", { key: 5, d: 2 })];
    const read = contract(softmax(scores, "key"), v, "query d");
    const [slope] = gradients(sum(square(square(read))) as Tensor, [scores]);
    const shapes = inTopologicalOrder([simplify({ slope }).slope])
      .filter(({ op }) => op === "einsum" || op === "sum")
      .map(({ axes }) => axes);
    // What is read, its gradient to the pattern, and their product: nothing of keys and queries is summed.
    expect(shapes.toSorted()).toEqual(["query", "query d", "query key"]);
    const feeds = {
      scores: values("query key", [5, 5], randomNormal(keyFromSeed(0), 25)),
      v: values("key d", [5, 2], randomNormal(keyFromSeed(1), 10)),
    };
    expectClose(interpret(simplify({ slope }), feeds).slope, interpret({ slope }, feeds).slope, { relative: 1e-11 });
  });
});

describe("what stays", () => {
  test("constants of different types", () => {
    const [f, i] = [constant("a", { a: 2 }, [1, 2]), constant("a", { a: 2 }, [1, 2], "i32")];
    const { f: first, i: second } = simplify({ f, i });
    expect([first.dtype, second.dtype]).toEqual(["f32", "i32"]);
  });

  test("zero and minus zero", () => {
    const outputs = simplify({ a: scalar(0), b: scalar(-0) });
    expect(outputs.a).not.toBe(outputs.b);
  });

  test("two inputs of the same shape", () => {
    const other = input("other", "a b", { a: 2, b: 3 });
    expect(operations(add(x, other))).toEqual(["add"]);
  });
});
