import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyFromSeed, randomUniform } from "../tensor/index.ts";
import type { Answer, Evidence, Label, Labeller, Shown } from "./labeller.ts";
import { labelComponent, type Labelled, summarised } from "./score.ts";
import { CHANCE, detectionTrial, fuzzingTrial, intruderTrials, type TrialMaterial } from "./trials.ts";

const WORDS = ["cat", "dog", "sat", "ran", "the", "a", "on", "hill"];

/** A stretch of eight words; the component fires on every `word`. */
function stretch(seed: number, word: string | undefined, without?: string): Shown {
  const tokens = Array.from(randomUniform(keyFromSeed(seed), 8), (u) => {
    const pick = WORDS[Math.floor(u * WORDS.length)]!;
    return pick === without || pick === word ? "hill" : pick;
  });
  if (word !== undefined) tokens[seed % 8] = word;
  const fires = tokens.map((token) => token === word);
  return { tokens, fires, importances: fires.map(Number) };
}

/** A component that fires on `cat`, among others that fire on `dog`. */
const material = (size = 12): TrialMaterial => ({
  held: Array.from({ length: size }, (_, i) => stretch(i, "cat", "dog")),
  quiet: Array.from({ length: 30 }, (_, i) => stretch(100 + i, undefined, "cat")),
  others: Array.from({ length: 24 }, (_, i) => stretch(200 + i, "dog", "cat")),
});
const evidence: Evidence = {
  address: "s:0",
  kind: "tokens",
  separator: " ",
  density: 0.1,
  examples: [],
  input: [],
  output: [],
};
const answer = <T>(value: T | undefined): Promise<Answer<T>> =>
  Promise.resolve({ value, usage: { calls: 1, promptTokens: 10, completionTokens: 2 } });
const found: Label = { label: "the word cat", reasoning: "" };

/** Knows what the component fires on. */
const oracle: Labeller = {
  name: "oracle",
  label: () => answer(found),
  detect: (_, items) => answer(items.map(({ tokens }) => tokens.includes("cat"))),
  fuzz: (_, items) =>
    answer(items.map(({ tokens, fires }) => tokens.every((token, i) => fires[i] === (token === "cat")))),
  intruder: (items) =>
    answer(items.findIndex(({ tokens, fires }) => tokens.some((token, i) => fires[i] && token !== "cat"))),
};

/** Knows nothing. */
function guesser(seed: number): Labeller {
  let draws = 0;
  const next = (): number => randomUniform(keyFromSeed(seed * 1_000_000 + draws++), 1)[0]!;
  return {
    name: "guesser",
    label: () => answer(found),
    detect: (_, items) => answer(items.map(() => next() < 0.5)),
    fuzz: (_, items) => answer(items.map(() => next() < 0.5)),
    intruder: (items) => answer(Math.floor(next() * items.length)),
  };
}

const labelled = (labeller: (seed: number) => Labeller, count: number): Promise<Labelled[]> =>
  Promise.all(
    Array.from({ length: count }, (_, i) =>
      labelComponent(labeller(i), evidence, material(), { trials: 5, key: keyFromSeed(i) }),
    ),
  );

describe("scores", () => {
  test("a judge that knows is always right", async () => {
    const scores = summarised(await labelled(() => oracle, 20), keyFromSeed(0));
    for (const { mean, interval, components, unanswered } of Object.values(scores)) {
      expect([mean, interval, components, unanswered]).toEqual([1, [1, 1], 20, 0]);
    }
    expect([scores.detection.n, scores.fuzzing.n, scores.intruder.n]).toEqual([200, 200, 100]);
    // Wilson's interval of 100 of 100 begins at 100 / (100 + z²).
    expect(scores.intruder.answersInterval![0]).toBeCloseTo(100 / (100 + 1.959964 ** 2), 10);
  });

  test("a judge that knows nothing is right as often as chance", async () => {
    const scores = summarised(await labelled(guesser, 400), keyFromSeed(0));
    for (const name of ["detection", "fuzzing", "intruder"] as const) {
      const { mean, chance, n } = scores[name];
      expect(chance).toBe(CHANCE[name]);
      // Four standard errors.
      expect(Math.abs(mean! - chance)).toBeLessThan(4 * Math.sqrt((chance * (1 - chance)) / n));
    }
  });

  test("a judge that always says the same has half of detection and fuzzing", async () => {
    const yes: Labeller = {
      ...oracle,
      detect: (_, items) => answer(items.map(() => true)),
      fuzz: (_, items) => answer(items.map(() => true)),
    };
    const scores = summarised(await labelled(() => yes, 5), keyFromSeed(0));
    expect([scores.detection.mean, scores.fuzzing.mean]).toEqual([0.5, 0.5]);
  });

  test("what is not answered is no part of n, and said", async () => {
    const silent: Labeller = {
      ...oracle,
      detect: () => answer<readonly boolean[]>(undefined),
      intruder: () => answer<number>(undefined),
    };
    const [one] = await labelled(() => silent, 1);
    expect(one!.scores).toMatchObject({
      detection: { n: 0, unanswered: 10 },
      fuzzing: { n: 10 },
      intruder: { n: 0, unanswered: 5 },
    });
    expect(one!.usage).toEqual({ calls: 8, promptTokens: 80, completionTokens: 16 });
    const { detection } = summarised([one!], keyFromSeed(0));
    expect(detection).toMatchObject({ mean: null, interval: null, components: 0, unanswered: 10 });
  });

  test("without a label there is still the intruder", async () => {
    const mute: Labeller = { ...oracle, label: () => answer<Label>(undefined) };
    const [one] = await labelled(() => mute, 1);
    expect(one!.label).toBeUndefined();
    expect(Object.keys(one!.scores)).toEqual(["intruder"]);
  });

  test("features are detected, and not fuzzed", async () => {
    const one = await labelComponent(oracle, { ...evidence, kind: "features" }, material(), {
      trials: 5,
      key: keyFromSeed(0),
    });
    expect(Object.keys(one.scores)).toEqual(["detection", "intruder"]);
  });
});

describe("trials", () => {
  const seeds = fc.nat(10_000);

  test("detection has as many of either kind, none twice", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 15 }), (seed, each) => {
        const { items, truth } = detectionTrial(material(), each, keyFromSeed(seed))!;
        expect(truth.filter(Boolean).length).toBe(Math.min(each, 12));
        expect(items.length).toBe(2 * Math.min(each, 12));
        expect(new Set(items).size).toBe(items.length);
        items.forEach((item, i) => expect(item.fires.includes(true)).toBe(truth[i]));
      }),
    );
  });

  test("fuzzing marks as many tokens in the wrong places, all of which do not fire", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { items, truth } = fuzzingTrial(material(), 5, keyFromSeed(seed))!;
        expect(truth.filter(Boolean).length).toBe(5);
        items.forEach(({ tokens, fires }, i) => {
          expect(fires.filter(Boolean).length).toBe(tokens.filter((token) => token === "cat").length);
          const onCat = tokens.map((token, at) => fires[at] && token === "cat").filter(Boolean).length;
          expect(onCat).toBe(truth[i] ? fires.filter(Boolean).length : 0);
        });
      }),
    );
  });

  test("an intruder stands anywhere among five", () => {
    const places = new Set<number>();
    for (let seed = 0; seed < 40; seed++) {
      for (const { items, intruder } of intruderTrials(material(), 5, keyFromSeed(seed))) {
        places.add(intruder);
        expect(
          items.map((item) => material().others.some((other) => other.tokens.join() === item.tokens.join())),
        ).toEqual(items.map((_, i) => i === intruder));
      }
    }
    expect([...places].sort()).toEqual([0, 1, 2, 3, 4]);
  });

  test("too few examples make no trial", () => {
    const few = { held: [], quiet: [], others: [] };
    expect(detectionTrial(few, 5, keyFromSeed(0))).toBeUndefined();
    expect(fuzzingTrial(few, 5, keyFromSeed(0))).toBeUndefined();
    expect(
      fuzzingTrial(
        { ...few, held: [{ tokens: ["a", "b"], fires: [true, true], importances: [1, 1] }] },
        5,
        keyFromSeed(0),
      ),
    ).toBeUndefined();
    expect(intruderTrials({ ...material(3) }, 5, keyFromSeed(0))).toEqual([]);
  });
});
