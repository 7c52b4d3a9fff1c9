/** Importance functions in networks, as settings ask for them. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { interpret, type NamedValues, values } from "../../../engine/index.ts";
import { type Network, type WeightSpec, withSites } from "../../../network/network.ts";
import { rnn } from "../../../network/rnn.ts";
import { tokenValues } from "../../../network/run.ts";
import { tms } from "../../../network/tms.ts";
import { toyTransformer } from "../../../network/transformer/config.ts";
import { transformer } from "../../../network/transformer/transformer.ts";
import { axisNames, foldIn, input, keyFromSeed, randomNormal, sizeOf, type Tensor } from "../../../tensor/index.ts";
import { componentWeights, ParameterDecomposition } from "../parameter-decomposition.ts";
import { chunksOf } from "./chunks.ts";
import { importanceFunction } from "./function.ts";
import { importanceSettings } from "./settings.ts";

const schema = z.strictObject(importanceSettings);
const small = {
  importanceHidden: "5,4",
  importanceDModel: 8,
  importanceHeads: 2,
  importanceBlocks: 1,
  importanceDMlp: 6,
};
const network = transformer(toyTransformer({ vocab: 5, context: 4, layers: 2, dModel: 6, heads: 2, dMlp: 4 }));
const kinds = importanceSettings.importance.unwrap().options;

function draw(specs: readonly WeightSpec[]): NamedValues {
  return Object.fromEntries(
    specs.map(({ name, axes, shape }) => {
      const numbers = randomNormal(foldIn(keyFromSeed(8), name), sizeOf(shape));
      // Around ½, where hard sigmoids are not flat.
      const from = /(head\.b|gate\.b_out)$/.test(name) ? 0.5 : 0;
      return [
        name,
        values(
          axes,
          shape,
          numbers.map((x) => from + x / 4),
        ),
      ];
    }),
  );
}

/** Every site's importances on an input, from random weights. */
function activity(target: Network, settings: Readonly<Record<string, unknown>>, x: Tensor, given: NamedValues) {
  const importance = importanceFunction(schema.parse({ ...small, ...settings }), target);
  const slots = target.sites.map((site, i) => ({ site, C: 2 + (i % 2) }));
  const components = draw(componentWeights(slots, importance));
  const decomposition = new ParameterDecomposition(target, draw(target.weights), components, importance);
  return interpret({ ...decomposition.activity(x) }, { ...decomposition.values, ...given });
}

test("defaults are scalar gates as they have been", () => {
  const { importance, gateWidth, gateStart } = schema.parse({});
  expect({ importance, gateWidth, gateStart }).toEqual({ importance: "gate", gateWidth: 16, gateStart: "normal" });
});

describe.each(kinds)("%s", (importance) => {
  test("predicts importances of a transformer: for each component, example and position", () => {
    const x = input("x", "batch pos", { batch: 2, pos: 3 }, "i32");
    const tokens = { x: tokenValues([[0, 1, 2], [3, 4, 0]]) }; // prettier-ignore
    for (const taps of ["inputs", "residual", "hook_embed,blocks.1.attn.hook_z"]) {
      const found = activity(network, { importance, importanceTaps: taps }, x, tokens);
      network.sites.forEach(({ name }, i) => expect(found[name]!.shape).toEqual([2 + (i % 2), 6]));
      const all = Object.values(found).flatMap(({ data }) => Array.from(data));
      expect(all.every((g) => g >= 0 && g <= 1)).toBe(true);
      expect(new Set(all).size).toBeGreaterThan(10);
    }
  });

  test("predicts importances where there are no positions", () => {
    const target = tms({ features: 5, hidden: 2, identity: true });
    const x = input("x", "batch feature", { batch: 4, feature: 5 });
    const given = { x: values("batch feature", [4, 5], randomNormal(keyFromSeed(1), 20)) };
    const found = activity(target, { importance }, x, given);
    target.sites.forEach(({ name }, i) => expect(found[name]!.shape).toEqual([2 + (i % 2), 4]));
  });
});

test.each(kinds.slice(1))("%s refuses what is seen once a position", (importance) => {
  const target = rnn({ features: 2, hidden: 3, outputs: 1, positions: 4 });
  const x = input("x", "batch pos feature", { batch: 2, pos: 4, feature: 2 });
  expect(() => activity(target, { importance }, x, {})).toThrow(
    "importance of W_rec: expected one product in a run, got 4",
  );
});

describe("where a site is a table that is read by token ids", () => {
  const target = withSites(network, "embed.W_E,blocks.0.mlp.W_in");
  const x = input("x", "batch pos", { batch: 2, pos: 3 }, "i32");
  const tokens = { x: tokenValues([[0, 1, 2], [3, 4, 0]]) }; // prettier-ignore

  test.each(kinds.slice(1))("%s wants a vector", (importance) => {
    expect(() => activity(target, { importance }, x, tokens)).toThrow(
      "importance of embed.W_E: expected a vector that goes into it, got token ids; gates and transformers at hook points need none",
    );
  });

  test.each([
    { importance: "gate" },
    { importance: "transformer", importanceTaps: "residual" },
    { importance: "chunkwise-transformer", importanceTaps: "hook_embed" },
  ])("$importance can do without", (settings) => {
    const found = activity(target, settings, x, tokens);
    expect(found["embed.W_E"]!.shape).toEqual([2, 6]);
    expect(new Set(found["embed.W_E"]!.data).size).toBeGreaterThan(2);
  });
});

describe("chunks", () => {
  const some = withSites(network, "blocks.0.attn.W_Q,blocks.1.mlp.W_in,blocks.0.mlp.W_out");
  const [q, into, out] = some.sites.map(({ name }) => name);
  const sitesOf = (text: string): (readonly string[])[] => chunksOf(some, text, "inputs").map(({ sites }) => sites);

  test("by word and by name", () => {
    expect(sitesOf("all")).toEqual([[q, into, out]]);
    expect(sitesOf("site")).toEqual([[q], [into], [out]]);
    expect(sitesOf("block")).toEqual([[q, out], [into]]);
    expect(sitesOf(`${into}; ${out}, ${q}`)).toEqual([[into], [out, q]]);
    const shallow = tms({ features: 5, hidden: 2, identity: false });
    expect(chunksOf(shallow, "block", "inputs")).toEqual([{ sites: ["linear1"] }, { sites: ["linear2"] }]);
  });

  test("taps are shared, or one for each", () => {
    const residual = ["blocks.0.hook_resid_pre", "blocks.1.hook_resid_pre"].map((point) => ({ point, width: 6 }));
    expect(chunksOf(some, "block", "residual").map(({ taps }) => taps)).toEqual([residual, residual]);
    const z = [{ point: "blocks.1.attn.hook_z", width: 6 }];
    expect(chunksOf(some, "block", "inputs; blocks.1.attn.hook_z").map(({ taps }) => taps)).toEqual([undefined, z]);
    expect(chunksOf(some, "all", "blocks.0.mlp.hook_post")[0]!.taps).toEqual([
      { point: "blocks.0.mlp.hook_post", width: 4 },
    ]);
  });

  test.each([
    ["blocks.0.attn.W_P", "inputs", "site: expected blocks.0.attn.W_Q, got blocks.0.attn.W_P"],
    ["blocks.0.attn.W_Q", "inputs", "importanceChunks: expected blocks.1.mlp.W_in in one chunk, got it in 0"],
    [`${out},${q};${into},${q}`, "inputs", "importanceChunks: expected blocks.0.attn.W_Q in one chunk, got it in 2"],
    ["site", "inputs;residual", "importanceTaps: expected 1 or 3, got 2"],
    ["all", "blocks.0.hook_resid_pro", /expected blocks\.0\.hook_resid_pre/],
    [
      "all",
      "blocks.0.attn.hook_pattern",
      /expected "batch pos …", which is what sites read, got "batch head query key"/,
    ],
  ])("%s with %s is refused", (chunks, taps, message) => {
    expect(() => chunksOf(some, chunks, taps)).toThrow(message);
  });

  test("a network without a residual stream has no boundaries of it", () => {
    const shallow = tms({ features: 5, hidden: 2, identity: false });
    expect(() => chunksOf(shallow, "all", "residual")).toThrow(
      "importanceTaps: expected a network with a residual stream, got one without",
    );
  });
});

test.each([
  [{ importanceHidden: "5,0" }, /expected widths/],
  [{ importanceHidden: "" }, /expected widths/],
  [{ importanceHeads: 0 }, /importanceHeads/],
])("%o is refused", (given, message) => {
  expect(() => schema.parse(given)).toThrow(message);
});

test("heads need an even number of dimensions", () => {
  const settings = schema.parse({ importance: "transformer", importanceDModel: 12, importanceHeads: 4 });
  expect(() => importanceFunction(settings, network)).toThrow(
    "importance transformer: expected an even number of dimensions in each head, got 12 for 4 heads",
  );
});

test("chunks at the residual stream are as wide as the stream for each block, whatever their sites", () => {
  const settings = schema.parse({ ...small, importance: "chunkwise-transformer", importanceTaps: "residual" });
  const specs = importanceFunction(settings, network).weights(network.sites.map((site) => ({ site, C: 2 })));
  const first = specs.filter(({ name, axes }) => /chunks\.\d+\.W$/.test(name) && axisNames(axes)[0] === "d_in");
  expect(first.map(({ shape }) => shape)).toEqual([[12, 8], [12, 8]]); // prettier-ignore
});
