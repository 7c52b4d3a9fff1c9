/**
 * What holds of every decomposition: a component that nothing reads, or whose writing comes to nothing, can be taken out; and no measure knows in
 * which order components stand or how their length is shared between `V` and `U`.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { always, handMade, matrix, noise, type Parts } from "../../test/evidence/subjects.ts";
import { interpret, type NamedValues, type Values, values } from "../engine/index.ts";
import { mlp } from "../network/mlp.ts";
import { constant, foldIn, input, keyFromSeed, randomNormal, randomPermutation } from "../tensor/index.ts";
import { matchColumns } from "./mean-max-cosine.ts";
import { faithfulnessOf } from "./site-faithfulness.ts";
import { denseError, identityError } from "./target-ci-error.ts";

const [INPUTS, HIDDEN, OUTPUTS, BATCH] = [6, 5, 3, 8];
const network = mlp({ features: INPUTS, hidden: [HIDDEN], outputs: OUTPUTS, activation: "relu", bias: true });
const SITE = "blocks.0.mlp.W_in";

const weightsOf = (seed: number, bias: (neuron: number) => number): NamedValues => ({
  [SITE]: matrix("d_in d_out", INPUTS, HIDDEN, noise(`${seed}/in`, INPUTS, HIDDEN, 1)),
  "blocks.0.mlp.b_in": values(
    "d_out",
    [HIDDEN],
    Array.from({ length: HIDDEN }, (_, n) => bias(n)),
  ),
  "unembed.W_U": matrix("d_in d_out", HIDDEN, OUTPUTS, noise(`${seed}/out`, HIDDEN, OUTPUTS, 1)),
  "unembed.b_U": values("d_out", [OUTPUTS], [0, 0, 0]),
});

/** The largest change of the output when the only component is taken out and the remainder stays; the network's own answer beside it. */
function changeWithout(weights: NamedValues, parts: Parts, x: Values): { change: number; whole: number } {
  const site = { ...network, sites: network.sites.filter(({ name }) => name === SITE) };
  const decomposition = handMade(site, weights, { [SITE]: parts }, always(1));
  const given = input("x", "batch feature", { batch: BATCH, feature: INPUTS });
  const run = (kept: number): ReturnType<typeof decomposition.masked> =>
    decomposition.masked(
      given,
      { [SITE]: constant("C batch", { C: 1, batch: BATCH }, kept) },
      { remainder: { [SITE]: constant("", {}, 1) } },
    );
  const own = network.forward(decomposition.tensors, given);
  const found = interpret({ one: run(1), none: run(0), own }, { ...decomposition.values, x });
  const largest = (a: Values, b: Values): number =>
    Math.max(...Array.from(a.data, (value, i) => Math.abs(value - b.data[i]!)));
  return { change: largest(found.one, found.none), whole: largest(found.one, found.own) };
}

const seeds = fc.integer({ min: 0, max: 10_000 });

describe("taken out of its matrix, a rank-one component", () => {
  test("changes nothing where every activation is orthogonal to what it reads", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const draws = randomNormal(keyFromSeed(seed), INPUTS);
        const length = Math.hypot(...draws);
        const v = Array.from(draws, (a) => a / length);
        const any = noise(`${seed}/x`, BATCH, INPUTS, 1);
        const x = matrix("batch feature", BATCH, INPUTS, (row, i) => {
          const along = v.reduce((sum, a, j) => sum + a * any(row, j), 0);
          return any(row, i) - along * v[i]!;
        });
        const parts = {
          V: matrix("d_in C", INPUTS, 1, (i) => v[i]!),
          U: matrix("C d_out", 1, HIDDEN, noise(`${seed}/u`, 1, HIDDEN, 1)),
        };
        const { change, whole } = changeWithout(
          weightsOf(seed, () => 0),
          parts,
          x,
        );
        expect(change).toBeLessThan(1e-5);
        expect(whole).toBeLessThan(1e-12);
      }),
      { numRuns: 25 },
    );
  });

  test("changes the output where they are not", () => {
    const parts = {
      V: matrix("d_in C", INPUTS, 1, (i) => Number(i === 0)),
      U: matrix("C d_out", 1, HIDDEN, () => 1),
    };
    const x = matrix("batch feature", BATCH, INPUTS, noise("x", BATCH, INPUTS, 1));
    expect(
      changeWithout(
        weightsOf(3, () => 1),
        parts,
        x,
      ).change,
    ).toBeGreaterThan(0.1);
  });

  test("changes exactly nothing where what it writes stays below the threshold of every neuron that it writes to", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 0, max: HIDDEN - 1 }), (seed, silent) => {
        const x = matrix("batch feature", BATCH, INPUTS, noise(`${seed}/x`, BATCH, INPUTS, 1));
        const parts = {
          V: matrix("d_in C", INPUTS, 1, noise(`${seed}/v`, INPUTS, 1, 1)),
          U: matrix("C d_out", 1, HIDDEN, (_, n) => (n === silent ? 1 : 0)),
        };
        const weights = weightsOf(seed, (n) => (n === silent ? -100 : 0.5));
        expect(changeWithout(weights, parts, x).change).toBe(0);
      }),
      { numRuns: 25 },
    );
  });
});

describe("no measure knows", () => {
  const C = 7;
  const subject = (seed: number): { W: Values; V: Values; U: Values; g: Values } => ({
    W: matrix("d_in d_out", INPUTS, HIDDEN, noise(`${seed}/W`, INPUTS, HIDDEN, 1)),
    V: matrix("d_in C", INPUTS, C, noise(`${seed}/V`, INPUTS, C, 1)),
    U: matrix("C d_out", C, HIDDEN, noise(`${seed}/U`, C, HIDDEN, 1)),
    g: matrix("batch C", INPUTS, C, (i, c) => Math.abs(noise(`${seed}/g`, INPUTS, C, 1)(i, c)) % 1),
  });
  const scores = ({ W, V, U, g }: ReturnType<typeof subject>): number[] => {
    const { mmcs, ml2r } = matchColumns(W, V, U, "in");
    const { relative } = faithfulnessOf(W, V, U);
    return [mmcs, ml2r, relative, identityError(g), denseError(g, 3), identityError(g, 0.2), denseError(g, 3, 0.2)];
  };
  const expectSame = (a: number[], b: number[]): void => a.forEach((x, i) => expect(b[i]!).toBeCloseTo(x, 5));

  test("the order of components", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const before = subject(seed);
        const order = randomPermutation(foldIn(keyFromSeed(seed), "order"), C);
        const { V, U, g } = before;
        const column = ({ data }: Values, rows: number, axes: string): Values =>
          matrix(axes, rows, C, (i, c) => data[i * C + order[c]!]!);
        const after = {
          ...before,
          V: column(V, INPUTS, "d_in C"),
          U: matrix("C d_out", C, HIDDEN, (c, o) => U.data[order[c]! * HIDDEN + o]!),
          g: column(g, INPUTS, "batch C"),
        };
        expectSame(scores(before), scores(after));
      }),
      { numRuns: 25 },
    );
  });

  test("how a component's length is shared, and which of both signs it has", () => {
    fc.assert(
      fc.property(seeds, fc.double({ min: 0.2, max: 5, noNaN: true }), fc.boolean(), (seed, size, flipped) => {
        const before = subject(seed);
        const s = flipped ? -size : size;
        const { V, U } = before;
        const after = {
          ...before,
          V: matrix("d_in C", INPUTS, C, (i, c) => V.data[i * C + c]! / s),
          U: matrix("C d_out", C, HIDDEN, (c, o) => U.data[c * HIDDEN + o]! * s),
        };
        expectSame(scores(before), scores(after));
      }),
      { numRuns: 25 },
    );
  });
});
