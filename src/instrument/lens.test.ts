import { describe, expect, test } from "vitest";
import { type NamedValues, values } from "../engine/index.ts";
import { ablate } from "../intervention/ablation.ts";
import { logitDifference } from "../intervention/metrics.ts";
import { RunnableNetwork, tokenValues } from "../network/run.ts";
import { toyTransformer, type ToyShape } from "../network/transformer/config.ts";
import { transformer } from "../network/transformer/transformer.ts";
import { foldIn, keyFromSeed, randomBits } from "../tensor/index.ts";
import { startingWeights } from "../training/transformer-start.ts";
import { logitLens, lensReadings, lensScores, OUTPUT } from "./lens.ts";
import { tunedLens } from "./tuned-lens.ts";
import { directLogitAttribution } from "./direct-logit-attribution.ts";

const key = keyFromSeed(0);
const TOKENS = 6;

/** Weights of a network by the numbers that are not 0. */
function written(
  network: ReturnType<typeof transformer>,
  of: (name: string) => readonly (readonly [number, number, number])[],
): NamedValues {
  return Object.fromEntries(
    network.weights.map(({ name, axes, shape }) => {
      const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
      for (const [row, column, value] of of(name)) data[row * (data.length / shape[0]!) + column] = value;
      return [name, values(axes, shape, data)];
    }),
  );
}

/**
 * A network with a decoy. The stream is `tok | out`; a token writes its successor into `out`, which the unembedding reads. The MLP of layer 1
 * takes from `out` what is there, and writes the successor's successor: what the lens shows before it has no effect.
 */
function decoy(): RunnableNetwork {
  const shape = {
    vocab: TOKENS,
    context: 4,
    layers: 2,
    dModel: 2 * TOKENS,
    heads: 1,
    dMlp: 2 * TOKENS,
    positions: { kind: "none" },
  } as const;
  const network = transformer(toyTransformer(shape));
  const ids = Array.from({ length: TOKENS }, (_, t) => t);
  const successor = (t: number, by: number): number => TOKENS + ((t + by) % TOKENS);
  const weights = written(network, (name) => {
    if (name === "embed.W_E")
      return ids.flatMap(
        (t) =>
          [
            [t, t, 1],
            [t, successor(t, 1), 10],
          ] as const,
      );
    if (name === "unembed.W_U") return ids.map((t) => [TOKENS + t, t, 1] as const);
    if (name === "blocks.1.mlp.W_in")
      return ids.flatMap(
        (t) =>
          [
            [TOKENS + t, t, 1],
            [t, TOKENS + t, 1],
          ] as const,
      );
    if (name === "blocks.1.mlp.W_out") {
      return ids.flatMap(
        (t) =>
          [
            [t, TOKENS + t, -1],
            [TOKENS + t, successor(t, 2), 10],
          ] as const,
      );
    }
    return [];
  });
  return new RunnableNetwork(network, weights);
}

describe("the logit lens", () => {
  test("shows a decoy that has no effect", async () => {
    const runnable = decoy();
    const prompt = { name: "one", x: tokenValues([[0, 3]]) };
    const readings = await lensReadings(runnable, prompt);
    const at = (point: string): { token: number; probability: number } => {
      const { tokens, probabilities } = readings.find((r) => r.point === point && r.position === 1)!;
      return { token: tokens[0]!, probability: probabilities[0]! };
    };
    expect(at("blocks.1.hook_resid_pre").token).toBe(4);
    expect(at("blocks.1.hook_resid_pre").probability).toBeGreaterThan(0.99);
    expect(at(OUTPUT).token).toBe(5);
    const { rows } = await logitLens(runnable, prompt, key);
    expect(rows.map(({ agreement }) => agreement)).toEqual([0, 0, 1]);
    expect(rows[1]!.divergence).toBeGreaterThan(5);
    expect(rows[2]!.divergence).toBeCloseTo(0, 6);
    // Taken away where the lens sees it, the answer stays to the last bit: the block that erases it finds nothing to erase.
    const out = Array.from({ length: TOKENS }, (_, i) => TOKENS + i);
    const metric = logitDifference({ answer: [5], against: [4] });
    const variants = [{ point: "blocks.1.hook_resid_pre", at: { d_model: out } }];
    const table = await ablate(runnable, prompt, { variants, ablation: { kind: "zero" }, metric });
    expect(Math.abs(table.rows[0]!.mean)).toBeLessThan(1e-5);
    expect(table.baseline[0]!).toBeCloseTo(10, 5);
  });

  test("at the end is the network; shuffled weights have their own null", async () => {
    const { network, weights } = random({ layers: 2, dMlp: 12, norm: "layer", bias: true });
    const found = await logitLens(new RunnableNetwork(network, weights), prompts(16, 0), key);
    expect(found.rows.at(-1)!.divergence).toBeLessThan(1e-5);
    expect(found.rows.at(-1)!.agreement).toBe(1);
    expect(found.rows[0]!.divergence).toBeGreaterThan(0.01);
    expect(found.rows[0]!.shuffled.divergence).toBeGreaterThan(0);
    expect(found.n).toBe(16 * 5);
  });

  test("padding does not count", async () => {
    const { network, weights } = random({ layers: 1 });
    const runnable = new RunnableNetwork(network, weights);
    const { n } = await lensScores(runnable, { ...prompts(4, 0), padding: [0, 1, 2, 4] }, undefined);
    expect(n).toBe(5 + 4 + 3 + 1);
  });
});

const prompts = (count: number, seed: number): { name: string; x: ReturnType<typeof tokenValues> } => ({
  name: `prompts ${seed}`,
  x: tokenValues(
    Array.from({ length: count }, (_, i) =>
      Array.from(randomBits(foldIn(keyFromSeed(seed), i), 5), (bits) => bits % 9),
    ),
  ),
});

function random(shape: Partial<ToyShape>): { network: ReturnType<typeof transformer>; weights: NamedValues } {
  const network = transformer(toyTransformer({ vocab: 9, context: 8, layers: 1, dModel: 12, heads: 3, ...shape }));
  const weights = startingWeights(network, key, { embed: 1, unembed: 1 });
  // Biases and norms that are not the plain ones.
  return {
    network,
    weights: Object.fromEntries(
      Object.entries(weights).map(([name, w]) => [
        name,
        /\.(b\w*|w)$/.test(name)
          ? values(
              w.axes,
              w.shape,
              Array.from(w.data, (x, i) => x + 0.3 * Math.sin(i + name.length)),
            )
          : w,
      ]),
    ),
  };
}

test("a tuned lens is nearer than the logit lens on positions that it was not trained on, and is kept as values", async () => {
  const { network, weights } = random({ layers: 2, dMlp: 12, norm: "rms" });
  const runnable = new RunnableNetwork(network, weights);
  const lens = await tunedLens(runnable, {
    train: prompts(120, 1),
    test: prompts(40, 2),
    key,
    steps: 200,
    learningRate: 0.01,
  });
  expect(lens.rows).toHaveLength(3);
  for (const row of lens.rows.slice(0, 2)) expect(row.divergence).toBeLessThan(0.8 * row.logitLens.divergence);
  // The last point needs no translation.
  expect(lens.rows[2]!.divergence).toBeLessThan(0.02);
  expect(lens.rows[0]!.shuffled.divergence).toBeGreaterThan(0);
  expect(lens.translators["blocks.0.hook_resid_pre.A"]!.shape).toEqual([12, 12]);
  const again = await lensScores(runnable, prompts(40, 2), lens.translators);
  expect(again.scores[0]!.divergence).toBeCloseTo(lens.rows[0]!.divergence, 6);
  await expect(lensScores(runnable, prompts(2, 2), {})).rejects.toThrow(
    "expected a translator at blocks.0.hook_resid_pre, got none",
  );
});

describe("direct logit attribution", () => {
  test.each([
    ["no norm", { layers: 2 }],
    ["layer norm, MLPs, biases", { layers: 2, dMlp: 12, norm: "layer", bias: true }],
    ["RMS norm, tied", { layers: 3, dMlp: 12, norm: "rms", tied: true }],
    ["one head, no positions", { heads: 1, positions: { kind: "none" } }],
  ] as const)("parts sum to the logit: %s", async (_, shape) => {
    const { network, weights } = random(shape);
    const examples = prompts(7, 3);
    const answer = [0, 1, 2, 3, 4, 5, 6];
    for (const question of [{ answer }, { answer, against: [8, 8, 8, 8, 8, 8, 8] }, { answer, position: 2 }]) {
      const runnable = new RunnableNetwork(network, weights);
      const found = await directLogitAttribution(runnable, examples, question, key);
      const { output } = await runnable.run(examples.x);
      const position = question.position ?? 4;
      answer.forEach((a, i) => {
        const at = (id: number): number => output.data[(i * 5 + position) * 9 + id]!;
        expect(found.logit[i]).toBeCloseTo(at(a) - (question.against === undefined ? 0 : at(8)), 5);
      });
      expect(found.largestError).toBeLessThan(1e-5);
      expect(found.rows[0]!.writer).toBe("hook_embed");
      // Along random directions parts have a size, too; but a bias of the unembedding has none.
      for (const { writer, null: size } of found.rows) if (writer !== "unembed.b_U") expect(size).toBeGreaterThan(0);
    }
  });

  test("with a norm after each part, and a cap on logits, whole parts sum to what is capped", async () => {
    const { network } = random({ layers: 2, dMlp: 12, norm: "rms" });
    const capped = transformer({ ...network.config, logitCap: 3, norm: { ...network.config.norm, post: true } });
    const runnable = new RunnableNetwork(capped, startingWeights(capped, key, { embed: 1, unembed: 1 }));
    const found = await directLogitAttribution(runnable, prompts(3, 1), { answer: [1, 2, 3] }, key);
    expect(found.largestError).toBeLessThan(1e-5);
    expect(found.rows.map(({ writer }) => writer)).toContain("blocks.1.attn");
    expect(Math.max(...found.logit.map(Math.abs))).toBeGreaterThan(0);
  });

  test("in the decoy network, the MLP's part cancels the embedding's", async () => {
    const found = await directLogitAttribution(decoy(), { name: "one", x: tokenValues([[3]]) }, { answer: [4] }, key);
    const part = (name: string): number => found.rows.find(({ writer }) => writer === name)!.mean;
    expect([part("hook_embed"), part("blocks.1.mlp"), found.total[0]]).toEqual([10, -10, 0]);
  });

  test("refuses tokens that are not there", async () => {
    const { network, weights } = random({});
    const ask = directLogitAttribution(new RunnableNetwork(network, weights), prompts(1, 0), { answer: [9] }, key);
    await expect(ask).rejects.toThrow("expected token ids from 0 to 8, got 9");
  });
});
