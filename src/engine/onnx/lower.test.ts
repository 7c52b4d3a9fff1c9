import { expect, test } from "vitest";
import { expectClose } from "../../../test/expect-close.ts";
import { contract, input, keyFromSeed, randomNormal, sizeOf, type Tensor } from "../../tensor/index.ts";
import { inTopologicalOrder } from "../../tensor/traverse.ts";
import { compile } from "../compile.ts";
import { interpret } from "../interpreter/interpret.ts";
import { simplify } from "../simplify.ts";
import { values } from "../values.ts";
import { Emitter } from "./emitter.ts";
import { lower } from "./lower.ts";

/** The operators of a program's graph, in order, after the same numbers as the arbiter's were seen to come out of it. */
async function operatorsOf(output: Tensor): Promise<string[]> {
  const inputs = inTopologicalOrder([output]).filter(({ op }) => op === "input");
  const feeds = Object.fromEntries(
    inputs.map(({ attributes, axes, shape }, i) => [
      (attributes as { name: string }).name,
      values(axes, shape, randomNormal(keyFromSeed(i), sizeOf(shape))),
    ]),
  );
  const executable = await compile({ output });
  expectClose((await executable.run(feeds)).output, interpret({ output }, feeds).output, {
    relative: 1e-5,
    absolute: 1e-5,
  });
  await executable.dispose();
  const emitter = new Emitter({ fusedMatMul: true });
  const given = (x: Tensor): { name: string; dims: readonly number[] } => ({
    name: (x.attributes as { name: string }).name,
    dims: x.shape,
  });
  const [value] = lower(emitter, [simplify({ output }).output], given);
  return emitter.nodesFor([[value!.name, "output"]]).map(({ op }) => op);
}

const x: Tensor = input("x", "batch pos d", { batch: 2, pos: 3, d: 8 });

test("a product without rows and columns is multiplied and summed", async () => {
  const other: Tensor = input("y", "batch pos d", { batch: 2, pos: 3, d: 8 });
  expect(await operatorsOf(contract(x, other, "d"))).toEqual(["Mul", "ReduceSum"]);
  expect(await operatorsOf(contract(x, other, "pos batch"))).toEqual(["Mul", "ReduceSum", "Transpose"]);
});

test("axes of size one are in nobody's way", async () => {
  const q: Tensor = input("q", "batch query head d", { batch: 2, query: 5, head: 1, d: 4 });
  const k: Tensor = input("k", "batch key head d", { batch: 2, key: 6, head: 1, d: 4 });
  expect(await operatorsOf(contract(q, k, "batch head query key"))).not.toContain("Transpose");
});

test("where an operand has to be turned its rows stay whole, and the product reads it transposed", async () => {
  const q: Tensor = input("q", "batch query head d", { batch: 2, query: 5, head: 3, d: 4 });
  const k: Tensor = input("k", "batch key head d", { batch: 2, key: 6, head: 3, d: 4 });
  const operators = await operatorsOf(contract(q, k, "batch head query key"));
  expect(operators.filter((op) => op === "Transpose" || op.endsWith("MatMul"))).toEqual([
    "Transpose",
    "Transpose",
    "FusedMatMul",
  ]);
});
