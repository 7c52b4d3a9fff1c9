/** Edits of components: made for good or on the way they are the same, and what nobody reads changes nothing. */
import { describe, expect, test } from "vitest";
import { scalarGates } from "../decomposition/parameter/importance/scalar-gate.ts";
import { ParameterDecomposition } from "../decomposition/parameter/parameter-decomposition.ts";
import { interpret, type NamedValues } from "../engine/index.ts";
import { mlp } from "../network/mlp.ts";
import { tokenValues } from "../network/run.ts";
import { tms } from "../network/tms.ts";
import { toyTransformer } from "../network/transformer/config.ts";
import { transformer } from "../network/transformer/transformer.ts";
import { constant, foldIn, input, keyFromSeed, mul, randomNormal, scalar, uniform } from "../tensor/index.ts";
import { ablate, type Edit, editedWeights, editFeeds, editHooks, planned } from "./edit.ts";
import { editEffects } from "./edit-effects.ts";
import { ratioInterval } from "./ratio-interval.ts";
import { randomDecomposition } from "../../test/circuit/random-decomposition.ts";

const network = transformer(
  toyTransformer({ vocab: 7, context: 48, layers: 2, dModel: 8, heads: 2, dMlp: 10, norm: "layer" }),
);
const subject = randomDecomposition(network, 5, 3);
const tokens = tokenValues([
  [1, 4, 2, 6],
  [0, 3, 3, 5],
]);
const x = input("x", "batch pos", { batch: 2, pos: 4 }, "i32");
const write = Array.from(randomNormal(keyFromSeed(4), 10));

function outputs(
  edits: readonly Edit[],
  strength = 1,
): { hooked: Float64Array; forGood: Float64Array; own: Float64Array } {
  const plan = planned(subject, edits);
  const feeds = { ...subject.values, ...editFeeds(plan), x: tokens };
  const hooked = network.forward(subject.tensors, x, editHooks(subject, plan, scalar(strength)));
  const own = network.forward(subject.tensors, x);
  const found = interpret({ hooked, own }, feeds);
  const changed = interpret({ out: own }, { ...feeds, ...editedWeights(subject, plan) });
  const numbers = ({ data }: NamedValues[string]): Float64Array => Float64Array.from(data);
  return { hooked: numbers(found.hooked), own: numbers(found.own), forGood: numbers(changed.out) };
}

const largest = (a: Float64Array, b: Float64Array): number => Math.max(...a.map((v, i) => Math.abs(v - b[i]!)));

describe("an edit", () => {
  const EDITS: Readonly<Record<string, readonly Edit[]>> = {
    "takes components away": [ablate("blocks.0.attn.W_Q:2"), ablate("blocks.1.mlp.W_out:0")],
    "scales one": [{ kind: "scale", address: "blocks.1.attn.W_O:1", by: 2.5 }],
    "gives one another write vector": [{ kind: "replace", address: "blocks.0.mlp.W_in:4", write }],
    "keeps only some": [{ kind: "keep", addresses: ["blocks.0.mlp.W_in:1", "blocks.0.mlp.W_in:3"] }],
  };
  for (const [name, edits] of Object.entries(EDITS)) {
    test(`${name}: the same on the way and for good`, () => {
      const { hooked, forGood, own } = outputs(edits);
      // Weights are stored in 32 bits.
      expect(largest(hooked, forGood)).toBeLessThan(1e-5);
      expect(largest(hooked, own)).toBeGreaterThan(1e-2);
    });
  }

  test("at strength 0 is no edit, and scaling by 1 neither", () => {
    const { hooked, own } = outputs([ablate("blocks.0.attn.W_V:2")], 0);
    expect(largest(hooked, own)).toBe(0);
    const same = outputs([{ kind: "scale", address: "blocks.0.attn.W_V:2", by: 1 }]);
    expect(largest(same.hooked, same.own)).toBeLessThan(1e-12);
  });

  test("is not taken back by a decomposition opened on the edited network", () => {
    const plan = planned(subject, [{ kind: "replace", address: "blocks.0.mlp.W_in:4", write }]);
    const weights = editedWeights(subject, plan);
    const reopened = new ParameterDecomposition(network, weights, subject.values, scalarGates(3));
    const rows = 8;
    const ones = Object.fromEntries(
      network.sites.map(({ name }) => [name, constant("C batch", { C: 5, batch: rows }, 1)]),
    );
    const rest = Object.fromEntries(network.sites.map(({ name }) => [name, constant("batch", { batch: rows }, 1)]));
    const feeds = { ...reopened.values, ...weights, x: tokens };
    const found = interpret(
      { whole: reopened.masked(x, ones, { remainder: rest }), own: network.forward(reopened.tensors, x) },
      feeds,
    );
    found.own.data.forEach((v, i) => expect(found.whole.data[i]!).toBeCloseTo(v, 8));
    expect(largest(Float64Array.from(found.own.data), outputs([]).own)).toBeGreaterThan(1e-3);
  });

  test("is refused in words where it cannot be", () => {
    const why =
      (edits: readonly Edit[]): (() => unknown) =>
      () =>
        planned(subject, edits);
    expect(why([ablate("blocks.0.mlp.W_inn:4")])).toThrow(/site: expected one of .*, got blocks.0.mlp.W_inn/);
    expect(why([ablate("blocks.0.mlp.W_in:5")])).toThrow("expected a component from 0 to 4, got 5");
    expect(why([ablate("blocks.0.mlp.W_in:1@3")])).toThrow("at every position, blocks.0.mlp.W_in:1, got");
    expect(why([ablate("blocks.0.mlp.W_in:remainder")])).toThrow("got its remainder");
    expect(why([ablate("blocks.0.mlp.W_in:1"), ablate("blocks.0.mlp.W_in:1")])).toThrow("one edit of");
    expect(why([{ kind: "replace", address: "blocks.0.mlp.W_in:1", write: [1, 2] }])).toThrow("of 10 numbers, got 2");
    expect(why([{ kind: "scale", address: "blocks.0.mlp.W_in:1", by: Number.NaN }])).toThrow("finite");
    const tied = randomDecomposition(tms({ features: 5, hidden: 2, identity: false }), 4);
    expect(() => editedWeights(tied, planned(tied, [ablate("linear1:0")]))).toThrow("a weight called linear1");
  });
});

describe("what an edit does", () => {
  test("is nothing where the component reads nothing: v ⊥ a", async () => {
    // All inputs lie in the first two of four dimensions, and component 0 reads the third.
    const net = mlp({ features: 4, hidden: [3], outputs: 2, activation: "relu", bias: true });
    const made = randomDecomposition(net, 3);
    const V = made.values["blocks.0.mlp.W_in.V"]!;
    const data = Float32Array.from(V.data, (v, i) => (i % 3 === 0 ? (Math.floor(i / 3) === 2 ? 1 : 0) : v));
    const given = { ...made.values, "blocks.0.mlp.W_in.V": { ...V, data } };
    const reads = new ParameterDecomposition(net, given, given, scalarGates(3));
    const plane = constant("feature", { feature: 4 }, [1, 1, 0, 0]);
    const drawn = uniform("data", "batch feature", { batch: 64, feature: 4 });
    const data64 = { x: mul(drawn, plane), batches: 2 };
    const plan = planned(reads, [ablate("blocks.0.mlp.W_in:0")]);
    const { effects, unit } = await editEffects(reads, plan, data64);
    expect(unit).toBe("squared error");
    const { onTarget, offTarget, surrounding } = effects[0]!;
    expect(onTarget.n + offTarget.n).toBe(128);
    for (const { mean } of [onTarget, offTarget]) expect(mean ?? 0).toBeLessThan(1e-12);
    expect(surrounding).toBeNull();
    const other = await editEffects(reads, planned(reads, [ablate("blocks.0.mlp.W_in:1")]), data64);
    expect(Math.max(other.effects[0]!.onTarget.mean ?? 0, other.effects[0]!.offTarget.mean ?? 0)).toBeGreaterThan(1e-4);
  });

  test("is told apart by where the component fires; made only there, it leaves the positions before alone", async () => {
    const rows = Array.from({ length: 6 }, (_, row) =>
      Array.from(randomNormal(foldIn(keyFromSeed(1), row), 48), (v) => Math.min(6, Math.floor(Math.abs(v) * 4))),
    );
    const data = {
      x: input("x", "batch pos", { batch: 6, pos: 48 }, "i32"),
      feeds: { x: tokenValues(rows) },
      batches: 1,
    };
    const plan = planned(subject, [ablate("blocks.1.mlp.W_out:1")]);
    const everywhere = (await editEffects(subject, plan, data, { strengths: [0, 1, 2] })).effects;
    const [none, once, twice] = everywhere as [(typeof everywhere)[0], (typeof everywhere)[0], (typeof everywhere)[0]];
    expect(none!.onTarget.mean).toBeCloseTo(0, 6);
    expect(once!.onTarget.n).toBeGreaterThan(10);
    expect(once!.offTarget.n).toBeGreaterThan(10);
    expect(once!.onTarget.n + once!.offTarget.n).toBe(6 * 48);
    expect(once!.surrounding!.n).toBeLessThanOrEqual(once!.offTarget.n);
    expect(twice!.onTarget.mean!).toBeGreaterThan(once!.onTarget.mean!);
    const [low, high] = once!.onTarget.interval!;
    expect(low).toBeLessThan(once!.onTarget.mean!);
    expect(high).toBeGreaterThan(once!.onTarget.mean!);
    // The last matrix: nothing behind it mixes positions.
    const there = (await editEffects(subject, plan, data, { onlyWhereImportant: true })).effects[0]!;
    expect(there.onTarget.mean).toBeCloseTo(once!.onTarget.mean!, 5);
    expect(there.offTarget.mean).toBeCloseTo(0, 6);
    expect(once!.offTarget.mean!).toBeGreaterThan(1e-6);
  });

  test("intervals are of the examples: positions of one example are no evidence of their own", () => {
    const key = keyFromSeed(0);
    expect(ratioInterval(key, [5], [10])).toBeNull();
    expect(ratioInterval(key, [5, 0], [10, 0])).toBeNull();
    const [low, high] = ratioInterval(key, [0, 10, 0, 10], [10, 10, 10, 10])!;
    expect([low, high]).toEqual([0, 1]);
    expect(ratioInterval(key, [2, 4, 6], [1, 2, 3])).toEqual([2, 2]);
  });
});
