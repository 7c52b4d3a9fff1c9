import fc from "fast-check";
import { expect, test } from "vitest";
import { build, feedsFor, instructions, numbers } from "../../test/engine/random-program.ts";
import { contract, gradients, input, mul, reshape, select, slice, softmax, sum, type Tensor } from "../tensor/index.ts";
import { inTopologicalOrder } from "../tensor/traverse.ts";
import { interpret } from "./interpreter/interpret.ts";
import { narrow } from "./narrow.ts";
import { simplify } from "./simplify.ts";

test("changes no number of slices of random programs, nor of their gradients", () => {
  fc.assert(
    fc.property(instructions, numbers, fc.nat(100), fc.nat(100), (list, data, which, from) => {
      const program = build(list);
      const wrt = gradients(program.loss, Object.values(program.inputs));
      const sliced = [...program.results, ...wrt].map((x: Tensor): Tensor => {
        const names = x.axes.split(" ").filter((name) => name !== "");
        if (names.length === 0) return x;
        const axis = names[which % names.length]!;
        const size = x.shape[names.indexOf(axis)]!;
        const start = from % size;
        return slice(x, axis, start, Math.min(size, start + 1 + (which % 2)));
      });
      const all = Object.fromEntries(sliced.map((x, i) => [i, x]));
      const feeds = feedsFor(program, data);
      const [plain, narrowed] = [interpret(all, feeds), interpret(narrow(simplify(all)), feeds)];
      for (const name of Object.keys(all)) {
        expect(narrowed[name]!.shape).toEqual(plain[name]!.shape);
        Array.from(narrowed[name]!.data).forEach((got, i) => {
          const want = plain[name]!.data[i]!;
          if (Number.isNaN(want)) expect(got).toBeNaN();
          else expect(Math.abs(got - want)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(want)));
        });
      }
    }),
    { seed: 20250622, numRuns: 400 },
  );
});

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
