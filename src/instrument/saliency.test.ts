import { describe, expect, test } from "vitest";
import { type NamedValues, values } from "../engine/index.ts";
import { logitDifference, type Metric } from "../intervention/metrics.ts";
import { mlp } from "../network/mlp.ts";
import { RunnableNetwork, tokenValues } from "../network/run.ts";
import { toyTransformer } from "../network/transformer/config.ts";
import { transformer } from "../network/transformer/transformer.ts";
import { foldIn, keyFromSeed, randomNormal, sizeOf } from "../tensor/index.ts";
import { startingWeights } from "../training/transformer-start.ts";
import { INPUT, saliency } from "./saliency.ts";
import { saliencyChecks, weightGroups } from "./saliency-checks.ts";

const key = keyFromSeed(3);
const metric = (n: number): Metric => logitDifference({ answer: Array(n).fill(0), against: Array(n).fill(1) });

/** A ReLU network without biases, in float64 or on the device. */
function bare(device?: "float64"): RunnableNetwork {
  const network = mlp({ features: 24, hidden: [48, 32], outputs: 3, activation: "relu", bias: false });
  const weights: NamedValues = Object.fromEntries(
    network.weights.map(({ name, axes, shape }) => [
      name,
      values(
        axes,
        shape,
        randomNormal(foldIn(key, name), sizeOf(shape)).map((x) => x / Math.sqrt(shape[0]!)),
      ),
    ]),
  );
  return new RunnableNetwork(network, weights, device === undefined ? {} : { device });
}

const inputs = (n: number): { name: string; x: ReturnType<typeof values> } => ({
  name: "Gaussians",
  x: values("batch feature", [n, 24], randomNormal(foldIn(key, "x"), n * 24)),
});

describe("axioms", () => {
  test("without biases, gradient times input sums to the output", async () => {
    const found = await saliency(bare("float64"), inputs(4), { point: INPUT, metric: metric(4), steps: 2 });
    found.output.forEach((out, e) => {
      const parts = found.maps.gradientTimesInput.data.subarray(e * 24, (e + 1) * 24) as Float64Array;
      expect(parts.reduce((a, b) => a + b, 0)).toBeCloseTo(out, 10);
    });
    expect(found.baselineOutput).toEqual([0, 0, 0, 0]);
  });

  test("integrated gradients sum to the change of the output, better with more steps", async () => {
    const { network, weights } = transformerOf();
    const runnable = new RunnableNetwork(network, weights, { device: "float64" });
    const examples = {
      name: "prompts",
      x: tokenValues([
        [1, 2, 3],
        [4, 5, 0],
      ]),
    };
    const error = async (steps: number): Promise<number> =>
      (await saliency(runnable, examples, { point: "hook_embed", metric: metric(2), steps })).completenessError;
    const [few, some, many] = [await error(5), await error(20), await error(80)];
    expect(some).toBeLessThan(few / 4);
    expect(many).toBeLessThan(some / 4);
    expect(many).toBeLessThan(1e-4);
  });

  test("gradients are those of finite differences", async () => {
    const runnable = bare("float64");
    const { x, name } = inputs(1);
    const found = await saliency(runnable, { x, name }, { point: INPUT, metric: metric(1), steps: 1 });
    const step = 1e-4;
    for (const i of [0, 7, 23]) {
      const at = async (by: number): Promise<number> => {
        const data = Float64Array.from(x.data, (v, j) => v + (j === i ? by : 0));
        const { output } = await runnable.run({ ...x, data });
        return output.data[0]! - output.data[1]!;
      };
      expect(found.maps.gradient.data[i]).toBeCloseTo(((await at(step)) - (await at(-step))) / (2 * step), 6);
    }
  });

  test("refuses the input of a network of tokens", async () => {
    const { network, weights } = transformerOf();
    const examples = { name: "prompt", x: tokenValues([[1, 2, 3]]) };
    const asked = saliency(new RunnableNetwork(network, weights), examples, { point: INPUT, metric: metric(1) });
    await expect(asked).rejects.toThrow("expected a hook point of a network of tokens, got its input");
  });
});

function transformerOf(): { network: ReturnType<typeof transformer>; weights: NamedValues } {
  const network = transformer(
    toyTransformer({
      vocab: 6,
      context: 8,
      layers: 2,
      dModel: 12,
      heads: 2,
      dMlp: 16,
      activation: "gelu",
      norm: "layer",
    }),
  );
  return { network, weights: startingWeights(network, key, { embed: 1, unembed: 1 }) };
}

describe("checks", () => {
  test("maps of gradients change with the weights, from the output down, and do not see a constant", async () => {
    const found = await saliencyChecks(bare(), inputs(40), { point: INPUT, metric: metric(40), key, steps: 10 });
    expect(found.randomised.map(({ downTo }) => downTo)).toEqual(["unembed", "blocks.1", "blocks.0"]);
    for (const { correlation } of found.randomised) {
      expect(Math.abs(correlation.gradient.signed)).toBeLessThan(0.2);
      expect(correlation.gradient.sizes).toBeLessThan(0.5);
    }
    // What gradient times input and the input have in common survives any weights: sizes, at the end, of the input alone.
    expect(found.randomised.at(-1)!.correlation.gradientTimesInput.sizes).toBeGreaterThan(0.2);
    expect(found.shifted.gradient).toEqual({ signed: 1, sizes: 1 });
    expect(found.shifted.gradientTimesInput.signed).toBeLessThan(0.9);
  });

  test("a map of the input alone would pass for an explanation on any weights: the last row shows how alike", async () => {
    const { network, weights } = transformerOf();
    const examples = {
      name: "prompts",
      x: tokenValues([
        [1, 2, 3, 4],
        [4, 5, 0, 1],
      ]),
    };
    const found = await saliencyChecks(new RunnableNetwork(network, weights), examples, {
      point: "hook_embed",
      metric: metric(2),
      key,
      steps: 4,
    });
    expect(found.randomised.map(({ downTo }) => downTo)).toEqual([
      "unembed",
      "ln_final",
      "blocks.1",
      "blocks.0",
      "pos_embed",
      "embed",
    ]);
    // The embedding's own weights stay out of it: the value at the point is what is explained.
    const [before, last] = found.randomised.slice(-2);
    expect(last!.correlation).toEqual(before!.correlation);
  });

  test("weights in groups, in the order they are met", () => {
    expect(weightGroups(["embed.W_E", "blocks.0.a", "blocks.0.b", "blocks.10.a", "unembed.W_U"])).toEqual([
      ["embed", ["embed.W_E"]],
      ["blocks.0", ["blocks.0.a", "blocks.0.b"]],
      ["blocks.10", ["blocks.10.a"]],
      ["unembed", ["unembed.W_U"]],
    ]);
  });
});
