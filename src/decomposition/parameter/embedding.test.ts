/** Embeddings taken apart: a component reads a token, and not a vector. */
import { describe, expect, test } from "vitest";
import { compile, interpret, type NamedValues, values } from "../../engine/index.ts";
import { type Network, withSites } from "../../network/network.ts";
import { tokenValues } from "../../network/run.ts";
import { toyTransformer } from "../../network/transformer/config.ts";
import { transformer } from "../../network/transformer/transformer.ts";
import {
  constant,
  foldIn,
  gradients,
  input,
  keyFromSeed,
  mean,
  randomNormal,
  sizeOf,
  square,
  type Tensor,
} from "../../tensor/index.ts";
import { scalarGates } from "./importance/scalar-gate.ts";
import { maskedHooks } from "./masks/masked-product.ts";
import { componentWeights, ParameterDecomposition } from "./parameter-decomposition.ts";
import { ownProduct, rowsOf } from "./subcomponents.ts";

const whole = transformer(
  toyTransformer({ vocab: 7, context: 4, layers: 1, dModel: 6, heads: 2, dMlp: 4, tied: true }),
);
const network = withSites(whole, "embed.W_E,blocks.0.mlp.W_in");
const [C, rows] = [3, 6];
const draw = (specs: Network["weights"]): NamedValues =>
  Object.fromEntries(
    specs.map(({ name, axes, shape }) => [
      name,
      values(axes, shape, randomNormal(foldIn(keyFromSeed(8), name), sizeOf(shape))),
    ]),
  );
const gates = scalarGates(2);
const decomposition = new ParameterDecomposition(
  network,
  draw(network.weights),
  draw(
    componentWeights(
      network.sites.map((site) => ({ site, C })),
      gates,
    ),
  ),
  gates,
);
const ids = [
  [0, 1, 6],
  [3, 4, 0],
];
const x = input("x", "batch pos", { batch: 2, pos: 3 }, "i32");
const feeds = { ...decomposition.values, x: tokenValues(ids) };
const all = (value: number): Record<string, Tensor<"C batch">> =>
  Object.fromEntries(network.sites.map(({ name }) => [name, constant("C batch", { C, batch: rows }, value)]));
const number = (name: string, at: number): number => decomposition.values[name]!.data[at]!;

test("a transformer is not taken apart at its embedding unless that is asked for", () => {
  expect(whole.sites.map(({ name }) => name)).not.toContain("embed.W_E");
  expect(network.sites[0]).toEqual({ name: "embed.W_E", dIn: 7, dOut: 6, indexed: true });
});

describe("an embedding's components", () => {
  test("with the remainder are the network itself, and change it without", () => {
    const left = Object.fromEntries(network.sites.map(({ name }) => [name, constant("batch", { batch: rows }, 1)]));
    const found = interpret(
      {
        own: network.forward(decomposition.tensors, x),
        same: decomposition.masked(x, all(1), { remainder: left }),
        without: decomposition.masked(x, all(1)),
      },
      feeds,
    );
    found.own.data.forEach((value, i) => expect(found.same.data[i]!).toBeCloseTo(value, 9));
    expect(Math.abs(found.without.data[0]! - found.own.data[0]!)).toBeGreaterThan(1e-3);
  });

  test("have importances and activations like any others, from the token's row of V", () => {
    const found = interpret(
      {
        g: decomposition.activity(x)["embed.W_E"]!,
        h: decomposition.activations(x)["embed.W_E"]!,
        W_in: decomposition.activity(x)["blocks.0.mlp.W_in"]!,
      },
      feeds,
    );
    expect([found.g.shape, found.h.shape, found.W_in.shape]).toEqual(Array.from({ length: 3 }, () => [C, rows]));
    ids.flat().forEach((id, row) => {
      for (let c = 0; c < C; c++) {
        const length = Math.hypot(...Array.from({ length: 6 }, (_, o) => number("embed.W_E.U", c * 6 + o)));
        expect(found.h.data[c * rows + row]).toBeCloseTo(number("embed.W_E.V", id * C + c) * length, 10);
      }
    });
  });

  test("write what their masks leave of them into the stream", () => {
    const mask = Array.from({ length: C * rows }, (_, i) => ((i * 7) % 5) / 4);
    const { "embed.W_E": _, ...others } = all(1);
    const masks = { ...others, "embed.W_E": constant("C batch", { C, batch: rows }, mask) };
    let seen: Tensor | undefined;
    decomposition.masked(x, masks, {
      at: (point, value) => {
        if (point === "hook_embed") seen = value;
        return undefined;
      },
    });
    const found = interpret({ seen: seen! }, feeds).seen;
    expect(found.axes).toBe("batch pos d_model");
    ids.flat().forEach((id, row) => {
      for (let o = 0; o < 6; o++) {
        let expected = 0;
        for (let c = 0; c < C; c++)
          expected += number("embed.W_E.V", id * C + c) * mask[c * rows + row]! * number("embed.W_E.U", c * 6 + o);
        expect(found.data[row * 6 + o]).toBeCloseTo(expected, 10);
      }
    });
  });

  test("of tokens that are not there have no gradient, on a device neither", async () => {
    const V = decomposition.tensors["embed.W_E.V"]!;
    const hooks = maskedHooks(decomposition.tensors, { "embed.W_E": { mask: all(1)["embed.W_E"]! } });
    const [d] = gradients(mean(square(network.forward(decomposition.tensors, x, hooks))), [V]);
    const exact = interpret({ d }, feeds).d;
    const program = await compile({ d }, { threads: 1 });
    const found = (await program.run(feeds)).d;
    await program.dispose();
    for (let token = 0; token < 7; token++) {
      const there = ids.flat().includes(token);
      for (let c = 0; c < C; c++) {
        expect(exact.data[token * C + c] !== 0).toBe(there);
        expect(found.data[token * C + c] !== 0).toBe(there);
      }
    }
  });
});

test("a table's own product is its rows, and what needs vectors refuses indices", () => {
  const W = constant("d_in d_out", { d_in: 3, d_out: 2 }, [1, 2, 3, 4, 5, 6]);
  const at = constant("batch", { batch: 2 }, [2, 0], "i32");
  expect(Array.from(interpret({ y: ownProduct(at, W) }).y.data)).toEqual([5, 6, 1, 2]);
  expect(() => rowsOf(at)).toThrow("rows of a site: expected vectors, got token ids of an embedding");
});
