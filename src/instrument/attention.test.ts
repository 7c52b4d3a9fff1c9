import { describe, expect, test } from "vitest";
import { values } from "../engine/index.ts";
import { ablate } from "../intervention/ablation.ts";
import { logitDifference } from "../intervention/metrics.ts";
import { handCodedInduction } from "../network/compiled/induction.ts";
import { RunnableNetwork, tokenValues } from "../network/run.ts";
import { toyTransformer } from "../network/transformer/config.ts";
import { transformer } from "../network/transformer/transformer.ts";
import { keyFromSeed } from "../tensor/index.ts";
import { startingWeights } from "../training/transformer-start.ts";
import { attentionRollout } from "./attention-rollout.ts";
import { attentionPatterns, detectHeads, repeatedSegments } from "./head-detectors.ts";
import { valueWeightedAttention } from "./value-weighted-attention.ts";

const key = keyFromSeed(0);
const induction = (): RunnableNetwork => {
  const { network, weights } = handCodedInduction({ beta: 100 });
  return new RunnableNetwork(network, weights);
};

describe("head detectors", () => {
  test("find the two heads of the circuit written by hand, and nothing in shuffled weights", async () => {
    const { rows, uniform, shuffled, n } = await detectHeads(induction(), key);
    const [previous, inductive] = [rows[0]!, rows[3]!];
    expect(previous.previousToken).toBeCloseTo(1, 6);
    // Position 0 has itself before it in this circuit: of the 8 queries, the one for its token looks half there.
    expect(inductive.induction).toBeCloseTo(15 / 16, 6);
    for (const row of rows) {
      for (const kind of ["previousToken", "duplicateToken", "induction"] as const) {
        expect(row[kind]).toBeGreaterThanOrEqual(0);
        expect(row[kind]).toBeLessThanOrEqual(1 + 1e-6);
      }
    }
    // The third heads are zero: they look evenly, and score what even attention scores.
    for (const kind of ["previousToken", "duplicateToken", "induction"] as const) {
      expect(rows[2]![kind]).toBeCloseTo(uniform[kind], 6);
      expect(shuffled[kind].largest).toBeLessThan(0.5);
    }
    expect(n).toBe(32 * 16);
  });

  test("a head that looks at its own token's last place is a duplicate-token head", async () => {
    const shape = { vocab: 16, context: 16, layers: 1, dModel: 16, heads: 1, positions: { kind: "none" } } as const;
    const network = transformer(toyTransformer(shape));
    const eye = (scale: number): number[] => Array.from({ length: 256 }, (_, i) => (i % 17 === 0 ? scale : 0));
    const weights = Object.fromEntries(
      network.weights.map(({ name, axes, shape: size }) => [
        name,
        values(axes, size, eye(name.endsWith("W_Q") ? 100 : 1)),
      ]),
    );
    const [row] = (await detectHeads(new RunnableNetwork(network, weights), key)).rows;
    // Half on the copy and half on itself.
    expect(row!.duplicateToken).toBeCloseTo(0.5, 4);
    expect(row!.induction).toBeLessThan(1e-4);
  });

  test("segments come twice, and have no token twice", () => {
    const { x, period } = repeatedSegments({ vocab: 30, context: 21 }, key, 3);
    expect([period, x.shape]).toEqual([10, [3, 20]]);
    for (let row = 0; row < 3; row++) {
      const tokens = Array.from(x.data.slice(row * 20, row * 20 + 20));
      expect(tokens.slice(0, 10)).toEqual(tokens.slice(10));
      expect(new Set(tokens).size).toBe(10);
    }
    expect(() => repeatedSegments({ vocab: 30, context: 3 }, key)).toThrow("expected a context of at least 4, got 3");
  });
});

describe("rollout", () => {
  const tokens = [3, 1, 4, 0, 5, 2, 6, 7, 3, 1, 4, 0];

  test("puts a quarter on a token that has no effect whatever", async () => {
    const runnable = induction();
    const x = tokenValues([tokens]);
    const patterns = await attentionPatterns(runnable, { name: "one", x });
    const { rollout, uniform } = attentionRollout(patterns, [0, 0]);
    const last = Array.from(rollout.data.slice(-tokens.length));
    // T is 11; the token after the earlier copy of 0 is at 4, and 3 is that copy itself.
    const expected = tokens.map((_, i) => ([11, 10, 4, 3].includes(i) ? 0.25 : 0));
    last.forEach((x_, i) => expect(x_).toBeCloseTo(expected[i]!, 6));
    for (let q = 0; q < tokens.length; q++) {
      const row = Array.from(rollout.data.slice(q * tokens.length, (q + 1) * tokens.length));
      expect(row.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6);
    }
    const evenly = Array.from(uniform.data.slice(-tokens.length));
    expect(evenly.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);

    // What the answer hangs on: each position's embedding taken away.
    const metric = logitDifference({ answer: [5], against: [6] });
    const variants = tokens.map((_, position) => ({ point: "hook_embed", at: { pos: [position] } }));
    const { rows } = await ablate(runnable, { name: "one", x }, { variants, ablation: { kind: "zero" }, metric });
    const effects = rows.map(({ mean }) => Math.abs(mean));
    expect(effects[10]!).toBeLessThan(1e-5);
    for (const position of [11, 4, 3]) expect(effects[position]!).toBeGreaterThan(1);
  });

  test("refuses heads for another number of layers", async () => {
    const patterns = await attentionPatterns(induction(), { name: "one", x: tokenValues([tokens]) });
    expect(() => attentionRollout(patterns, [0])).toThrow("expected 2 heads, got 1");
  });
});

test("attention weighted by values is how long what a key brings is; a value of zero brings nothing", async () => {
  const network = transformer(
    toyTransformer({ vocab: 6, context: 8, layers: 1, dModel: 8, heads: 2, positions: { kind: "none" } }),
  );
  const weights = startingWeights(network, key, { embed: 1, unembed: 1 });
  // Token 2 has the embedding zero: its value is zero, whatever looks at it.
  const embedding = Float32Array.from(weights["embed.W_E"]!.data, (x, i) => (Math.floor(i / 8) === 2 ? 0 : x));
  const runnable = new RunnableNetwork(
    network,
    { ...weights, "embed.W_E": values("vocab d_model", [6, 8], embedding) },
    { device: "float64" },
  );
  const x = tokenValues([[1, 2, 3]]);
  const { weighted, uniform } = await valueWeightedAttention(runnable, { name: "one", x }, 0);
  const { cache } = await runnable.run(x, { cache: ["blocks.0.attn.hook_v", "blocks.0.attn.hook_pattern"] });
  const W_O = runnable.weights["blocks.0.attn.W_O"]!.data;
  for (const head of [0, 1]) {
    for (const k of [0, 1, 2]) {
      let squares = 0;
      for (let j = 0; j < 8; j++) {
        let written = 0;
        for (let d = 0; d < 4; d++)
          written += cache["blocks.0.attn.hook_v"]!.data[(k * 2 + head) * 4 + d]! * W_O[(head * 4 + d) * 8 + j]!;
        squares += written ** 2;
      }
      const alpha = cache["blocks.0.attn.hook_pattern"]!.data[(head * 3 + 2) * 3 + k]!;
      expect(weighted.data[(head * 3 + 2) * 3 + k]).toBeCloseTo(alpha * Math.sqrt(squares), 10);
      expect(uniform.data[(head * 3 + 2) * 3 + k]).toBeCloseTo(Math.sqrt(squares) / 3, 10);
    }
    expect(cache["blocks.0.attn.hook_pattern"]!.data[(head * 3 + 2) * 3 + 1]).toBeGreaterThan(0.01);
    expect(weighted.data[(head * 3 + 2) * 3 + 1]).toBe(0);
  }
});
