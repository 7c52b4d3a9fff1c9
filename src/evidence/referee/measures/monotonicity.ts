/**
 * Monotonicity: starting from the units of the highest rank, all others are brought back in a random order. Where each is what it is said to be, no more than
 * one of many parts that add up, the network comes nearer to itself at every step; parts that cancel each other, or that are right only
 * together, make it go away first.
 */
import { scalarValue } from "../../../engine/index.ts";
import { axisSize, cast, input, less, maximum, type Tensor, uniform } from "../../../tensor/index.ts";
import { promptDivergence } from "../divergence.ts";
import { type Measured, ratio } from "../noise.ts";
import type { MeasureText } from "../scoreboard.ts";
import type { Heard, Hearing } from "./hearing.ts";
import { readOff, rungsAround } from "./matched.ts";

/** The share of the other units that is back in. */
const SHARES = [0, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 1];
/** A rise is one of at least so much of chance. */
const RISE = 1e-3;

const SHARE: MeasureText = {
  title: "monotonicity, violations",
  formula: "share of (prompt, step) with D(A ∪ more) > D(A) + 0.001 D(mean output), A growing by random units",
  source:
    "random supersets of a circuit: after Wang et al. 2022 (completeness), Shi et al. 2024 (hypothesis testing the circuit hypothesis)",
  unit: "share of steps, 0 to 1",
  reduction: "mean over prompts and five steps, one random order",
  better: "lower",
  establishes: "that more of the network is never less like it, from the active units on",
  doesNotEstablish:
    "that the active units are the right ones; and where divergence is 0 from the start there is nothing to violate",
};

const HEIGHT: MeasureText = {
  ...SHARE,
  title: "monotonicity, height of rises",
  formula: "Σ over steps of max(0, D(A ∪ more) - D(A)) / D(mean output)",
  unit: "of chance",
  reduction: "mean over prompts, sum over five steps",
};

/** Of each prompt, and mean divergences at each share. */
interface Rises {
  readonly violations: Float64Array;
  readonly heights: Float64Array;
  readonly means: readonly number[];
}

export async function monotonicity({ trial, chance, matchedSize }: Hearing): Promise<Heard> {
  const { probe, keep, rows, subject } = trial;
  const program = await trial.program("supersets", () => {
    const share = input("share", "", {});
    const masks = Object.fromEntries(
      Object.entries(keep).map(([site, g]) => {
        const drawn = uniform(`superset/${site}`, "C batch", { C: axisSize(g, "C"), batch: rows[site]! });
        return [site, maximum(g, cast(less(drawn, share), "f32")) as Tensor<"C batch">];
      }),
    );
    const said = subject.decomposition.masked(probe.x, masks);
    return { divergence: promptDivergence(probe.network, said, probe.output) };
  });
  const least = (RISE * chance.reduce((a, b) => a + b, 0)) / chance.length;
  const from = async (threshold: number): Promise<Rises> => {
    const violations = new Float64Array(probe.prompts);
    const heights = new Float64Array(probe.prompts);
    const means = SHARES.map(() => 0);
    for (let i = 0; i < probe.batches; i++) {
      const { feeds, key } = await trial.fed(i);
      const scores = await trial.own.scores(i);
      let before: ArrayLike<number> | undefined;
      for (const [s, share] of SHARES.entries()) {
        probe.options.signal?.throwIfAborted();
        const given = { ...feeds, ...scores, threshold: scalarValue(threshold), share: scalarValue(share) };
        const { data } = (await program.run(given, key)).divergence;
        data.forEach((d, p) => {
          means[s]! += d / probe.prompts;
          const rise = before === undefined ? 0 : d - before[p]!;
          const at = i * probe.size + p;
          heights[at]! += Math.max(0, rise);
          if (rise > least) violations[at]! += 1 / (SHARES.length - 1);
        });
        before = data;
      }
    }
    return { violations, heights, means };
  };
  const rungs = await rungsAround(trial, matchedSize);
  const rises: Rises[] = [];
  for (const { threshold } of rungs) rises.push(await from(threshold));
  const matched = (of: (rise: Rises) => Measured): Measured =>
    readOff(
      rungs.map((rung, r) => ({ ...rung, measured: of(rises[r]!) })),
      matchedSize,
    );
  const of = { measure: "monotonicity" as const, ablation: "zero" as const, ranking: "own" as const };
  const ones = new Float64Array(probe.prompts).fill(1);
  const points = SHARES.map((share, s) => ({
    size: matchedSize + share * Math.max(0, trial.units - matchedSize),
    bits: null,
    divergence: rises[0]!.means[s]!,
  }));
  return {
    found: [
      {
        ...of,
        id: "monotonicity/violations",
        variant: "violations",
        text: SHARE,
        measured: matched(({ violations }) => ratio(violations, ones)),
      },
      {
        ...of,
        id: "monotonicity/height",
        variant: "height",
        text: HEIGHT,
        measured: matched(({ heights }) => ratio(heights, chance)),
      },
    ],
    curves: [{ subject: subject.name, measure: "monotonicity", ablation: "zero", ranking: "own", points }],
  };
}
