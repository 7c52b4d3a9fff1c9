/**
 * Robustness: how far the network is from itself when what is said not to matter is turned on by parts, at random or by an adversary: masks are 1 on kept
 * units and anything in [0, 1] on the others. An adversary has one source for each component, shared by all prompts and positions that it is given, and takes 20
 * steps of sign PGD (VPD, evaluation adversary); free on each prompt it would break every network whose circuits are in superposition.
 *
 * What one adversary finds hangs on all of its prompts at once, so prompts that share one say nothing of what another would have found. There are four, with as many prompts
 * each and starts of their own: four small evaluations, and the spread between them is the band. More would say it better and be stronger, having fewer prompts each.
 */
import { maskFrom } from "../../../decomposition/parameter/masks/mask.ts";
import { scalarValue, values, type NamedValues } from "../../../engine/index.ts";
import {
  axisSize,
  constant,
  einsum,
  foldIn,
  gradients,
  input,
  keyFromSeed,
  mean,
  randomUniform,
  type Tensor,
  uniform,
} from "../../../tensor/index.ts";
import { ATTACK_STEPS } from "../../adversary.ts";
import { promptDivergence } from "../divergence.ts";
import { type Measured, ratio } from "../noise.ts";
import type { MeasureText, Note } from "../scoreboard.ts";
import { EVERYTHING, type Trial } from "../trial.ts";
import type { Found, Heard, Hearing } from "./hearing.ts";
import { ownRungs, readOff, type Rung, rungsAround } from "./matched.ts";

/** The step of an ascent, of sources in [0, 1]. */
const STEP_SIZE = 0.1;
/** Where an attack starts is as much a part of it as its steps: two evaluations differ in their prompts alone. */
const START = foldIn(keyFromSeed(0), "attack");
/** Adversaries, at least, if there are as many prompts. */
const ADVERSARIES = 4;
/** Rows that are attacked, but at least one batch. */
const MOST_ROWS = 2 ** 11;

const RANDOM: MeasureText = {
  title: "robustness, random",
  formula: "D(f | masks keep + (1 - keep) u, u ~ U[0, 1]) / D(mean output)",
  source: "stochastic masks: Bushnaq, Braun & Sharkey 2025 (SPD)",
  unit: "of chance: 0 nothing changes, 1 as bad as the network's mean output",
  reduction: "mean over prompts, one draw for each unit",
  better: "lower",
  establishes: "that what is said not to matter does not matter, whichever parts of it are there, on average",
  doesNotEstablish: "anything of a family whose inactive units carry nothing: there is nothing to turn on",
};

const ADVERSARIAL: MeasureText = {
  ...RANDOM,
  title: "robustness, adversarial",
  formula: "max over r in [0, 1]^C of D(f | masks keep + (1 - keep) r) / D(mean output), 20 steps of sign PGD",
  source: "Goodfire 2026 (VPD), evaluation adversary",
  reduction: "mean over prompts, under sources that a quarter of them shares",
  establishes:
    "that no choice of inactive components that a quarter of the prompts shares, as far as 20 steps find, undoes what the active ones do",
  doesNotEstablish: `that there is no worse choice; ${RANDOM.doesNotEstablish}`,
};

export async function robustness(hearing: Hearing): Promise<Heard> {
  const { trial, chance, naturalSizes, matchedSize } = hearing;
  const found: Found[] = [];
  const nothing = await trivially(hearing);
  // At their own size controls are attacked only where a yardstick stands beside them: an attack takes time.
  const { of: whose } = trial.subject;
  const withAttack = whose === undefined || whose.control === "oracle";
  const matched = await rungsAround(trial, matchedSize);
  const naturally = await ownRungs(hearing);
  for (const [variant, rungs, wanted] of [
    ["matched", matched, matchedSize] as const,
    ["natural", naturally, naturalSizes ?? 0] as const,
  ]) {
    // Where there is nothing to turn on, nobody need try.
    const certain = variant === "natural" && nothing !== undefined ? nothing.divergence : undefined;
    const of = { measure: "robustness" as const, ranking: "own" as const };
    const overChance = (divergences: readonly Float64Array[], groups?: number): Measured =>
      readOff(
        rungs.map(({ threshold, sizes }, r) => ({
          threshold,
          sizes: sharedPart(sizes, divergences[r]!.length),
          measured: {
            ...ratio(divergences[r]!, sharedPart(chance, divergences[r]!.length)),
            ...(groups !== undefined && { groups }),
          },
        })),
        typeof wanted === "number" ? wanted : sharedPart(wanted, divergences[0]!.length),
      );
    const drawn: Float64Array[] = [];
    for (const { threshold } of rungs) drawn.push(certain ?? (await underRandom(trial, threshold)));
    found.push({
      ...{ ...of, id: `robustness/random/${variant}`, variant: `random, ${variant} size`, text: RANDOM },
      measured: overChance(drawn),
    });
    if (variant === "natural" && !withAttack) continue;
    const attacked = certain ? { divergences: [certain] } : await underAttack(trial, rungs);
    found.push({
      ...{ ...of, id: `robustness/adversarial/${variant}`, variant: `adversarial, ${variant} size`, text: ADVERSARIAL },
      measured: overChance(attacked.divergences, attacked.groups),
    });
  }
  const notes: Note[] = nothing ? [{ subject: trial.subject.name, measure: "robustness", text: nothing.text }] : [];
  return { found, notes };
}

const parts = new WeakMap<Float64Array, Map<number, Float64Array>>();

/** The first so many, the same array each time: means of it are drawn anew once. */
function sharedPart(all: Float64Array, length: number): Float64Array {
  if (length === all.length) return all;
  const known = parts.get(all) ?? new Map<number, Float64Array>();
  parts.set(all, known);
  const part = known.get(length) ?? all.slice(0, length);
  known.set(length, part);
  return part;
}

/** Where there is nothing to turn on, why, and what the network is left with: then the numbers are those of sufficiency and say nothing more. */
async function trivially({
  trial,
  natural,
}: Hearing): Promise<{ readonly text: string; readonly divergence: Float64Array } | undefined> {
  const [kept, all] = await trial.ask([{ threshold: natural }, { threshold: EVERYTHING }]);
  const { divergence } = kept!;
  if (kept!.size > 0.999 * trial.units) {
    return { text: "it calls everything active: at its own size there is nothing to turn on", divergence };
  }
  const same = divergence.every((d, i) => Math.abs(d - all!.divergence[i]!) <= 1e-6 * Math.abs(d) + 1e-12);
  if (!same || trial.subject.decomposition.measure === "importance") return undefined;
  return { text: "its inactive units carry exactly nothing: at its own size it is robust by construction", divergence };
}

async function underRandom(trial: Trial, threshold: number): Promise<Float64Array> {
  const { probe, keep, rows, subject } = trial;
  const program = await trial.program("random sources", () => {
    const masks = eachSite(keep, (g, site) =>
      maskFrom(g, uniform(`robustness/${site}`, "C batch", { C: axisSize(g, "C"), batch: rows[site]! })),
    );
    const said = subject.decomposition.masked(probe.x, masks);
    return { divergence: promptDivergence(probe.network, said, probe.output) };
  });
  const found = new Float64Array(probe.prompts);
  for (let i = 0; i < probe.batches; i++) {
    const { feeds, key } = await trial.fed(i);
    const scores = await trial.own.scores(i);
    const { divergence } = await program.run({ ...feeds, ...scores, threshold: scalarValue(threshold) }, key);
    found.set(divergence.data, i * probe.size);
  }
  return found;
}

/** Divergences of each threshold, and of how many adversaries; none where there was nothing to attack. */
interface Attacked {
  readonly divergences: readonly Float64Array[];
  readonly groups?: number;
}

/** Sources are sought at the first threshold and stand at the others: at a maximum what they would gain by moving is of second order. */
async function underAttack(trial: Trial, rungs: readonly Rung[]): Promise<Attacked> {
  const { probe, keep, subject } = trial;
  const sites = Object.keys(keep);
  const batches = Math.max(1, Math.min(probe.batches, Math.floor(MOST_ROWS / (probe.size * trial.rowsEach))));
  const group = Math.min(probe.size, Math.ceil(ADVERSARIES / batches));
  const program = await trial.program("attack", () => {
    const sources = eachSite(keep, (g, site) => input(`source/${site}`, "C group", { C: axisSize(g, "C"), group }));
    const masks = eachSite(keep, (g, site) => {
      const rows = trial.rows[site]!;
      const adversaryOf = (row: number): number =>
        Math.floor((Math.floor((row * probe.size) / rows) * group) / probe.size);
      const members = Float32Array.from({ length: group * rows }, (_, k) =>
        Number(adversaryOf(k % rows) === Math.floor(k / rows)),
      );
      const own = constant("group batch", { group, batch: rows }, members);
      return maskFrom(g, einsum("C group, group batch -> C batch", sources[site]!, own));
    });
    const divergence = promptDivergence(probe.network, subject.decomposition.masked(probe.x, masks), probe.output);
    const slopes = gradients(
      mean(divergence) as Tensor,
      sites.map((site) => sources[site]!),
    );
    return {
      divergence,
      ...Object.fromEntries(sites.map((site, i): [string, Tensor] => [`slope/${site}`, slopes[i]!])),
    };
  });
  const worst = rungs.map(() => new Float64Array(batches * probe.size));
  for (let i = 0; i < batches; i++) {
    const { feeds, key } = await trial.fed(i);
    const scores = await trial.own.scores(i);
    // The same start for all subjects with as many components, and for every evaluation.
    let sources = eachSite(keep, (g, site) =>
      randomUniform(foldIn(foldIn(START, `source/${site}`), i), axisSize(g, "C") * group),
    );
    const under = (threshold: number): Promise<NamedValues> => {
      probe.options.signal?.throwIfAborted();
      const given = eachSite(sources, (r) => values("C group", [r.length / group, group], r));
      const named = Object.fromEntries(Object.entries(given).map(([site, r]) => [`source/${site}`, r]));
      return program.run({ ...feeds, ...scores, ...named, threshold: scalarValue(threshold) }, key);
    };
    for (let step = 0; step < ATTACK_STEPS; step++) {
      const found = await under(rungs[0]!.threshold);
      sources = eachSite(sources, (r, site) => {
        const slope = found[`slope/${site}`]!.data;
        return r.map((value, c) => Math.min(1, Math.max(0, value + STEP_SIZE * Math.sign(slope[c]!))));
      });
    }
    for (const [r, { threshold }] of rungs.entries())
      worst[r]!.set((await under(threshold)).divergence!.data, i * probe.size);
  }
  return { divergences: worst, groups: group * batches };
}

function eachSite<T, O>(by: Readonly<Record<string, T>>, f: (value: T, site: string) => O): Record<string, O> {
  return Object.fromEntries(Object.entries(by).map(([site, value]) => [site, f(value, site)]));
}
