import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { keyFromSeed } from "../../tensor/index.ts";
import { descriptionLength } from "./cost.ts";
import { type Firings, packFirings } from "./firings.ts";
import { mergeAll, type PartialMerges } from "./merge.ts";
import { costsOf, labelsAt, type MergeHistory } from "./merge-history.ts";
import { samplerFrom } from "./settings.ts";

/** Components that fire at least once, few positions so that they meet often and ties abound. */
const firings: fc.Arbitrary<Firings> = fc
  .tuple(fc.integer({ min: 4, max: 24 }), fc.integer({ min: 2, max: 14 }))
  .chain(([positions, components]) =>
    fc
      .array(fc.uniqueArray(fc.nat(positions - 1), { minLength: 1, maxLength: positions }), {
        minLength: components,
        maxLength: components,
      })
      .map((lists) =>
        packFirings(
          positions,
          lists.map((_, c) => `site:${c}`),
          lists.map((list) => list.sort((a, b) => a - b)),
        ),
      ),
  );
const alphas = fc.constantFrom(0.1, 0.5, 1, 1.7, 5);
const SAMPLERS = ["greedy", "chain", "range", "mcmc=0.1", "exp-rank"] as const;

const setsOf = ({ offsets, at }: Firings): Set<number>[] =>
  Array.from({ length: offsets.length - 1 }, (_, c) => new Set(at.subarray(offsets[c], offsets[c + 1])));

const union = (x: Set<number>, y: Set<number>): Set<number> => new Set([...x, ...y]);

const costOf = (clusters: readonly { set: Set<number>; rank: number }[], positions: number, alpha: number): number =>
  descriptionLength(
    clusters.map(({ set, rank }) => ({ rate: set.size / positions, rank })),
    alpha,
  );

describe("merging", () => {
  test("greedy takes the cheapest of all pairs, each time", async () => {
    await fc.assert(
      fc.asyncProperty(firings, alphas, async (given, alpha) => {
        const history = await mergeAll({ firings: given, alpha, sampler: { name: "greedy" }, key: keyFromSeed(0) });
        let clusters = setsOf(given).map((set, id) => ({ id, set, rank: 1 }));
        history.merges.forEach(({ a, b, together }, m) => {
          const after = (x: (typeof clusters)[0], y: (typeof clusters)[0]): typeof clusters => [
            ...clusters.filter((cluster) => cluster !== x && cluster !== y),
            { id: clusters.length, set: union(x.set, y.set), rank: x.rank + y.rank },
          ];
          const costs = clusters.flatMap((x, i) =>
            clusters.slice(0, i).map((y) => costOf(after(y, x), given.positions, alpha)),
          );
          const [x, y] = [a, b].map((id) => clusters.find((cluster) => cluster.id === id)!) as [
            (typeof clusters)[0],
            (typeof clusters)[0],
          ];
          expect(together).toBe(x.set.size + y.set.size - union(x.set, y.set).size);
          const merged = after(x, y).map((cluster, i, all) =>
            i === all.length - 1 ? { ...cluster, id: given.components.length + m } : cluster,
          );
          expect(costOf(merged, given.positions, alpha)).toBeCloseTo(Math.min(...costs), 9);
          clusters = merged;
        });
        expect(clusters).toHaveLength(1);
      }),
      { numRuns: 300 },
    );
  });

  test.each(SAMPLERS)("%s: costs are those of the clusters, ΔL their differences", async (sampler) => {
    await fc.assert(
      fc.asyncProperty(firings, alphas, async (given, alpha) => {
        const subject = { firings: given, alpha, sampler: samplerFrom(sampler), key: keyFromSeed(1) };
        const history = await mergeAll(subject);
        const { cost, change } = costsOf(history);
        const sets = setsOf(given);
        for (let k = 1; k <= sets.length; k++) {
          const clusters = Array.from({ length: k }, () => ({ set: new Set<number>(), rank: 0 }));
          labelsAt(history, k).forEach((label, c) => {
            const { set, rank } = clusters[label]!;
            clusters[label] = { set: union(set, sets[c]!), rank: rank + 1 };
          });
          expect(cost[sets.length - k]!).toBeCloseTo(costOf(clusters, given.positions, alpha), 9);
        }
        change.forEach((now, m) => expect(now).toBeCloseTo(cost[m + 1]! - cost[m]!, 9));
      }),
      { numRuns: 60 },
    );
  });

  test.each(SAMPLERS)("%s: one that was stopped goes on to the same end", async (sampler) => {
    await fc.assert(
      fc.asyncProperty(firings, alphas, fc.nat(12), async (given, alpha, stop) => {
        const subject = { firings: given, alpha, sampler: samplerFrom(sampler), key: keyFromSeed(2) };
        const whole = await mergeAll(subject);
        const partial = await stoppedAfter(subject, stop);
        if (partial === undefined) return;
        expect(await mergeAll(subject, { resume: partial })).toEqual(whole);
      }),
      { numRuns: 60 },
    );
  });

  test("the same key gives the same merges, another one others", async () => {
    const lists = Array.from({ length: 40 }, (_, c) => [c % 7, 7 + (c % 11), 18 + (c % 13)]);
    const given = packFirings(
      31,
      lists.map((_, c) => `s:${c}`),
      lists,
    );
    const run = (seed: number): Promise<MergeHistory> =>
      mergeAll({ firings: given, alpha: 1, sampler: samplerFrom("exp-rank"), key: keyFromSeed(seed) });
    expect(await run(3)).toEqual(await run(3));
    expect(await run(4)).not.toEqual(await run(3));
  });
});

/** What is left of merging that stops as soon as it may, a number of merges after the start. */
async function stoppedAfter(
  subject: Parameters<typeof mergeAll>[0],
  merges: number,
): Promise<PartialMerges | undefined> {
  const whole: PartialMerges[] = [];
  const controller = new AbortController();
  // A clock that is late at each look: others have their turn after every merge.
  let seconds = 0;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => 1000 * seconds++);
  try {
    await mergeAll(subject, {
      signal: controller.signal,
      onProgress: ({ step }) => {
        if (step >= merges) controller.abort();
      },
      onPartial: (partial) => {
        whole.push(partial);
      },
    });
    return undefined;
  } catch {
    return whole.at(-1);
  } finally {
    clock.mockRestore();
  }
}
