import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  AblationBench,
  type Difference,
  distance,
  everyInput,
  outputsOf,
  withoutEdges,
} from "../../../test/network/compiled-runs.ts";
import { compileProgram, type CompiledProgram } from "./compile-program.ts";
import { BOS } from "./plan.ts";
import { COMPILED } from "./programs.ts";

// Each part and edge is cut by itself: on a machine that does much else at once a test may take a while.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** A change that somebody who decodes the output sees: another category, or a number off by more than was promised. */
const SEEN = 1e-4;
/** A logit that is off by so much has lost something: those of categories are 0 or 1, numbers at least twelfths apart. */
const LOST = 0.01;
const VARIANTS = [
  ["bare", {}],
  ["among distractors, rotated", { noise: 2, decoys: 3, rotate: true, seed: 5 }],
] as const;

function expectSame({ decoded, logits }: Difference): void {
  expect(decoded).toBeLessThan(SEEN);
  expect(logits).toBeLessThan(LOST);
}

describe.each(Object.keys(COMPILED))("%s", (name) => {
  test("along the axes of the stream, ablation of all distractors changes no bit", async () => {
    const compiled = compileProgram(name, { length: 4, noise: 3, decoys: 3 });
    const bench = await AblationBench.create(compiled, everyInput(compiled.program.vocabulary, [1, 2, 3, 4]));
    const outside = compiled.outside.nodes.map(({ address }) => address);
    for (const ablation of ["zero", "mean"] as const) {
      expect(bench.difference(await bench.without(outside, ablation)).logits).toBe(0);
    }
    await bench.dispose();
  });

  describe.each(VARIANTS)("%s", (variant, settings) => {
    let compiled: CompiledProgram;
    let bench: AblationBench;

    beforeAll(async () => {
      compiled = compileProgram(name, { length: 4, ...settings });
      bench = await AblationBench.create(compiled, everyInput(compiled.program.vocabulary, [1, 2, 3, 4]));
    });
    afterAll(() => bench.dispose());

    /** Those parts or edges without which nothing changes. */
    const inert = async <T>(all: readonly T[], without: (one: T) => Promise<Difference>): Promise<T[]> => {
      const found: T[] = [];
      for (const one of all) {
        const { decoded, logits } = await without(one);
        if (!(decoded > SEEN || logits > LOST)) found.push(one);
      }
      return found;
    };

    test("padding on the left changes nothing", async () => {
      const alone = await outputsOf(compiled, everyInput(compiled.program.vocabulary, [2]));
      const padded = bench.outputs.filter(({ length }) => length === 2);
      expect(distance(padded, alone)).toBeLessThan(SEEN);
    });

    test.each(["zero", "mean"] as const)("%s ablation of all parts outside changes nothing", async (ablation) => {
      const noise = compiled.outside.nodes.filter(({ computes }) => computes === "noise");
      expect(noise).toHaveLength(variant === "bare" ? 0 : 3 * compiled.config.layers);
      const outside = compiled.outside.nodes.map(({ address }) => address);
      expectSame(bench.difference(await bench.without(outside, ablation)));
    });

    test.each(["zero", "mean"] as const)("%s ablation of any part of the circuit changes it", async (ablation) => {
      const parts = compiled.circuit.nodes.map(({ address }) => address).filter((address) => address !== "unembed");
      expect(parts.length).toBeGreaterThan(2);
      const without = async (address: string): Promise<Difference> => {
        return bench.difference(await bench.without([address], ablation));
      };
      expect(await inert(parts, without)).toEqual([]);
    });

    test("without all edges outside nothing changes, without any one of the circuit the output does", async () => {
      const without = async (edges: Parameters<typeof withoutEdges>[1]): Promise<Difference> =>
        bench.difference(await bench.without([], "zero", withoutEdges(compiled, edges)));
      expectSame(await without(compiled.outside.edges));
      // What keeps the token before the input clean is not always missed: nobody may find what would be there.
      const edges = compiled.circuit.edges.filter(({ directions }) => directions.join() !== BOS);
      expect(await inert(edges, (edge) => without([edge]))).toEqual([]);
    });
  });
});
