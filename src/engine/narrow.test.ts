import fc from "fast-check";
import { expect, test } from "vitest";
import { build, feedsFor, instructions, numbers } from "../../test/engine/random-program.ts";
import {
  add,
  contract,
  gradients,
  input,
  mul,
  relu,
  reshape,
  select,
  slice,
  softmax,
  square,
  sum,
  tanh,
  type Tensor,
} from "../tensor/index.ts";
import { inTopologicalOrder } from "../tensor/traverse.ts";
import { interpret } from "./interpreter/interpret.ts";
import { narrow } from "./narrow.ts";
import { simplify } from "./simplify.ts";
import type { Values } from "./values.ts";

test("changes no number of slices of random programs, nor of their gradients", () => {
  fc.assert(
    fc.property(instructions, numbers, fc.nat(100), fc.nat(100), (list, data, which, from) => {
      const program = build(list);
      const wrt = gradients(program.loss, Object.values(program.inputs));
      const all = Object.fromEntries([...program.results, ...wrt].map((x, i) => [i, pieceOf(x, which, from)]));
      const feeds = feedsFor(program, data);
      expectEqual(interpret(narrow(simplify(all)), feeds), interpret(all, feeds));
    }),
    { seed: 20250622, numRuns: 400 },
  );
});

test("changes no gradient that is taken after it", () => {
  fc.assert(
    fc.property(instructions, numbers, fc.nat(100), fc.nat(100), (list, data, which, from) => {
      const program = build(list);
      const wrt = Object.values(program.inputs);
      // Of the last results only, so that much of the program is not read at all.
      const parts = program.results
        .slice(-2)
        .map((x) => sum(square(add(tanh(pieceOf(x, which, from)), 0.3))) as Tensor);
      const loss = parts.reduce((a, b) => add(a, b));
      const slopes = (of: Tensor): Record<string, Tensor> =>
        Object.fromEntries([of, ...gradients(of, wrt)].map((slope, i) => [i, slope]));
      const feeds = feedsFor(program, data);
      expectEqual(interpret(slopes(narrow({ loss }, wrt).loss), feeds), interpret(slopes(loss), feeds));
    }),
    { seed: 20250623, numRuns: 400 },
  );
});

/** One or two elements along some axis. */
function pieceOf(x: Tensor, which: number, from: number): Tensor {
  const names = x.axes.split(" ").filter((name) => name !== "");
  if (names.length === 0) return x;
  const axis = names[which % names.length]!;
  const size = x.shape[names.indexOf(axis)]!;
  const start = from % size;
  return slice(x, axis, start, Math.min(size, start + 1 + (which % 2)));
}

function expectEqual(got: Record<string, Values>, wanted: Record<string, Values>): void {
  for (const name of Object.keys(wanted)) {
    expect(got[name]!.shape).toEqual(wanted[name]!.shape);
    Array.from(got[name]!.data).forEach((x, i) => {
      const want = wanted[name]!.data[i]!;
      if (Number.isNaN(want)) expect(x).toBeNaN();
      else expect(Math.abs(x - want)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(want)));
    });
  }
}

const x: Tensor = input("x", "pos d", { pos: 6, d: 4 });
const W: Tensor = input("W", "d e", { d: 4, e: 8 });
const sizesOfAll = (output: Tensor): string[] =>
  inTopologicalOrder([narrow({ output }).output])
    .filter(({ inputs }) => inputs.length > 0)
    .map(({ op, shape }) => `${op} ${shape.join("×")}`);

test("a position that is read is the only one that is computed", () => {
  const wide = mul(contract(x, W, "pos e"), 2);
  expect(sizesOfAll(select(wide, "pos", 5) as Tensor)).toEqual(["slice 1×4", "einsum 1×8", "mul 1×8", "reshape 8"]);
});

test("what several read is computed where any of them reads it", () => {
  const y = contract(x, W, "pos e");
  const both = sum(slice(y, "pos", 1, 3)) as Tensor;
  const ends = mul(both, sum(slice(y, "pos", 2, 5)) as Tensor);
  expect(sizesOfAll(ends).filter((op) => op.startsWith("einsum"))).toEqual(["einsum 4×8"]);
});

test("an axis that is normalised, joined or split is computed as a whole", () => {
  expect(sizesOfAll(slice(softmax(x, "pos"), "pos", 0, 1))).toEqual(["softmax 6×4", "slice 1×4"]);
  const split = reshape(x, "half three d", { half: 2, three: 3, d: 4 });
  expect(sizesOfAll(slice(split, "three", 0, 1))).toEqual(["reshape 2×3×4", "slice 2×1×4"]);
  expect(sizesOfAll(slice(split, "d", 0, 1))).toEqual(["slice 6×1", "reshape 2×3×1"]);
});

test("a gradient is computed where the loss reads, and what it is taken by stays whole", () => {
  const hidden = relu(contract(x, W, "pos e"));
  const loss = sum(square(slice(hidden, "pos", 5, 6))) as Tensor;
  const { output } = narrow({ output: loss }, [W]);
  const [slope] = gradients(output, [W]);
  const shapes = inTopologicalOrder([slope]).flatMap(({ op, shape }) => (op === "einsum" ? [shape.join("×")] : []));
  expect(shapes).toEqual(["1×8", "4×8"]);
});
