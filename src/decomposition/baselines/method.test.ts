import { describe, expect, test } from "vitest";
import { interpret, type NamedValues } from "../../engine/index.ts";
import { axisSize, constant, foldIn, keyFromSeed, sub, abs, max, type Tensor } from "../../tensor/index.ts";
import { resolveTarget, targetNamed, train } from "../../training/targets.ts";
import type { TrainDocument } from "../../training/target.ts";
import type { Decomposition } from "../decomposition.ts";
import { type DecomposeDocument, decompose, METHODS, methodNamed, resolveMethod } from "../methods.ts";
import { baselineMethods } from "./method.ts";

const one = { threads: 1 };

/** Networks of every shape, trained for a moment: what is tested holds for any weights. */
const NETWORKS: Readonly<Record<string, readonly [string, object]>> = {
  tms: ["tms", { features: 5, hidden: 3, steps: 30 }],
  superposition: ["superposition", { features: 12, dimensions: 6 }],
  "resid-mlp": ["resid-mlp", { features: 8, width: 12, neurons: 6, layers: 2, steps: 5 }],
  equality: ["hierarchical-equality", { hidden: 8, layers: 2, steps: 5 }],
  recurrent: ["flip-flop", { steps: 2 }],
  attention: ["induction", { steps: 1, width: 16, context: 10, longest: 5, batch: 2 }],
  transformer: [
    "stories",
    { stories: 32, width: 16, mlpWidth: 24, layers: 2, heads: 2, steps: 1, batch: 2, context: 12 },
  ],
};
/** So many that some input is there, where most are 0; fewer sequences, which have positions. */
const EXAMPLES = { features: 40, sequences: 2 };

async function opened(
  document: DecomposeDocument,
  weights: NamedValues,
): Promise<{ decomposition: Decomposition; feeds: NamedValues; x: Tensor }> {
  const { components } = await decompose(document, weights, one);
  const { target: name, settings } = document.target;
  const target = targetNamed(name);
  const decomposition = methodNamed(document.method).open(document, weights, components);
  const tables = await target.tables?.(settings);
  return {
    decomposition,
    feeds: { ...tables, ...decomposition.values },
    x: target.batch(
      "data",
      settings,
      decomposition.network.input.axes === "batch feature" ? EXAMPLES.features : EXAMPLES.sequences,
    ),
  };
}

/** Masks of one number for all components of every site. */
function allOf(activity: Readonly<Record<string, Tensor>>, mask: number): Record<string, Tensor<"C batch">> {
  return Object.fromEntries(
    Object.entries(activity).map(([site, a]) => {
      const sizes = { C: axisSize(a, "C"), batch: axisSize(a, "batch") };
      return [site, constant("C batch", sizes, Array<number>(sizes.C * sizes.batch).fill(mask)) as Tensor<"C batch">];
    }),
  );
}

const FEW = { samples: 300, steps: 5 };

describe.each(Object.entries(NETWORKS))("%s", async (_, [name, set]) => {
  const target: TrainDocument = resolveTarget(name, { set: set as Record<string, unknown> });
  const { weights } = await train(target, one);
  const able = Object.keys(baselineMethods).filter((method) => METHODS[method]!.objection(target) === undefined);
  const settingsFor = (method: string): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(FEW).filter(
        ([key]) =>
          key in METHODS[method]!.schema.shape && (key !== "steps" || ["ica", "nmf", "kmeans", "das"].includes(method)),
      ),
    );

  // Some networks have no values that are known not to be negative.
  const nonNegative = ["tms", "resid-mlp", "hierarchical-equality"].includes(name);

  test("nmf takes what is not negative, and says what is", async () => {
    const document = resolveMethod("nmf", { target, set: settingsFor("nmf") });
    const run = decompose(document, weights, one);
    if (nonNegative) expect((await run).metrics.explainedVariance ?? 0).toBeLessThanOrEqual(1);
    else await expect(run).rejects.toThrow(/^nmf: \S+: expected no value below 0, got -[\d.e-]+ in dimension \d+$/);
  });

  test.each(able.filter((method) => nonNegative || method !== "nmf"))(
    "%s: all components and what is left over are the network",
    async (method) => {
      const document = resolveMethod(method, { target, set: settingsFor(method) });
      const { decomposition, feeds, x } = await opened(document, weights);
      const { network, tensors } = decomposition;
      const activity = decomposition.activity(x);
      const own = network.forward(tensors, x);
      const whole = Object.fromEntries(decomposition.sites.map((site) => [site.name, constant("", {}, 1)]));
      const made = decomposition.masked(x, allOf(activity, 1), { remainder: whole });
      const none = decomposition.masked(x, allOf(activity, 0));
      const program = {
        error: max(abs(sub(made, own))),
        scale: max(abs(own)),
        effect: max(abs(sub(none, own))),
        ...activity,
      };
      const found = interpret(program, feeds, foldIn(keyFromSeed(3), "x"));
      const { error, scale, effect, ...measured } = found;
      expect(error.data[0]! / scale.data[0]!).toBeLessThan(1e-12);
      expect(effect.data[0]! / scale.data[0]!).toBeGreaterThan(1e-3);
      for (const { data } of Object.values(measured as NamedValues)) {
        expect(data.every((a) => a >= 0 && Number.isFinite(a))).toBe(true);
        expect(data.some((a) => a > 0)).toBe(true);
      }
      for (const { bits } of decomposition.components) expect(bits).toBeGreaterThanOrEqual(0);
    },
  );
});
