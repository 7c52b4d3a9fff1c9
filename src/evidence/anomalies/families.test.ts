/** The same measures on parts of weights, dictionaries and what reads tokens. */
import { describe, expect, test } from "vitest";
import { decompose, methodNamed, resolveMethod } from "../../decomposition/methods.ts";
import { resolveTarget, targetNamed, train } from "../../training/targets.ts";
import { anomalies } from "./anomalies.ts";
import { type Found, isFound, type Outcome } from "./measure.ts";

type Settings = Readonly<Record<string, unknown>>;
const options = { rows: 2048, threads: 1 };

function found<D>(outcome: Outcome<D>): Found<D> {
  if (!isFound(outcome)) throw new Error(outcome.missing);
  return outcome;
}

describe("any family", () => {
  const opened = async (
    target: string,
    set: Settings,
    method: string,
    more: Settings = {},
  ): Promise<Parameters<typeof anomalies>> => {
    const document = resolveTarget(target, { preset: "default", set });
    const { weights } = await train(document, { threads: 1 });
    const made = await decompose(resolveMethod(method, { target: document, set: more }), weights, { threads: 1 });
    const entry = targetNamed(target);
    const tables = await entry.tables?.(document.settings);
    const data = { batch: (size: number) => entry.batch("data", document.settings, size), ...(tables && { tables }) };
    const known = entry.known?.(document.settings);
    const decomposition = methodNamed(method).open(made.document, made.weights, made.components);
    return [decomposition, data, { ...options, ...(known && { known }) }];
  };

  test("parts of a weight matrix: singular vectors make its whole value, and features are known by its rows", async () => {
    const set = { features: 6, dimensions: 4, probability: 0.2 };
    const { measures, places } = await anomalies(...(await opened("superposition", set, "svd")));
    expect(places).toEqual([{ name: "embed", components: 4, width: 4 }]);
    expect(found(measures.darkMatter.places.embed!)).toMatchObject({ value: 0, present: false });
    expect(found(measures.shrinkage.places.embed!).details.unexplained).toBeCloseTo(0, 5);
    expect(found(measures.deadAndDense.places.embed!).details).toMatchObject({
      dense: 4,
      l0: expect.closeTo(4 * (1 - 0.8 ** 6), 1),
    });
  });

  test.each([
    ["spd", "linear1", { steps: 20, batch: 64, components: 8 }],
    ["topk", "hook_hidden", { steps: 20, batch: 64, C: 8, k: 1 }],
  ] as const)("%s of a toy model: its hidden value is a sum of the rows of W, what comes out is not", async (...of) => {
    const [method, hidden, more] = of;
    const set = { steps: 100, batch: 64, attempts: 1, features: 4, hidden: 2 };
    const { measures } = await anomalies(...(await opened("tms", set, method, more)));
    const at = (place: string): string => {
      const outcome = measures.circles.places[place]!;
      return isFound(outcome) ? "found" : outcome.missing;
    };
    expect(at(hidden)).toBe("found");
    expect(found(measures.spread.places[""]!).n).toBe(4);
    const known = Object.entries(measures.absorption.places).filter(
      ([, outcome]) => isFound(outcome) || outcome.missing !== "no features are known here",
    );
    expect(known.map(([name]) => name)).toEqual([hidden]);
  });

  test("tokens are what inputs have where there are no features", async () => {
    const point = "blocks.0.hook_resid_post";
    const [decomposition, data, given] = await opened("induction", { steps: 5, batch: 16 }, "random", { point });
    const random = { decomposition, data };
    const { measures, rows } = await anomalies(decomposition, data, { ...given!, random });
    expect(rows).toBe(options.rows);
    expect(found(measures.randomNetwork.places[point]!)).toMatchObject({ value: 1, present: true });
    expect(measures.spread.places[""]).toEqual({ missing: "needs inputs with one mechanism each" });
  });
});
