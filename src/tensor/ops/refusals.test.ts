/** What the tracer refuses, with the sentence it says: where, what, expected, got. */
import { expect, test } from "vitest";
import { MechanistError } from "../../error.ts";
import {
  add,
  and,
  axisSize,
  broadcast,
  concat,
  constant,
  exp,
  gather,
  input,
  max,
  not,
  rename,
  relabel,
  reshape,
  scalar,
  slice,
  softmax,
  sum,
  takeAlong,
  type Tensor,
  topK,
  transpose,
  where,
} from "../index.ts";

const x: Tensor = input("x", "batch C", { batch: 2, C: 3 });
const wider: Tensor = input("wider", "batch C", { batch: 2, C: 4 });
const row: Tensor = input("row", "pos", { pos: 3 });
const index = input("index", "pos", { pos: 2 }, "i32");
const flag = input("flag", "batch C", { batch: 2, C: 3 }, "bool");

test.each<[string, () => unknown, string]>([
  [
    "axes that neither has all of",
    () => add(x, row),
    'add: axis pos of "pos" is missing from "batch C"; broadcast it first if you mean an outer add',
  ],
  ["an axis of two sizes", () => add(x, wider), 'add: axis C is 3 in "batch C", 4 in "batch C"'],
  ["a sum over an axis that is not there", () => sum(x, "pos"), 'sum: axis pos is not one of "batch C"'],
  ["a maximum over an axis that is not there", () => max(x, "pos"), 'max: axis pos is not one of "batch C"'],
  ["a softmax along an axis that is not there", () => softmax(x, "pos"), 'softmax: axis pos is not one of "batch C"'],
  ["the size of an axis that is not there", () => axisSize(x, "pos"), 'axis pos: not one of "batch C"'],
  ["a transpose that loses an axis", () => transpose(x, "C"), 'transpose: "C" is not an order of "batch C"'],
  ["a transpose that repeats one", () => transpose(x, "C C"), 'axes "C C": axis C appears twice'],
  [
    "a rename of what is not there",
    () => rename(x, "pos -> key"),
    'rename "pos -> key": axis pos is not one of "batch C"',
  ],
  ["a rename onto another axis", () => rename(x, "batch -> C"), 'axes "C C": axis C appears twice'],
  ["a rename without an arrow", () => rename(x, "batch"), 'rename "batch": expected "from -> to"'],
  ["a relabel of another length", () => relabel(x, "a"), 'relabel: "batch C" and "a" differ in number'],
  [
    "a broadcast that loses an axis",
    () => broadcast(x, "C", { C: 3 }),
    'broadcast "batch C" to "C": axis batch is 2, wanted none',
  ],
  [
    "a broadcast that changes a size",
    () => broadcast(x, "pos batch C", { pos: 1, batch: 2, C: 5 }),
    "axis C is 3, wanted 5",
  ],
  [
    "a reshape of another size",
    () => reshape(x, "all", { all: 5 }),
    'reshape "batch C" to "all": expected 6 elements, got 5',
  ],
  ["a slice beyond the end", () => slice(x, "C", 1, 4), "slice: 1 to 4 is outside axis C of size 3"],
  [
    "a join of different sizes",
    () => concat([x, wider], "batch"),
    'concat along batch: expected "batch C" of 2×3, got "batch C" of 2×4',
  ],
  ["a join of nothing", () => concat([], "batch"), "concat: expected at least one tensor, got none"],
  ["indices that are not whole numbers", () => gather(x, row, "C"), "gather: expected i32, got f32"],
  [
    "a table that shares an axis with its indices",
    () => gather(x, input("i", "batch", { batch: 2 }, "i32"), "C"),
    'axes "batch batch": axis batch appears twice',
  ],
  [
    "picks that lack an axis",
    () => takeAlong(x, index, "C"),
    'takeAlong C: indices "pos" must have the axes of "batch C" without C',
  ],
  ["more of the largest than there are", () => topK(x, "C", 4), "topK: expected k from 1 to 3, got 4"],
  [
    "the largest under the name of their own axis",
    () => topK(x, "C", 2, "C"),
    "topK: expected a new name for axis C, got C",
  ],
  ["logic on numbers", () => and(x, flag), "and: expected bool, got f32"],
  ["not of a number", () => not(x), "not: expected bool, got f32"],
  ["a condition that is a number", () => where(x, x, x), "where: expected bool, got f32"],
  ["arithmetic on whole numbers", () => add(index, 1), "add: expected f32, got i32; cast it first"],
  ["functions of truth values", () => exp(flag), "exp: expected f32, got bool; cast it first"],
  ["sums of truth values", () => sum(flag), "sum: expected f32, got bool; cast it first"],
  ["a size that is not whole", () => input("y", "a", { a: 1.5 }), 'input y "a": axis a needs a whole size, got 1.5'],
  [
    "a size that is missing",
    () => input("y", "a b", { a: 1 } as never),
    'input y "a b": axis b needs a whole size, got undefined',
  ],
  ["too few numbers", () => constant("a", { a: 3 }, [1, 2]), 'constant "a": expected 3 numbers, got 2'],
  ["names with other blanks", () => input("y", "a\tb", {} as never), "expected names without spaces"],
  ["a name twice", () => input("y", "a a", { a: 1 }), 'axes "a a": axis a appears twice'],
])("%s", (_, make, message) => {
  expect(make).toThrow(MechanistError);
  expect(make).toThrow(message);
});

test("scalars fit everything", () => {
  expect(add(x, scalar(1)).axes).toBe("batch C");
  expect(add(scalar(1), x).axes).toBe("batch C");
});
