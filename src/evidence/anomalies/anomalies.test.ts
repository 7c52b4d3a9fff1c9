/** Each anomaly on a toy where it is known to be and on one where it is known not to be: dictionaries written down by hand, so that the truth is exact. */
import { beforeAll, describe, expect, test } from "vitest";
import { ActivationDecomposition } from "../../decomposition/activation/index.ts";
import { values } from "../../engine/index.ts";
import { superposition } from "../../network/superposition.ts";
import { add, concat, mul, scalar, slice, square, sub, type Tensor } from "../../tensor/index.ts";
import { ANOMALIES, anomalies, type AnomalyName, type AnomalyOptions } from "./anomalies.ts";
import { along, type FeatureToy, featureToy, type HandMade, mix, signedCoder, unit } from "./hand-made.ts";
import { type Found, isFound, type Outcome } from "./measure.ts";

const options = { rows: 4096, threads: 1 };

async function measured(
  toy: FeatureToy,
  made: HandMade | ActivationDecomposition,
  name: AnomalyName,
  more: AnomalyOptions = {},
): Promise<Outcome> {
  const decomposition = made instanceof ActivationDecomposition ? made : toy.dictionary(made);
  const { measures } = await anomalies(decomposition, toy.data, { ...options, known: toy.known, ...more });
  return Object.values(measures[name].places)[0]!;
}

function found<D>(outcome: Outcome<D>): Found<D> {
  if (!isFound(outcome)) throw new Error(outcome.missing);
  return outcome;
}

const binary = { geometry: "orthogonal", low: 1, high: 1 };

describe("shrinkage", () => {
  let toy: FeatureToy;
  beforeAll(async () => {
    toy = await featureToy({ ...binary, features: 6, dimensions: 8, probability: 0.1 });
  });

  test("is what a threshold takes off a feature that is 0 or 1, to the last digit", async () => {
    for (const off of [0.1, 0.3]) {
      const latents = toy.F.map((u) => ({ reads: u, bias: -off, writes: u }));
      const own = found(await measured(toy, { latents }, "shrinkage"));
      expect(own.value).toBeCloseTo(1 - off, 5);
      expect(own.present).toBe(true);
      expect(own.details.reconstructionBias).toBeCloseTo(1 - off, 5);
      expect(own.details.unexplainedRescaled).toBeCloseTo(0, 5);
    }
  });

  test("is not there where each feature is read whole, and the length of a decoder counts", async () => {
    expect(found(await measured(toy, along(toy.F), "shrinkage"))).toMatchObject({ present: false, n: 6 });
    const longer = { latents: toy.F.map((u) => ({ reads: mix([0.5, u]), writes: mix([2, u]) })) };
    expect(found(await measured(toy, longer, "shrinkage")).value).toBeCloseTo(1, 5);
    expect(found(await measured(toy, along(toy.F), "shrinkage")).control).toBeLessThan(0.5);
  });

  test("of what was found: features that were missed count apart", async () => {
    const own = found(await measured(toy, along(toy.F.slice(0, 4)), "shrinkage"));
    expect(own.value).toBeCloseTo(1, 5);
    expect(own.details).toMatchObject({ featuresFound: 4, featuresMissed: 2 });
  });

  test("without known features is the slope about the mean, 1 for a projection", async () => {
    const { measures } = await anomalies(toy.coded(signedCoder(toy.F.slice(0, 3))), toy.data, options);
    expect(found(measures.shrinkage.places.hook_hidden!)).toMatchObject({ present: false, control: null });
  });
});

describe("splitting", () => {
  test("counts components of one feature: three where one would do", async () => {
    const toy = await featureToy({ features: 4, dimensions: 8, geometry: "orthogonal", probability: 0.3 });
    const [f, ...rest] = toy.F as [number[], ...number[][]];
    const tilted = [0.3, -0.3].map((t) => unit(mix([1, f], [t, rest[0]!])));
    const split = found(await measured(toy, along([f, ...tilted, ...rest]), "splitting"));
    expect(split).toMatchObject({ value: 1.5, present: true });
    expect(split.details).toMatchObject({ against: "known features", lost: 0 });
    expect(split.control).toBeLessThan(0.5);
    expect(found(await measured(toy, along(toy.F), "splitting"))).toMatchObject({ value: 1, present: false });
  });

  test("against a smaller dictionary finds the families that its latents stood for", async () => {
    const toy = await featureToy({
      ...{ features: 8, dimensions: 16, structure: "families", familySize: 4, familyProbability: 0.3, closeness: 0.9 },
    });
    const centres = [0, 4].map((from) => unit(mix(...toy.F.slice(from, from + 4).map((u) => [1, u] as const))));
    const smaller = toy.dictionary(along(centres));
    const split = found(await measured(toy, along(toy.F), "splitting", { smaller }));
    expect(split).toMatchObject({ value: 4, n: 2, present: true });
    expect(split.details.against).toBe("a smaller decomposition");
    const same = found(await measured(toy, along(toy.F), "splitting", { smaller: toy.dictionary(along(toy.F)) }));
    expect(same).toMatchObject({ value: 1, present: false });
  });
});

describe("absorption", () => {
  let toy: FeatureToy;
  beforeAll(async () => {
    toy = await featureToy({ ...binary, features: 4, dimensions: 10, structure: "hierarchy", families: 1 });
  });

  test("is there where the parent's latent is silent with the child, and strangers do not silence it", async () => {
    const [parent, child, ...others] = toy.F as [number[], number[], ...number[][]];
    const latents = [
      { reads: mix([1, parent], [-1, child]), writes: parent },
      { reads: child, writes: unit(mix([1, parent], [1, child])) },
      ...others.map((u) => ({ reads: u, writes: u })),
    ];
    const own = found(await measured(toy, { latents }, "absorption"));
    expect(own).toMatchObject({ value: 1, control: 0, present: true, n: 1 });
    expect(own.details.pairs).toMatchObject([{ parent: 0, child: 1, ratio: 0 }]);
  });

  test("is not there where parent and child are read apart", async () => {
    expect(found(await measured(toy, along(toy.F), "absorption"))).toMatchObject({ value: 0, present: false });
  });

  test("is not what happens where parent and child have one latent between them: that counts as merged", async () => {
    const merged = unit(mix([1, toy.F[0]!], [0.6, toy.F[1]!]));
    const outcome = await measured(toy, along([merged, toy.F[2]!, toy.F[3]!]), "absorption");
    expect(outcome).toEqual({ missing: "none of 1 parents has a component of cosine 0.9 (1 merged with a child)" });
  });

  test("needs parents", async () => {
    const flat = await featureToy({ ...binary, features: 4, dimensions: 8, probability: 0.3 });
    expect(await measured(flat, along(flat.F), "absorption")).toHaveProperty("missing");
  });
});

describe("hedging", () => {
  const pairs = { ...binary, features: 2, dimensions: 8, structure: "pairs" };

  test("is the share of a direction that is another feature's, with the sign of their correlation", async () => {
    for (const [correlation, mixed] of [
      [0.5, 0.37],
      [-0.3, -0.26],
    ] as const) {
      const toy = await featureToy({ ...pairs, correlation });
      const own = unit(mix([Math.sqrt(1 - mixed ** 2), toy.F[0]!], [mixed, toy.F[1]!]));
      const hedged = found(await measured(toy, along([own]), "hedging"));
      expect(hedged.value).toBeCloseTo(Math.abs(mixed), 5);
      expect(hedged.present).toBe(true);
    }
  });

  test("is not there in a latent that is one feature's, nor without correlation", async () => {
    const toy = await featureToy({ ...pairs, correlation: 0.5 });
    expect(found(await measured(toy, along([toy.F[0]!]), "hedging"))).toMatchObject({ present: false });
    const apart = await featureToy({ ...pairs, correlation: 0 });
    expect(found(await measured(apart, along(apart.F), "hedging")).value).toBeCloseTo(0, 5);
  });
});

test("a latent that never acts stands for nothing, wherever it points", async () => {
  const toy = await featureToy({ ...binary, features: 2, dimensions: 8, structure: "pairs", correlation: 0.5 });
  const silent = { latents: [{ reads: mix([-1, toy.F[0]!]), writes: toy.F[0]! }] };
  expect(await measured(toy, silent, "hedging")).toEqual({ missing: "no component acts" });
  expect(await measured(toy, silent, "shrinkage")).toHaveProperty("missing");
});

describe("composition", () => {
  const animals = (count: number): Promise<FeatureToy> =>
    featureToy({ ...binary, features: 2, dimensions: 4, structure: "animals", animals: count });

  test("is missed by latents that are an animal each", async () => {
    const toy = await animals(3);
    const [legs, tail] = toy.F as [number[], number[]];
    const latents = [
      { reads: mix([1, tail], [-1, legs]), writes: tail },
      { reads: mix([1, legs], [-1, tail]), writes: legs },
      { reads: mix([1, legs], [1, tail]), bias: -1, writes: mix([1, legs], [1, tail]) },
    ];
    const own = found(await measured(toy, { latents }, "composition"));
    expect(own).toMatchObject({ value: 1, present: true });
    expect(own.details).toMatchObject({ combinations: 3, combinationsFound: 3, featuresFound: 0, neither: 0 });
  });

  test.each([3, 4])("is found by latents that are legs and a tail, of %i animals", async (count) => {
    const toy = await animals(count);
    const own = found(await measured(toy, along(toy.F), "composition"));
    expect(own).toMatchObject({ value: 0, control: 1, present: false });
    expect(own.details).toMatchObject({ featuresFound: 2, combinationsFound: 0 });
  });
});

describe("circles", () => {
  let toy: FeatureToy;
  beforeAll(async () => {
    const circles = { structure: "circles", familyProbability: 0.4 };
    toy = await featureToy({ ...binary, ...circles, features: 4, dimensions: 16 });
  });
  const points = (toyOf: FeatureToy, count: number): HandMade => ({
    latents: [0, 2].flatMap((j) =>
      Array.from({ length: count }, (_, i) => {
        const angle = (2 * Math.PI * i) / count;
        const u = mix([Math.cos(angle), toyOf.F[j]!], [Math.sin(angle), toyOf.F[j + 1]!]);
        return { reads: u, bias: -0.7, writes: u };
      }),
    ),
  });

  test("are in points where latents stand for arcs, and strengths tell the angle", async () => {
    const own = found(await measured(toy, points(toy, 8), "circles"));
    expect(own).toMatchObject({ value: 8, n: 2, present: true });
    expect(own.control).toBeLessThan(2);
    const [first] = own.details.circles as { arc: number; angle: number; angleControl: number; ring: boolean }[];
    expect(first!.ring).toBe(true);
    // Where the cosine is above 0.7: 45.57 of 180 degrees.
    expect(first!.arc).toBeCloseTo(Math.acos(0.7) / Math.PI, 1);
    expect(first!.angle).toBeGreaterThan(0.9);
    expect(first!.angleControl).toBeLessThan(0.05);
  });

  test("are whole where two components span their plane", async () => {
    const own = found(await measured(toy, toy.coded(signedCoder(toy.F)), "circles"));
    expect(own).toMatchObject({ value: 2, present: false });
  });

  test("are found where none are known, and random directions make none", async () => {
    const blind = await anomalies(toy.dictionary(points(toy, 8)), toy.data, options);
    expect(found(blind.measures.circles.places.hook_hidden!)).toMatchObject({
      value: 8,
      control: 0,
      n: 2,
      present: true,
    });
    const flat = await featureToy({ features: 16, dimensions: 16, geometry: "orthogonal", probability: 0.2 });
    const none = await anomalies(flat.dictionary(along(flat.F)), flat.data, options);
    expect(found(none.measures.circles.places.hook_hidden!)).toMatchObject({ value: 0, n: 0, present: false });
  });
});

test("dead and dense units are counted, and rare ones are told from dead ones by more rows", async () => {
  const toy = await featureToy({ ...binary, features: 6, dimensions: 8, probability: 0.05 });
  const clean = found(await measured(toy, along(toy.F), "deadAndDense"));
  expect(clean).toMatchObject({ value: 0, control: 0, present: false });
  const none = toy.F[0]!.map(() => 0);
  const latents = [
    ...along(toy.F).latents,
    { reads: none, writes: toy.F[0]! },
    { reads: none, bias: 1, writes: toy.F[1]! },
  ];
  const own = found(await measured(toy, { latents }, "deadAndDense"));
  expect(own).toMatchObject({ value: 0.25, present: true });
  expect(own.details).toMatchObject({ dead: 1, dense: 1 });
});

describe("dark matter", () => {
  let toy: FeatureToy;
  beforeAll(async () => {
    toy = await featureToy({ geometry: "orthogonal", features: 6, dimensions: 6, probability: 1, low: -1, high: 1 });
  });

  test("is all linear where directions are missing", async () => {
    const own = found(await measured(toy, toy.coded(signedCoder(toy.F.slice(0, 4))), "darkMatter"));
    expect(own.value).toBeCloseTo(1, 4);
    expect(own.details.nonlinear).toBeCloseTo(0, 4);
    expect(own.details.linear).toBeCloseTo(1 / 3, 1);
    expect(own.control).toBeLessThan(0.02);
  });

  test("is not there where the error is an even function of something else", async () => {
    // What the first feature's square adds to the second: no line through it, and none through its own square.
    const wrong = (z: Tensor<"C batch">): Tensor<"C batch"> => {
      const first = slice(z, "C", 0, 1);
      const second = add(slice(z, "C", 1, 2), sub(mul(square(first), 2), scalar(2 / 3))) as Tensor;
      return concat([first as Tensor, second, slice(z, "C", 2, 6) as Tensor], "C") as Tensor<"C batch">;
    };
    const own = found(await measured(toy, toy.coded(signedCoder(toy.F, wrong)), "darkMatter"));
    expect(own).toMatchObject({ present: false });
    expect(Math.abs(own.value)).toBeLessThan(0.02);
    expect(own.details.unexplained).toBeGreaterThan(0.1);
  });

  test("is none where nothing is left over", async () => {
    expect(found(await measured(toy, toy.coded(signedCoder(toy.F)), "darkMatter"))).toMatchObject({
      value: 0,
      present: false,
    });
  });
});

describe("seeds", () => {
  const set = { features: 12, dimensions: 16, geometry: "orthogonal", probability: 0.3 };
  test("agree where they find the same in another order", async () => {
    const toy = await featureToy(set);
    const again = toy.dictionary(along(toy.F.toReversed()));
    const same = found(await measured(toy, along(toy.F), "seedInconsistency", { seeds: [again] }));
    expect(same).toMatchObject({ value: 0, control: 1, present: false });
    expect(await measured(toy, along(toy.F), "seedInconsistency")).toEqual({ missing: "needs a second seed" });
  });

  test("do not agree where directions are others", async () => {
    const [toy, other] = [await featureToy(set), await featureToy({ ...set, seed: 1 })];
    const seeds = [toy.dictionary(along(other.F))];
    const own = found(await measured(toy, along(toy.F), "seedInconsistency", { seeds }));
    expect(own).toMatchObject({ value: 1, present: true });
  });
});

test("a mechanism is spread where halves add up, and not where one component does it", async () => {
  const toy = await featureToy({ features: 4, dimensions: 8, geometry: "orthogonal", probability: 0.3 });
  const halves = { latents: toy.F.flatMap((u) => [0, 1].map(() => ({ reads: mix([0.5, u]), writes: u }))) };
  const own = found(await measured(toy, halves, "spread"));
  // A quarter of the squared effect each.
  expect(own.value).toBeCloseTo(0.75, 5);
  expect(own).toMatchObject({ control: 0, present: true, n: 4 });
  const whole = found(await measured(toy, along(toy.F), "spread"));
  expect(whole.value).toBeCloseTo(0, 5);
  expect(whole.present).toBe(false);
});

describe("a network with random weights", () => {
  const sparse = { features: 8, dimensions: 8, geometry: "orthogonal", probability: 0.1 };

  test("is as interpretable where features are given to it, whatever its weights", async () => {
    const [toy, shuffled] = [await featureToy(sparse), await featureToy({ ...sparse, seed: 7 })];
    const random = { decomposition: shuffled.dictionary(along(shuffled.F)), data: shuffled.data };
    const own = found(await measured(toy, along(toy.F), "randomNetwork", { random }));
    expect(own.value).toBeCloseTo(1, 1);
    expect(own.present).toBe(true);
    expect(own.control).toBeLessThan(0.2);
  });

  test("is less so where training gave each neuron a feature", async () => {
    const toy = await featureToy(sparse);
    const neurons = Array.from({ length: 8 }, (_, i) => Array.from({ length: 8 }, (__, j) => (i === j ? 1 : 0)));
    const network = superposition({ features: 8, dimensions: 8 });
    const learnt = { F: values("feature d", [8, 8], neurons.flat()) };
    const trained = new ActivationDecomposition(network, learnt, [signedCoder(neurons)]);
    const random = { decomposition: toy.coded(signedCoder(neurons)), data: toy.data };
    const own = found(await measured(toy, trained, "randomNetwork", { random }));
    expect(own.value).toBeLessThan(0.7);
    expect(own.present).toBe(false);
    expect(own.details.score).toBeGreaterThan(0.8);
  });
});

describe("only clustering", () => {
  test("is no better than true directions of sparse features, and better than random ones", async () => {
    const toy = await featureToy({ features: 24, dimensions: 12, probability: 0.06 });
    const own = found(await measured(toy, along(toy.F), "onlyClustering"));
    expect(own.value).toBeLessThan(0.9);
    expect(own).toMatchObject({ present: false });
    expect(own.details.truth).toBeCloseTo(own.details.own as number, 6);
    expect(own.control).toBeGreaterThan(1);
  });

  test("is all there is where each input is of one cluster", async () => {
    const one = { structure: "families", familySize: 6, families: 1, familyProbability: 1, closeness: 0 };
    const toy = await featureToy({ ...one, features: 6, dimensions: 12, low: 0.9, high: 1 });
    // Directions that are a little off their clusters.
    const own = await measured(
      toy,
      along(toy.F.map((u, i) => unit(mix([1, u], [0.1, toy.F[(i + 1) % 6]!])))),
      "onlyClustering",
    );
    expect(found(own)).toMatchObject({ present: true });
  });
});

describe("usefulness", () => {
  const set = { features: 8, dimensions: 8, geometry: "orthogonal", probability: 0.2 };

  test("is less than a linear probe's where half of the features have no latent", async () => {
    const [toy, denser] = [await featureToy(set), await featureToy({ ...set, probability: 0.5 })];
    const shifted = denser.data;
    const lost = found(await measured(toy, along(toy.F.slice(0, 4)), "usefulness", { shifted }));
    expect(lost.value).toBeGreaterThan(0.15);
    expect(lost.present).toBe(true);
    expect(lost.details.shifted).toBe(true);
    const whole = found(await measured(toy, along(toy.F), "usefulness", { shifted }));
    expect(whole).toMatchObject({ present: false, n: 8 });
    expect(whole.details.outside).toMatchObject({ dense: expect.closeTo(1, 1), single: expect.closeTo(1, 2) });
    expect(Math.abs(whole.control!)).toBeLessThan(0.1);
  });
});

test("what cannot be measured says what it needs, and all is plain data", async () => {
  const toy = await featureToy({ features: 4, dimensions: 8, probability: 0.3 });
  const report = await anomalies(toy.dictionary(along(toy.F)), toy.data, options);
  expect(Object.keys(report.measures)).toEqual(Object.keys(ANOMALIES));
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  for (const { places, ...text } of Object.values(report.measures)) {
    expect(Object.values(text).every((line) => line.length > 0)).toBe(true);
    for (const outcome of Object.values(places)) if (!isFound(outcome)) expect(outcome.missing).toMatch(/^\S.*\S$/);
  }
  const missing = Object.entries(report.measures).filter(([, { places }]) => !Object.values(places).every(isFound));
  expect(missing.map(([name]) => name)).toEqual([
    ...[
      "splitting",
      "absorption",
      "hedging",
      "composition",
      "seedInconsistency",
      "spread",
      "randomNetwork",
      "usefulness",
    ],
  ]);
});
