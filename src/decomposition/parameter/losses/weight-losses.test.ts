/** Losses on weights alone: faithfulness and nonlinearity locality. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compile, interpret, type NamedValues, values } from "../../../engine/index.ts";
import { constant, foldIn, gradients, input, keyFromSeed, randomNormal, scalar, sum } from "../../../tensor/index.ts";
import { faithfulness, relativeFaithfulness } from "./faithfulness.ts";
import { locality, softCount } from "./locality.ts";

const matrix = (rows: readonly (readonly number[])[]) =>
  constant("d_in d_out", { d_in: rows.length, d_out: rows[0]!.length }, rows.flat());

describe("faithfulness", () => {
  const small = { delta: matrix([[1, 2]]), W: matrix([[3, 4]]) };
  const large = { delta: matrix([[10], [0], [0], [10]]), W: matrix([[10], [20], [20], [10]]) };

  test("is a mean over all the parameters", () => {
    expect(interpret({ loss: faithfulness([small.delta, large.delta]) }).loss.data[0]).toBeCloseTo(205 / 6, 12);
  });

  test("relative, is a mean over sites of what share of each is missing", () => {
    const loss = relativeFaithfulness([small, large]);
    expect(interpret({ loss }).loss.data[0]).toBeCloseTo((5 / 25 + 200 / 1000) / 2, 12);
  });

  test("relative, is 1 without components and does not change when a site's weights are scaled", () => {
    expect(interpret({ loss: relativeFaithfulness([{ delta: small.W, W: small.W }]) }).loss.data[0]).toBe(1);
    const scaled = { delta: matrix([[1000, 2000]]), W: matrix([[3000, 4000]]) };
    const [one, other] = [small, scaled].map((site) => interpret({ loss: relativeFaithfulness([site]) }).loss.data[0]!);
    expect(one).toBeCloseTo(other!, 12);
  });

  test("relative, has the gradient 2 Δ / ‖W‖² over the number of sites", () => {
    const delta = input("delta", "d_in d_out", { d_in: 1, d_out: 2 });
    const [d] = gradients(relativeFaithfulness([{ delta, W: small.W }, large]), [delta]);
    const found = interpret({ d }, { delta: values("d_in d_out", [1, 2], [1, 2]) }).d.data;
    expect(found[0]).toBeCloseTo(2 / 25 / 2, 12);
    expect(found[1]).toBeCloseTo(4 / 25 / 2, 12);
  });
});

describe("nonlinearity locality", () => {
  const N = 16;
  /** One component that loads the first `m` of 16 units equally. */
  const loaded = (m: number) =>
    constant(
      "C d_out",
      { C: 1, d_out: N },
      Array.from({ length: N }, (_, u) => (u < m ? 0.3 : 0)),
    );
  const count = (m: number, t: number): number =>
    interpret({ n: softCount({ vectors: loaded(m), count: N }, t) }).n.data[0]!;

  test.each([
    [1, 8, 0.6667],
    [4, 8, 1.3333],
    [16, 8, 1.7778],
    [1, 0.25, 0.98462],
  ])("%i equally loaded units of 16 at threshold %f", (m, t, expected) => {
    expect(count(m, t)).toBeCloseTo(expected, 4);
    expect(count(m, t)).toBeCloseTo(m / (1 + (t * m) / N), 12);
  });

  test("heads are blocks of their width, counted as often as they are used", () => {
    // Two heads of width 2: the first component lies in the second head alone, the second in both.
    const vectors = constant("C d_out", { C: 2, d_out: 4 }, [0, 0, 3, 4, 1, 0, 0, 1]);
    const n = interpret({ n: softCount({ vectors, count: 2, uses: 3 }, 0.5) }).n.data;
    expect(n[0]).toBeCloseTo(3 / (1 + 0.25), 12);
    expect(n[1]).toBeCloseTo((3 * 2) / (1 + 0.5), 12);
  });

  test("V is read along d_in, and the mean is over components of all sites", () => {
    const V = constant("d_in C", { d_in: 4, C: 2 }, [1, 1, 0, 1, 0, 1, 0, 1]);
    const n = interpret({ n: softCount({ vectors: V, count: 4 }, 1) }).n.data;
    expect(Array.from(n, (x) => x.toFixed(6))).toEqual(["0.800000", "2.000000"]);
    const one = constant("C d_out", { C: 1, d_out: 4 }, [0, 5, 0, 0]);
    const loss = locality(
      [
        { vectors: V, count: 4 },
        { vectors: one, count: 4 },
      ],
      scalar(1),
    );
    expect(interpret({ loss }).loss.data[0]).toBeCloseTo((0.8 + 2 + 0.8) / 3, 12);
  });

  test("does not depend on length or sign", () => {
    const numbers = randomNormal(foldIn(keyFromSeed(3), "u"), 8);
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 100, noNaN: true }), fc.boolean(), (length, negative) => {
        const of = (scale: number) =>
          constant(
            "C d_out",
            { C: 1, d_out: 8 },
            Array.from(numbers, (x) => x * scale),
          );
        const [plain, scaled] = [1, negative ? -length : length].map(
          (scale) => interpret({ n: softCount({ vectors: of(scale), count: 4 }, 1) }).n.data[0]!,
        );
        expect(scaled).toBeCloseTo(plain!, 10);
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  test("a component of zeros counts 0 and has the gradient 0, in float32 as well", async () => {
    const U = input("U", "C d_out", { C: 2, d_out: 4 });
    const n = softCount({ vectors: U, count: 2 }, scalar(0.25));
    const [d] = gradients(sum(n), [U]);
    const feeds: NamedValues = { U: values("C d_out", [2, 4], [0, 0, 0, 0, 1, 2, 0, 0.5]) };
    const exact = interpret({ n, d }, feeds);
    expect(exact.n.data[0]).toBe(0);
    expect(Array.from(exact.d.data.slice(0, 4))).toEqual([0, 0, 0, 0]);
    expect(exact.n.data[1]).toBeGreaterThan(1);
    const program = await compile({ n, d }, { threads: 1 });
    const found = await program.run(feeds);
    expect(found.n.data[0]).toBe(0);
    expect(Array.from(found.d.data.slice(0, 4), Math.abs)).toEqual([0, 0, 0, 0]);
    exact.d.data.forEach((x, i) => expect(found.d.data[i]).toBeCloseTo(x, 5));
    await program.dispose();
  });

  test("its slope by a unit's share is κ w / (f + w)², and shares add to one: descent moves length into the fullest unit", () => {
    const U = input("U", "C d_out", { C: 1, d_out: 2 });
    const [d] = gradients(locality([{ vectors: U, count: 2 }], 0.5), [U]);
    const [a, b] = [3, 1];
    const E = a * a + b * b;
    const w = 0.25;
    const steep = [a, b].map((x) => w / ((x * x) / E + w) ** 2);
    // ∂f_u/∂e_v = (δ_uv - f_u) / E, ∂e/∂x = 2x.
    const by = (v: number): number =>
      steep.reduce((s, k, u) => s + (k * (Number(u === v) - [a, b][u]! ** 2 / E)) / E, 0);
    const found = interpret({ d }, { U: values("C d_out", [1, 2], [a, b]) }).d.data;
    expect(found[0]).toBeCloseTo(by(0) * 2 * a, 12);
    expect(found[1]).toBeCloseTo(by(1) * 2 * b, 12);
    expect(found[0]).toBeLessThan(0);
    expect(found[1]).toBeGreaterThan(0);
  });
});
