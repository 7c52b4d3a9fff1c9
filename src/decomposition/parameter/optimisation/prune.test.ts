import { describe, expect, test } from "vitest";
import { interpret, type NamedValues, values } from "../../../engine/index.ts";
import { tms } from "../../../network/tms.ts";
import { sparseFeatures } from "../../../data/sparse-feature.ts";
import { axisNames, constant, keyFromSeed, sizeOf, type Tensor } from "../../../tensor/index.ts";
import type { Checkpoint, LoopOptions } from "../../../training/loop.ts";
import { resolveTarget } from "../../../training/targets.ts";
import type { Masks } from "../../decomposition.ts";
import { decompose, resolveMethod } from "../../methods.ts";
import { scalarGates } from "../importance/scalar-gate.ts";
import { componentWeights, ParameterDecomposition } from "../parameter-decomposition.ts";
import { prune, type PruneSubject } from "./prune.ts";

const network = tms({ features: 3, hidden: 2, identity: false });
const weights: NamedValues = {
  W: values("feature hidden", [3, 2], [1, 0, -0.5, 0.8, -0.5, -0.8]),
  b: values("feature", [3], [0, -0.1, 0.1]),
};
/** By site: always important, never, where its inner activation exceeds a bound that one example in some hundred reaches, never. */
const C = 4;
const gates = scalarGates(1);
const slots = network.sites.map((site) => ({ site, C }));

/** Gates of width 1, `importance = clamp(4 gelu(W_in h + b_in) + b_out)`. */
const GATES = { W_in: [0, 0.3, 100, 0], b_in: [0.2, 0.1, -99, -7], W_out: [1, 0.4, 1, 3], b_out: [0.6, -1, 0, -1e-6] };

/** Components of arbitrary numbers; component 2 of each site reads feature 0 alone, with an inner activation up to 1. */
function components(): NamedValues {
  return Object.fromEntries(
    componentWeights(slots, gates).map(({ name, axes, shape }, k) => {
      const field = name.split(".").at(-1)! as keyof typeof GATES;
      const plain = Array.from({ length: sizeOf(shape) }, (_, i) => Math.fround(Math.sin(3 * k + i)));
      if (field in GATES) return [name, values(axes, shape, GATES[field])];
      const data = axisNames(axes).at(-1) === "C" ? plain.map((x, i) => (i % C === 2 ? Number(i === 2) : x)) : plain;
      return [name, values(axes, shape, data)];
    }),
  );
}

const subject: PruneSubject = {
  network,
  weights,
  importance: gates,
  x: sparseFeatures("data", { features: 3, batch: 256, probability: 0.3 }),
  below: 1e-4,
  key: keyFromSeed(1),
};

/** What a tensor has for one component. */
function part(named: NamedValues, name: string, c: number): number[] {
  const { data, axes, shape } = named[name]!;
  const inner = axes.startsWith("C") ? sizeOf(shape) / C : 1;
  return Array.from(data).filter((_, i) => Math.floor(i / inner) % C === c);
}

describe("pruning", () => {
  const before = { ...components(), "adamw.m/linear1.V": values("parameter", [2], [1, 2]) };
  const pruning = prune(subject, before, { threads: 1 });

  test("what does not matter becomes 0, gate and all; everything else keeps its bits, even what matters rarely", async () => {
    const after = await pruning;
    expect(Object.keys(after).sort()).toEqual(Object.keys(before).sort());
    for (const { name } of componentWeights(slots, gates)) {
      for (const c of [0, 2]) expect(part(after, name, c), `${name} of ${c}`).toEqual(part(before, name, c));
      for (const c of [1, 3]) expect(new Set(part(after, name, c)), `${name} of ${c}`).toEqual(new Set([0]));
      expect(part(before, name, 1).some((x) => x !== 0)).toBe(true);
    }
    expect(after["adamw.m/linear1.V"]).toEqual(before["adamw.m/linear1.V"]);
  });

  test("a higher bound takes the rare one, too; 0 takes none", async () => {
    const after = await prune({ ...subject, below: 0.1 }, before, { threads: 1 });
    expect([part(after, "linear1.U", 0), part(after, "linear1.U", 2)]).toEqual([part(before, "linear1.U", 0), [0, 0]]);
    expect(await prune({ ...subject, below: 0 }, before, { threads: 1 })).toEqual(before);
  });

  test("once more changes nothing", async () => {
    expect(await prune(subject, await pruning, { threads: 1 })).toEqual(await pruning);
  });

  test("the dead have importance 0 on any input, and the remainder has taken over what they held", async () => {
    const decomposition = new ParameterDecomposition(network, weights, await pruning, gates);
    const x = constant("batch feature", { batch: 3, feature: 3 }, [0, 0, 0, 50, -9, 3, 0.5, 0, 1]);
    const every = (axes: string, sizes: Record<string, number>): Record<string, Tensor> =>
      Object.fromEntries(network.sites.map(({ name }) => [name, constant(axes, sizes, 1)]));
    const masks = every("C batch", { C, batch: 3 }) as Masks;
    const program: Record<string, Tensor> = {
      ...decomposition.activity(x),
      whole: decomposition.masked(x, masks, { remainder: every("batch", { batch: 3 }) }),
      target: network.forward(decomposition.tensors, x),
    };
    const { linear1, linear2, whole, target } = interpret(program, decomposition.values);
    for (const site of [linear1!, linear2!])
      for (const c of [1, 3]) expect(Array.from(site.data.slice(3 * c, 3 * c + 3))).toEqual([0, 0, 0]);
    whole!.data.forEach((y, i) => expect(y).toBeCloseTo(target!.data[i]!, 12));
  });
});

describe("a run that prunes", () => {
  const target = resolveTarget("tms", { set: { features: 3 } });
  const set = { steps: 40, batch: 64, components: 6, gateWidth: 2, importanceMinimality: 1 };
  const run = async (more: object, options: LoopOptions = {}): Promise<NamedValues> => {
    const document = resolveMethod("spd", { target, preset: "default", set: { ...set, pruneBelow: 0.01, ...more } });
    return (await decompose(document, weights, { threads: 1, checkpointEvery: 20, ...options })).components;
  };
  const deadOf = (named: NamedValues): string[] =>
    ["linear1", "linear2"].flatMap((site) =>
      Array.from({ length: 6 }, (_, c) => `${site}.${c}`).filter((_, c) => named[`${site}.gate.b_out`]!.data[c] === 0),
    );

  test.each([1, 0.75])("at %d of its steps goes on to the same bits from any checkpoint", async (pruneAt) => {
    const checkpoints: Checkpoint[] = [];
    const whole = await run({ pruneAt }, { onCheckpoint: (checkpoint) => void checkpoints.push(checkpoint) });
    expect(checkpoints.map(({ step }) => step)).toEqual(pruneAt === 1 ? [20, 40] : [20, 30, 40]);
    const last = checkpoints.at(-1)!.tensors;
    expect(whole).toEqual(Object.fromEntries(Object.keys(whole).map((name) => [name, last[name]])));
    for (const resume of checkpoints) expect(await run({ pruneAt }, { resume })).toEqual(whole);
  });

  test("before its end leaves the dead at 0, while the others learn on", async () => {
    const checkpoints: Checkpoint[] = [];
    const whole = await run({ pruneAt: 0.5 }, { onCheckpoint: (checkpoint) => void checkpoints.push(checkpoint) });
    const pruned = checkpoints[0]!.tensors;
    expect(deadOf(pruned).length).toBeGreaterThan(0);
    expect(deadOf(pruned).length).toBeLessThan(12);
    expect(deadOf(whole)).toEqual(deadOf(pruned));
    expect(deadOf(await run({ pruneBelow: 0 }))).toEqual([]);
    for (const name of Object.keys(whole)) {
      const moved = Array.from(whole[name]!.data, (x, i) => x !== pruned[name]!.data[i]);
      const zero = Array.from(pruned[name]!.data, (x) => x === 0);
      expect(
        moved.some((m, i) => m && zero[i]!),
        name,
      ).toBe(false);
      expect(moved.some(Boolean), name).toBe(true);
    }
  });
});
