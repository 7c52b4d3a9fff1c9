import { describe, expect, test } from "vitest";
import { interpret, type NamedValues, values } from "../engine/index.ts";
import { constant, contract, foldIn, input, keyFromSeed, randomNormal, sizeOf, type Tensor } from "../tensor/index.ts";
import { embeddingMlp } from "./embedding-mlp.ts";
import { withIdentities } from "./identities.ts";
import { type Hooks, type Network, weightInputs } from "./network.ts";
import { residualMlp } from "./residual-mlp.ts";
import { tokenValues } from "./run.ts";
import { tms } from "./tms.ts";
import { toyTransformer } from "./transformer/config.ts";
import { transformer } from "./transformer/transformer.ts";

const drawn = ({ weights }: Network): NamedValues =>
  Object.fromEntries(
    weights.map(({ name, axes, shape }) => [
      name,
      values(axes, shape, randomNormal(foldIn(keyFromSeed(4), name), sizeOf(shape))),
    ]),
  );
const names = ({ sites }: Network): string[] => sites.map(({ name }) => name);

/** Hooks that put another matrix in a site's place. */
const instead = (name: string, M: Tensor): Hooks => ({
  matmul: (site, activation) =>
    site.name === name ? contract(activation, M, activation.axes.replace(/d_in$/, "d_out")) : undefined,
});

describe("an identity at a hook point", () => {
  const network = tms({ features: 3, hidden: 2, identity: false });
  const inserted = withIdentities(network, "hook_hidden");
  const x = constant("batch feature", { batch: 2, feature: 3 }, [1, 0.5, 0, 0, 0.25, 2]);
  const weights = weightInputs(network.weights);

  test("is a site in its place, as the toy's own identity is", () => {
    const own = tms({ features: 3, hidden: 2, identity: true });
    expect(names(inserted)).toEqual(["linear1", "hook_hidden.identity", "linear2"]);
    expect(inserted.sites[1]).toMatchObject({ dIn: 2, dOut: 2 });
    const M = constant("d_in d_out", { d_in: 2, d_out: 2 }, [0, 1, -2, 0.5]);
    const found = interpret(
      {
        plain: network.forward(weights, x),
        inserted: inserted.forward(weights, x),
        turned: inserted.forward(weights, x, instead("hook_hidden.identity", M)),
        own: own.forward(weights, x, instead("identity", M)),
        eye: inserted.matrix(weights, "hook_hidden.identity"),
        W: inserted.matrix(weights, "linear2"),
        W2: network.matrix(weights, "linear2"),
      },
      drawn(network),
    );
    expect(Array.from(found.inserted.data)).toEqual(Array.from(found.plain.data));
    expect(Array.from(found.turned.data)).toEqual(Array.from(found.own.data));
    expect(Array.from(found.turned.data)).not.toEqual(Array.from(found.plain.data));
    expect(Array.from(found.eye.data)).toEqual([1, 0, 0, 1]);
    expect(Array.from(found.W.data)).toEqual(Array.from(found.W2.data));
  });

  test("acts before what is done at the point, which sees what it lets through", () => {
    const M = constant("d_in d_out", { d_in: 2, d_out: 2 }, [2, 0, 0, 2]);
    let seen: Tensor | undefined;
    const watching = (hooks: Hooks): Hooks => ({
      ...hooks,
      at: (point, value) => {
        if (point === "hook_hidden") seen = value;
        return undefined;
      },
    });
    inserted.forward(weights, x, watching(instead("hook_hidden.identity", M)));
    const doubled = interpret({ seen: seen! }, drawn(network)).seen;
    inserted.forward(weights, x, watching({}));
    const plain = interpret({ seen: seen! }, drawn(network)).seen;
    expect(doubled.axes).toBe("batch hidden");
    plain.data.forEach((value, i) => expect(doubled.data[i]).toBeCloseTo(2 * value, 12));
    // What a hook puts in its place goes on, whatever the identity did.
    const zero = inserted.forward(weights, x, {
      ...instead("hook_hidden.identity", M),
      at: (point) => (point === "hook_hidden" ? constant("batch hidden", { batch: 2, hidden: 2 }, 0) : undefined),
    });
    const bias = drawn(network).b!.data;
    const out = interpret({ zero }, drawn(network)).zero.data;
    out.forEach((y, i) => expect(y).toBe(Math.max(0, bias[i % 3]!)));
  });

  test("that is nowhere is refused, and none is none", () => {
    expect(() => withIdentities(network, "hook_hiden")).toThrow("hook point: expected hook_hidden, got hook_hiden");
    expect(withIdentities(network, "")).toBe(network);
  });
});

describe("in a transformer", () => {
  const network = transformer(toyTransformer({ vocab: 5, context: 4, layers: 2, dModel: 6, heads: 2, dMlp: 4 }));
  const points = "blocks.1.hook_resid_pre, hook_embed, blocks.0.attn.hook_z";
  const inserted = withIdentities(network, points);

  test("identities lie in the order an activation meets them; heads count as one row", () => {
    expect(names(inserted)).toEqual([
      "hook_embed.identity",
      ...names(network).slice(0, 3),
      "blocks.0.attn.hook_z.identity",
      ...names(network).slice(3, 6),
      "blocks.1.hook_resid_pre.identity",
      ...names(network).slice(6),
    ]);
    expect(inserted.sites.find(({ name }) => name.includes("hook_z"))).toMatchObject({ dIn: 6, dOut: 6 });
  });

  test("change nothing, and can be replaced", () => {
    const x = input("x", "batch pos", { batch: 1, pos: 3 }, "i32");
    const weights = weightInputs(network.weights);
    const feeds = { ...drawn(network), x: tokenValues([[0, 3, 1]]) };
    const zero = constant("d_in d_out", { d_in: 6, d_out: 6 }, 0);
    const found = interpret(
      {
        plain: network.forward(weights, x),
        same: inserted.forward(weights, x, {
          matmul: (site, a, W) => (site.name.endsWith("identity") ? contract(a, W, "batch pos d_out") : undefined),
        }),
        without: inserted.forward(weights, x, instead("blocks.0.attn.hook_z.identity", zero)),
        ablated: network.forward(weights, x, instead("blocks.0.attn.W_O", zero)),
      },
      feeds,
    );
    expect(Array.from(found.same.data)).toEqual(Array.from(found.plain.data));
    expect(Array.from(found.without.data)).toEqual(Array.from(found.ablated.data));
  });

  test.each(["blocks.0.attn.hook_pattern"])("%s has no rows as sites have them", (point) => {
    expect(() => withIdentities(network, point)).toThrow(
      `identity at ${point}: expected a value for each of the rows "batch pos" that sites read, got "batch head query key"`,
    );
  });
});

test("where positions are summed before the first site, none goes before", () => {
  const network = embeddingMlp({ vocab: 5, context: 2, dModel: 3, dMlp: 4 });
  expect(() => withIdentities(network, "hook_embed")).toThrow('of the rows "batch" that sites read');
  expect(names(withIdentities(network, "blocks.0.hook_resid_pre"))[0]).toBe("blocks.0.hook_resid_pre.identity");
});

test("in a residual stream between blocks", () => {
  const network = residualMlp({ features: 2, dModel: 3, dMlp: 2, layers: 2 });
  expect(names(withIdentities(network, "blocks.1.hook_resid_pre"))).toEqual([
    "blocks.0.mlp.W_in",
    "blocks.0.mlp.W_out",
    "blocks.1.hook_resid_pre.identity",
    "blocks.1.mlp.W_in",
    "blocks.1.mlp.W_out",
  ]);
});

test("logits that are taken apart are made in one piece, others by whoever compares them", () => {
  const network = transformer(toyTransformer({ vocab: 5, context: 4, layers: 1, dModel: 6, heads: 2, dMlp: 4 }));
  expect(withIdentities(network, "unembed.hook_out").unembedding).toBeUndefined();
  expect(withIdentities(network, network.unembedding!.point).unembedding).toBe(network.unembedding);
});
