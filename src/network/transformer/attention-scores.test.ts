import { expect, test } from "vitest";
import { values } from "../../engine/index.ts";
import { attentionScores, previousToken, type Sources, uniformScore } from "./attention-scores.ts";

/** One row, one head a way to look: each query gives weight 1 in all to the keys that a head chooses. */
const looking = (queries: number, heads: readonly ((query: number) => readonly number[])[]) => {
  const data = heads.flatMap((chosen) =>
    Array.from({ length: queries * queries }, (_, i) => {
      const [query, key] = [Math.floor(i / queries), i % queries];
      const keys = chosen(query);
      return keys.includes(key) ? 1 / keys.length : 0;
    }),
  );
  return values("batch head query key", [1, heads.length, queries, queries], data);
};

/** a b c a b c a: what came after each token in earlier copies. */
const copies: Sources = (_, query) => [[], [], [], [1], [2], [3], [4, 1]][query]!;

const induction = (query: number): readonly number[] => (query < 3 ? [0] : copies(0, query));
const latest = (query: number): readonly number[] => (query < 3 ? [0] : [query - 2]);
const before = (query: number): readonly number[] => [Math.max(0, query - 1)];
const everything = (query: number): readonly number[] => Array.from({ length: query + 1 }, (_, i) => i);
/** Looks for the present token itself, not for what followed it. */
const duplicate = (query: number): readonly number[] => (query < 3 ? [query] : [query - 3]);

test("prefix matching: 1 for heads that look at what followed, 0 for those that look elsewhere", () => {
  const pattern = looking(7, [induction, latest, before, duplicate, everything]);
  const [spread, one, previous, same, uniform] = attentionScores(pattern, copies);
  expect([spread, one, previous, same]).toEqual([1, 1, 0, 0].map((x) => expect.closeTo(x, 6)));
  // Queries 3 to 6 see 4, 5, 6 and 7 keys, of which 1, 1, 1 and 2 count.
  expect(uniform).toBeCloseTo((1 / 4 + 1 / 5 + 1 / 6 + 2 / 7) / 4, 6);
  expect(uniformScore(1, 7, copies)).toBeCloseTo(uniform!, 6);
});

test("the token before: the first query has none", () => {
  const [previous, inductive] = attentionScores(looking(7, [before, induction]), previousToken);
  expect(previous).toBe(1);
  // Of queries 1 to 6, query 1 looks at 0.
  expect(inductive).toBeCloseTo(1 / 6, 6);
  expect(uniformScore(3, 4, previousToken)).toBeCloseTo((1 / 2 + 1 / 3 + 1 / 4) / 3, 12);
});

test("heads and rows are told apart", () => {
  const pattern = values(
    "batch head query key",
    [2, 2, 2, 2],
    [1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0.5, 0.5, 1, 0, 0.25, 0.75],
  );
  expect(attentionScores(pattern, previousToken)).toEqual([0.75, 0.125]);
});
