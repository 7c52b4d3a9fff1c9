/** Curves that are known by hand, and every family on networks with positions: what is measured is what the formulas say. */
import { beforeAll, describe, expect, test } from "vitest";
import {
  always,
  handMade,
  matrix,
  noise,
  pentagon,
  pentagonNetwork,
  rowsAsParts,
} from "../../../test/evidence/subjects.ts";
import { signs, wholeNumbers } from "../../data/draws.ts";
import { sparseFeatures } from "../../data/sparse-feature.ts";
import { ActivationDecomposition } from "../../decomposition/activation/index.ts";
import { unitCoder } from "../../decomposition/baselines/unit-coder.ts";
import type { NamedValues, Values } from "../../engine/index.ts";
import { superposition } from "../../network/superposition.ts";
import { toyTransformer } from "../../network/transformer/config.ts";
import { transformer } from "../../network/transformer/transformer.ts";
import { areaOf } from "./measures/area.ts";
import { ProbeSet } from "./probe-set.ts";
import { referee } from "./referee.ts";
import type { CurvePoint, Scoreboard } from "./scoreboard.ts";
import { indexBits, ladderTo } from "./size.ts";

const curveOf = (board: Scoreboard, measure: string, ablation: string, subject: string): readonly CurvePoint[] =>
  board.curves.find(
    (one) => one.measure === measure && one.ablation === ablation && one.subject === subject && one.ranking === "own",
  )!.points;

describe("a linear network, y = x diag(1, 2, 3, 4), x of signs", () => {
  const network = superposition({ features: 4, dimensions: 4 });
  const weights: NamedValues = { F: matrix("feature d", 4, 4, (i, j) => (i === j ? i + 1 : 0)) };
  const rows = rowsAsParts(network, { embed: weights.F! });
  let board: Scoreboard;
  const source = { batch: (batch: number) => signs("x", "batch feature", { batch, feature: 4 }) };
  beforeAll(async () => {
    const subject = { name: "rows", decomposition: handMade(network, weights, rows, always(1)) };
    board = await referee([subject], { title: "linear", digest: "", source }, { threads: 1, prompts: 128 });
  }, 60_000);

  test("keeping the largest leaves the squares of the others, removing them those of their own", () => {
    const at = (points: readonly CurvePoint[], size: number): number =>
      points.find((point) => Math.abs(point.size - size) < 1e-9)!.divergence;
    const kept = curveOf(board, "sufficiency", "zero", "rows");
    const removed = curveOf(board, "necessity", "zero", "rows");
    for (const [size, left] of [
      [0, 30],
      [1, 14],
      [2, 5],
      [4, 0],
    ] as const) {
      expect(at(kept, size)).toBeCloseTo(left / 4, 5);
      expect(at(removed, size)).toBeCloseTo((30 - left) / 4, 5);
    }
  });

  test("the area is that of the trapezia, over chance", () => {
    const { scores } = board.measures.find(({ id }) => id === "sufficiency/zero/own/units")!;
    const xs = [0, 1, Math.log2(3), Math.log2(5)];
    const ds = [7.5, 3.5, 1.25, 0];
    const area = xs.slice(1).reduce((total, x, i) => total + ((x - xs[i]!) * (ds[i]! + ds[i + 1]!)) / 2, 0);
    expect(scores[0]!.value).toBeCloseTo(area / xs[3]! / board.protocol.chance, 5);
  });

  test("chance is the prompts' own mean, and means in the place of everything are those of reference data", async () => {
    const probe = await ProbeSet.open(network, weights, source, { prompts: 128, size: 128 }, { threads: 1 });
    const meansOf = ({ data }: Values): number[] =>
      [0, 1, 2, 3].map((k) => Array.from({ length: 128 }, (_, i) => data[4 * i + k]!).reduce((a, b) => a + b, 0) / 128);
    const own = meansOf((await probe.batch(0)).feeds["probe/x"]!);
    const others = meansOf(probe.reference(0)["probe/x"]!);
    await probe.dispose();
    const squares = (of: (k: number) => number): number =>
      [0, 1, 2, 3].reduce((sum, k) => sum + ((k + 1) ** 2 * of(k)) / 4, 0);
    // A sign's square is 1.
    expect(board.protocol.chance).toBeCloseTo(
      squares((k) => 1 - own[k]! ** 2),
      5,
    );
    const [none] = curveOf(board, "sufficiency", "mean", "rows");
    expect(none!.size).toBe(0);
    expect(none!.divergence).toBeCloseTo(
      squares((k) => 1 - 2 * own[k]! * others[k]! + others[k]! ** 2),
      5,
    );
  });

  test("with other examples in the place of everything it says something else, twice as far as nothing is", () => {
    const [none] = curveOf(board, "sufficiency", "resample", "rows");
    expect(none!.divergence / 15).toBeCloseTo(1, 0);
  });

  test("a gradient finds the same order, and its numbers add up", () => {
    const gradient = board.curves.find(({ measure, ranking }) => measure === "sufficiency" && ranking === "gradient")!;
    expect(gradient.points.find(({ size }) => size === 2)!.divergence).toBeCloseTo(1.25, 5);
  });
});

describe("sizes", () => {
  test("bits by hand", () => {
    expect(Array.from(indexBits(4), (bits) => bits - Math.log2(5)).map((x) => 2 ** x)).toEqual(
      [1, 4, 6, 4, 1].map((x) => expect.closeTo(x, 9) as number),
    );
  });

  test("ladders begin with nothing and end with all", () => {
    expect(ladderTo(16)).toEqual([0, 0.25, 0.5, 1, 2, 4, 8, 16]);
    const long = ladderTo(10_000);
    expect([long[0], long.at(-1)]).toEqual([0, 10_000]);
    expect(long.length).toBeLessThanOrEqual(13);
    expect(long.slice(1).every((size, i) => size > long[i]!)).toBe(true);
  });

  const point = (size: number, divergence: number[], sizes: number[] = divergence.map(() => size)) => ({
    ...{ size, bits: size, divergence: Float64Array.from(divergence) },
    ...{ sizes: Float64Array.from(sizes), costs: Float64Array.from(sizes) },
  });

  test("a prompt's share of an area is what the area changes by where the prompt counts more", () => {
    const mean = (v: number[], heavy: number): number => (v[0]! * heavy + v[1]! + v[2]!) / (heavy + 2);
    const ds = [[4, 2, 3], [3, 1, 1], [1, 0.5, 0]]; // prettier-ignore
    const ks = [[0, 0, 0], [2, 1, 0], [6, 5, 1]]; // prettier-ignore
    const area = (heavy: number): Float64Array =>
      areaOf(ds.map((d, j) => ({ ...point(mean(ks[j]!, heavy), d, ks[j]) })), "size", 20); // prettier-ignore
    const total = (heavy: number): number => {
      // The same curve with other weights of prompts, as one prompt of the mean.
      const points = ds.map((d, j) => point(mean(ks[j]!, heavy), [mean(d, heavy)]));
      return areaOf(points, "size", 20)[0]!;
    };
    const shares = area(1);
    expect(mean(Array.from(shares), 1)).toBeCloseTo(total(1), 12);
    const step = 1e-6;
    const slope = (total(1 + step) - total(1)) / step;
    expect(slope).toBeCloseTo((shares[0]! - total(1)) / 3, 5);
  });

  test("what is perfect has no area, and what is chance has area 1", () => {
    const flat = (d: number) => [0, 1, 9].map((size) => point(size, [d]));
    expect(areaOf(flat(0), "size", 20)[0]).toBe(0);
    expect(areaOf(flat(1), "size", 20)[0]).toBeCloseTo(1, 12);
    expect(areaOf(flat(1), "size", 4)[0]).toBeCloseTo(1, 12);
  });
});

test("neurons of a hook point: twice as many sizes as there are neurons, and at all of them the network itself", async () => {
  const decomposition = new ActivationDecomposition(pentagonNetwork, pentagon, [unitCoder("hook_hidden", 2)]);
  const source = { batch: (batch: number) => sparseFeatures("x", { features: 5, batch, probability: 0.2 }) };
  const about = { title: "pentagon", digest: "", source };
  const board = await referee([{ name: "neurons", decomposition }], about, { threads: 1, prompts: 128 });
  expect(board.gaps.map(({ what }) => what)).toEqual(["oracle"]);
  expect(board.subjects[0]).toMatchObject({ measure: "magnitude", units: 2, components: 2 });
  const points = curveOf(board, "sufficiency", "resample", "neurons");
  expect(points.at(-1)!.divergence).toBeLessThan(1e-10);
  expect(points[0]!.divergence).toBeGreaterThan(0.1 * board.protocol.chance);
}, 60_000);

describe("on a network of tokens", () => {
  const network = transformer(toyTransformer({ vocab: 7, context: 6, layers: 1, dModel: 6, heads: 2, dMlp: 8 }));
  const weights: NamedValues = Object.fromEntries(
    network.weights.map(({ name, axes, shape }) => {
      const columns = shape.at(-1)!;
      const rows = shape.reduce((a, b) => a * b, 1) / columns;
      return [name, { ...matrix(axes, rows, columns, noise(name, rows, columns, 0.6)), shape }];
    }),
  );
  const source = { batch: (batch: number) => wholeNumbers("tokens", "batch pos", { batch, pos: 6 }, 7) };

  test("a unit of rank m costs m numbers: heads, their dimensions one by one, and heads beside neurons", async () => {
    const [z, post] = ["blocks.0.attn.hook_z", "blocks.0.mlp.hook_post"];
    const heads = new ActivationDecomposition(network, weights, [unitCoder(z, 6, 3)]);
    const dimensions = new ActivationDecomposition(network, weights, [unitCoder(z, 6)]);
    const both = new ActivationDecomposition(network, weights, [unitCoder(z, 6, 3), unitCoder(post, 8)]);
    const methods = Object.entries({ heads, dimensions, both }).map(([name, decomposition]) => ({
      name,
      decomposition,
    }));
    const board = await referee(
      methods,
      { title: "tokens", digest: "", source },
      { threads: 1, prompts: 32, measures: ["sufficiency"], ablations: ["zero"] },
    );
    const rowOf = (name: string) => board.subjects.find((one) => one.name === name)!;
    const all = (name: string): CurvePoint => curveOf(board, "sufficiency", "zero", name).at(-1)!;
    // One way to say which, when it is all of them; then as many numbers as there are dimensions, whatever they are cut into.
    for (const [name, units, numbers] of [
      ["heads", 2, 6],
      ["dimensions", 6, 6],
      ["both", 10, 14],
    ] as const) {
      // prettier-ignore
      expect(all(name).size, name).toBeCloseTo(units, 9);
      expect(all(name).bits, name).toBeCloseTo(Math.log2(units + 1) + 16 * numbers, 6);
    }
    expect(rowOf("heads").size).toBeCloseTo(2, 9);
    expect(rowOf("heads").bits).toBeCloseTo(Math.log2(3) + 16 * 6, 6);
    expect(rowOf("dimensions").bits).toBeCloseTo(Math.log2(7) + 16 * 6, 6);
    // Of two heads none is said in log2(3) bits a row, one in a bit more and three numbers, both in six.
    for (const { size, bits } of curveOf(board, "sufficiency", "zero", "heads")) {
      const which = bits! - Math.log2(3) - 16 * 3 * size;
      expect(which).toBeGreaterThan(-1e-6);
      expect(which).toBeLessThanOrEqual(1 + 1e-6);
    }
  }, 120_000);

  test("parts of weights and neurons stand on one board, position by position", async () => {
    const rows = handMade(network, weights, rowsAsParts(network, weights), always(1));
    const neurons = new ActivationDecomposition(network, weights, [unitCoder("blocks.0.mlp.hook_post", 8)]);
    const methods = [
      { name: "rows", decomposition: rows },
      { name: "neurons", decomposition: neurons },
    ];
    const board = await referee(methods, { title: "tokens", digest: "", source }, { threads: 1, prompts: 32 });
    expect(board.network.unit).toBe("nats");
    expect(board.protocol.rows).toBe(32 * 6);
    expect(board.gaps.map(({ what }) => what)).toEqual(["oracle"]);
    // Neurons are a part of the network: what is lost without them is something else than what is lost without all matrices.
    const [all, part] = board.subjects.map(({ coverage }) => coverage);
    expect(Math.abs(part! - all!)).toBeGreaterThan(0.1 * Math.max(all!, part!));
    const { differences } = board.measures.find(({ id }) => id === "sufficiency/zero/own/units")!;
    expect(differences[0]).toMatchObject({ a: "rows", b: "neurons", decided: false, because: "coverage" });
    for (const { subject, points, measure } of board.curves)
      if (measure === "sufficiency" && subject === "rows") expect(points.at(-1)!.divergence).toBeLessThan(1e-5);
  }, 120_000);
});
