/**
 * Networks that add modulo p do it as rotations at a few frequencies (Nanda et al. 2023). Does each component belong to one of them, and do
 * those of one frequency, taken out together, take that frequency and no other out of the logits?
 *
 * A component's frequency is that at which its inner activation over all p² pairs has most power: of the four waves `ka`, `kb`, `k(a + b)` and
 * `k(a - b)`. Of logits only the waves in `k(a + b)` count. Nothing was published to compare with; the numbers are reported, not judged.
 */
import { formatAddress } from "../decomposition/address.ts";
import { compile, type NamedValues, type Values } from "../engine/index.ts";
import { axisSize, constant, max, reshape, select, slice, sum, type Tensor } from "../tensor/index.ts";
import { innerActivation, rowsOf, subcomponentsOf } from "../decomposition/parameter/subcomponents.ts";
import type { KnownModulus } from "../training/known-mechanisms.ts";
import { ALIVE_ABOVE } from "./alive.ts";
import type { FreshData } from "./fresh-data.ts";
import { keepFeeds, keepInputs } from "./keep.ts";

/** The components of one frequency. */
export interface FrequencyGroup {
  /** Turns in p. */
  readonly frequency: number;
  /** Their addresses. */
  readonly components: readonly string[];
  /** The part of the network's logits' power, over all frequencies, that it has. */
  readonly logitShare: number;
  /** The part of that power that is gone without these components, and of the other frequencies' power. */
  readonly removed: number;
  readonly othersRemoved: number;
}

export interface FrequencyGroups {
  readonly groups: readonly FrequencyGroup[];
  /** The part of an alive component's power that is at its own frequency, mean over components. */
  readonly frequencyShare: number;
  /** `removed` and `othersRemoved`, means over groups with their share of the logits' power as weight. */
  readonly frequencyRemoved: number;
  readonly otherFrequenciesRemoved: number;
}

/** Groups the alive components, and takes each group out. */
export async function frequencyGroups(data: FreshData, { modulus: p, equals }: KnownModulus): Promise<FrequencyGroups> {
  const { decomposition, options } = data;
  const { values } = decomposition;
  const x = allPairs(p, equals);
  const { masks, remainder } = keepInputs(decomposition);
  const [seen, masked] = await Promise.all([
    compile(innerProgram(data, x), options),
    compile({ logits: logitsAt(decomposition.masked(x, masks, { remainder }), p) }, options),
  ]);
  try {
    const found: NamedValues = await seen.run(values);
    const powers = Array.from({ length: (p - 1) / 2 }, (_, i) => i + 1);
    const owned = decomposition.sites.flatMap(({ name }) => ownFrequencies(name, found, p));
    const logitPower = async (out: readonly Owned[]): Promise<number[]> => {
      const gone = new Set(out.map(({ site, component }) => `${site}:${component}`));
      const kept = keepFeeds(decomposition, (site, c) => !gone.has(`${site}:${c}`), true);
      options.signal?.throwIfAborted();
      return sumPower((await masked.run({ ...values, ...kept })).logits, p, powers);
    };
    const whole = await logitPower([]);
    const total = whole.reduce((a, b) => a + b, 0);
    const groups: FrequencyGroup[] = [];
    for (const frequency of powers) {
      const members = owned.filter((one) => one.frequency === frequency);
      if (members.length === 0) continue;
      const left = await logitPower(members);
      const [own, after] = [whole[frequency - 1]!, left[frequency - 1]!];
      const others = total - own;
      groups.push({
        frequency,
        components: members.map(formatAddress),
        logitShare: own / total,
        removed: 1 - after / own,
        othersRemoved: 1 - (left.reduce((a, b) => a + b, 0) - after) / others,
      });
    }
    const weight = groups.reduce((sum, { logitShare }) => sum + logitShare, 0);
    const weighed = (f: (group: FrequencyGroup) => number): number =>
      groups.reduce((sum, group) => sum + group.logitShare * f(group), 0) / weight;
    return {
      groups,
      frequencyShare: owned.reduce((sum, { share }) => sum + share, 0) / owned.length,
      frequencyRemoved: weighed((group) => group.removed),
      otherFrequenciesRemoved: weighed((group) => group.othersRemoved),
    };
  } finally {
    await seen.dispose();
    await masked.dispose();
  }
}

/** All p² pairs of numbers, `a` slowest, with the token after them where there is one. */
function allPairs(p: number, equals: number | undefined): Tensor {
  const rows = Array.from({ length: p * p }, (_, row) => [
    Math.floor(row / p),
    row % p,
    ...(equals === undefined ? [] : [equals]),
  ]);
  return constant("batch pos", { batch: p * p, pos: rows[0]!.length }, rows.flat(), "i32");
}

/** For every site, what its components read at all positions of each pair, `C batch`, and their largest importances, `C`. */
function innerProgram({ decomposition }: FreshData, x: Tensor): Record<string, Tensor> {
  const { network, tensors } = decomposition;
  const inner: Record<string, Tensor> = {};
  network.forward(tensors, x, {
    matmul: (site, activation) => {
      if (!decomposition.sites.some(({ name }) => name === site.name)) return undefined;
      const h = innerActivation(rowsOf(activation), subcomponentsOf(tensors, site));
      const [C, batch] = [axisSize(h, "C"), axisSize(x, "batch")];
      const byPosition = reshape(h, "C batch pos", { C, batch, pos: axisSize(h, "batch") / batch });
      inner[`inner/${site.name}`] = sum(byPosition, "pos");
      return undefined;
    },
  });
  const importances = Object.entries(decomposition.activity(x)).map(
    ([site, g]) => [`importance/${site}`, max(g, "batch")] as const,
  );
  return { ...inner, ...Object.fromEntries(importances) };
}

/** The logits of the sum, `batch vocab`: at the last position where there are positions. */
function logitsAt(output: Tensor, p: number): Tensor {
  const last = output.axes.includes("pos")
    ? select(output as Tensor<"batch pos vocab">, "pos", axisSize(output, "pos") - 1)
    : output;
  return slice(last as Tensor<"batch vocab">, "vocab", 0, p);
}

interface Owned {
  readonly site: string;
  readonly component: number;
  readonly frequency: number;
  readonly share: number;
}

/** The frequency of each alive component of a site, with the part of its power that lies there. */
function ownFrequencies(site: string, found: NamedValues, p: number): Owned[] {
  const importances = found[`importance/${site}`]!;
  const inner = found[`inner/${site}`]!;
  return Array.from(importances.data).flatMap((g, component): Owned[] => {
    if (!(g > ALIVE_ABOVE)) return [];
    const h = inner.data.subarray(component * p * p, (component + 1) * p * p);
    return [{ site, component, ...strongestFrequency(h, p) }];
  });
}

/**
 * The frequency with most power in a function of two numbers modulo p, of the waves `ka`, `kb`, `k(a + b)`, `k(a - b)`, and the part of all power
 * but the constant's that it has.
 *
 * @param h `p p`, flat
 */
export function strongestFrequency(h: ArrayLike<number>, p: number): { frequency: number; share: number } {
  const angle = (2 * Math.PI) / p;
  const waves = Array.from({ length: p }, (_, i) => [Math.cos(angle * i), Math.sin(angle * i)] as const);
  const along = (rows: (a: number) => readonly [number, number], k: number): number => {
    let [re, im] = [0, 0];
    for (let a = 0; a < p; a++) {
      const [cos, sin] = waves[(((k * a) % p) + p) % p]!;
      const [x, y] = rows(a);
      re += x * cos + y * sin;
      im += y * cos - x * sin;
    }
    return re * re + im * im;
  };
  let [energy, total] = [0, 0];
  const columnSums = new Float64Array(p);
  for (let a = 0; a < p; a++) {
    for (let b = 0; b < p; b++) {
      const x = h[a * p + b]!;
      energy += x * x;
      total += x;
      columnSums[b]! += x;
    }
  }
  const varying = p * p * energy - total * total;
  let best = { frequency: 1, share: 0 };
  for (let k = 1; k <= (p - 1) / 2; k++) {
    // The transform along a at frequency k, for each b.
    const re = new Float64Array(p);
    const im = new Float64Array(p);
    for (let a = 0; a < p; a++) {
      const [cos, sin] = waves[(k * a) % p]!;
      for (let b = 0; b < p; b++) {
        re[b]! += h[a * p + b]! * cos;
        im[b]! -= h[a * p + b]! * sin;
      }
    }
    const row = (b: number): readonly [number, number] => [re[b]!, im[b]!];
    const power = along(row, 0) + along(row, k) + along(row, -k) + along((b) => [columnSums[b]!, 0], k);
    // Each wave of a real function stands twice in its transform.
    const share = varying > 0 ? (2 * power) / varying : 0;
    if (share > best.share) best = { frequency: k, share };
  }
  return best;
}

/** The power of logits `batch vocab` of all pairs in the waves `k(a + b)`, for each frequency. */
function sumPower({ data }: Values, p: number, frequencies: readonly number[]): number[] {
  const bySum = new Float64Array(p * p);
  for (let row = 0; row < p * p; row++) {
    const s = (Math.floor(row / p) + (row % p)) % p;
    for (let c = 0; c < p; c++) bySum[s * p + c]! += data[row * p + c]!;
  }
  return frequencies.map((k) => {
    let power = 0;
    for (let c = 0; c < p; c++) {
      let [re, im] = [0, 0];
      for (let s = 0; s < p; s++) {
        const angle = (2 * Math.PI * ((k * s) % p)) / p;
        re += bySum[s * p + c]! * Math.cos(angle);
        im -= bySum[s * p + c]! * Math.sin(angle);
      }
      power += re * re + im * im;
    }
    return power;
  });
}
