import { describe, expect, test } from "vitest";
import { type NamedValues, values } from "../engine/index.ts";
import { foldIn, gradients, input, keyFromSeed, mul, randomNormal, sum, type Tensor } from "../tensor/index.ts";
import { RunnableNetwork, tokenValues } from "./run.ts";
import { tms } from "./tms.ts";
import { toyTransformer } from "./transformer/config.ts";
import { transformer } from "./transformer/transformer.ts";

const network = transformer(
  toyTransformer({ vocab: 7, context: 6, layers: 2, dModel: 8, heads: 2, dMlp: 12, norm: "layer", bias: true }),
);
const weights: NamedValues = Object.fromEntries(
  network.weights.map(({ name, axes, shape }) => {
    const size = shape.reduce((product, n) => product * n, 1);
    return [name, values(axes, shape, randomNormal(foldIn(keyFromSeed(3), name), size))];
  }),
);
const tokens = tokenValues([
  [1, 2, 3, 4],
  [5, 6, 0, 1],
]);
const open = (): RunnableNetwork => new RunnableNetwork(network, weights);
const numbers = ({ data }: { data: ArrayLike<number> }): number[] => Array.from(data);

describe("capture", () => {
  test("every hook point has the axes it says, and asking for them changes nothing", async () => {
    const runnable = open();
    const plain = await runnable.run(tokens);
    const { output, cache } = await runnable.run(tokens, { cache: "all" });
    expect(Object.keys(cache)).toEqual(network.points.map(({ name }) => name));
    for (const { name, axes } of network.points) expect(cache[name]!.axes).toBe(axes);
    numbers(output).forEach((x, i) => expect(x).toBeCloseTo(plain.output.data[i]!, 5));
  });

  test("a filter is a list, a pattern or a test", async () => {
    const runnable = open();
    const names = async (cache: Parameters<RunnableNetwork["points"]>[0]): Promise<string[]> =>
      Object.keys((await runnable.run(tokens, { cache })).cache);
    expect(await names(["blocks.1.hook_resid_post", "hook_embed"])).toEqual(["hook_embed", "blocks.1.hook_resid_post"]);
    expect(await names(/attn\.hook_pattern$/)).toEqual(["blocks.0.attn.hook_pattern", "blocks.1.attn.hook_pattern"]);
    expect(await names((name) => name === "unembed.hook_out")).toEqual(["unembed.hook_out"]);
    expect(await names(["resid_post.1", "blocks.0.attn.o.hook_in"])).toEqual([
      "blocks.0.attn.hook_z",
      "blocks.1.hook_resid_post",
    ]);
    await expect(runnable.run(tokens, { cache: ["blocks.0.hook_resid_pos"] })).rejects.toThrow(
      "hook point: expected blocks.0.hook_resid_post, got blocks.0.hook_resid_pos",
    );
  });

  test("a run stops where it is told to", async () => {
    const { output, cache } = await open().run(tokens, { stopAt: "blocks.0.hook_resid_post", cache: /hook_resid_p/ });
    expect(Object.keys(cache)).toEqual(["blocks.0.hook_resid_pre", "blocks.0.hook_resid_post"]);
    expect(numbers(output)).toEqual(numbers(cache["blocks.0.hook_resid_post"]!));
    const { output: same } = await open().run(tokens, { stopAt: "resid_post0" });
    expect(numbers(same)).toEqual(numbers(output));
  });
});

describe("replacement", () => {
  test("a value put back where it was found changes nothing, another one does", async () => {
    const runnable = open();
    const point = "blocks.1.attn.hook_z";
    const { output, cache } = await runnable.run(tokens, { cache: [point] });
    const z = cache[point]!;
    const sizes = { batch: 2, pos: 4, head: 2, d_head: 4 };
    const hook = { point, replace: (): Tensor => input("z", "batch pos head d_head", sizes) };
    const same = await runnable.run(tokens, { hooks: [hook], feeds: { z } });
    numbers(same.output).forEach((x, i) => expect(x).toBeCloseTo(output.data[i]!, 5));
    const zero = { ...z, data: new Float32Array(z.data.length) };
    const other = await runnable.run(tokens, { hooks: [hook], feeds: { z: zero } });
    expect(numbers(other.output)).not.toEqual(numbers(same.output));
  });

  test("the sum of results by head replaces what attention writes", async () => {
    const runnable = new RunnableNetwork(network, weights, { device: "float64" });
    const { output } = await runnable.run(tokens);
    const hooks = ["result", "q_input", "k_input", "v_input"].map((part) => ({
      point: part === "result" ? "blocks.1.attn.hook_result" : `blocks.1.hook_${part}`,
      replace: (x: Tensor): Tensor => mul(x, 1),
    }));
    for (const hook of hooks) {
      const same = await runnable.run(tokens, { hooks: [hook] });
      numbers(same.output).forEach((x, i) => expect(x).toBeCloseTo(output.data[i]!, 10));
    }
    const doubled = await runnable.run(tokens, { hooks: [{ ...hooks[1]!, replace: (x) => mul(x, -2) }] });
    expect(numbers(doubled.output)).not.toEqual(numbers(output));
  });

  test("several hooks at a point act one after the other", async () => {
    const point = "blocks.0.hook_mlp_out";
    const twice = { point, replace: (x: Tensor): Tensor => mul(x, 2) };
    const seen = { point, replace: (): undefined => undefined };
    const { cache: once } = await open().run(tokens, { cache: [point] });
    const { cache } = await open().run(tokens, { cache: [point], hooks: [twice, seen, twice] });
    numbers(cache[point]!).forEach((x, i) => expect(x).toBeCloseTo(4 * once[point]!.data[i]!, 4));
  });

  test("a hook that returns other axes is refused", async () => {
    const hook = { point: "blocks.0.hook_mlp_out", replace: (x: Tensor): Tensor => sum(x, "pos") as Tensor };
    await expect(open().run(tokens, { hooks: [hook] })).rejects.toThrow(
      'hook blocks.0.hook_mlp_out: expected f32 "batch pos d_model" of 2×4×8, got f32 "batch d_model" of 2×8 from the hook',
    );
  });
});

test("gradients with respect to a hook point agree with a small change there", async () => {
  const runnable = new RunnableNetwork(network, weights, { device: "float64" });
  const point = "blocks.0.hook_resid_post";
  const sizes = { batch: 2, pos: 4, d_model: 8 };
  const nudge = { point, replace: (x: Tensor): Tensor => mul(x, input("factor", "batch pos d_model", sizes)) };
  const lossAnd = ({ output, at }: { output: Tensor; at: Readonly<Record<string, Tensor>> }) => {
    const loss = sum(mul(output, output)) as Tensor<"">;
    return { loss, gradient: gradients(loss, [at[point]!])[0]!, value: at[point]! };
  };
  const factor = (i: number, by: number): NamedValues => {
    const data = new Float64Array(64).fill(1);
    data[i] = data[i]! + by;
    return { factor: { axes: "batch pos d_model", shape: [2, 4, 8], dtype: "f32", data } };
  };
  const lossAt = async (i: number, by: number): Promise<number> =>
    (await runnable.compute(tokens, lossAnd, { hooks: [nudge], feeds: factor(i, by) })).loss.data[0]!;
  const { gradient, value } = await runnable.compute(tokens, lossAnd, { hooks: [nudge], feeds: factor(0, 0) });
  for (const i of [0, 17, 40, 63]) {
    const slope = ((await lossAt(i, 1e-5)) - (await lossAt(i, -1e-5))) / 2e-5;
    expect(slope / (gradient.data[i]! * value.data[i]!)).toBeCloseTo(1, 5);
  }
});

describe("what does not fit is refused in one line", () => {
  test.each([
    [tokenValues([[1, 7]]), "run: expected token ids from 0 to 6, got 7 at row 0, position 1"],
    [tokenValues([[1, 2, 3, 4, 5, 6, 0]]), "run: expected at most 6 positions, got 7"],
    [values("batch pos", [1, 1], [1]), 'run: expected i32 "batch pos", got f32 "batch pos"'],
  ])("input %#", async (x, message) => {
    await expect(open().run(x)).rejects.toThrow(message);
  });

  test("weights", () => {
    const toy = tms({ features: 3, hidden: 2, identity: false });
    expect(() => new RunnableNetwork(toy, { W: values("feature hidden", [3, 2], new Float32Array(6)) })).toThrow(
      'weight b: expected "feature" of 3, got none',
    );
  });

  test("rows of different lengths", () => {
    expect(() => tokenValues([[1], [1, 2]])).toThrow("tokens: expected rows of 1 ids, got 2 in row 1");
  });

  test("a point that failed its check", async () => {
    const runnable = open();
    runnable.refuse("hook_embed", "off by 2");
    await expect(runnable.run(tokens, { cache: ["hook_embed"] })).rejects.toThrow(
      "hook point hook_embed: failed its check, off by 2",
    );
    const { cache } = await runnable.run(tokens, { cache: "all" });
    expect("hook_embed" in cache).toBe(false);
  });
});
