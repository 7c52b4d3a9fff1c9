/** The pass on a decomposition of a small transformer: against importances read one batch after another, stopped and gone on with, and refused. */
import { describe, expect, test } from "vitest";
import { scalarGates } from "../decomposition/parameter/importance/scalar-gate.ts";
import { componentWeights, ParameterDecomposition } from "../decomposition/parameter/parameter-decomposition.ts";
import { compile, type NamedValues, values } from "../engine/index.ts";
import { readSafetensors, writeSafetensors } from "../file/safetensors.ts";
import { toyTransformer } from "../network/transformer/config.ts";
import { transformer } from "../network/transformer/transformer.ts";
import { drawRows } from "../data/draws.ts";
import { foldIn, input, keyFromSeed, randomNormal, randomUniform, slice, type Tensor } from "../tensor/index.ts";
import { harvest, harvestKey, type PassOptions } from "./pass.ts";
import { expectRoom, type HarvestSource, planHarvest } from "./plan.ts";
import { harvestSettings } from "./settings.ts";
import { type Row, tablesOf } from "./tables.ts";
import type { Tally } from "./tally.ts";

const POS = 6;
const network = transformer(toyTransformer({ vocab: 7, context: POS, layers: 1, dModel: 8, heads: 2, dMlp: 8 }));
const draw = (specs: typeof network.weights): NamedValues =>
  Object.fromEntries(
    specs.map(({ name, axes, shape }) => {
      const size = shape.reduce((a, b) => a * b, 1);
      return [name, values(axes, shape, randomNormal(foldIn(keyFromSeed(8), name), size))];
    }),
  );
const gates = scalarGates(2);
const slots = network.sites.map((site) => ({ site, C: 3 }));
const parts = draw(componentWeights(slots, gates));
const decomposition = new ParameterDecomposition(network, draw(network.weights), parts, gates);

/** Rows of tokens of which the last are padding, token 0. */
const table: NamedValues[string] = {
  axes: "row pos",
  shape: [20, POS + 1],
  dtype: "i32",
  data: Int32Array.from(randomUniform(keyFromSeed(2), 20 * (POS + 1)), (u, i) =>
    i % (POS + 1) > 3 + (i % 3) ? 0 : 1 + Math.floor(u * 6),
  ),
};
const source: HarvestSource = {
  batch: (size) =>
    slice(drawRows("data", input("rows", "row pos", { row: 20, pos: POS + 1 }, "i32"), size), "pos", 0, POS),
  tables: { rows: table },
  tokens: { text: (id) => `<${id}>`, separator: "", padding: 0 },
};
const settings = harvestSettings.parse({ positions: 5000, threshold: 0.3, examples: 5, window: 2, seed: 4 });
const MIB = 2 ** 20;
const plan = planHarvest(decomposition, source, settings, 512 * MIB);
const passed = (options: PassOptions = {}): Promise<Tally> =>
  harvest(decomposition, source, settings, plan, { device: "cpu", threads: 1, ...options });
const allRows = (tally: Tally): Record<string, Row[]> =>
  Object.fromEntries(
    Object.entries(tablesOf(tally, decomposition.components, source.tokens)).map(([name, { rows }]) => [
      name,
      [...rows],
    ]),
  );

describe("the pass", () => {
  test("counts what a run of each batch says, to the position that was asked for", async () => {
    const tally = await passed();
    const x = source.batch(plan.batch) as Tensor;
    const program = await compile({ x, ...decomposition.activity(x) }, { device: "cpu", threads: 1 });
    const firings = new Float64Array(decomposition.components.length);
    const sums = new Float64Array(decomposition.components.length);
    const seen = new Float64Array(7);
    let [n, padding] = [0, 0];
    for (let b = 0; n < settings.positions; b++) {
      const found: NamedValues = await program.run(
        { ...decomposition.values, ...source.tables },
        foldIn(foldIn(harvestKey(settings), "data"), b),
      );
      for (let row = 0; row < plan.rows && n < settings.positions; row++) {
        const token = found.x!.data[row]!;
        if (token === 0) {
          padding++;
          continue;
        }
        n++;
        seen[token]!++;
        network.sites.forEach(({ name }, s) => {
          for (let c = 0; c < 3; c++) {
            const importance = found[name]!.data[c * plan.rows + row]!;
            sums[3 * s + c]! += importance;
            if (importance > 0.3) firings[3 * s + c]!++;
          }
        });
      }
    }
    await program.dispose();
    expect(firings.some((count) => count > 0 && count < n)).toBe(true);
    expect([tally.n, tally.padding]).toEqual([5000, padding]);
    expect([...tally.firings]).toEqual([...firings]);
    expect([...tally.present]).toEqual([...seen]);
    tally.importance.forEach((sum, c) => expect(sum).toBeCloseTo(sums[c]!, 8));
    // Probabilities of a position add up to 1.
    expect(tally.mass.reduce((a, b) => a + b)).toBeCloseTo(5000, 2);
  });

  test("stopped and gone on with, through a file, it counts the same", async () => {
    const whole = allRows(await passed());
    const controller = new AbortController();
    let saved: NamedValues | undefined;
    const stopped = passed({
      signal: controller.signal,
      onProgress: (counted) => {
        if (counted > 2000) controller.abort();
      },
      onCheckpoint: async (tensors) => {
        saved = readSafetensors(writeSafetensors(tensors)).tensors;
      },
    });
    await expect(stopped).rejects.toMatchObject({
      code: "Cancelled",
      message: expect.stringMatching(/position \d+ of 5000/),
    });
    expect(allRows(await passed({ resume: saved! }))).toEqual(whole);
  });

  test("a checkpoint of another shape is refused", async () => {
    const bad = { place: values("word", [1], [0]) };
    await expect(passed({ resume: bad })).rejects.toMatchObject({ code: "BadFile" });
  });

  test("data that is nothing but padding is refused, not looked at forever", async () => {
    const empty = { ...source, tables: { rows: { ...table, data: new Int32Array(table.data.length) } } };
    await expect(harvest(decomposition, empty, settings, plan, { device: "cpu" })).rejects.toThrow(
      `harvest: expected data, got ${plan.rows} positions of padding`,
    );
  });
});

describe("the plan", () => {
  test("says what takes how much, and keeps within its limit", () => {
    const { bytes, total } = plan;
    expect(Object.values(bytes).reduce((a, b) => a + b)).toBe(total);
    expect(total).toBeLessThan(512 * MIB);
    expect(plan.outputs).toBe(7);
    expect(planHarvest(decomposition, source, { ...settings, outputs: false }, 512 * MIB).outputs).toBe(0);
  });

  test("is refused where the limit is too low, with both numbers", () => {
    expect(() => planHarvest(decomposition, source, settings, MIB)).toThrow(
      /^harvest: expected at most 1 MiB of memory, got \d+ MiB for 18 components; --no-outputs saves 1 MiB$/,
    );
  });

  test("is refused where the machine has no room", () => {
    const room = { memory: 2 ** 40, disk: 2 ** 40 };
    expect(() => expectRoom(plan, room)).not.toThrow();
    expect(() => expectRoom(plan, { ...room, memory: MIB })).toThrow(/expected \d+ MiB of free memory, got 1 MiB/);
    expect(() => expectRoom(plan, { ...room, disk: 5 })).toThrow(/expected \d+ MiB of free disk, got 1 MiB/);
  });
});
