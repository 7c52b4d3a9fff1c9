/** Planted clusters come back; where there is nothing to find, nothing is found. */
import { describe, expect, test } from "vitest";
import { foldIn, keyFromSeed, randomUniform } from "../../tensor/index.ts";
import { type Firings, firingCounts, firingsOf, packFirings } from "./firings.ts";
import { mergeAll, type MergeSubject } from "./merge.ts";
import { cheapestResolution, costsOf, labelsAt } from "./merge-history.ts";
import { adjustedRand } from "./partition-distance.ts";
import { samplerFrom } from "./settings.ts";
import { shuffledFirings } from "./shuffled.ts";
import { stabilityOf } from "./stability.ts";

const [POSITIONS, GROUPS, SIZE] = [2000, 12, 5];
const truth = Int32Array.from({ length: GROUPS * SIZE }, (_, c) => Math.floor(c / SIZE));

/** Groups that fire at a twentieth of the positions; nine times in ten each member joins in. */
function planted(seed: number): Firings {
  const key = keyFromSeed(seed);
  const draw = (name: string, c: number): Float32Array => randomUniform(foldIn(foldIn(key, name), c), POSITIONS);
  const groups = Array.from({ length: GROUPS }, (_, g) => draw("group", g));
  const lists = Array.from(truth, (group, c) => {
    const joins = draw("joins", c);
    return Array.from({ length: POSITIONS }, (_, p) => p).filter((p) => groups[group]![p]! < 0.05 && joins[p]! < 0.9);
  });
  return packFirings(
    POSITIONS,
    lists.map((_, c) => `planted:${c}`),
    lists,
  );
}

const clustered = async (
  firings: Firings,
  sampler = "greedy",
): Promise<{ k: number; labels: Int32Array; gain: number }> => {
  const subject: MergeSubject = { firings, alpha: 1, sampler: samplerFrom(sampler), key: keyFromSeed(0) };
  const history = await mergeAll(subject);
  const costs = costsOf(history);
  const k = cheapestResolution(costs, truth.length);
  return { k, labels: labelsAt(history, k), gain: costs.cost[0]! - costs.cost[truth.length - k]! };
};

describe("planted clusters", () => {
  test.each(["greedy", "chain", "range", "mcmc=0.0001", "exp-rank=2"])("%s finds them", async (sampler) => {
    const { k, labels } = await clustered(planted(1), sampler);
    expect([k, adjustedRand(labels, truth)]).toEqual([GROUPS, 1]);
  });

  test("are gone when firings are shuffled", async () => {
    const given = planted(1);
    const shuffled = shuffledFirings(given, keyFromSeed(2));
    expect([...firingCounts(shuffled)]).toEqual([...firingCounts(given)]);
    for (let c = 0; c < truth.length; c++) {
      const list = firingsOf(shuffled, c);
      expect(list.every((p, i) => p >= 0 && p < POSITIONS && (i === 0 || p > list[i - 1]!))).toBe(true);
    }
    const [found, control] = [await clustered(given), await clustered(shuffled)];
    expect(Math.abs(adjustedRand(control.labels, truth))).toBeLessThan(0.1);
    // Some pairs meet by luck, and rare ones shorten the index for all: a little is gained from rates alone.
    expect(control.gain).toBeLessThan(found.gain / 10);
  });

  test("a component that fires nearly always is shuffled by what it lacks", () => {
    const most = Array.from({ length: 95 }, (_, p) => p);
    const shuffled = shuffledFirings(packFirings(100, ["a", "b"], [most, [3]]), keyFromSeed(4));
    expect([...firingCounts(shuffled)]).toEqual([95, 1]);
    expect(new Set(firingsOf(shuffled, 0)).size).toBe(95);
    expect([...firingsOf(shuffled, 0)]).not.toEqual(most);
  });

  test("clusterings of other data agree on them, and not beyond them", async () => {
    const members = await Promise.all(
      [1, 2, 3].map(async (seed) => {
        const firings = planted(seed);
        const history = await mergeAll({ firings, alpha: 1, sampler: { name: "greedy" }, key: keyFromSeed(0) });
        return { alive: Array.from(truth.keys()), history };
      }),
    );
    const { compared, rows } = stabilityOf(members, [GROUPS, 4], keyFromSeed(5));
    expect(compared).toBe(60);
    const at = (k: number): (typeof rows)[0] => rows.find((row) => row.k === k)!;
    expect(at(GROUPS).hamming).toEqual({ mean: 0, least: 0, most: 0 });
    expect(at(GROUPS).adjustedRand.least).toBe(1);
    expect(at(GROUPS).byChance.hamming).toBeGreaterThan(0.5);
    // Groups that have nothing to do with one another are merged one way here, another way there.
    expect(at(4).hamming!.mean).toBeGreaterThan(0.2);
    expect(at(4).adjustedRand.mean).toBeLessThan(0.6);
  });

  test("members are compared on the components that all of them share", async () => {
    const member = async (alive: number[], lists: number[][]): Promise<Parameters<typeof stabilityOf>[0][0]> => ({
      alive,
      history: await mergeAll({
        firings: packFirings(9, lists.map(String), lists),
        alpha: 1,
        sampler: { name: "greedy" },
        key: keyFromSeed(0),
      }),
    });
    const one = await member([0, 1, 2, 3], [[0, 1], [0, 1], [4], [4]]);
    const other = await member([1, 2, 3, 5], [[0, 1], [4], [4], [7]]);
    const { compared, rows } = stabilityOf([one, other], [2], keyFromSeed(1));
    expect([compared, rows[0]!.k]).toEqual([3, 4]);
  });
});
