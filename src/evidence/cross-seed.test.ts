import { expect, test } from "vitest";
import { values } from "../engine/index.ts";
import { keyFromSeed, randomNormal } from "../tensor/index.ts";
import { type AliveComponents, bandOf, likeness, likenessByChance } from "./cross-seed.ts";

const [dIn, C, dOut] = [12, 4, 9];
const drawn = (seed: number): AliveComponents => ({
  values: {
    "s.V": values("d_in C", [dIn, C], randomNormal(keyFromSeed(seed), dIn * C)),
    "s.U": values("C d_out", [C, dOut], randomNormal(keyFromSeed(seed + 100), C * dOut)),
  },
  alive: { s: [0, 1, 2, 3] },
});

/** The same components in another order, with other signs and other lengths of V and U. */
function shuffled({ values: { "s.V": V, "s.U": U } }: AliveComponents): AliveComponents {
  const order = [2, 0, 3, 1];
  const scale = (c: number): number => (c % 2 === 0 ? -3 : 0.5);
  return {
    values: {
      "s.V": values(
        "d_in C",
        [dIn, C],
        Array.from({ length: dIn * C }, (_, i) => V!.data[Math.floor(i / C) * C + order[i % C]!]! * scale(i % C)),
      ),
      "s.U": values(
        "C d_out",
        [C, dOut],
        Array.from(
          { length: C * dOut },
          (_, i) => U!.data[order[Math.floor(i / dOut)]! * dOut + (i % dOut)]! / scale(Math.floor(i / dOut)),
        ),
      ),
    },
    alive: { s: [0, 1, 2, 3] },
  };
}

test("the same components are the same whatever their order, sign and share of length", () => {
  const found = likeness(drawn(1), shuffled(drawn(1))).s!;
  expect(found.cosine).toBeCloseTo(1, 6);
  expect(found.same).toBe(1);
});

test("components without a partner count as nothing", () => {
  const half = { ...drawn(1), alive: { s: [0, 1] } };
  expect(likeness(drawn(1), half).s).toMatchObject({ alive: [4, 2], same: 0.5 });
  expect(likeness(drawn(1), half).s!.cosine).toBeCloseTo(0.5, 6);
  expect(likeness(drawn(1), { ...half, alive: { s: [] } }).s!.cosine).toBe(0);
});

test("strangers are as alike as chance has it", () => {
  const strangers = likeness(drawn(1), drawn(2)).s!;
  const chance = Array.from({ length: 20 }, (_, i) => likenessByChance(drawn(1), drawn(2), keyFromSeed(i)).s!.cosine);
  const { mean, deviation } = bandOf(chance);
  expect(Math.abs(strangers.cosine - mean)).toBeLessThan(4 * deviation);
  expect(strangers.same).toBe(0);
});

test("a band of numbers", () => {
  expect(bandOf([1, 2, 3])).toEqual({ n: 3, mean: 2, deviation: 1, least: 1, most: 3 });
  expect(bandOf([5])).toEqual({ n: 1, mean: 5, deviation: 0, least: 5, most: 5 });
});
