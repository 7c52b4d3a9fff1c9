/** Divergences from the network's own output, whole and by blocks, and from what it holds inside. */
import { describe, expect, test } from "vitest";
import { compile, interpret, type NamedValues, simplify, values } from "../../../engine/index.ts";
import { type Network, weightInputs } from "../../../network/network.ts";
import { residualMlp } from "../../../network/residual-mlp.ts";
import { tokenValues } from "../../../network/run.ts";
import { toyTransformer } from "../../../network/transformer/config.ts";
import { transformer } from "../../../network/transformer/transformer.ts";
import {
  constant,
  contract,
  foldIn,
  gradients,
  input,
  keyFromSeed,
  mul,
  randomNormal,
  select,
  sizeOf,
  type Tensor,
  type Tensors,
} from "../../../tensor/index.ts";
import { expectClose } from "../../../../test/expect-close.ts";
import { inTopologicalOrder } from "../../../tensor/traverse.ts";
import { comparison } from "./blockwise-divergence.ts";
import { divergence, hiddenReconstruction } from "./reconstruction.ts";

const vector = (data: readonly number[]): Tensor => constant("batch vocab", { batch: 1, vocab: data.length }, data);

describe("the divergence", () => {
  test("is that of the network's own distribution from the masked one's, and not the other way round", () => {
    const [own, masked] = [vector([2, 0, -1]), vector([1, 0.5, 0])];
    expect(interpret({ kl: divergence({ logits: "vocab" }, masked, own) }).kl.data[0]).toBeCloseTo(0.255111, 6);
    expect(interpret({ kl: divergence({ logits: "vocab" }, own, masked) }).kl.data[0]).toBeCloseTo(0.323018, 6);
  });

  test("has the gradient q - p over the number of rows", () => {
    const logits = input("logits", "batch vocab", { batch: 1, vocab: 3 });
    const [d] = gradients(divergence({ logits: "vocab" }, logits, vector([2, 0, -1])), [logits]);
    const found = interpret({ d }, { logits: values("batch vocab", [1, 3], [1, 0.5, 0]) }).d.data;
    const softmax = (x: readonly number[]): number[] => {
      const total = x.reduce((sum, z) => sum + Math.exp(z), 0);
      return x.map((z) => Math.exp(z) / total);
    };
    const [q, p] = [softmax([1, 0.5, 0]), softmax([2, 0, -1])];
    found.forEach((g, i) => expect(g).toBeCloseTo(q[i]! - p[i]!, 12));
  });
});

test("hidden reconstruction is a mean over places of the share that is wrong there", () => {
  const pair = (masked: readonly number[], own: readonly number[]) => ({ masked: vector(masked), own: vector(own) });
  const loss = hiddenReconstruction([pair([0, 0], [3, 4]), pair([1, 1], [1, 3])]);
  expect(interpret({ loss }).loss.data[0]).toBeCloseTo((1 + 4 / 10) / 2, 12);
});

const drawn = ({ weights }: Network, seed: number): NamedValues =>
  Object.fromEntries(
    weights.map(({ name, axes, shape }) => [
      name,
      values(axes, shape, randomNormal(foldIn(keyFromSeed(seed), name), sizeOf(shape))),
    ]),
  );

describe.each([
  ["layer", false],
  ["none", true],
] as const)("by blocks, in a transformer with norm %s, tied: %s", (norm, tied) => {
  const vocab = 7;
  const network = transformer(
    toyTransformer({ vocab, context: 4, layers: 1, dModel: 6, heads: 2, dMlp: 4, norm, tied, bias: true }),
  );
  const weights = weightInputs(network.weights);
  const x = input("x", "batch pos", { batch: 2, pos: 3 }, "i32");
  const feeds = {
    ...drawn(network, 1),
    x: tokenValues([
      [0, 1, 6],
      [3, 4, 0],
    ]),
  };
  const site = "blocks.0.mlp.W_in";
  const scaled: Tensors = { ...weights, [site]: mul(weights[site]!, -3) };
  const program = (atOnce: number): { loss: Tensor; d: Tensor } => {
    const { run, divergence: of } = comparison(network, weights, atOnce);
    // A network with another W_in, so that there is something to differ and something to differentiate by.
    const masked = run(x, {
      matmul: (s, a, W) => (s.name === site ? contract(a, mul(W, -3), "batch pos d_out") : undefined),
    });
    const loss = mul(of(masked, run(x)), 3);
    return { loss, d: gradients(loss, [weights[site]!])[0] };
  };

  test("is the whole divergence, with its gradient", () => {
    const whole = interpret(program(Infinity), feeds);
    expect(whole.loss.data[0]).toBeGreaterThan(0.01);
    for (const atOnce of [1, vocab, 4 * vocab, 5 * vocab + 3]) {
      const found = interpret(program(atOnce), feeds);
      expect(found.loss.data[0]).toBeCloseTo(whole.loss.data[0]!, 11);
      whole.d.data.forEach((g, i) => expect(found.d.data[i]).toBeCloseTo(g, 11));
    }
  });

  test("is what comparing outputs gives", () => {
    const own = network.forward(weights, x);
    const other = network.forward(scaled, x);
    const direct = interpret({ loss: mul(divergence(network, other, own), 3) }, feeds).loss.data[0]!;
    expect(interpret(program(vocab), feeds).loss.data[0]).toBeCloseTo(direct, 11);
  });

  test("counts the last position alone where the network answers only there", () => {
    const last: Network = { ...network, answersAt: "last" };
    const atLast = (value: Tensor): Tensor => select(value as Tensor<"batch pos vocab">, "pos", 2) as Tensor;
    const [own, other] = [network.forward(weights, x), network.forward(scaled, x)];
    const { run, divergence: of } = comparison(last, weights, 1);
    const found = interpret(
      {
        whole: divergence(last, other, own),
        blocks: of(
          run(x, { matmul: (s, a, W) => (s.name === site ? contract(a, mul(W, -3), "batch pos d_out") : undefined) }),
          run(x),
        ),
        byHand: divergence({ logits: "vocab" }, atLast(other), atLast(own)),
        everywhere: divergence(network, other, own),
      },
      feeds,
    );
    const wanted = found.byHand.data[0]!;
    expect(found.whole.data[0]).toBeCloseTo(wanted, 11);
    expect(found.blocks.data[0]).toBeCloseTo(wanted, 11);
    expect(Math.abs(found.everywhere.data[0]! - wanted)).toBeGreaterThan(1e-4);
  });

  test("is the same in float32", async () => {
    const exact = interpret(program(2 * vocab), feeds);
    const executable = await compile(program(2 * vocab), { threads: 1 });
    const found = await executable.run(feeds);
    expectClose(found.loss, exact.loss, { relative: 1e-5 });
    expectClose(found.d, exact.d, { relative: 1e-5 });
    await executable.dispose();
  });

  test("never has more logits at once than it was allowed", () => {
    const sizes = (atOnce: number): number[] =>
      inTopologicalOrder(Object.values(simplify(program(atOnce))))
        .filter(({ axes, op }) => axes.split(" ").includes("vocab") && !["input", "transpose"].includes(op))
        .filter(({ axes }) => axes.split(" ").includes("batch"))
        .map(({ shape }) => sizeOf(shape));
    expect(Math.max(...sizes(2 * vocab))).toBe(2 * vocab);
    expect(Math.max(...sizes(Infinity))).toBe(6 * vocab);
  });
});

test("a network of values is compared by its output", () => {
  const network = residualMlp({ features: 2, dModel: 3, dMlp: 2, layers: 1 });
  const weights = weightInputs(network.weights);
  const x = constant("batch feature", { batch: 2, feature: 2 }, [1, 0, 0, 1]);
  const { run, divergence: of } = comparison(network, weights, 1);
  const shifted = run(x, { at: (point, value) => (point === "unembed.hook_out" ? mul(value, 2) : undefined) });
  const found = interpret({ loss: of(shifted, run(x)), out: network.forward(weights, x) }, drawn(network, 2));
  const expected = Array.from(found.out.data).reduce<number>((total, y) => total + y * y, 0) / 4;
  expect(found.loss.data[0]).toBeCloseTo(expected, 12);
});
