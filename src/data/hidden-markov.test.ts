import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compile, interpret, type Values } from "../engine/index.ts";
import { keyFromSeed } from "../tensor/index.ts";
import { beliefSequences, entropyRate, mixedStates, myopicEntropies, nextTokenDistribution } from "./belief-state.ts";
import {
  type HiddenMarkovModel,
  hiddenMarkovModel,
  markovSequences,
  mess3,
  rrxor,
  sampleSequences,
  z1r,
} from "./hidden-markov.ts";

const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
const T = (model: HiddenMarkovModel, token: number, from: number): number[] => {
  const at = (token * model.states + from) * model.states;
  return Array.from(model.transition.slice(at, at + model.states));
};
const i32 = (rows: readonly (readonly number[])[]): Values<"batch pos"> => ({
  axes: "batch pos",
  shape: [rows.length, rows[0]!.length],
  dtype: "i32",
  data: Int32Array.from(rows.flat()),
});

describe("the least loss", () => {
  test("Mess3, to six decimals", () => {
    const entropies = myopicEntropies(mess3(), 11);
    const published = [
      1.098612, 0.857719, 0.813356, 0.798118, 0.79474, 0.793783, 0.793543, 0.79348, 0.793463, 0.793459, 0.793458,
    ];
    expect(entropies.map((h) => Number(h.toFixed(6)))).toEqual(published);
    expect(mean(entropies.slice(1))).toBeCloseTo(0.802512, 6);
  });

  test("RRXOR, to six decimals", () => {
    const entropies = myopicEntropies(rrxor(), 11);
    // As text: the linter takes ln 2 to six decimals for a slip.
    const published =
      "0.693147 0.693147 0.636514 0.628487 0.598679 0.577623 0.561458 0.539847 0.52694 0.515819 0.503337";
    expect(entropies.map((h) => String(Number(h.toFixed(6)))).join(" ")).toBe(published);
    expect(mean(entropies.slice(1))).toBeCloseTo(0.578185, 6);
  });

  test("entropy rates", () => {
    // A state and a token decide the next state, so the lower bound is exact.
    expect(entropyRate(rrxor(), 4).lower).toBeCloseTo((2 / 3) * Math.LN2, 12);
    expect(entropyRate(z1r(), 4).lower).toBeCloseTo(Math.LN2 / 3, 12);
    expect(entropyRate(z1r(), 25).upper).toBeCloseTo(Math.LN2 / 3, 6);
    const { lower, upper } = entropyRate(mess3(), 9);
    expect(lower).toBeLessThan(0.79346);
    expect(upper).toBeGreaterThan(0.793458);
    expect(upper - lower).toBeLessThan(1e-4);
  });
});

describe("mixed states", () => {
  test("RRXOR has 36 belief states and 11 predictions", () => {
    const { beliefs, cumulative } = mixedStates(rrxor(), 12);
    expect(cumulative).toEqual([1, 3, 7, 15, 27, 34, 36, 36, 36, 36, 36, 36, 36]);
    const predictions = beliefs.map((belief) => nextTokenDistribution(rrxor(), belief)[0]!.toFixed(9));
    expect(new Set(predictions).size).toBe(11);
  });

  test("Z1R has 7", () => {
    expect(mixedStates(z1r(), 20).cumulative.at(-1)).toBe(7);
  });

  test("Mess3 never sees one twice", () => {
    expect(mixedStates(mess3(), 7).cumulative.at(-1)).toBe((3 ** 8 - 1) / 2);
  });

  test("probabilities of a depth sum to 1", () => {
    for (const row of mixedStates(rrxor(0.3, 0.8), 8).probabilities)
      expect(row.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
  });
});

describe("the presets", () => {
  test("Mess3's matrices", () => {
    const model = mess3();
    const close = (got: number[], want: number[]): void => want.forEach((x, i) => expect(got[i]).toBeCloseTo(x, 15));
    close(T(model, 0, 0), [0.765, 0.00375, 0.00375]);
    close(T(model, 0, 1), [0.0425, 0.0675, 0.00375]);
    close(T(model, 1, 0), [0.0675, 0.0425, 0.00375]);
    close(T(model, 2, 2), [0.00375, 0.00375, 0.765]);
  });

  test("stationary distributions", () => {
    expect(Array.from(rrxor().stationary, (p) => Math.round(6 * p * 1e12) / 1e12)).toEqual([2, 1, 1, 1, 1]);
    for (const p of mess3(0.1, 0.6).stationary) expect(p).toBeCloseTo(1 / 3, 14);
  });
});

/** Any connected model with strictly positive transitions, or with about half of them 0 beside a ring that connects it. */
const anyModel = fc
  .record({ states: fc.integer({ min: 1, max: 5 }), tokens: fc.integer({ min: 1, max: 4 }) })
  .chain(({ states, tokens }) =>
    fc
      .array(fc.oneof(fc.constant(0), fc.double({ min: 0.01, max: 1, noNaN: true })), {
        minLength: states * states * tokens,
        maxLength: states * states * tokens,
      })
      .map((weights) => {
        const at = (token: number, from: number, to: number): number =>
          weights[(token * states + from) * states + to]! + (token === 0 && to === (from + 1) % states ? 0.2 : 0);
        const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
        const totals = range(states).map((from) =>
          range(tokens).reduce((sum, k) => sum + range(states).reduce((s, to) => s + at(k, from, to), 0), 0),
        );
        return hiddenMarkovModel(
          range(tokens).map((k) =>
            range(states).map((from) => range(states).map((to) => at(k, from, to) / totals[from]!)),
          ),
        );
      }),
  );

describe("any model", () => {
  test("the stationary distribution stays", () => {
    fc.assert(
      fc.property(anyModel, (model) => {
        for (let to = 0; to < model.states; to++) {
          let p = 0;
          for (let k = 0; k < model.tokens; k++)
            for (let from = 0; from < model.states; from++) p += model.stationary[from]! * T(model, k, from)[to]!;
          expect(p).toBeCloseTo(model.stationary[to]!, 12);
        }
      }),
    );
  });

  test("entropies never rise, and the rate lies between its bounds", () => {
    fc.assert(
      fc.property(anyModel, (model) => {
        const entropies = myopicEntropies(model, 5);
        for (let t = 1; t < 5; t++) expect(entropies[t]!).toBeLessThanOrEqual(entropies[t - 1]! + 1e-12);
        const [early, late] = [entropyRate(model, 3), entropyRate(model, 5)];
        expect(late.lower).toBeLessThanOrEqual(late.upper + 1e-12);
        expect(early.lower).toBeLessThanOrEqual(late.lower + 1e-12);
      }),
      { numRuns: 30 },
    );
  });

  test("a sequence's beliefs agree with the joint probability of tokens, summed over all paths", () => {
    fc.assert(
      fc.property(anyModel, fc.nat(1000), (model, seed) => {
        const { tokens } = sampleSequences(model, keyFromSeed(seed), { batch: 2, pos: 4 });
        const { beliefs, predictions } = beliefSequences(model, tokens);
        // Forward weights P(tokens, state), unnormalised: no Bayes' rule in this one.
        for (let row = 0; row < 2; row++) {
          let joint = Array.from(model.stationary);
          for (let t = 0; t < 4; t++) {
            const token = tokens.data[row * 4 + t]!;
            joint = joint.map((_, to) => joint.reduce((p, w, from) => p + w * T(model, token, from)[to]!, 0));
            const total = joint.reduce((a, b) => a + b, 0);
            joint.forEach((w, state) =>
              expect(beliefs.data[(row * 4 + t) * model.states + state]).toBeCloseTo(w / total, 10),
            );
            const next = Array.from(predictions.data).slice(
              (row * 4 + t) * model.tokens,
              (row * 4 + t + 1) * model.tokens,
            );
            expect(next.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 10);
          }
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe("sequences", () => {
  const sizes = { batch: 4000, pos: 6 };

  test("tokens and states occur as often as they should", () => {
    const model = mess3();
    const { tokens, states } = sampleSequences(model, keyFromSeed(1), sizes);
    // Joint counts of (state, token, next state) against T, at each position: four standard deviations.
    for (const t of [0, 4]) {
      for (let k = 0; k < 3; k++) {
        for (let from = 0; from < 3; from++) {
          for (let to = 0; to < 3; to++) {
            const p = model.stationary[from]! * T(model, k, from)[to]!;
            let count = 0;
            for (let row = 0; row < sizes.batch; row++) {
              const at = row * sizes.pos + t;
              count += Number(tokens.data[at] === k && states.data[at] === from && states.data[at + 1] === to);
            }
            expect(Math.abs(count / sizes.batch - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / sizes.batch));
          }
        }
      }
    }
  });

  test("only what can happen happens", () => {
    const { tokens } = sampleSequences(rrxor(0.25, 0.5), keyFromSeed(2), sizes);
    // Beliefs refuse a sequence that the model cannot emit.
    expect(() => beliefSequences(rrxor(0.25, 0.5), tokens)).not.toThrow();
    const { states } = sampleSequences(z1r(), keyFromSeed(2), sizes);
    for (let i = 0; i < states.data.length; i++)
      if (i % sizes.pos > 0) expect(states.data[i]).toBe((states.data[i - 1]! + 1) % 3);
  });

  test("the same key gives the same sequences, another key others", () => {
    const draw = (seed: number): number[] =>
      Array.from(sampleSequences(mess3(), keyFromSeed(seed), { batch: 5, pos: 8 }).tokens.data);
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3)).not.toEqual(draw(4));
  });

  test("a device draws what the arbiter draws", async () => {
    const program = { ...markovSequences("x", rrxor(), { batch: 64, pos: 10 }) };
    const executable = await compile(program);
    const [got, want] = [await executable.run({}, keyFromSeed(5)), interpret(program, {}, keyFromSeed(5))];
    expect(Array.from(got.tokens.data)).toEqual(Array.from(want.tokens.data));
    expect(Array.from(got.states.data)).toEqual(Array.from(want.states.data));
    await executable.dispose();
  });
});

describe("bad input", () => {
  test.each([
    [[], /expected a token and a state, got none/],
    [[[[0.5, 0.5]]], /T\[0\]\[0\]: expected 1 entries, got 2/],
    [[[[1]], []], /T\[1\]: expected 1 rows, got 0/],
    [[[[-0.1]], [[1.1]]], /T\[0\]\[0\]\[0\] should be from 0 to 1, got -0.1/],
    [[[[Number.NaN]]], /got NaN/],
    [[[[0.5]], [[0.4]]], /state 0: expected a sum of 1 .* got 0.9/],
    [
      [
        [
          [1, 0],
          [0, 1],
        ],
      ],
      /no way from state 0 to state 1/,
    ],
    [
      [
        [
          [0, 1],
          [0, 1],
        ],
      ],
      /no way back from state 1 to state 0/,
    ],
  ])("%j", (transitions, message) => {
    expect(() => hiddenMarkovModel(transitions)).toThrow(message);
  });

  test("tokens that cannot be", () => {
    expect(() => beliefSequences(z1r(), i32([[0, 0, 0]]))).toThrow(
      /batch 0, pos 2: expected a token that can follow, got 0/,
    );
    expect(() => beliefSequences(z1r(), i32([[0, 2]]))).toThrow(/pos 1: expected a token from 0 to 1, got 2/);
  });
});
