/**
 * What holds of every decomposition: with its remainder it is the network; importances lie between 0 and 1; a component that nothing reads, or whose
 * writing comes to nothing, can be taken out; and no measure knows in which order components stand or how their length is shared between `V` and `U`.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { always, handMade, matrix, noise, type Parts, rowsAsParts } from "../../test/evidence/subjects.ts";
import { interpret, type NamedValues, type Values, values } from "../engine/index.ts";
import { mlp } from "../network/mlp.ts";
import { constant, foldIn, input, keyFromSeed, randomNormal, randomPermutation } from "../tensor/index.ts";
import { matchColumns } from "./mean-max-cosine.ts";
import { faithfulnessOf } from "./site-faithfulness.ts";
import { denseError, identityError, sharedError } from "./target-ci-error.ts";

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

describe("all components together", () => {
  const parts = (seed: number, C: number): Record<string, Parts> =>
    Object.fromEntries(
      network.sites.map(({ name, dIn, dOut }) => [
        name,
        {
          V: matrix("d_in C", dIn, C, noise(`${seed}/${name}/V`, dIn, C, 1)),
          U: matrix("C d_out", C, dOut, noise(`${seed}/${name}/U`, C, dOut, 1)),
        },
      ]),
    );
  /** The largest distance from the network's own output with every mask 1, and the largest output. */
  function whole(weights: NamedValues, given: Record<string, Parts>, remainder: number) {
    const decomposition = handMade(network, weights, given, always(1));
    const x = input("x", "batch feature", { batch: BATCH, feature: INPUTS });
    const all = (value: (site: string) => ReturnType<typeof constant>) =>
      Object.fromEntries(network.sites.map(({ name }) => [name, value(name)]));
    const ones = all((name) => constant("C batch", { C: decomposition.componentCount(name), batch: BATCH }, 1));
    const left = all(() => constant("", {}, remainder));
    const found = interpret(
      {
        masked: decomposition.masked(x, ones as never, { remainder: left }),
        own: network.forward(decomposition.tensors, x),
      },
      { ...decomposition.values, x: matrix("batch feature", BATCH, INPUTS, noise("x", BATCH, INPUTS, 1)) },
    );
    const distances = Array.from(found.masked.data, (y, i) => Math.abs(y - found.own.data[i]!));
    return { distance: Math.max(...distances), largest: Math.max(...Array.from(found.own.data, Math.abs)) };
  }

  test("and what they leave over are the network, however many and whatever they are", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 9 }), (seed, C) => {
        const { distance, largest } = whole(
          weightsOf(seed, () => 0.5),
          parts(seed, C),
          1,
        );
        expect(distance).toBeLessThanOrEqual(1e-12 * largest);
      }),
      { numRuns: 25 },
    );
  });

  test("are the network alone where they add up to its weights, and are not where they do not", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const weights = weightsOf(seed, () => 0.5);
        const rows = rowsAsParts(network, weights);
        expect(faithfulnessOf(weights[SITE]!, rows[SITE]!.V, rows[SITE]!.U).relative).toBe(0);
        expect(whole(weights, rows, 0).distance).toBe(0);
        const { distance, largest } = whole(weights, parts(seed, 4), 0);
        expect(distance).toBeGreaterThan(0.01 * largest);
      }),
      { numRuns: 25 },
    );
  });

  test("have importances between 0 and 1, whatever is predicted", () => {
    const predicted = [-3, -1e-9, 0, 0.4, 1, 1 + 1e-9, 1e9];
    const C = predicted.length;
    const weights = weightsOf(1, () => 0);
    const decomposition = handMade(network, weights, parts(1, C), (seen) =>
      Object.fromEntries(
        seen.map(({ site }) => [
          site.name,
          constant(
            "C batch",
            { C, batch: BATCH },
            predicted.flatMap((z) => Array.from({ length: BATCH }, () => z)),
          ),
        ]),
      ),
    );
    const x = input("x", "batch feature", { batch: BATCH, feature: INPUTS });
    const activity = interpret(
      { g: decomposition.activity(x)[SITE]! },
      { ...decomposition.values, x: matrix("batch feature", BATCH, INPUTS, () => 1) },
    );
    const found = predicted.map((_, c) => activity.g.data[c * BATCH]!);
    expect(found).toEqual([0, 0, 0, expect.closeTo(0.4, 6), 1, 1, 1]);
  });
});

describe("taken out of its matrix, a rank-one component", () => {
  test("changes nothing where every activation is orthogonal to what it reads", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        // Small whole numbers, which are orthogonal exactly and not but for rounding.
        const whole = (draws: ArrayLike<number>): number[] => Array.from(draws, (a) => Math.round(4 * a));
        const v = whole(randomNormal(keyFromSeed(seed), INPUTS));
        if (v.every((a) => a === 0)) return;
        const squares = v.reduce((sum, a) => sum + a * a, 0);
        const any = noise(`${seed}/x`, BATCH, INPUTS, 1);
        const x = matrix("batch feature", BATCH, INPUTS, (row, i) => {
          const y = whole(v.map((_, j) => any(row, j)));
          const along = v.reduce((sum, a, j) => sum + a * y[j]!, 0);
          return (squares * y[i]! - along * v[i]!) / 1024;
        });
        const parts = {
          V: matrix("d_in C", INPUTS, 1, (i) => v[i]!),
          U: matrix("C d_out", 1, HIDDEN, noise(`${seed}/u`, 1, HIDDEN, 1)),
        };
        const { change, whole: unmasked } = changeWithout(
          weightsOf(seed, () => 0),
          parts,
          x,
        );
        expect(change).toBeLessThan(1e-12);
        expect(unmasked).toBeLessThan(1e-12);
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
    const groups = [[0, 3], [1, 2, 4], [5]];
    const errors = (tolerance?: number): number[] => [
      ...[identityError(g, tolerance), denseError(g, 3, tolerance), sharedError(g, groups, tolerance)],
    ];
    return [mmcs, ml2r, relative, ...errors(), ...errors(0.2)];
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
