import { readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { NamedValues } from "../../engine/index.ts";
import { values } from "../../engine/index.ts";
import {
  axisNames,
  axisSize,
  concat,
  foldIn,
  keyFromSeed,
  randomNormal,
  slice,
  type Tensor,
} from "../../tensor/index.ts";
import { type Checkpoint } from "../huggingface/checkpoint.ts";
import { openHuggingFace } from "../huggingface/node-folder.ts";
import type { Hooks, Network } from "../network.ts";
import { RunnableNetwork } from "../run.ts";
import { tms } from "../tms.ts";
import { toyTransformer } from "../transformer/config.ts";
import { type Transformer, transformer } from "../transformer/transformer.ts";
import { checkPoints, checkReading, checkTransformer, refuseFailed } from "./check-network.ts";

const GOLDEN = join(import.meta.dirname, "../../../test/golden/networks");
const folders = (await readdir(GOLDEN, { withFileTypes: true })).filter((entry) => entry.isDirectory());
const PROMPT = [5, 17, 3, 36, 3, 9, 21];

function randomWeights(network: Network): NamedValues {
  return Object.fromEntries(
    network.weights.map(({ name, axes, shape }) => {
      const size = shape.reduce((product, n) => product * n, 1);
      return [name, values(axes, shape, randomNormal(foldIn(keyFromSeed(3), name), size))];
    }),
  );
}

const failures = async (runnable: RunnableNetwork): Promise<string[]> => {
  const { rows } = await checkTransformer(runnable, PROMPT);
  return rows.filter(({ passed }) => !passed).map(({ point, identity, error }) => `${point} ${identity} ${error}`);
};

describe("networks that are right pass", () => {
  test.each(folders.map(({ name }) => name))("%s", async (name) => {
    const { network, weights } = await openHuggingFace(join(GOLDEN, name));
    expect(await failures(new RunnableNetwork(network, weights))).toEqual([]);
  });

  test.each([
    ["attention alone", {}],
    ["shortformer", { positions: { kind: "absolute", table: "learned", addedTo: "queries and keys" } }],
    [
      "sinusoids, with an MLP and norms",
      {
        dMlp: 12,
        norm: "layer",
        bias: true,
        positions: { kind: "absolute", table: "sinusoidal", addedTo: "residual" },
      },
    ],
    [
      "neighbouring pairs turned",
      { positions: { kind: "rotary", frequencies: [1, 0.3], pairs: "neighbours", scale: 1.5 } },
    ],
  ] as const)("a toy: %s", async (_, shape) => {
    const network = transformer(toyTransformer({ vocab: 37, context: 10, layers: 2, dModel: 8, heads: 2, ...shape }));
    expect(await failures(new RunnableNetwork(network, randomWeights(network)))).toEqual([]);
  });

  test("every point has an identity", async () => {
    const { network, weights } = await openHuggingFace(join(GOLDEN, "gemma2"));
    const { rows, positions } = await checkTransformer(new RunnableNetwork(network, weights), PROMPT);
    expect(positions).toBe(7);
    const checked = new Set(rows.map(({ point }) => point));
    expect(network.points.filter(({ name }) => !checked.has(name))).toEqual([]);
  });
});

/** The network with another value under the name of one point: what flows on is left as it is. */
function lying(network: Transformer, point: string, wrong: (value: Tensor) => Tensor): Transformer {
  const forward: Transformer["forward"] = (weights, x, hooks: Hooks = {}, padding) => {
    const at = (name: string, value: Tensor): Tensor | undefined => {
      if (name !== point) return hooks.at?.(name, value);
      hooks.at?.(name, wrong(value));
      return undefined;
    };
    return network.forward(weights, x, { ...hooks, at }, padding);
  };
  return { ...network, forward };
}

/** The same numbers, one step further along an axis. */
function shifted(x: Tensor, axis: string): Tensor {
  const size = axisSize(x, axis);
  return concat([slice(x, axis, size - 1, size), slice(x, axis, 0, size - 1)], axis);
}

describe("a wrong value of the right shape is caught, at every point and along every axis", () => {
  let checkpoint: Checkpoint;
  beforeAll(async () => {
    checkpoint = await openHuggingFace(join(GOLDEN, "gemma2"));
  });
  const config = JSON.parse(readFileSync(join(GOLDEN, "gemma2", "config.json"), "utf8")) as object;
  expect(config).toMatchObject({ num_hidden_layers: 2 });

  test.each([
    "hook_embed",
    ...["hook_resid_pre", "hook_resid_mid", "hook_mlp_in", "hook_attn_out", "hook_mlp_out", "hook_resid_post"],
    ...["hook_q_input", "hook_k_input", "hook_v_input"],
    ...["ln1", "ln2", "ln1_post", "ln2_post"].flatMap((ln) =>
      ["scale", "normalized", "out"].map((p) => `${ln}.hook_${p}`),
    ),
    ...["q", "k", "v", "rot_q", "rot_k", "attn_scores", "pattern", "z", "result"].map((part) => `attn.hook_${part}`),
    ...["pre", "pre_linear", "post"].map((part) => `mlp.hook_${part}`),
    ...["ln_final.hook_scale", "ln_final.hook_normalized", "ln_final.hook_out", "unembed.hook_out"],
  ])("%s", async (part) => {
    const point = /^(hook_embed|ln_final|unembed)/.test(part) ? part : `blocks.1.${part}`;
    const { network, weights } = checkpoint;
    const { axes } = network.points.find(({ name }) => name === point)!;
    for (const axis of axisNames(axes).filter((name) => name !== "batch")) {
      // What is repeated for each head is the same whichever head it is shifted by.
      if (axis.endsWith("head") && part.endsWith("_input")) continue;
      const wrong = lying(network, point, (x) => shifted(x, axis));
      const runnable = new RunnableNetwork(wrong, weights, { device: "float64" });
      const report = await checkPoints(runnable, PROMPT.slice(0, 4));
      expect(Object.keys(report.refusals), axis).toContain(point);
      refuseFailed(runnable, report);
      expect(() => runnable.point(point)).toThrow(`hook point ${point}: failed its check, off by `);
    }
  });

  test("another point's value under a name", async () => {
    const { network, weights } = checkpoint;
    const taken: Record<string, Tensor> = {};
    const forward: Transformer["forward"] = (given, x, hooks = {}, padding) => {
      const at = (name: string, value: Tensor): Tensor | undefined => {
        taken[name] = value;
        const wrong = name === "blocks.1.hook_attn_out" ? taken["blocks.1.ln1_post.hook_normalized"] : undefined;
        hooks.at?.(name, wrong ?? value);
        return undefined;
      };
      return network.forward(given, x, { ...hooks, at }, padding);
    };
    const { refusals } = await checkTransformer(
      new RunnableNetwork({ ...network, forward } as Transformer, weights),
      PROMPT,
    );
    expect(Object.keys(refusals)).toContain("blocks.1.hook_attn_out");
  });
});

describe("a network that is not what it should be is caught", () => {
  const network = transformer(toyTransformer({ vocab: 37, context: 16, layers: 2, dModel: 8, heads: 2, dMlp: 12 }));
  const weights = randomWeights(network);
  const failedOf = async (wrong: Transformer): Promise<string[]> => {
    const { rows } = await checkTransformer(new RunnableNetwork(wrong, weights), PROMPT);
    return rows.filter(({ passed }) => !passed).map(({ identity }) => identity);
  };

  test("one that looks ahead", async () => {
    const { attention } = network.config;
    const both = transformer({ ...network.config, attention: { ...attention, causal: false } });
    const found = await failedOf({ ...both, config: network.config });
    expect(found).toContain("is causal");
    expect(found).toContain("a later token changes nothing before it");
  });

  test("one that takes padding for text", async () => {
    const forward: Transformer["forward"] = (given, x, hooks) => network.forward(given, x, hooks);
    expect(await failedOf({ ...network, forward })).toContain("padding on the left changes nothing");
  });

  test("one whose rows are not apart", async () => {
    const forward: Transformer["forward"] = (given, x, hooks, padding) =>
      shifted(network.forward(given, x, hooks, padding), "batch");
    expect(await failedOf({ ...network, forward })).toContain("other rows of a batch change nothing");
  });

  /** A runnable network whose runs of one kind give something else. */
  class Faulty extends RunnableNetwork {
    readonly wrong: (options: Parameters<RunnableNetwork["run"]>[1]) => boolean;
    constructor(wrong: Faulty["wrong"]) {
      super(network, weights);
      this.wrong = wrong;
    }
    override async run(...[x, options = {}]: Parameters<RunnableNetwork["run"]>): ReturnType<RunnableNetwork["run"]> {
      const result = await super.run(x, options);
      if (!this.wrong(options)) return result;
      return { ...result, output: { ...result.output, data: Float32Array.from(result.output.data).reverse() } };
    }
  }

  test.each([
    ["reading every point changes nothing", (o: { cache?: unknown }) => o.cache === "all"],
    ["every value put back where it was changes nothing", (o: { hooks?: unknown }) => o.hooks !== undefined],
    ["stopping there changes nothing", (o: { stopAt?: unknown }) => o.stopAt !== undefined],
  ] as const)("one for which not: %s", async (identity, wrong) => {
    const { rows } = await checkTransformer(new Faulty(wrong as Faulty["wrong"]), PROMPT);
    expect(rows.filter(({ passed }) => !passed).map((one) => one.identity)).toContain(identity);
  });
});

test("what cannot be checked is refused in one line", async () => {
  const network = transformer(toyTransformer({ vocab: 7, context: 4, layers: 1, dModel: 4, heads: 1 }));
  const runnable = new RunnableNetwork(network, randomWeights(network));
  await expect(checkTransformer(runnable, [1, 2, 3, 4, 5])).rejects.toThrow("prompt: expected at most 4 tokens, got 5");
  await expect(checkTransformer(runnable, [1, 7])).rejects.toThrow(
    "prompt: expected token ids from 0 to 6, got 7 at position 1",
  );
  await expect(checkTransformer(runnable, [])).rejects.toThrow("prompt: expected at least 1 token, got 0");
});

test("a prompt as long as the context, and one token", async () => {
  const network = transformer(toyTransformer({ vocab: 7, context: 4, layers: 1, dModel: 4, heads: 1 }));
  const runnable = new RunnableNetwork(network, randomWeights(network));
  expect((await checkTransformer(runnable, [1, 2, 3, 4])).passed).toBe(true);
  expect((await checkTransformer(runnable, [1])).passed).toBe(true);
});

test("other networks: reading changes nothing", async () => {
  const network = tms({ features: 3, hidden: 2, identity: false });
  const runnable = new RunnableNetwork(network, randomWeights(network));
  const report = await checkReading(runnable, values("batch feature", [2, 3], [1, 0, 2, 0.5, 1, 0]));
  expect(report.rows.length).toBe(3);
  expect(report.passed).toBe(true);
});
