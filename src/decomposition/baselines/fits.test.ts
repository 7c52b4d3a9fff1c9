/** What each fit is known to do, on rows whose structure was planted. */
import { Matrix, SingularValueDecomposition } from "ml-matrix";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { interpret, values } from "../../engine/index.ts";
import { foldIn, input, type Key, keyFromSeed, randomNormal, randomUniform, type Tensor } from "../../tensor/index.ts";
import { weightInputs } from "../../network/network.ts";
import { centreValues, centreWeights, clusterCoder, clusters } from "./clusters.ts";
import { explainedVariance } from "./explained-variance.ts";
import { Fitting } from "./fitting.ts";
import { independentComponents } from "./independent-components.ts";
import {
  dense,
  type Dense,
  dot,
  product,
  pseudoInverse,
  randomOrthonormalRows,
  rowsOfMatrix,
  transposed,
} from "./linear-algebra.ts";
import { nonNegativeFactors, partCoder, partValues, partWeights } from "./non-negative-factors.ts";
import { principalComponents } from "./principal-components.ts";
import { expectedLargestCosine, leastSquaresEncoder, randomSubspaces } from "./random-subspaces.ts";
import { meanRow, type SampledRows } from "./sample.ts";
import { singularVectors } from "./singular-vectors.ts";

const fitting = new Fitting({ threads: 1 });
const key = (name: string): Key => foldIn(keyFromSeed(7), name);
const normal = (name: string, rows: number, columns: number): Dense =>
  dense(rows, columns, randomNormal(key(name), rows * columns));
const asRows = ({ rows, columns, data }: Dense): SampledRows => ({
  data: Float32Array.from(data),
  count: rows,
  width: columns,
});
const rowOf = ({ columns, data }: Dense, i: number): Float64Array => data.subarray(i * columns, (i + 1) * columns);

/** `mean + (x - mean) Dᵀ D` of rows, D orthonormal. */
function projected(rows: SampledRows, directions: Dense): Float64Array {
  const mean = meanRow(rows);
  const centred = dense(
    rows.count,
    rows.width,
    rows.data.map((x, i) => x - mean[i % rows.width]!),
  );
  const made = product(product(centred, transposed(directions)), directions);
  return made.data.map((x, i) => x + mean[i % rows.width]!);
}

describe("matrices", () => {
  test("the pseudo-inverse satisfies Penrose's four conditions, whatever the rank", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }), fc.nat(), (n, m, seed) => {
        // A product through a narrow middle is of low rank.
        const [a, b] = [randomNormal([1, seed], n * 2), randomNormal([2, seed], 2 * m)];
        const A = product(dense(n, 2, a), dense(2, m, b));
        const P = pseudoInverse(A);
        const [AP, PA] = [product(A, P), product(P, A)];
        const close = (x: Dense, y: Dense): void => x.data.forEach((v, i) => expect(v).toBeCloseTo(y.data[i]!, 5));
        close(product(AP, A), A);
        close(product(PA, P), P);
        close(AP, transposed(AP));
        close(PA, transposed(PA));
      }),
      { numRuns: 40 },
    );
  });

  test("a random basis is orthonormal", () => {
    const R = randomOrthonormalRows(40, 40, key("basis"));
    const I = product(R, transposed(R));
    I.data.forEach((x, i) => expect(x).toBeCloseTo(i % 41 === 0 ? 1 : 0, 12));
  });
});

describe("explained variance", () => {
  const rows = asRows(normal("any", 1000, 7));
  const mean = meanRow(rows);

  test("of the mean is exactly 0, of the rows exactly 1, of nothing below 0", () => {
    const shifted = { ...rows, data: rows.data.map((x) => x + 3) };
    expect(
      explainedVariance(
        rows,
        rows.data.map((_, i) => mean[i % 7]!),
      ),
    ).toBe(0);
    expect(explainedVariance(rows, rows.data)).toBe(1);
    expect(explainedVariance(shifted, new Float32Array(7000))).toBeLessThan(-1);
  });
});

describe("principal components", async () => {
  const d = 12;
  const mixing = normal("mixing", d, d);
  const rows = asRows(product(normal("rows", 3000, d), mixing));
  const k = 4;
  const { directions, variances } = await principalComponents(rows, k, fitting);

  test("explain as much as their eigenvalues say", () => {
    const total = variances.reduce((a, b) => a + b);
    const first = variances.slice(0, k).reduce((a, b) => a + b);
    expect(explainedVariance(rows, projected(rows, directions))).toBeCloseTo(first / total, 6);
    expect([...variances]).toEqual([...variances].sort((a, b) => b - a));
  });

  test("explain more than any other subspace of as many dimensions", () => {
    const best = explainedVariance(rows, projected(rows, directions));
    for (let i = 0; i < 100; i++) {
      const other = randomOrthonormalRows(k, d, foldIn(key("other"), i));
      expect(explainedVariance(rows, projected(rows, other))).toBeLessThan(best);
    }
    // Of two of them one may be turned out of the subspace by little, and it is worse already.
    const turned = dense(
      k,
      d,
      directions.data.map((x, i) => x + (i < d ? 0.05 * mixing.data[i]! : 0)),
    );
    const orthonormal = product(pseudoInverse(product(turned, transposed(turned))), turned);
    const projector = product(transposed(turned), orthonormal);
    const centred = projected(rows, randomOrthonormalRows(d, d, key("all")));
    expect(explainedVariance(rows, product(dense(3000, d, centred), projector).data)).toBeLessThan(best);
  });
});

describe("independent components", () => {
  const [n, d] = [20_000, 5];
  const mixing = normal("mixing of sources", d, d);

  /** For each source, the largest part of one component's reading that is of it: 1 where it is read alone. */
  async function recovery(sources: Dense): Promise<{ purity: number; turn: number }> {
    const rows = asRows(product(sources, mixing));
    const options = { count: d, steps: 200, tolerance: 1e-6 };
    const { encoder, turn } = await independentComponents(rows, options, key("ica"), fitting);
    const reads = transposed(product(mixing, encoder));
    const pure = Array.from({ length: d }, (_, c) => {
      const row = rowOf(reads, c);
      return Math.max(...row.map(Math.abs)) / Math.sqrt(dot(row, row));
    });
    const taken = new Set(
      Array.from({ length: d }, (_, c) => rowOf(reads, c).map(Math.abs)).map((r) => r.indexOf(Math.max(...r))),
    );
    return { purity: taken.size === d ? Math.min(...pure) : 0, turn };
  }

  test("are planted sources, each alone, up to order, sign and scale, where these are not Gaussian", async () => {
    const u = randomUniform(key("sources"), n * d);
    // Uniform, Laplace, two values, sparse, skewed: all of variance 1 or thereabouts.
    const shape: readonly ((x: number) => number)[] = [
      (x) => (x - 0.5) * 3.46,
      (x) => -Math.sign(x - 0.5) * Math.log(1 - 2 * Math.abs(x - 0.5) + 1e-7) * 0.71,
      (x) => (x < 0.5 ? -1 : 1),
      (x) => (x < 0.9 ? 0 : (x - 0.9) * 40),
      (x) => -Math.log(1 - x) - 1,
    ];
    const { purity, turn } = await recovery(
      dense(
        n,
        d,
        u.map((x, i) => shape[i % d]!(x)),
      ),
    );
    expect(purity).toBeGreaterThan(0.995);
    expect(turn).toBeLessThan(1e-6);
  });

  test("are not, where they are: any rotation of Gaussian sources is as good", async () => {
    const { purity } = await recovery(normal("gaussian", n, d));
    expect(purity).toBeLessThan(0.9);
  });

  test("fewer dimensions than are asked for leave components empty", async () => {
    const rows = asRows(product(normal("flat", 500, 2), normal("plane", 2, d)));
    const options = { count: 4, steps: 20, tolerance: 1e-4 };
    const { encoder, decoder } = await independentComponents(rows, options, key("flat"), fitting);
    const lengths = Array.from({ length: 4 }, (_, c) => Math.sqrt(dot(rowOf(decoder, c), rowOf(decoder, c))));
    expect(lengths.filter((x) => x > 1e-6)).toHaveLength(2);
    const made = product(product(dense(500, d, rows.data), encoder), decoder).data;
    expect(made.every(Number.isFinite)).toBe(true);
  });
});

describe("non-negative factors", async () => {
  const [n, d, C] = [400, 9, 4];
  const planted = asRows(
    product(
      dense(
        n,
        C,
        randomUniform(key("codes"), n * C).map((u) => Math.max(0, u - 0.5)),
      ),
      dense(C, d, randomUniform(key("parts"), C * d)),
    ),
  );
  const options = { count: C, steps: 200, tolerance: 0 };
  const { parts, errors } = await nonNegativeFactors("p", planted, options, key("nmf"), fitting);

  test("never get worse, and nothing is below 0", () => {
    expect(errors).toHaveLength(200);
    // A difference of sums of squares in float32.
    for (let i = 1; i < errors.length; i++) expect(errors[i]!).toBeLessThanOrEqual(errors[i - 1]! * (1 + 1e-5));
    expect(errors.at(-1)!).toBeLessThan(0.02 * errors[1]!);
    expect(Math.min(...parts)).toBeGreaterThanOrEqual(0);
  });

  test("code new rows by the least squares that nothing below 0 can reach", () => {
    const shape = { point: "p", width: d, count: C };
    const coder = partCoder(shape, 2000);
    const rows = values("batch d_in", [20, d], randomUniform(key("new rows"), 20 * d));
    const x = input("x", "batch d_in", { batch: 20, d_in: d }) as Tensor<"batch d_in">;
    const z = coder.encode(weightInputs(partWeights(shape)), { p: x });
    const found = interpret({ z }, { ...partValues(shape, parts), x: rows }).z;
    const D = dense(C, d, parts);
    for (let row = 0; row < 20; row++) {
      const own = Float64Array.from({ length: C }, (_, c) => found.data[c * 20 + row]!);
      const made = product(dense(1, C, own), D).data;
      const left = made.map((y, i) => y - rows.data[row * d + i]!);
      // The conditions of Karush, Kuhn and Tucker: no slope where something is carried, none downwards where nothing is.
      own.forEach((amount, c) => {
        const slope = dot(left, rowOf(D, c));
        if (amount > 0) expect(Math.abs(slope)).toBeLessThan(1e-5);
        else expect(slope).toBeGreaterThan(-1e-5);
      });
    }
    expect(Array.from(found.data).some((amount) => amount === 0)).toBe(true);
  });

  test("say what is below 0", async () => {
    const rows = { ...planted, data: planted.data.map((x, i) => (i === 10 ? -0.25 : x)) };
    await expect(nonNegativeFactors("p", rows, options, key("nmf"), fitting)).rejects.toThrow(
      "nmf: p: expected no value below 0, got -0.250 in dimension 1",
    );
  });
});

describe.each([false, true])("clusters, spherical %s", (spherical) => {
  const [n, d, C] = [1200, 6, 5];
  // Centres are axes, so that they are far apart in length and in angle; the last one is the opposite of the first.
  const truth = Array.from({ length: n }, (_, i) => (i * 7) % C);
  const noise = randomNormal(key("noise"), n * d);
  const rows: SampledRows = {
    data: Float32Array.from(noise, (x, i) => {
      const c = truth[Math.floor(i / d)]!;
      const centre = i % d === (c === 4 ? 0 : c) ? (c === 4 ? -5 : 5) : 0;
      return centre + 0.3 * x;
    }),
    count: n,
    width: d,
  };
  const shape = { point: "p", width: d, count: C };

  test("are the planted ones, each error no larger than that before", async () => {
    const options = { count: C, spherical, steps: 50, restarts: 10 };
    const { centres, errors } = await clusters(rows, options, key("k-means"), fitting);
    for (let i = 1; i < errors.length; i++) expect(errors[i]!).toBeLessThanOrEqual(errors[i - 1]! * (1 + 1e-6));
    const coder = clusterCoder(shape, spherical);
    const x = input("x", "batch d_in", { batch: n, d_in: d }) as Tensor<"batch d_in">;
    const tensors = weightInputs(centreWeights(shape));
    const carried = coder.encode(tensors, { p: x });
    const program = { carried, length: coder.magnitudes(tensors, carried), made: coder.decode(tensors, carried, "p") };
    const feeds = { ...centreValues(shape, centres), x: values("batch d_in", [n, d], rows.data) };
    const found = interpret(program, feeds);
    const labels = Array.from({ length: n }, (_, i) => {
      const own = Array.from({ length: C }, (__, c) => found.carried.data[c * n + i]!);
      expect(own.filter((z) => z > 0)).toHaveLength(1);
      return own.findIndex((z) => z > 0);
    });
    expect(new Set(labels.map((label, i) => `${label} ${truth[i]}`)).size).toBe(C);
    // What is written is as long as it is said to be.
    for (let i = 0; i < n; i += 100) {
      const made = found.made.data.slice(i * d, i * d + d);
      expect(found.length.data[labels[i]! * n + i]!).toBeCloseTo(Math.sqrt(dot(made, made)), 6);
    }
  });

  test("more clusters than rows of different kinds leave none without a centre", async () => {
    const few = { ...rows, data: rows.data.slice(0, 8 * d), count: 8 };
    const options = { count: 8, spherical, steps: 50, restarts: 1 };
    const { errors, centres } = await clusters(few, options, key("few"), fitting);
    expect(errors.at(-1)!).toBeCloseTo(0, 10);
    expect(centres.every(Number.isFinite)).toBe(true);
  });
});

describe("singular vectors", () => {
  test.each([
    [6, 9],
    [9, 6],
    [7, 7],
  ])("of %i by %i: the first k are the nearest matrix of rank k, all are the matrix", (rows, columns) => {
    const W = normal("matrix", rows, columns);
    const svd = new SingularValueDecomposition(new Matrix(Array.from({ length: rows }, (_, i) => [...rowOf(W, i)])), {
      autoTranspose: true,
    });
    const rank = Math.min(rows, columns);
    for (const k of [1, 3, rank]) {
      const parts = singularVectors("s", W, k);
      const [V, U] = [parts["s.V"]!, parts["s.U"]!];
      const made = product(dense(rows, k, V.data), dense(k, columns, U.data));
      const left = svd.leftSingularVectors.subMatrix(0, rows - 1, 0, k - 1);
      const right = svd.rightSingularVectors.subMatrix(0, columns - 1, 0, k - 1);
      const truncated = left.mmul(Matrix.diag(svd.diagonal.slice(0, k))).mmul(right.transpose());
      made.data.forEach((x, i) => expect(x).toBeCloseTo(truncated.get(Math.floor(i / columns), i % columns), 5));
      const lengths = Array.from({ length: k }, (_, c) => {
        const row = dense(k, columns, U.data).data.subarray(c * columns, (c + 1) * columns);
        return Math.sqrt(dot(row, row));
      });
      lengths.forEach((length, c) => expect(length).toBeCloseTo(svd.diagonal[c]!, 5));
    }
  });

  test("a matrix of low rank, and none at all", () => {
    const W = product(normal("a", 8, 2), normal("b", 2, 5));
    for (const matrix of [W, dense(3, 4, new Float64Array(12))]) {
      const rank = Math.min(matrix.rows, matrix.columns);
      const parts = singularVectors("s", matrix, rank);
      const made = product(
        dense(matrix.rows, rank, parts["s.V"]!.data),
        dense(rank, matrix.columns, parts["s.U"]!.data),
      );
      made.data.forEach((x, i) => expect(x).toBeCloseTo(matrix.data[i]!, 5));
    }
  });
});

describe("random directions", () => {
  /** Mean over directions `F` of the largest |cosine| with one of `D`. */
  const mmcs = (F: Dense, D: Dense): number => {
    const cosines = product(F, transposed(D));
    const best = Array.from({ length: F.rows }, (_, i) => Math.max(...rowOf(cosines, i).map(Math.abs)));
    return best.reduce((a, b) => a + b) / F.rows;
  };

  test("are as near to features as chance has it", () => {
    // The published nulls: 0.446 ± 0.006 and 0.474 ± 0.006 in 32 dimensions, 0.202 in 256.
    expect(expectedLargestCosine(64, 32)).toBeCloseTo(0.446, 2);
    expect(expectedLargestCosine(128, 32)).toBeCloseTo(0.474, 2);
    expect(expectedLargestCosine(512, 256)).toBeCloseTo(0.202, 2);
    // In one dimension more than one the mean of |cos| is 2 / π.
    expect(expectedLargestCosine(1, 2)).toBeCloseTo(2 / Math.PI, 6);
    expect(expectedLargestCosine(1, 3)).toBeCloseTo(1 / 2, 6);
    const draws = Array.from({ length: 20 }, (_, i) =>
      mmcs(randomSubspaces(64, 1, 32, [i, 1]), randomSubspaces(64, 1, 32, [i, 2])),
    );
    const mean = draws.reduce((a, b) => a + b) / draws.length;
    // Each draw is within 0.006 of it two times in three; the mean of 20 within a quarter of that.
    expect(Math.abs(mean - expectedLargestCosine(64, 32))).toBeLessThan(4 * (0.006 / Math.sqrt(20)));
    for (const draw of draws) expect(Math.abs(draw - 0.446)).toBeLessThan(4 * 0.006);
  });

  test("as many as there are dimensions write everything, fewer what lies in them", () => {
    const rows = normal("rows", 50, 10);
    for (const [count, rank, whole] of [
      [10, 1, true],
      [25, 1, true],
      [3, 4, true],
      [2, 3, false],
    ] as const) {
      const D = randomSubspaces(count, rank, 10, key("subspaces"));
      const made = product(product(rows, leastSquaresEncoder(D)), D);
      const left = made.data.map((x, i) => x - rows.data[i]!);
      if (whole) left.forEach((x) => expect(x).toBeCloseTo(0, 8));
      // What is left over has nothing in common with what could be written.
      else product(dense(50, 10, left), transposed(D)).data.forEach((x) => expect(x).toBeCloseTo(0, 8));
    }
    expect(rowsOfMatrix(rows, [3]).data).toEqual(rowOf(rows, 3));
  });
});
