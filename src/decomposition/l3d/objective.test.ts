import { describe, expect, test } from "vitest";
import { expectClose } from "../../../test/expect-close.ts";
import { interpret, type NamedValues, values } from "../../engine/index.ts";
import { type Network, type Site, weightInputs } from "../../network/network.ts";
import { residualMlp } from "../../network/residual-mlp.ts";
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
  sub,
  type Tensor,
} from "../../tensor/index.ts";
import {
  directionsOf,
  directionWeights,
  gram,
  normalisedDirections,
  projections,
  squaredNormsOf,
} from "./directions.ts";
import { type GradientFactors, gradientFactors, REFERENCES } from "./gradient-factors.ts";
import { reconstructionLoss } from "./objective.ts";

const key = keyFromSeed(5);
const sites: readonly Site[] = [
  { name: "first", dIn: 3, dOut: 2 },
  { name: "second", dIn: 2, dOut: 4 },
];
/** Only its sites are looked at. */
const network = { sites } as unknown as Network;

const noise = (name: string, count: number): Float32Array => randomNormal(foldIn(key, name), count);

/** Gradients of a batch as constants. */
function gradientsOf(
  batch: number,
  a: readonly ArrayLike<number>[],
  delta: readonly ArrayLike<number>[],
): GradientFactors[] {
  return sites.map(({ dIn, dOut }, i) => ({
    a: constant("batch d_in", { batch, d_in: dIn }, a[i]!),
    delta: constant("batch d_out", { batch, d_out: dOut }, delta[i]!),
  }));
}

/** `⟨v, g⟩` and the like, the long way: every entry of a direction or gradient in one list. */
function entries(V: ArrayLike<number>[], U: ArrayLike<number>[], C: number, m: number, c: number): number[] {
  return sites.flatMap(({ dIn, dOut }, l) =>
    Array.from({ length: dIn * dOut }, (_, ij) => {
      const [i, j] = [Math.floor(ij / dOut), ij % dOut];
      let entry = 0;
      for (let k = 0; k < m; k++) entry += V[l]![(i * C + c) * m + k]! * U[l]![(c * m + k) * dOut + j]!;
      return entry;
    }),
  );
}
const dot = (x: readonly number[], y: readonly number[]): number =>
  x.reduce((total, value, i) => total + value * y[i]!, 0);

describe("against everything multiplied out", () => {
  const [C, m, batch, topK] = [4, 2, 5, 0.35];
  const specs = directionWeights(network, C, m);
  const feeds: NamedValues = Object.fromEntries(
    specs.map(({ name, axes, shape }) => [name, values(axes, shape, noise(name, sizeOf(shape)))]),
  );
  const tensors = weightInputs(specs);
  const a = sites.map(({ name, dIn }) => noise(`a ${name}`, batch * dIn));
  const delta = sites.map(({ name, dOut }) => noise(`delta ${name}`, batch * dOut));
  const g = gradientsOf(batch, a, delta);
  const dense = (side: string): number[][] =>
    Array.from({ length: C }, (_, c) =>
      entries(
        sites.map(({ name }) => feeds[`${name}.${side}.V`]!.data),
        sites.map(({ name }) => feeds[`${name}.${side}.U`]!.data),
        C,
        m,
        c,
      ),
    );
  const [V_in, V_out] = [dense("V_in"), dense("V_out")];
  const G = Array.from({ length: batch }, (_, b) =>
    sites.flatMap(({ dIn, dOut }, l) =>
      Array.from(
        { length: dIn * dOut },
        (__, ij) => a[l]![b * dIn + Math.floor(ij / dOut)]! * delta[l]![b * dOut + (ij % dOut)]!,
      ),
    ),
  );

  test("products of directions with gradients and with one another", () => {
    const out = directionsOf(network, tensors, "V_out");
    const found = interpret(
      { z: projections(g, directionsOf(network, tensors, "V_in")), G: gram(out), lengths: squaredNormsOf(out) },
      feeds,
    );
    const tolerance = { relative: 1e-12 };
    expectClose(
      found.z,
      { axes: "C batch", shape: [C, batch], data: V_in.flatMap((v) => G.map((x) => dot(v, x))) },
      tolerance,
    );
    expectClose(
      found.G,
      { axes: "C D", shape: [C, C], data: V_out.flatMap((v) => V_out.map((w) => dot(v, w))) },
      tolerance,
    );
    expectClose(found.lengths, { axes: "C", shape: [C], data: V_out.map((v) => dot(v, v)) }, tolerance);
  });

  test("the loss", () => {
    const pairs = V_in.flatMap((v, c) => G.map((x, b) => ({ c, b, z: dot(v, x) })));
    const kept = pairs.sort((p, q) => Math.abs(q.z) - Math.abs(p.z)).slice(0, Math.floor(topK * C * batch));
    let [error, whole] = [0, 0];
    G.forEach((x, b) => {
      const again = x.map((_, i) =>
        kept.filter((p) => p.b === b).reduce((total, { c, z }) => total + z * V_out[c]![i]!, 0),
      );
      error += x.reduce((total, value, i) => total + (value - again[i]!) ** 2, 0);
      whole += dot(x, x);
    });
    const found = interpret({ ...reconstructionLoss(network, g, tensors, topK) }, feeds);
    expect(found.loss.data[0]).toBeCloseTo(error / whole, 9);
    expect(found.threshold.data[0]).toBeCloseTo(Math.abs(kept.at(-1)!.z), 10);
  });

  test("the loss stays where gradients are scaled", () => {
    const scaled = gradientsOf(
      batch,
      a,
      delta.map((x) => x.map((value) => value * 64)),
    );
    const found = interpret(
      {
        one: reconstructionLoss(network, g, tensors, topK).loss,
        other: reconstructionLoss(network, scaled, tensors, topK).loss,
      },
      feeds,
    );
    expect(found.other.data[0]).toBeCloseTo(found.one.data[0]!, 12);
  });

  test("normalising makes directions length 1 and changes neither the loss nor what is put together", () => {
    const normal = { ...tensors, ...normalisedDirections(network, tensors) };
    // With everything kept: which pairs are chosen may change, and should.
    const found = interpret(
      {
        lengths: squaredNormsOf(directionsOf(network, normal, "V_out")),
        before: reconstructionLoss(network, g, tensors, 1).loss,
        after: reconstructionLoss(network, g, normal, 1).loss,
      },
      feeds,
    );
    found.lengths.data.forEach((length) => expect(length).toBeCloseTo(1, 12));
    expect(found.after.data[0]! / found.before.data[0]!).toBeCloseTo(1, 12);
  });
});

describe("exact recovery", () => {
  // Two directions that are not at right angles: at each site `a_c ⊗ δ_c`, and V_in their inverse.
  const C = 2;
  const a = [
    [1, 0, 0, 0.6, 0.8, 0],
    [1, 0, 0.8, -0.6],
  ];
  const delta = [
    [1, 0, 0.6, 0.8],
    [0.5, 0, 0, 0, 0.5, 0.5, 0, 0.5],
  ];
  const V_out: Record<string, number[]> = {};
  sites.forEach(({ name, dIn, dOut }, l) => {
    V_out[`${name}.V`] = Array.from({ length: dIn * C }, (_, i) => a[l]![(i % C) * dIn + Math.floor(i / C)]!);
    V_out[`${name}.U`] = delta[l]!.slice(0, C * dOut);
  });
  const dense = Array.from({ length: C }, (_, c) =>
    entries(
      sites.map(({ name }) => V_out[`${name}.V`]!),
      sites.map(({ name }) => V_out[`${name}.U`]!),
      C,
      1,
      c,
    ),
  );
  const [p, q, r] = [dot(dense[0]!, dense[0]!), dot(dense[0]!, dense[1]!), dot(dense[1]!, dense[1]!)];
  const inverse = [
    [r, -q],
    [-q, p],
  ].map((row) => row.map((x) => x / (p * r - q * q)));

  /** `V_in` has full rank at each site, so that it can be any matrix: the identity reads, the matrix's rows are written. */
  function feedsWith(rows: readonly (readonly number[])[]): {
    feeds: NamedValues;
    tensors: ReturnType<typeof weightInputs>;
  } {
    const tensors: Record<string, Tensor> = {};
    const feeds: Record<string, NamedValues[string]> = {};
    let start = 0;
    for (const { name, dIn, dOut } of sites) {
      const add = (weight: string, axes: string, shape: number[], data: readonly number[]): void => {
        const sizes = Object.fromEntries(axes.split(" ").map((axis, i) => [axis, shape[i]!]));
        tensors[weight] = input(weight, axes, sizes);
        feeds[weight] = { axes, shape, dtype: "f32", data: Float64Array.from(data) };
      };
      add(`${name}.V_out.V`, "d_in C m", [dIn, C, 1], V_out[`${name}.V`]!);
      add(`${name}.V_out.U`, "C m d_out", [C, 1, dOut], V_out[`${name}.U`]!);
      add(
        `${name}.V_in.V`,
        "d_in C m",
        [dIn, C, dIn],
        Array.from({ length: dIn * C * dIn }, (_, i) => Number(Math.floor(i / (C * dIn)) === i % dIn)),
      );
      const from = start;
      add(
        `${name}.V_in.U`,
        "C m d_out",
        [C, dIn, dOut],
        rows.flatMap((row) => row.slice(from, from + dIn * dOut)),
      );
      start += dIn * dOut;
    }
    return { feeds, tensors };
  }
  const dual = inverse.map((row) => dense[0]!.map((_, i) => row[0]! * dense[0]![i]! + row[1]! * dense[1]![i]!));

  /** Examples on one direction each. */
  const g = gradientsOf(
    4,
    sites.map(({ dIn }, l) => [0, 1, 1, 0].flatMap((c) => a[l]!.slice(c * dIn, (c + 1) * dIn))),
    sites.map(({ dOut }, l) =>
      [0, 1, 1, 0].flatMap((c, b) => delta[l]!.slice(c * dOut, (c + 1) * dOut).map((x) => x * (b - 1.5))),
    ),
  );

  test("V_in V_out = 1 and nothing outside of what is kept: no loss", () => {
    const { feeds, tensors } = feedsWith(dual);
    expect(q).not.toBeCloseTo(0, 2);
    expect(interpret({ ...reconstructionLoss(network, g, tensors, 0.5) }, feeds).loss.data[0]).toBeCloseTo(0, 13);
  });

  test("something outside: loss", () => {
    const { feeds, tensors } = feedsWith(dual);
    expect(interpret({ ...reconstructionLoss(network, g, tensors, 0.25) }, feeds).loss.data[0]).toBeGreaterThan(0.01);
  });

  test("V_in the transpose of V_out instead of its inverse: loss", () => {
    const { feeds, tensors } = feedsWith(dense);
    expect(interpret({ ...reconstructionLoss(network, g, tensors, 0.5) }, feeds).loss.data[0]).toBeGreaterThan(0.01);
  });
});

describe.each(REFERENCES)("gradients with the reference %s", (reference) => {
  test("are those of single examples with respect to the weights", () => {
    const mlp = residualMlp({ features: 3, dModel: 4, dMlp: 2, layers: 2 });
    const weights = weightInputs(mlp.weights);
    const feeds: NamedValues = Object.fromEntries(
      mlp.weights.map(({ name, axes, shape }) => [name, values(axes, shape, noise(name, sizeOf(shape)))]),
    );
    const data = Array.from(noise("x", 4 * 3));
    const x = constant("batch feature", { batch: 4, feature: 3 }, data);
    const g = gradientFactors(mlp, weights, x, reference);
    const { output } = interpret({ output: mlp.forward(weights, x) }, feeds);
    const rows = Array.from({ length: 4 }, (_, b) => Array.from(output.data.slice(b * 3, b * 3 + 3)));
    const held = rows.map((_, b) =>
      reference === "zero"
        ? [0, 0, 0]
        : reference === "sample"
          ? rows[(b + 1) % 4]!
          : [0, 1, 2].map((o) => rows.reduce((total, row) => total + row[o]! / 4, 0)),
    );
    for (let b = 0; b < 4; b++) {
      const one = mlp.forward(
        weights,
        constant("batch feature", { batch: 1, feature: 3 }, data.slice(b * 3, b * 3 + 3)),
      );
      const loss = mean(square(sub(one, constant("batch feature", { batch: 1, feature: 3 }, held[b]!)))) as Tensor;
      const slopes = gradients(
        loss,
        mlp.sites.map(({ name }) => weights[name]!),
      );
      mlp.sites.forEach((site, l) => {
        const { slope, a, delta } = interpret({ slope: slopes[l]!, a: g[l]!.a, delta: g[l]!.delta }, feeds);
        const product = Array.from(
          slope.data,
          (_, ij) => a.data[b * site.dIn + Math.floor(ij / site.dOut)]! * delta.data[b * site.dOut + (ij % site.dOut)]!,
        );
        expectClose(slope, { ...slope, data: product }, { relative: 1e-12 });
      });
    }
  });
});

test("a batch without gradients has loss 0, not no number", () => {
  const specs = directionWeights(network, 2, 1);
  const feeds = Object.fromEntries(
    specs.map(({ name, axes, shape }) => [name, values(axes, shape, noise(name, sizeOf(shape)))]),
  );
  const g = gradientsOf(
    2,
    sites.map(({ dIn }) => new Float32Array(2 * dIn)),
    sites.map(({ dOut }) => new Float32Array(2 * dOut)),
  );
  const components = weightInputs(specs);
  const { loss } = reconstructionLoss(network, g, components, 0.5);
  const slopes = gradients(loss, Object.values(components));
  const found = interpret(
    { loss, ...Object.fromEntries(slopes.map((slope, i) => [i, slope])) } as Record<string, Tensor>,
    feeds,
  );
  expect(found.loss!.data[0]).toBe(0);
  for (const { data } of Object.values(found)) expect(Array.from(data).every(Number.isFinite)).toBe(true);
});
