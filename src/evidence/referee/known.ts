/**
 * A subject held against mechanisms that are known, on one-hot inputs and by the directions of its components. Next to a mean cosine stands that of random
 * directions, as many: in few dimensions some direction is always near (0.45 for 64 in 32 dimensions).
 */
import { ActivationDecomposition } from "../../decomposition/activation/index.ts";
import { type Decomposition, importancesOf, isOfWeights } from "../../decomposition/decomposition.ts";
import { interpret, type Values, values } from "../../engine/index.ts";
import { meanOfNumbers } from "../../intervention/bootstrap.ts";
import { foldIn, input, keyFromSeed, randomNormal, type Tensor } from "../../tensor/index.ts";
import type { KnownDirections, KnownMechanisms, KnownPatterns } from "../../training/known-mechanisms.ts";
import { ALIVE_ABOVE } from "../alive.ts";
import { matchDirections, writtenDirections } from "../direction-recovery.ts";
import { matchColumns } from "../mean-max-cosine.ts";
import { judgeMechanisms } from "../mechanisms.ts";
import { probeInputs } from "../probe.ts";
import { basisAt } from "./random-directions.ts";
import type { KnownScores } from "./scoreboard.ts";
import type { Subject } from "./subject.ts";

const BY_CHANCE = foldIn(keyFromSeed(0), "mmcs by chance");

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
    ...(matched?.mmcs !== undefined && {
      ...{ mmcs: matched.mmcs, mmcsByChance: columnsByChance(decomposition, known), ml2r: matched.ml2r! },
    }),
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
 * active on some feature but are no feature's. Features that share a component count once. At sites that all features share, one block is right and nothing is counted.
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
    shares.push(new Set(mutual).size / (wanted?.pattern === "shared" ? wanted.groups.length : n));
    const alive = Array.from({ length: C }, (_, c) => c).filter((c) =>
      Array.from({ length: n }, (__, i) => at(c, i)).some((a) => a > ALIVE_ABOVE * most),
    );
    falseOnes += alive.filter((c) => !mutual.includes(c)).length;
  }
  if (shares.length === 0) return {};
  return { mutualBestMatch: meanOfNumbers(shares), falseComponents: falseOnes };
}

/** The mean cosine of as many components of normal draws, over the sites that MMCS is taken of. */
function columnsByChance(
  { network, tensors, values: numbers, sites, components }: Decomposition,
  known: KnownPatterns,
): number {
  const found = sites.flatMap((site) => {
    if (site.features === undefined || known.sites[site.name] === undefined) return [];
    const { W } = interpret({ W: network.matrix(tensors, site.name) }, numbers);
    const C = components.filter((one) => one.site === site.name).length;
    const drawn = (name: string, count: number): Float32Array =>
      randomNormal(foldIn(BY_CHANCE, `${site.name}.${name}`), count);
    const V = values("d_in C", [site.dIn, C], drawn("V", site.dIn * C));
    const U = values("C d_out", [C, site.dOut], drawn("U", C * site.dOut));
    return [matchColumns(W, V, U, site.features).mmcs];
  });
  return meanOfNumbers(found);
}

/** Directions that are written at the point, beside those that are known to be there. Parts of weights are held against columns instead. */
function byDirections(decomposition: Decomposition, { point, weight }: KnownDirections): Partial<KnownScores> {
  const written = writtenAt(decomposition, point);
  if (written === undefined) return {};
  const { mmcs, nullMmcs } = matchDirections(decomposition.values[weight]!, written, BY_CHANCE);
  return { mmcs, mmcsByChance: nullMmcs };
}

/** `C d`, of components of rank one. */
function writtenAt(decomposition: Decomposition, point: string): Values | undefined {
  if (!(decomposition instanceof ActivationDecomposition)) return basisAt(decomposition, point);
  const writes = decomposition.coders.some((coder) => coder.writes.includes(point) && coder.rank === 1);
  return writes ? writtenDirections(decomposition, point) : undefined;
}
