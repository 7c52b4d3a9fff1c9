import { describe, expect, test } from "vitest";
import { expectClose } from "../../../test/expect-close.ts";
import { matchColumns } from "../../evidence/mean-max-cosine.ts";
import { faithfulnessOf } from "../../evidence/site-faithfulness.ts";
import { interpret, type NamedValues, type Values, values } from "../../engine/index.ts";
import { tms } from "../../network/tms.ts";
import {
  constant,
  foldIn,
  keyFromSeed,
  mean,
  mul,
  randomNormal,
  scalar,
  sizeOf,
  square,
  sum,
  type Tensor,
} from "../../tensor/index.ts";
import { apdDecomposition } from "../apd/apd-decomposition.ts";
import { firstFactors } from "../apd/apd.ts";
import { apdSettings } from "../apd/settings.ts";
import { componentFactors, type Masks } from "../decomposition.ts";
import { L3dDecomposition } from "../l3d/l3d-decomposition.ts";
import { firstDirections } from "../l3d/l3d.ts";
import { l3dSettings } from "../l3d/settings.ts";
import { componentMatrices } from "./factors.ts";
import type { FullNetworkDecomposition } from "./full-network-decomposition.ts";

const key = keyFromSeed(8);
const [C, BATCH] = [3, 4];
const network = tms({ features: 4, hidden: 2, identity: false });
const noise = (name: string, count: number): Float32Array => randomNormal(foldIn(key, name), count);
const weights: NamedValues = {
  W: values("feature hidden", [4, 2], noise("W", 8)),
  b: values("feature", [4], noise("b", 4)),
};
const run = { topK: 0.5, batch: BATCH, steps: 1, learningRate: 1 };
const apdRun = apdSettings.parse({ ...run, components: C, simplicity: 1 });
const l3dRun = l3dSettings.parse({ ...run, subnetworks: C });
const OPENED: Readonly<Record<string, FullNetworkDecomposition>> = {
  apd: apdDecomposition(network, weights, firstFactors(network, apdRun, key), apdRun),
  l3d: new L3dDecomposition(network, weights, firstDirections(network, l3dRun, key), l3dRun),
};
const x = constant("batch feature", { batch: BATCH, feature: 4 }, noise("x", 4 * BATCH));
const maskOf = (data: number | readonly number[]): Masks[string] => constant("C batch", { C, batch: BATCH }, data);
const everywhere = <T>(value: T): Readonly<Record<string, T>> => ({ linear1: value, linear2: value });

/** What a site's components are, each as a whole. */
function matricesOf(decomposition: FullNetworkDecomposition): Values[] {
  return decomposition.sites.map(
    (site) => interpret({ P: componentMatrices(componentFactors(decomposition, site)) }, decomposition.values).P,
  );
}

/** The network by hand, on other matrices for each example. */
function byHand(
  example: number,
  first: (i: number, h: number) => number,
  second: (h: number, o: number) => number,
): number[] {
  const input = Array.from(noise("x", 4 * BATCH).slice(example * 4, example * 4 + 4));
  const hidden = [0, 1].map((h) => input.reduce((total, value, i) => total + value * first(i, h), 0));
  return [0, 1, 2, 3].map((o) =>
    Math.max(0, hidden.reduce((total, value, h) => total + value * second(h, o), 0) + weights.b!.data[o]!),
  );
}

describe.each(Object.keys(OPENED))("%s", (method) => {
  const decomposition = OPENED[method]!;
  const evaluate = (output: Tensor): Values => interpret({ output }, decomposition.values).output;

  test("everything and the remainder are the network", () => {
    const whole = decomposition.masked(x, everywhere(maskOf(1)), { remainder: everywhere(scalar(1)) });
    expectClose(evaluate(whole), evaluate(network.forward(decomposition.tensors, x)), { relative: 1e-12 });
    expectClose(evaluate(decomposition.masked(x, {})), evaluate(network.forward(decomposition.tensors, x)), {
      relative: 1e-15,
    });
  });

  test("masks keep so much of each component on each example, at each site by itself", () => {
    const [first, second] = [noise("m1", C * BATCH), noise("m2", C * BATCH)].map((m) => Array.from(m, Math.abs));
    const output = evaluate(decomposition.masked(x, { linear1: maskOf(first!), linear2: maskOf(second!) }));
    const [P1, P2] = matricesOf(decomposition);
    const want = Array.from({ length: BATCH }, (_, b) => {
      const kept = (P: Values, m: readonly number[], entry: number, size: number): number =>
        Array.from({ length: C }, (__, c) => m[c * BATCH + b]! * P.data[c * size + entry]!).reduce((p, q) => p + q);
      return byHand(
        b,
        (i, h) => kept(P1!, first!, i * 2 + h, 8),
        (h, o) => kept(P2!, second!, h * 4 + o, 8),
      );
    });
    expectClose(output, { ...output, data: want.flat() }, { relative: 1e-12 });
  });

  test("a component matters or does not, and the same at every site", () => {
    const { linear1, linear2 } = interpret(decomposition.activity(x) as Record<string, Tensor>, decomposition.values);
    expect(Array.from(linear1!.data)).toEqual(Array.from(linear2!.data));
    expect(new Set(linear1!.data)).toEqual(new Set([1]));
    const high = { ...decomposition.values, threshold: values("", [], [1e9]) };
    expect(new Set(interpret(decomposition.activity(x) as Record<string, Tensor>, high).linear1!.data)).toEqual(
      new Set([0]),
    );
  });

  test("a missing tensor is named", () => {
    const { threshold: _, ...rest } = decomposition.values;
    const open = (): unknown =>
      method === "apd"
        ? apdDecomposition(network, weights, rest, apdRun)
        : new L3dDecomposition(network, weights, rest, l3dRun);
    expect(open).toThrow("components: expected threshold, got none");
  });
});

test("parts of APD at the second use of a matrix are transposes, and cost nothing more", () => {
  const decomposition = OPENED.apd!;
  const [P1, P2] = matricesOf(decomposition);
  for (let c = 0; c < C; c++)
    for (let i = 0; i < 4; i++)
      for (let h = 0; h < 2; h++) expect(P2!.data[c * 8 + h * 4 + i]).toBe(P1!.data[c * 8 + i * 2 + h]);
  const bits = (site: string): number[] => decomposition.components.filter((c) => c.site === site).map((c) => c.bits);
  expect(bits("linear1")).toEqual(Array.from({ length: C }, () => 32 * 2 * (4 + 2)));
  expect(bits("linear2")).toEqual([0, 0, 0]);
  expect(decomposition.components.map(({ address }) => address).slice(2, 4)).toEqual(["linear1:2", "linear2:0"]);
});

describe("directions of L3D", () => {
  const decomposition = OPENED.l3d as L3dDecomposition;
  const { values: own, tensors } = decomposition;

  test("their components are the projections of the weights", () => {
    const W = Array.from(weights.W!.data);
    const dense = (side: string): number[][] =>
      Array.from({ length: C }, (_, c) => [
        ...Array.from(
          { length: 8 },
          (__, ij) =>
            own[`linear1.${side}.V`]!.data[Math.floor(ij / 2) * C + c]! *
            own[`linear1.${side}.U`]!.data[c * 2 + (ij % 2)]!,
        ),
        ...Array.from(
          { length: 8 },
          (__, ij) =>
            own[`linear2.${side}.V`]!.data[Math.floor(ij / 4) * C + c]! *
            own[`linear2.${side}.U`]!.data[c * 4 + (ij % 4)]!,
        ),
      ]);
    // The weights of both sites in one list; the second is the transpose.
    const all = [...W, ...Array.from({ length: 8 }, (_, ij) => W[(ij % 4) * 2 + Math.floor(ij / 4)]!)];
    const [P1, P2] = matricesOf(decomposition);
    dense("V_in").forEach((v, c) => {
      const along = v.reduce((total, value, i) => total + value * all[i]!, 0);
      const want = dense("V_out")[c]!.map((value) => value * along);
      [...P1!.data.slice(c * 8, c * 8 + 8), ...P2!.data.slice(c * 8, c * 8 + 8)].forEach((got, i) =>
        expect(got).toBeCloseTo(want[i]!, 12),
      );
    });
  });

  test("impacts are how fast the divergence rises when the weights move", () => {
    const impacts = interpret({ u: decomposition.impacts(x) }, own).u;
    const divergence = (steps: readonly number[]): Float64Array => {
      const output = decomposition.moved(x, maskOf(steps));
      return interpret({ d: mul(sum(square(output), "feature") as Tensor, 1 / 4) }, own).d.data as Float64Array;
    };
    const small = 1e-6;
    for (let c = 0; c < C; c++) {
      const along = Array.from({ length: C * BATCH }, (_, i) => (Math.floor(i / BATCH) === c ? small : 0));
      const [up, down] = [divergence(along), divergence(along.map((s) => -s))];
      for (let b = 0; b < BATCH; b++)
        expect((up[b]! - down[b]!) / (2 * small)).toBeCloseTo(impacts.data[c * BATCH + b]!, 6);
    }
    expect(interpret({ m: mean(square(decomposition.impacts(x))) }, own).m.data[0]).toBeGreaterThan(1e-4);
    const still = decomposition.moved(x, maskOf(0));
    const { a, b } = interpret({ a: still, b: network.forward(tensors, x) }, own);
    expectClose(a, b, { relative: 1e-15 });
    expect(sizeOf(a.shape)).toBe(4 * BATCH);
  });
});

test("directions and lengths of components of rank two are those of their matrices", () => {
  const decomposition = OPENED.apd!;
  const [site] = decomposition.sites;
  const { W, V, U, P } = interpret(
    {
      W: network.matrix(decomposition.tensors, "linear1"),
      ...componentFactors(decomposition, site!),
      P: componentMatrices(componentFactors(decomposition, site!)),
    },
    decomposition.values,
  );
  expect(V.shape).toEqual([4, C, 2]);
  const best = [0, 1, 2, 3].map((i) => {
    const w = [W.data[2 * i]!, W.data[2 * i + 1]!] as const;
    const rows = Array.from({ length: C }, (_, c) => [P.data[8 * c + 2 * i]!, P.data[8 * c + 2 * i + 1]!] as const);
    return rows
      .map((r) => ({
        cosine: (r[0] * w[0] + r[1] * w[1]) / Math.hypot(...r) / Math.hypot(...w),
        ratio: Math.hypot(...r) / Math.hypot(...w),
      }))
      .reduce((a, b) => (b.cosine > a.cosine ? b : a));
  });
  const { mmcs, ml2r } = matchColumns(W, V, U, "in");
  expect(mmcs).toBeCloseTo(
    best.reduce((total, { cosine }) => total + cosine / 4, 0),
    12,
  );
  expect(ml2r).toBeCloseTo(
    best.reduce((total, { ratio }) => total + ratio / 4, 0),
    12,
  );
  const left = Array.from(W.data, (w, ij) => w - [0, 1, 2].reduce((total, c) => total + P.data[8 * c + ij]!, 0));
  expect(faithfulnessOf(W, V, U).squaredError).toBeCloseTo(
    left.reduce((total, x) => total + x * x, 0),
    12,
  );
});
