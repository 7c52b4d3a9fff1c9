/** Every number of the tables against one worked out the plain way, from all positions at once. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Values } from "../engine/index.ts";
import { foldIn, type Key, keyFromSeed, randomUniform } from "../tensor/index.ts";
import { MemorySpill } from "./counts.ts";
import { restoreTally, savedTally } from "./state.ts";
import { stimuliOf } from "./stimuli.ts";
import { type Row, tablesOf } from "./tables.ts";
import { type BatchView, Tally, type TallyShape } from "./tally.ts";

const COMPONENTS = 5;
const VOCAB = 6;
const OUTPUTS = 4;
const POS = 7;
const EXAMPLES = 4;
const WINDOW = 2;
const PAD = 0;
/** A threshold that float32 does not have: what is exactly its neighbour must not fire. */
const THRESHOLD = 0.6;
const components = Array.from({ length: COMPONENTS }, (_, c) => ({
  address: `site:${c}`,
  site: "site",
  rank: 1,
  bits: 1,
}));

const shape = (key: Key, kind: "tokens" | "features"): TallyShape => ({
  components: COMPONENTS,
  stimuli: VOCAB,
  outputs: kind === "tokens" ? OUTPUTS : 0,
  threshold: THRESHOLD,
  examples: EXAMPLES,
  background: 3,
  key,
  pairBytes: 2 ** 12,
  tokenBytes: 2 ** 12,
});
const newTally = (key: Key, kind: "tokens" | "features"): Tally =>
  new Tally(shape(key, kind), { pairs: new MemorySpill(), tokens: new MemorySpill() });

interface Batch extends BatchView {
  readonly x: Values;
}

/** A batch of random tokens or features with random importances, at two sites of 2 and 3 components. */
function randomBatch(key: Key, start: number, batch: number, kind: "tokens" | "features"): Batch {
  const rows = kind === "tokens" ? batch * POS : batch;
  const draw = (name: string, count: number): Float32Array => randomUniform(foldIn(key, name), count);
  const x: Values =
    kind === "tokens"
      ? {
          axes: "batch pos",
          shape: [batch, POS],
          dtype: "i32",
          data: Int32Array.from(draw("x", rows), (u) => Math.floor(u * VOCAB)),
        }
      : {
          axes: "batch feature",
          shape: [batch, VOCAB],
          dtype: "f32",
          data: draw("x", batch * VOCAB).map((u) => (u > 0.7 ? u : 0)),
        };
  const site = (first: number, count: number): BatchView["sites"][number] => ({
    first,
    components: count,
    importances: draw(`importance ${first}`, count * rows).map((u) => (u > 0.8 ? Math.fround(THRESHOLD) : u)),
    activations: draw(`activation ${first}`, count * rows).map((u) => u - 0.5),
  });
  const raw = draw("probabilities", rows * OUTPUTS).map((u) => u + 0.01);
  const totals = Array.from({ length: rows }, (_, r) =>
    raw.subarray(r * OUTPUTS, (r + 1) * OUTPUTS).reduce((a, b) => a + b),
  );
  return {
    x,
    start,
    stimuli: stimuliOf(x, { rows, window: WINDOW, padding: kind === "tokens" ? PAD : undefined }),
    sites: [site(0, 2), site(2, 3)],
    ...(kind === "tokens" && { probabilities: raw.map((value, i) => value / totals[Math.floor(i / OUTPUTS)]!) }),
  };
}

/** One position as a plain record. */
interface Place {
  readonly position: number;
  readonly present: readonly number[];
  readonly importances: readonly number[];
  readonly activations: readonly number[];
  readonly fires: readonly boolean[];
  readonly probabilities: readonly number[];
}

function placesOf(batches: readonly Batch[], most: number): Place[] {
  return batches
    .flatMap((batch) => {
      const { rows } = batch.stimuli;
      const of = (which: "importances" | "activations", row: number): number[] =>
        batch.sites.flatMap((site) => Array.from({ length: site.components }, (_, c) => site[which]![c * rows + row]!));
      return Array.from({ length: rows }, (_, row): Place | undefined => {
        const { x } = batch;
        const present =
          x.axes === "batch pos"
            ? [x.data[row]!]
            : Array.from({ length: VOCAB }, (_, f) => f).filter((f) => x.data[row * VOCAB + f] !== 0);
        if (x.axes === "batch pos" && present[0] === PAD) return undefined;
        const importances = of("importances", row);
        return {
          position: batch.start + row,
          present,
          importances,
          activations: of("activations", row),
          fires: importances.map((value) => value > Math.fround(THRESHOLD)),
          probabilities: Array.from({ length: OUTPUTS }, (_, v) => batch.probabilities?.[row * OUTPUTS + v] ?? 0),
        };
      });
    })
    .filter((place) => place !== undefined)
    .slice(0, most);
}

const rowsOf = (rows: Iterable<Row>): Record<string, never>[] => [...rows] as never;
const ALL = Array.from({ length: COMPONENTS }, (_, c) => c);

/** The tables' rows, made in the order in which they are written. */
function allRows(tally: Tally): Record<string, Record<string, never>[]> {
  const names = { text: (id: number) => `t${id}`, separator: " " };
  return Object.fromEntries(
    Object.entries(tablesOf(tally, components, names)).map(([name, { rows }]) => [name, rowsOf(rows)]),
  );
}

const kinds = fc.constantFrom("tokens" as const, "features" as const);

describe("every statistic is what a plain count gives", () => {
  const cases = fc.record({
    seed: fc.nat(1000),
    batches: fc.integer({ min: 1, max: 3 }),
    kind: kinds,
    share: fc.double({ min: 0.3, max: 1, noNaN: true }),
  });

  test("components, tokens, outputs and pairs", () => {
    fc.assert(
      fc.property(cases, ({ seed, batches: count, kind, share }) => {
        const key = keyFromSeed(seed);
        const rows = kind === "tokens" ? 3 * POS : 3;
        const batches = Array.from({ length: count }, (_, b) => randomBatch(foldIn(key, b), b * rows, 3, kind));
        const most = Math.max(1, Math.floor(placesOf(batches, Infinity).length * share));
        const tally = newTally(key, kind);
        for (const batch of batches) tally.take(batch, most - tally.n);
        const places = placesOf(batches, most);
        const n = places.length;
        expect(tally.n).toBe(n);
        const found = allRows(tally);
        const firings = ALL.map((c) => places.filter(({ fires }) => fires[c]).length);

        for (const c of ALL) {
          const row = found.components![c]!;
          const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
          expect(row).toMatchObject({ component: c, address: `site:${c}`, n, firings: firings[c] });
          expect(row.density).toBeCloseTo(firings[c]! / n, 12);
          expect(row.meanImportance).toBeCloseTo(sum(places.map(({ importances }) => importances[c]!)) / n, 10);
          expect(row.largestImportance).toBe(Math.max(...places.map(({ importances }) => importances[c]!)));
          expect(row.meanAbsActivation).toBeCloseTo(
            sum(places.map(({ activations }) => Math.abs(activations[c]!))) / n,
            10,
          );
          expect(row.sampled).toBe(Math.min(EXAMPLES, firings[c]!));
        }

        const tokens = found.tokens!.filter(({ kind: which }) => which === "input");
        let pairsOfTokens = 0;
        for (const c of ALL) {
          for (let t = 0; t < VOCAB; t++) {
            const both = places.filter(({ fires, present }) => fires[c] && present.includes(t)).length;
            const total = places.filter(({ present }) => present.includes(t)).length;
            const row = tokens.find(({ component, token }) => component === c && token === t);
            expect(row !== undefined).toBe(both > 0);
            if (row === undefined) continue;
            pairsOfTokens++;
            expect(row).toMatchObject({ together: both, firings: firings[c], total, n, text: `t${t}` });
            expect(row.pTokenGivenFires).toBeCloseTo(both / firings[c]!, 12);
            expect(row.pFiresGivenToken).toBeCloseTo(both / total, 12);
            expect(row.lift).toBeCloseTo(both / total / (firings[c]! / n), 10);
            expect(row.pmi).toBeCloseTo(Math.log(both / n / ((firings[c]! / n) * (total / n))), 10);
          }
        }
        expect(tokens.length).toBe(pairsOfTokens);

        for (const row of found.tokens!.filter(({ kind: which }) => which === "output")) {
          const [c, v] = [Number(row.component), Number(row.token)];
          const mass = places.reduce((sum, { probabilities }) => sum + probabilities[v]!, 0);
          const firing = places.reduce((sum, { probabilities, fires }) => sum + (fires[c] ? probabilities[v]! : 0), 0);
          expect(row.pTokenGivenFires).toBeCloseTo(firing / firings[c]!, 10);
          expect(row.pFiresGivenToken).toBeCloseTo(firing / mass, 10);
          expect(row.pmi).toBeCloseTo(Math.log(firing / firings[c]! / (mass / n)), 8);
        }
        const outputs = kind === "tokens" ? firings.filter((count) => count > 0).length * OUTPUTS : 0;
        expect(found.tokens!.length - tokens.length).toBe(outputs);

        let pairs = 0;
        for (const a of ALL) {
          for (const b of ALL.filter((c) => c > a)) {
            const both = places.filter(({ fires }) => fires[a] && fires[b]).length;
            const row = found.pairs!.find((pair) => pair.a === a && pair.b === b);
            expect(row !== undefined).toBe(both > 0);
            if (row === undefined) continue;
            pairs++;
            expect(row).toMatchObject({ together: both, firingsA: firings[a], firingsB: firings[b], n });
            expect(row.pBGivenA).toBeCloseTo(both / firings[a]!, 12);
            expect(row.pAGivenB).toBeCloseTo(both / firings[b]!, 12);
            expect(row.jaccard).toBeCloseTo(both / places.filter(({ fires }) => fires[a] || fires[b]).length, 12);
            expect(row.pmi).toBeCloseTo(Math.log((both * n) / (firings[a]! * firings[b]!)), 10);
          }
        }
        expect(found.pairs!.length).toBe(pairs);
      }),
      { numRuns: 40 },
    );
  });

  test("examples are firings, with what was around them and how much the component mattered there", () => {
    const key = keyFromSeed(5);
    const batch = randomBatch(key, 100, 6, "tokens");
    const tally = newTally(key, "tokens");
    tally.take(batch, Infinity);
    const places = placesOf([batch], Infinity);
    const found = allRows(tally).examples! as unknown as {
      component: number;
      kind: string;
      rank: number;
      quantile: number | undefined;
      position: number;
      importance: number;
      activation: number;
      focus: number;
      ids: Int32Array;
      importances: Float32Array;
      texts: string[];
    }[];
    expect(found.length).toBeGreaterThan(20);
    for (const row of found) {
      const place = places.find(({ position }) => position === row.position)!;
      expect(place.fires[row.component]).toBe(true);
      expect(row.importance).toBe(place.importances[row.component]);
      expect(row.activation).toBe(place.activations[row.component]);
      expect(row.ids[row.focus]).toBe(place.present[0]);
      expect(row.importances[row.focus]).toBe(row.importance);
      // The window: positions of the same example within two, without padding.
      const [example, at] = [Math.floor((row.position - 100) / POS), (row.position - 100) % POS];
      const near = places.filter(
        ({ position }) =>
          Math.floor((position - 100) / POS) === example && Math.abs(((position - 100) % POS) - at) <= WINDOW,
      );
      expect([...row.ids]).toEqual(near.map(({ present }) => present[0]));
      expect([...row.importances]).toEqual(near.map(({ importances }) => importances[row.component]));
      expect(row.texts).toEqual([...row.ids].map((id) => `t${id}`));
    }
    for (const c of ALL) {
      const top = found
        .filter(({ component, kind }) => component === c && kind === "top")
        .map(({ importance }) => importance);
      const all = places
        .filter(({ fires }) => fires[c])
        .map(({ importances }) => importances[c]!)
        .sort((a, b) => b - a);
      expect(top[0]).toBe(all[0]);
      expect(top).toEqual(top.toSorted((a, b) => b - a));
      const sample = found.filter(({ component, kind }) => component === c && kind === "sample");
      expect(sample.map(({ quantile }) => quantile)).toEqual([0.875, 0.625, 0.375, 0.125]);
      expect(sample.map(({ importance }) => importance)).toEqual(
        sample.map(({ importance }) => importance).sort((a, b) => b - a),
      );
    }
  });

  test("the background says what fires somewhere in each place", () => {
    const key = keyFromSeed(6);
    const batch = randomBatch(key, 0, 4, "tokens");
    const tally = newTally(key, "tokens");
    tally.take(batch, Infinity);
    const places = placesOf([batch], Infinity);
    for (const { position, ids, firing } of tally.background.items) {
      const near = places.filter(
        (place) =>
          Math.floor(place.position / POS) === Math.floor(position / POS) &&
          Math.abs(place.position - position) <= WINDOW,
      );
      expect([...ids]).toEqual(near.map(({ present }) => present[0]));
      expect([...firing]).toEqual(ALL.filter((c) => near.some(({ fires }) => fires[c])));
    }
    expect(tally.background.items.length).toBe(3);
  });
});

test("a tally that is saved and restored goes on to the same bits", () => {
  fc.assert(
    fc.property(fc.nat(1000), kinds, (seed, kind) => {
      const key = keyFromSeed(seed);
      const rows = kind === "tokens" ? 4 * POS : 4;
      const batches = Array.from({ length: 4 }, (_, b) => randomBatch(foldIn(key, b), b * rows, 4, kind));
      const whole = newTally(key, kind);
      for (const batch of batches) whole.take(batch, Infinity);
      const first = newTally(key, kind);
      for (const batch of batches.slice(0, 2)) first.take(batch, Infinity);
      const second = newTally(key, kind);
      restoreTally(second, savedTally(first));
      expect(allRows(second)).toEqual(allRows(first));
      for (const batch of batches.slice(2)) second.take(batch, Infinity);
      expect(allRows(second)).toEqual(allRows(whole));
      expect([second.n, second.padding, second.streamed]).toEqual([whole.n, whole.padding, whole.streamed]);
    }),
    { numRuns: 20 },
  );
});

test("lists that are longer than what is kept are cut, and how long they were is said", () => {
  // 60 features are on in all examples, in which 61 components fire.
  const many = 61;
  const wide = { ...shape(keyFromSeed(0), "features"), components: many, stimuli: 60 };
  const tally = new Tally(wide, { pairs: new MemorySpill(), tokens: new MemorySpill() });
  const x: Values = { axes: "batch feature", shape: [2, 60], dtype: "f32", data: new Float32Array(120).fill(1) };
  const stimuli = stimuliOf(x, { rows: 2, window: 0, padding: undefined });
  const importances = new Float32Array(many * 2).fill(1);
  tally.take({ start: 0, stimuli, sites: [{ first: 0, components: many, importances }] }, 2);
  const infos = Array.from({ length: many }, (_, c) => ({ address: `s:${c}`, site: "s", rank: 1, bits: 1 }));
  const tables = Object.entries(tablesOf(tally, infos, undefined)).map(
    ([name, { rows }]) => [name, [...rows]] as const,
  );
  const { components: rows, tokens, pairs } = Object.fromEntries(tables) as Record<string, Row[]>;
  expect(rows!.every((row) => row.inputTokens === 60 && row.partners === 60)).toBe(true);
  expect(tokens!.filter(({ component }) => component === 3).length).toBe(50);
  // A pair is there when either side keeps it.
  const kept = (c: number): number => pairs!.filter(({ a, b }) => a === c || b === c).length;
  expect(infos.every((_, c) => kept(c) >= 50)).toBe(true);
  expect(pairs!.length).toBeLessThan((many * (many - 1)) / 2);
});
