/** What every engine must do, as one suite of tests that each engine runs. */
import { describe, expect, test } from "vitest";
import type { NamedValues, Values } from "../../src/engine/values.ts";
import { simplify } from "../../src/engine/simplify.ts";
import type { OpName, Tensor } from "../../src/tensor/index.ts";
import { inTopologicalOrder } from "../../src/tensor/traverse.ts";
import { expectClose, type Tolerance } from "../expect-close.ts";
import { families, type GoldenCase, programOf } from "../golden/cases.ts";

/** One way to run programs. */
export interface Engine {
  run(outputs: Readonly<Record<string, Tensor>>, feeds: NamedValues): Promise<Readonly<Record<string, Values>>>;
  /** How far a result may be off, by the family of operations and the case. */
  tolerance(family: string, golden: GoldenCase): Tolerance;
  /** Why a case cannot run on this engine; such a case must then fail, so that the list stays true. */
  unsupported?(family: string, golden: GoldenCase): string | undefined;
  /** Whether the engine sees programs as traced, or simplified. */
  readonly sees: "traced" | "simplified";
}

/** Every primitive operation; the type makes a missing one an error. */
const EVERY_OP: Record<OpName, true> = {
  input: true,
  constant: true,
  identity: true,
  neg: true,
  abs: true,
  sign: true,
  floor: true,
  exp: true,
  log: true,
  sqrt: true,
  reciprocal: true,
  erf: true,
  tanh: true,
  sigmoid: true,
  relu: true,
  sin: true,
  cos: true,
  not: true,
  cast: true,
  clamp: true,
  add: true,
  sub: true,
  mul: true,
  div: true,
  pow: true,
  maximum: true,
  minimum: true,
  less: true,
  lessEqual: true,
  equal: true,
  and: true,
  or: true,
  where: true,
  sum: true,
  reduceMax: true,
  einsum: true,
  softmax: true,
  logSoftmax: true,
  rename: true,
  transpose: true,
  broadcast: true,
  reshape: true,
  slice: true,
  concat: true,
  pad: true,
  gather: true,
  scatterAdd: true,
  takeAlong: true,
  scatterAlong: true,
  topKIndices: true,
};

/** Runs every golden case on an engine, values and gradients, and checks that no operation is without a case. */
export function describeEngine(name: string, engine: Engine): void {
  describe(name, () => {
    for (const [family, cases] of families) {
      describe(family, () => {
        for (const golden of cases) {
          const reason = engine.unsupported?.(family, golden);
          const check = (): Promise<void> => runCase(engine, family, golden);
          if (reason === undefined) test(golden.name, check);
          else test(`${golden.name} (${reason})`, () => expect(check()).rejects.toThrow());
        }
      });
    }

    test("every operation has a case", () => {
      const seen = new Set<OpName>();
      for (const [family, cases] of families) {
        for (const golden of cases) {
          if (engine.unsupported?.(family, golden) !== undefined) continue;
          const { outputs } = programOf(golden);
          const program = engine.sees === "traced" ? outputs : simplify(outputs);
          for (const { op } of inTopologicalOrder(Object.values(program))) seen.add(op);
        }
      }
      // Simplification removes every `identity`, so an engine behind it never meets one.
      if (engine.sees === "simplified") seen.add("identity");
      expect(Object.keys(EVERY_OP).filter((op) => !seen.has(op as OpName))).toEqual([]);
    });
  });
}

async function runCase(engine: Engine, family: string, golden: GoldenCase): Promise<void> {
  const { outputs, feeds, expected } = programOf(golden);
  const results = await engine.run(outputs, feeds);
  for (const [name, want] of Object.entries(expected)) {
    try {
      expectClose(results[name]!, want, engine.tolerance(family, golden));
    } catch (cause) {
      throw new Error(`${name}: ${(cause as Error).message}`, { cause });
    }
  }
}
