import { describe, expect, test } from "vitest";
import { mess3, rrxor } from "../data/hidden-markov.ts";
import { values } from "../engine/index.ts";
import { toyTransformer } from "../network/transformer/config.ts";
import { transformer } from "../network/transformer/transformer.ts";
import { keyFromSeed } from "../tensor/index.ts";
import { beliefScores } from "./belief-scores.ts";

const model = mess3();
/** After one token of Mess3 there are three belief states, one a token: all that a network of one position can know. */
const network = transformer(
  toyTransformer({ vocab: 3, context: 1, layers: 1, dModel: 3, heads: 1, dHead: 1, dMlp: 0 }),
);
/** A network that does nothing but read a table by the token; what is in it are its logits. */
const reading = (table: readonly number[]) =>
  Object.fromEntries(
    network.weights.map(({ name, axes, shape }) => {
      const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
      if (name === "embed.W_E") data.set(table);
      if (name === "unembed.W_U") for (let i = 0; i < 3; i++) data[4 * i] = 1;
      return [name, values(axes, shape, data)];
    }),
  );
/** P(next token | this one) under Mess3: the same where the state stays, which it does with 0.85 of the excess over chance, twice. */
const stays = 1 / 3 + (2 / 3) * 0.85 * ((0.85 - 0.075) * (0.85 - 0.075));
const ideal = [0, 1, 2].flatMap((a) => [0, 1, 2].map((b) => Math.log(a === b ? stays : (1 - stays) / 2)));

describe("an ideal observer", () => {
  test("has no loss above the least, and all of its beliefs in its stream", async () => {
    const scores = await beliefScores(model, network, reading(ideal), keyFromSeed(0), { threads: 1 });
    // The second myopic entropy of Mess3.
    expect(scores.lossFloor).toBeCloseTo(0.857719, 6);
    expect(scores.excessLoss).toBeCloseTo(0, 7);
    for (const r2 of ["beliefR2", "beliefR2AllLayers", "nextTokenR2"]) expect(scores[r2]).toBeCloseTo(1, 9);
    expect(Math.abs(scores.shuffledR2!)).toBeLessThan(0.01);
  });
});

describe("a network that knows nothing", () => {
  test("loses all there is to know, and no belief can be read off it", async () => {
    const scores = await beliefScores(model, network, reading(ideal.map(() => 0)), keyFromSeed(0), { threads: 1 });
    expect(scores.excessLoss).toBeCloseTo(Math.log(3) - 0.857719, 6);
    expect(Math.abs(scores.beliefR2!)).toBeLessThan(0.01);
    expect(Math.abs(scores.beliefR2AllLayers!)).toBeLessThan(0.01);
  });
});

test("the next token of random-random-XOR says little of its belief states", async () => {
  const bits = transformer(
    toyTransformer({ vocab: 2, context: 10, layers: 1, dModel: 2, heads: 1, dHead: 1, dMlp: 0 }),
  );
  const zeros = Object.fromEntries(
    bits.weights.map(({ name, axes, shape }) => [
      name,
      values(axes, shape, new Float32Array(shape.reduce((a, b) => a * b, 1))),
    ]),
  );
  const scores = await beliefScores(rrxor(), bits, zeros, keyFromSeed(0), { threads: 1 });
  // The mean of the exact myopic entropies 2 to 11, and the published share.
  expect(scores.lossFloor).toBeCloseTo(0.578185, 2);
  expect(scores.excessLoss).toBeCloseTo(Math.log(2) - scores.lossFloor!, 9);
  expect(scores.nextTokenR2).toBeGreaterThan(0.2);
  expect(scores.nextTokenR2).toBeLessThan(0.28);
});
