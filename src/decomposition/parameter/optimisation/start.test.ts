/** Subcomponents at the start: what they add up to, and what each of them touches. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type NamedValues, values } from "../../../engine/index.ts";
import type { Network } from "../../../network/network.ts";
import { residualMlp } from "../../../network/residual-mlp.ts";
import { tms } from "../../../network/tms.ts";
import { toyTransformer } from "../../../network/transformer/config.ts";
import { transformer } from "../../../network/transformer/transformer.ts";
import { foldIn, keyFromSeed, randomNormal, sizeOf } from "../../../tensor/index.ts";
import { alignedSubcomponents, startsFaithful, startSubcomponents } from "./start.ts";
import { initialSubcomponents } from "../subcomponents.ts";

const key = keyFromSeed(2);

const drawn = ({ weights }: Network): NamedValues =>
  Object.fromEntries(
    weights.map(({ name, axes, shape }) => [name, values(axes, shape, randomNormal(foldIn(key, name), sizeOf(shape)))]),
  );

/** The product of two matrices. */
function product(V: ArrayLike<number>, U: ArrayLike<number>, dIn: number, C: number, dOut: number): number[] {
  return Array.from({ length: dIn * dOut }, (_, at) => {
    const [i, o] = [Math.floor(at / dOut), at % dOut];
    let total = 0;
    for (let c = 0; c < C; c++) total += V[i * C + c]! * U[c * dOut + o]!;
    return total;
  });
}

const site = (side: "in" | "out", dIn: number, dOut: number) => ({
  name: "s",
  dIn,
  dOut,
  units: { side, kind: "neuron" as const, count: side === "in" ? dIn : dOut },
});
const shapes = fc.record({
  side: fc.constantFrom("in" as const, "out" as const),
  dIn: fc.integer({ min: 1, max: 7 }),
  dOut: fc.integer({ min: 1, max: 7 }),
  share: fc.double({ min: 0, max: 1, noNaN: true }),
  seed: fc.nat(1000),
});

/** The rank-one matrices one by one, their coordinates on the side that faces units, and W. */
function aligned(shape: { side: "in" | "out"; dIn: number; dOut: number; seed: number }, C: number) {
  const { side, dIn, dOut, seed } = shape;
  const W = randomNormal(foldIn(keyFromSeed(seed), "W"), dIn * dOut);
  const found = alignedSubcomponents(site(side, dIn, dOut), C, W, keyFromSeed(seed));
  const [V, U] = [found["s.V"]!.data, found["s.U"]!.data];
  const coordinates = Array.from({ length: C }, (_, c) =>
    side === "in"
      ? Array.from({ length: dIn }, (__, i) => i).filter((i) => V[i * C + c] !== 0)
      : Array.from({ length: dOut }, (__, o) => o).filter((o) => U[c * dOut + o] !== 0),
  );
  return { W, V, U, coordinates };
}

describe("aligned with nonlinearities", () => {
  test("as many components as coordinates, or more, add up to W to the last bit, and each has one coordinate", () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const { side, dIn, dOut, share } = shape;
        const least = side === "in" ? dIn : dOut;
        const C = least + Math.round(share * (dIn * dOut - least));
        const { W, V, U, coordinates } = aligned(shape, C);
        expect(product(V, U, dIn, C, dOut)).toEqual(Array.from(W, (x) => x + 0));
        for (const own of coordinates) expect(own).toHaveLength(1);
        const counts = Array.from({ length: least }, (_, u) => coordinates.filter(([own]) => own === u).length);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        // Every component has something of W to itself.
        for (let c = 0; c < C; c++) {
          const read = Array.from({ length: dIn }, (_, i) => V[i * C + c]!).some((x) => x !== 0);
          const written = Array.from({ length: dOut }, (_, o) => U[c * dOut + o]!).some((x) => x !== 0);
          expect([read, written]).toEqual([true, true]);
        }
      }),
      { seed: 4, numRuns: 200 },
    );
  });

  test("fewer components are whole rows or columns of W, of distinct coordinates", () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const { side, dIn, dOut, share } = shape;
        const units = side === "in" ? dIn : dOut;
        fc.pre(units > 1);
        const C = 1 + Math.floor(share * (units - 2));
        const { W, V, U, coordinates } = aligned(shape, C);
        const kept = coordinates.flat();
        expect(new Set(kept).size).toBe(C);
        const expected = Array.from(W, (x, at) =>
          kept.includes(side === "in" ? Math.floor(at / dOut) : at % dOut) ? x : 0,
        );
        expect(product(V, U, dIn, C, dOut).map((x) => x + 0)).toEqual(expected);
      }),
      { seed: 4, numRuns: 200 },
    );
  });

  test("which coordinates are left out depends on the key", () => {
    const found = [1, 2, 3, 4].map((seed) => aligned({ side: "out", dIn: 2, dOut: 50, seed }, 5).coordinates.join());
    expect(new Set(found).size).toBe(4);
  });

  test("as many as there are neurons: component c is neuron c", () => {
    const { W, V, coordinates } = aligned({ side: "out", dIn: 3, dOut: 4, seed: 1 }, 4);
    expect(coordinates).toEqual([[0], [1], [2], [3]]);
    expect(Array.from(V)).toEqual(Array.from(W));
  });

  test("more than a matrix has numbers are refused", () => {
    expect(() => alignedSubcomponents(site("in", 2, 3), 7, new Float32Array(6), key)).toThrow(
      "start of s: expected at most 6 components, one for each number of the matrix, got 7",
    );
  });
});

describe("a network's sites", () => {
  const network = transformer(toyTransformer({ vocab: 5, context: 4, layers: 1, dModel: 6, heads: 2, dMlp: 8 }));
  const weights = drawn(network);
  const slots = network.sites.map((s) => ({ site: s, C: 10 }));

  test("of a transformer all face heads or neurons, and add up", () => {
    const found = startSubcomponents(network, weights, slots, "nonlinearity-aligned", key);
    expect(startsFaithful(slots, "nonlinearity-aligned")).toBe(true);
    for (const {
      site: { name, dIn, dOut },
    } of slots) {
      const sum = product(found[`${name}.V`]!.data, found[`${name}.U`]!.data, dIn, 10, dOut);
      expect(sum).toEqual(Array.from(weights[name]!.data, (x) => x + 0));
    }
  });

  test("are not faithful with too few slots, or drawn", () => {
    expect(startsFaithful([{ ...slots[0]!, C: 5 }, ...slots.slice(1)], "nonlinearity-aligned")).toBe(false);
    expect(startsFaithful(slots, "normal")).toBe(false);
  });

  test("that face nothing start as they would be drawn, and so do all where that is asked for", () => {
    const toy = tms({ features: 3, hidden: 2, identity: false });
    const own = toy.sites.map((s) => ({ site: s, C: 4 }));
    const found = startSubcomponents(toy, drawn(toy), own, "nonlinearity-aligned", key);
    expect(found["linear1.V"]).toEqual(initialSubcomponents(toy.sites[0]!, 4, key)["linear1.V"]);
    expect(startsFaithful(own, "nonlinearity-aligned")).toBe(false);
    const normal = startSubcomponents(toy, drawn(toy), own, "normal", key);
    expect(normal).toEqual(Object.assign({}, ...own.map(({ site: s }) => initialSubcomponents(s, 4, key))));
  });

  test("say which side their units lie on, and how often each is used", () => {
    const grouped = transformer({
      ...toyTransformer({ vocab: 5, context: 4, layers: 1, dModel: 8, heads: 4, dMlp: 8 }),
      attention: { ...toyTransformer({ vocab: 5, context: 4, layers: 1, dModel: 8, heads: 4 }).attention, kvHeads: 2 },
    });
    const units = Object.fromEntries(grouped.sites.map(({ name, units: own }) => [name.replace("blocks.0.", ""), own]));
    expect(units).toEqual({
      "attn.W_Q": { side: "out", kind: "head", count: 4 },
      "attn.W_K": { side: "out", kind: "head", count: 2, uses: 2 },
      "attn.W_V": { side: "out", kind: "head", count: 2, uses: 2 },
      "attn.W_O": { side: "in", kind: "head", count: 4 },
      "mlp.W_in": { side: "out", kind: "neuron", count: 8 },
      "mlp.W_out": { side: "in", kind: "neuron", count: 8 },
    });
    const blocks = residualMlp({ features: 2, dModel: 3, dMlp: 4, layers: 1 }).sites.map((s) => s.units?.side);
    expect(blocks).toEqual(["out", "in"]);
  });
});
