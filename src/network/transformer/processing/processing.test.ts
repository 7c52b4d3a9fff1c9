import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { NamedValues, Values } from "../../../engine/index.ts";
import { checkPoints } from "../../check/check-network.ts";
import { openHuggingFace } from "../../huggingface/node-folder.ts";
import { RunnableNetwork, tokenValues } from "../../run.ts";
import { toyTransformer } from "../config.ts";
import { transformer } from "../transformer.ts";
import { centreUnembedding, centreWritingWeights } from "./centre.ts";
import { foldNorms } from "./fold-norms.ts";
import { foldValueBiases } from "./fold-value-biases.ts";
import { type Processed, unprocessed, type Weighted } from "./processed.ts";

const GOLDEN = join(import.meta.dirname, "../../../../test/golden/networks");
const folders = (await readdir(GOLDEN, { withFileTypes: true })).filter((entry) => entry.isDirectory());
const names = folders.map(({ name }) => name);
const TOKENS = [5, 17, 3, 36, 3, 9];
const STEPS = { foldNorms, centreWritingWeights, centreUnembedding, foldValueBiases };

/** A golden network with its weights in float64, so that nothing is rounded on the way. */
async function exactly(name: string): Promise<Weighted> {
  const { network, weights } = await openHuggingFace(join(GOLDEN, name));
  const wide = ([key, x]: [string, Values]): [string, Values] => [key, { ...x, data: Float64Array.from(x.data) }];
  return { network, weights: Object.fromEntries(Object.entries(weights).map(wide)) };
}

async function runOf({ network, weights }: Weighted): Promise<{ logits: number[][]; cache: NamedValues }> {
  const runnable = new RunnableNetwork(network, weights, { device: "float64" });
  const { output, cache } = await runnable.run(tokenValues([TOKENS]), { cache: "all" });
  const vocab = network.config.vocab;
  return { logits: TOKENS.map((_, i) => [...output.data.subarray(i * vocab, (i + 1) * vocab)]), cache };
}

const logSoftmax = (row: readonly number[]): number[] => {
  const top = Math.max(...row);
  const total = Math.log(row.reduce((sum, x) => sum + Math.exp(x - top), 0)) + top;
  return row.map((x) => x - total);
};

const distance = (a: readonly number[][], b: readonly number[][]): number =>
  Math.max(...a.flatMap((row, i) => row.map((x, j) => Math.abs(x - b[i]![j]!))));

/** The step, or why it is refused. */
function attempt(step: (given: Weighted) => Processed, given: Weighted): Processed | string {
  try {
    return step(given);
  } catch (error) {
    return (error as Error).message;
  }
}

describe.each(names)("%s", (name) => {
  test.each(Object.entries(STEPS))("%s leaves the function as it is and can be taken back", async (title, step) => {
    const given = await exactly(name);
    const done = attempt(step, given);
    if (typeof done === "string") {
      // Nothing but what its documentation says may be refused.
      expect([title, done]).toEqual([expect.stringMatching(/^centre/), expect.stringMatching(/rms norms|a cap of/)]);
      return;
    }
    const [before, after] = [await runOf(given), await runOf(done)];
    const seen =
      title === "centreUnembedding" ? (rows: number[][]) => rows.map(logSoftmax) : (rows: number[][]) => rows;
    expect(distance(seen(after.logits), seen(before.logits))).toBeLessThan(1e-10);
    expect(done.steps).toEqual([title]);
    expect(done.before).toBe(given);
    expect(unprocessed(done).weights).toEqual((await exactly(name)).weights);
    // The points of the processed network still hold what their names say.
    const report = await checkPoints(new RunnableNetwork(done.network, done.weights, { device: "float64" }), TOKENS);
    expect(report.refusals).toEqual({});
  });
});

test("what each step promises of the weights", async () => {
  const given = await exactly("gpt2");
  const folded = foldNorms(given);
  expect(new Set(folded.weights["blocks.1.ln2.w"]!.data)).toEqual(new Set([1]));
  expect(new Set(folded.weights["ln_final.b"]!.data)).toEqual(new Set([0]));
  expect(folded.network.config).toMatchObject({ tied: false, unembedBias: true });

  const centred = centreWritingWeights(folded);
  const { cache } = await runOf(centred);
  const stream = Array.from(cache["blocks.1.hook_resid_post"]!.data);
  const { dModel } = given.network.config;
  for (let row = 0; row < TOKENS.length; row++) {
    const mean = stream.slice(row * dModel, (row + 1) * dModel).reduce((sum, x) => sum + x, 0) / dModel;
    expect(Math.abs(mean)).toBeLessThan(1e-12);
  }

  const all = foldValueBiases(centreUnembedding(centred));
  expect(new Set(all.weights["blocks.0.attn.b_V"]!.data)).toEqual(new Set([0]));
  expect(all.steps).toEqual(["foldNorms", "centreWritingWeights", "centreUnembedding", "foldValueBiases"]);
  const [before, after] = [await runOf(given), await runOf(all)];
  expect(distance(after.logits.map(logSoftmax), before.logits.map(logSoftmax))).toBeLessThan(1e-10);
  expect(unprocessed(all)).toBe(given);
  // The logits themselves move: each position's by one number.
  expect(distance(after.logits, before.logits)).toBeGreaterThan(1e-3);
});

test("weights of float32 stay float32", async () => {
  const { network, weights } = await openHuggingFace(join(GOLDEN, "gpt-neox"));
  const done = foldValueBiases(foldNorms({ network, weights }));
  expect(Object.values(done.weights).every(({ data }) => data instanceof Float32Array)).toBe(true);
});

describe("what would change the function is refused", () => {
  const shape = { vocab: 37, context: 10, layers: 1, dModel: 8, heads: 2 } as const;
  const shortformer = { kind: "absolute", table: "learned", addedTo: "queries and keys" } as const;
  const weighted = (more: object): Weighted => ({
    network: transformer(toyTransformer({ ...shape, ...more })),
    weights: {},
  });

  test.each([
    [
      foldNorms,
      { norm: "layer", positions: shortformer },
      "foldNorms: expected norms that matrices read as they are, got positions added to queries and keys between",
    ],
    [centreWritingWeights, {}, "centreWritingWeights: expected layer norms, which subtract the mean, got none norms"],
    [
      centreWritingWeights,
      { norm: "rms" },
      "centreWritingWeights: expected layer norms, which subtract the mean, got rms norms",
    ],
    [
      centreWritingWeights,
      { norm: "layer", positions: shortformer },
      "centreWritingWeights: expected positions that are written to the stream, got positions that queries and keys are made of",
    ],
  ])("%o of %j", (step, more, message) => {
    expect(() => step(weighted(more))).toThrow(message);
  });
});
