/** Sites that use one matrix twice, with the same components at both. */
import { describe, expect, test } from "vitest";
import { interpret, type NamedValues, values } from "../../engine/index.ts";
import { weightInputs, withSites, withTies } from "../../network/network.ts";
import { tms } from "../../network/tms.ts";
import { add, foldIn, keyFromSeed, randomNormal, sizeOf, type Tensor, transpose } from "../../tensor/index.ts";
import { adamWScalars } from "../../training/adamw.ts";
import { compileOptimisation, savedState, weightsIn } from "../../training/optimise.ts";
import { layoutOf } from "../../training/parameters.ts";
import { faithfulness } from "./losses/faithfulness.ts";
import { slotsInUse } from "./optimisation/slots.ts";
import { startSubcomponents } from "./optimisation/start.ts";
import { subcomponentsOf, subcomponentWeights, weightDelta } from "./subcomponents.ts";

const plain = tms({ features: 4, hidden: 2, identity: true });
const network = withTies(plain);
const C = 3;
const slots = network.sites.map((site) => ({ site, C }));
const key = keyFromSeed(3);
const weights: NamedValues = Object.fromEntries(
  plain.weights.map(({ name, axes, shape }) => [
    name,
    values(axes, shape, randomNormal(foldIn(key, name), sizeOf(shape))),
  ]),
);
const start = startSubcomponents(network, weights, slots, "normal", key);
const specs = network.sites.flatMap((site) => subcomponentWeights(site, C));
const turned = ({ shape, data }: NamedValues[string]): number[] =>
  Array.from(data, (_, i) => data[(i % shape[0]!) * shape[1]! + Math.floor(i / shape[0]!)]!);

test("sites are tied that have one matrix, if both are taken apart", () => {
  expect(network.sites.map(({ tiedTo }) => tiedTo)).toEqual(["linear2", undefined, "linear1"]);
  expect(withTies(withSites(plain, "linear2")).sites[0]!.tiedTo).toBeUndefined();
});

test("they start out the same, transposed; others as they would", () => {
  expect(Array.from(start["linear2.V"]!.data)).toEqual(turned(start["linear1.U"]!));
  expect(Array.from(start["linear2.U"]!.data)).toEqual(turned(start["linear1.V"]!));
  expect(start["linear2.V"]!.shape).toEqual([2, C]);
  const untied = startSubcomponents(
    plain,
    weights,
    plain.sites.map((site) => ({ site, C })),
    "normal",
    key,
  );
  for (const name of ["linear1.V", "linear1.U", "identity.V"]) expect(start[name]).toEqual(untied[name]);
  expect(Array.from(start["linear2.V"]!.data)).not.toEqual(Array.from(untied["linear2.V"]!.data));
});

test("they stay the same as they learn, and both uses teach both", async () => {
  const layout = layoutOf(specs);
  const inputs = weightInputs(plain.weights);
  const delta = (components: Readonly<Record<string, Tensor>>, i: number): Tensor<"d_in d_out"> =>
    weightDelta(network.matrix(inputs, network.sites[i]!.name), subcomponentsOf(components, network.sites[i]!));
  const stepper = await compileOptimisation(
    {
      layout,
      start,
      // The second use alone is paid for: the first must follow.
      objective: (components) => ({ loss: faithfulness([delta(components, 2)]) }),
      fixed: weights,
    },
    { threads: 1 },
  );
  const steps = Array.from({ length: 400 }, (_, i) => ({ key, scalars: adamWScalars(i + 1, 0.02) }));
  let loss = Infinity;
  for (let i = 0; i < steps.length; i += stepper.stepsPerCall) {
    const rows = await stepper.advance(steps.slice(i, i + stepper.stepsPerCall));
    loss = rows.loss!.at(-1)!;
  }
  const found = weightsIn(savedState(layout)(stepper.state()));
  await stepper.dispose();
  expect(loss).toBeLessThan(1e-6);
  turned(found["linear1.U"]!).forEach((x, i) => expect(found["linear2.V"]!.data[i]).toBeCloseTo(x, 6));
  turned(found["linear1.V"]!).forEach((x, i) => expect(found["linear2.U"]!.data[i]).toBeCloseTo(x, 6));
  const first = interpret({ delta: delta(weightInputs(specs), 0) }, { ...weights, ...found }).delta;
  expect(Math.max(...Array.from(first.data, Math.abs))).toBeLessThan(0.01);
});

describe("what a tied site is in a program", () => {
  test("is the mean of both, so that the products are each other's transposes whatever the tensors are", () => {
    const drawn = Object.fromEntries(
      specs.map(({ name, axes, shape }) => [
        name,
        values(axes, shape, randomNormal(foldIn(key, `${name}!`), sizeOf(shape))),
      ]),
    );
    const tensors = weightInputs(specs);
    const product = (i: number): Tensor<"d_in d_out"> => {
      const zero = subcomponentsOf(tensors, network.sites[i]!);
      return weightDelta(add(network.matrix(weightInputs(plain.weights), network.sites[i]!.name), 0), zero);
    };
    const found = interpret({ one: transpose(product(0), "d_out d_in"), other: product(2) }, { ...weights, ...drawn });
    found.one.data.forEach((x, i) => expect(found.other.data[i]).toBeCloseTo(x, 12));
  });
});

test("a slot that one of two tied sites uses is in use at both", () => {
  const pruned = { ...start };
  const without = (name: string, drop: (i: number) => boolean): void => {
    const tensor = pruned[name]!;
    pruned[name] = { ...tensor, data: Float32Array.from(tensor.data, (x, i) => (drop(i) ? 0 : x)) };
  };
  for (const site of ["linear1", "linear2"]) {
    const { shape } = pruned[`${site}.U`]!;
    without(`${site}.V`, (i) => i % C === 1 || (site === "linear2" && i % C === 0));
    without(`${site}.U`, (i) => [1, ...(site === "linear2" ? [0] : [])].includes(Math.floor(i / shape[1]!)));
  }
  const used = slotsInUse(slots, pruned);
  expect(used).toEqual({ linear1: [0, 2], identity: [0, 1, 2], linear2: [0, 2] });
});
