import { Matrix } from "ml-matrix";
import { describe, expect, test } from "vitest";
import { type NamedValues, values } from "../engine/index.ts";
import { handCodedInduction } from "../network/compiled/induction.ts";
import { RunnableNetwork, tokenValues } from "../network/run.ts";
import { toyTransformer } from "../network/transformer/config.ts";
import { type Transformer, transformer } from "../network/transformer/transformer.ts";
import { foldIn, keyFromSeed, randomNormal, sizeOf } from "../tensor/index.ts";
import { startingWeights } from "../training/transformer-start.ts";
import { headCircuits } from "./attention-circuits.ts";
import { compositionScores } from "./composition-scores.ts";
import { copyingScores, eigenvalueCopying } from "./copying-score.ts";
import { FactoredMatrix } from "./factored-matrix.ts";
import { skipTrigramError, skipTrigramWeight } from "./skip-trigram.ts";

const key = keyFromSeed(0);
const normal = (name: string, rows: number, columns: number): Matrix =>
  Matrix.from1DArray(rows, columns, Array.from(randomNormal(foldIn(key, name), rows * columns)));

describe("factored matrices", () => {
  const [A, B] = [normal("A", 7, 3), normal("B", 3, 7)];
  const factored = new FactoredMatrix(A, B);
  const full = A.mmul(B);

  test("numbers, rows, norm and products are those of the full matrix", () => {
    expect(factored.at(2, 5)).toBeCloseTo(full.get(2, 5), 12);
    factored.row(4).forEach((x, j) => expect(x).toBeCloseTo(full.get(4, j), 12));
    expect(factored.norm()).toBeCloseTo(full.norm("frobenius"), 10);
    const square = factored.times(factored).product();
    expect(Matrix.sub(square, full.mmul(full)).norm("frobenius")).toBeLessThan(1e-10);
    expect(Matrix.sub(factored.transposed().product(), full.transpose()).norm("frobenius")).toBeLessThan(1e-12);
  });

  test("eigenvalues sum to the trace", () => {
    const { real } = factored.eigenvalues();
    expect(real.reduce((a, b) => a + b, 0)).toBeCloseTo(full.trace(), 10);
  });

  test("refuses factors that do not fit", () => {
    expect(() => new FactoredMatrix(A, A)).toThrow("expected 3 rows, got 7");
  });
});

/** One layer of attention with random weights. */
function oneLayer(vocab: number, heads = 1): { network: Transformer; weights: NamedValues } {
  const network = transformer(
    toyTransformer({ vocab, context: 64, layers: 1, dModel: 16, heads, positions: { kind: "none" } }),
  );
  return { network, weights: startingWeights(network, key, { embed: 1, unembed: 1 }) };
}

test("scores and logits of a network are what its full circuits say", async () => {
  const { network, weights } = oneLayer(12, 2);
  const runnable = new RunnableNetwork(network, weights, { device: "float64" });
  const tokens = [3, 7, 1, 11];
  const { output, cache } = await runnable.run(tokenValues([tokens]), { cache: "all" });
  const circuits = [0, 1].map((head) => headCircuits(network, weights, { layer: 0, head }));
  const [W_E, W_U] = [weights["embed.W_E"]!, weights["unembed.W_U"]!];
  const pattern = cache["blocks.0.attn.hook_pattern"]!.data;
  const scores = cache["blocks.0.attn.hook_attn_scores"]!.data;
  for (const { head, fullQK } of circuits)
    expect(scores[(head * 4 + 3) * 4 + 1]).toBeCloseTo(fullQK.at(11, 7) / Math.sqrt(8), 6);
  for (let logit = 0; logit < 12; logit++) {
    let expected = 0;
    for (let d = 0; d < 16; d++) expected += W_E.data[11 * 16 + d]! * W_U.data[d * 12 + logit]!;
    for (const { head, fullOV } of circuits)
      tokens.forEach((token, k) => (expected += pattern[(head * 4 + 3) * 4 + k]! * fullOV.at(token, logit)));
    expect(output.data[3 * 12 + logit]).toBeCloseTo(expected, 5);
  }
});

describe("copying", () => {
  const withOV = (sign: number): RunnableNetwork => {
    const network = transformer(
      toyTransformer({ vocab: 8, context: 8, layers: 1, dModel: 8, heads: 1, positions: { kind: "none" } }),
    );
    const eye = (scale: number): number[] => Array.from({ length: 64 }, (_, i) => (i % 9 === 0 ? scale : 0));
    const weights = Object.fromEntries(
      network.weights.map(({ name, axes, shape }) => [name, values(axes, shape, eye(name.endsWith("W_O") ? sign : 1))]),
    );
    return new RunnableNetwork(network, weights);
  };

  test("a head that copies scores 1, one that does the opposite -1, random ones about 0", () => {
    expect(copyingScores(withOV(1), key).rows[0]!.score).toBeCloseTo(1, 12);
    const negative = copyingScores(withOV(-1), key);
    expect(negative.rows[0]!.score).toBeCloseTo(-1, 12);
    expect(Math.abs(negative.random.mean)).toBeLessThan(0.1);
    expect(negative.random.deviation).toBeGreaterThan(0.05);
  });

  test("a head that writes nothing has no score", () => {
    const { network, weights } = handCodedInduction({ beta: 20 });
    const { rows } = copyingScores(new RunnableNetwork(network, weights), key);
    // The induction head of layer 1 copies; the third heads are zero.
    expect(rows.find(({ layer, head }) => layer === 1 && head === 0)!.score).toBeCloseTo(1, 6);
    expect(rows.find(({ layer, head }) => layer === 1 && head === 2)!.score).toBeNull();
    expect(eigenvalueCopying(new FactoredMatrix(Matrix.zeros(4, 2), Matrix.zeros(2, 4)))).toBeNull();
  });
});

describe("composition", () => {
  test("in the induction circuit written by hand, the previous-token head composes with the induction head's key and nothing else", () => {
    const { network, weights } = handCodedInduction({ beta: 20 });
    const { rows, random } = compositionScores(new RunnableNetwork(network, weights), key);
    const of = (into: string, from: number, to: number): number =>
      rows.find((row) => row.into === into && row.from.head === from && row.to.head === to)!.score;
    expect(of("key", 0, 0)).toBeGreaterThan(2 * random.mean);
    expect([of("query", 0, 0), of("value", 0, 0)]).toEqual([0, 0]);
    expect(of("key", 0, 2)).toBe(0);
    expect(rows[0]!.aboveRandom).toBeCloseTo(rows[0]!.score - random.mean, 12);
  });

  test("random heads compose by chance, and that is what is taken away", () => {
    const network = transformer(toyTransformer({ vocab: 8, context: 8, layers: 2, dModel: 32, heads: 4 }));
    const weights = Object.fromEntries(
      network.weights.map(({ name, axes, shape }) => [
        name,
        values(axes, shape, randomNormal(foldIn(key, name), sizeOf(shape))),
      ]),
    );
    const { rows, random } = compositionScores(new RunnableNetwork(network, weights), key);
    expect(rows).toHaveLength(48);
    expect(random.mean).toBeGreaterThan(0.1);
    const mean = rows.reduce((total, row) => total + row.aboveRandom, 0) / rows.length;
    expect(Math.abs(mean)).toBeLessThan(random.deviation);
  });
});

describe("skip-trigrams", () => {
  test.each([
    [2, 0, 1, 1 / 2],
    [9, 0, 1, 1 / 9],
    [6, 0, 3, 1 / 2],
    [3, Math.log(4), 1, 1 / (1 + 2 / 4)],
  ])("of %i keys at δ = %f, %i copies get %f", (length, delta, copies, weight) => {
    expect(skipTrigramWeight(length, delta, copies)).toBeCloseTo(weight, 14);
  });

  test("the formula is what a network does, and no table has it", async () => {
    const { network, weights } = oneLayer(12);
    const runnable = new RunnableNetwork(network, weights, { device: "float64" });
    const [source, destination, target, other] = [3, 5, 9, 7];
    const contexts = [
      [source],
      ...[1, 3, 7, 15].map((n) => [source, ...Array.from({ length: n }, () => other)]),
      [source, source, other, other, other],
    ];
    const found = await skipTrigramError(runnable, { layer: 0, head: 0, source, destination, target, contexts });
    for (const row of found.rows) expect(Math.abs(row.weight - row.formula)).toBeLessThan(1e-6);
    expect(found.rows[4]!.weight).toBeLessThan(found.rows[0]!.weight);
    expect(found.largestError).toBeGreaterThan(0.1 * Math.abs(found.table));
  });
});
