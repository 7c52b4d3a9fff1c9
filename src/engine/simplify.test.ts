import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { build, feedsFor, instructions, numbers } from "../../test/engine/random-program.ts";
import { expectClose } from "../../test/expect-close.ts";
import {
  add,
  constant,
  exp,
  gradients,
  input,
  mul,
  neg,
  pow,
  reshape,
  scalar,
  stopGradient,
  sum,
  type Tensor,
  transpose,
} from "../tensor/index.ts";
import { inTopologicalOrder } from "../tensor/traverse.ts";
import { interpret } from "./interpreter/interpret.ts";
import { simplify } from "./simplify.ts";

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
      for (const [name, values] of Object.entries(before)) expectClose(after[name]!, values, { relative: 1e-11 });
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
