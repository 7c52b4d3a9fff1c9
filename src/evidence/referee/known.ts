/**
 * A subject held against mechanisms that are known, on one-hot inputs and by the directions of its components. Next to a mean cosine stands that of random
 * directions, as many: in few dimensions some direction is always near (0.45 for 64 in 32 dimensions).
 */
import { ActivationDecomposition } from "../../decomposition/activation/index.ts";
import { type Decomposition, importancesOf, isOfWeights } from "../../decomposition/decomposition.ts";
import { interpret, type Values, values } from "../../engine/index.ts";
import { constant, foldIn, input, keyFromSeed, randomNormal, type Tensor } from "../../tensor/index.ts";
import type { KnownDirections, KnownMechanisms, KnownPatterns } from "../../training/known-mechanisms.ts";
import { ALIVE_ABOVE } from "../alive.ts";
import { judgeMechanisms } from "../mechanisms.ts";
import { probeInputs } from "../probe.ts";
import type { KnownScores } from "./scoreboard.ts";
import type { Subject } from "./subject.ts";

/** What is known to be right and wrong of a subject; nothing where nothing is known. Controls that only reorder a method's units have their method's. */
export function knownScores(subject: Subject, known: KnownMechanisms): KnownScores | undefined {
  const { decomposition, control } = subject;
  if (control !== undefined && control !== "permuted" && control !== "random directions") return undefined;
  const found = {
    ...(known.patterns && byPatterns(decomposition, known.patterns)),
    ...(known.directions && byDirections(decomposition, known.directions)),
  };
  return Object.keys(found).length > 0 ? { subject: subject.name, ...found } : undefined;
}

function byPatterns(decomposition: Decomposition, known: KnownPatterns): Partial<KnownScores> {
  const matched = isOfWeights(decomposition) ? judgeMechanisms(decomposition, known) : undefined;
  return {
    ...(matched?.mmcs !== undefined && { mmcs: matched.mmcs, ml2r: matched.ml2r! }),
    ...(matched && { targetCiError: matched.targetCiError }),
    ...matches(decomposition, known),
  };
}

/** The probe's activities, `batch C` a site, as parts of each site's largest. */
function probed(decomposition: Decomposition, { inputs, magnitude }: KnownPatterns): Record<string, Values> {
  const x = input("x", "batch feature", { batch: inputs, feature: inputs });
  const activity = decomposition.measure === "importance" ? importancesOf(decomposition, x) : decomposition.activity(x);
  return interpret(activity as Record<string, Tensor>, { ...decomposition.values, x: probeInputs(inputs, magnitude) });
}

/**
 * Features with a component that they activate more than any other, and which is active on no feature more than on them; and components that are
 * active on some feature but are no feature's. At sites that all features share, one block is right and nothing is counted.
 */
function matches(decomposition: Decomposition, known: KnownPatterns): Partial<KnownScores> {
  const shares: number[] = [];
  let falseOnes = 0;
  for (const [site, { data, shape }] of Object.entries(probed(decomposition, known))) {
    const wanted = known.sites[site];
    if (wanted?.pattern === "dense") continue;
    const [C, n] = shape as [number, number];
    const at = (c: number, i: number): number => data[c * n + i]!;
    const most = Math.max(0, ...Array.from(data as ArrayLike<number>));
    const best = (count: number, f: (k: number) => number): number =>
      Array.from({ length: count }, (_, k) => k).reduce((a, b) => (f(b) > f(a) ? b : a), 0);
    const mine = Array.from({ length: n }, (_, i) => best(C, (c) => at(c, i)));
    const mutual = mine.flatMap((c, i) => (at(c, i) > ALIVE_ABOVE * most && best(n, (j) => at(c, j)) === i ? [c] : []));
    shares.push(new Set(mutual).size / n);
    const alive = Array.from({ length: C }, (_, c) => c).filter((c) =>
      Array.from({ length: n }, (__, i) => at(c, i)).some((a) => a > ALIVE_ABOVE * most),
    );
    falseOnes += alive.filter((c) => !mutual.includes(c)).length;
  }
  if (shares.length === 0) return {};
  return { mutualBestMatch: shares.reduce((a, b) => a + b, 0) / shares.length, falseComponents: falseOnes };
}

/** Directions that are written at the point, beside those that are known to be there. */
function byDirections(decomposition: Decomposition, { point, weight }: KnownDirections): Partial<KnownScores> {
  if (!(decomposition instanceof ActivationDecomposition)) return {};
  const coder = decomposition.coders.find(({ writes, rank }) => writes.includes(point) && rank === 1);
  if (coder === undefined) return {};
  const { count } = coder;
  const unit = Float64Array.from({ length: count * count }, (_, i) => Number(i % (count + 1) === 0));
  const one = constant("C m batch", { C: count, m: 1, batch: count }, unit) as Tensor as Tensor<"C m batch">;
  const { written } = interpret(
    { written: coder.decode(decomposition.tensors, one, point) as Tensor },
    decomposition.values,
  );
  const truth = decomposition.values[weight]!;
  const d = truth.shape[1]!;
  const random = values("C d", [count, d], randomNormal(foldIn(keyFromSeed(0), "mmcs by chance"), count * d));
  const byChance = nearest(truth, random);
  const own = nearest(truth, written!);
  return { mmcs: own, mmcsByChance: byChance };
}

/** Mean over rows of `truth` of the largest absolute cosine with a row of `found`. */
function nearest(truth: Values, found: Values): number {
  const d = truth.shape[1]!;
  const row = ({ data }: Values, i: number): number[] => Array.from(data.slice(i * d, (i + 1) * d));
  const length = (v: readonly number[]): number => Math.hypot(...v) || 1;
  const others = Array.from({ length: found.shape[0]! }, (_, c) => row(found, c)).map((v) => ({ v, norm: length(v) }));
  let total = 0;
  for (let i = 0; i < truth.shape[0]!; i++) {
    const own = row(truth, i);
    const norm = length(own);
    let best = 0;
    for (const { v, norm: other } of others) {
      const cosine = Math.abs(own.reduce((sum, x, k) => sum + x * v[k]!, 0)) / (norm * other);
      if (cosine > best) best = cosine;
    }
    total += best;
  }
  return total / truth.shape[0]!;
}
