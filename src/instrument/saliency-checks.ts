/**
 * Two checks of a saliency map. Randomising weights from the output down (Adebayo et al. 2018): a map that stays as it was does not say what the
 * network has learnt. Shifting the input by a constant that the first layer takes away again (Kindermans et al. 2019): the function is
 * the same, and a map that changes says something of how inputs are written down.
 */
import type { NamedValues, Values } from "../engine/index.ts";
import type { WorkOptions } from "../intervention/capture.ts";
import type { Examples } from "../intervention/examples.ts";
import type { RunnableNetwork } from "../network/run.ts";
import { foldIn, type Key } from "../tensor/index.ts";
import { type Finding, spreadOf } from "./finding.ts";
import { spearman } from "./rank-correlation.ts";
import { type Saliency, saliency, SALIENCY_KINDS, type SaliencyKind, type SaliencyQuestion } from "./saliency.ts";
import { shuffledWeights } from "./shuffled-weights.ts";

/** Spearman's correlation of a map with that of the network as it is: of its numbers, and of their sizes, which is what is looked at. */
export type MapCorrelations = Readonly<Record<SaliencyKind, { readonly signed: number; readonly sizes: number }>>;

export interface RandomisedRow {
  /** The last group of weights that was shuffled: all after it are, too. */
  readonly downTo: string;
  readonly correlation: MapCorrelations;
}

export interface SaliencyChecks extends Finding {
  /** From the output down, group after group. */
  readonly randomised: readonly RandomisedRow[];
  /** The correlation of each map with itself after a constant shift of the input; 1 where it does not see the shift. */
  readonly shifted: MapCorrelations;
}

/** Makes both checks of all three maps. */
export async function saliencyChecks(
  runnable: RunnableNetwork,
  examples: Examples,
  {
    key,
    shift,
    ...question
  }: Omit<SaliencyQuestion, "weights"> & {
    readonly key: Key;
    /** The constant; the spread of the values unless given. */
    readonly shift?: number;
  },
  options: WorkOptions = {},
): Promise<SaliencyChecks> {
  const own = await saliency(runnable, examples, question, options);
  const groups = weightGroups(Object.keys(runnable.weights));
  const all = shuffledWeights(runnable.weights, foldIn(key, "randomised"));
  const randomised: RandomisedRow[] = [];
  const weights: Record<string, NamedValues[string]> = {};
  for (const [downTo, names] of groups.reverse()) {
    for (const name of names) weights[name] = all[name]!;
    const other = await saliency(runnable, examples, { ...question, weights: { ...weights } }, options);
    randomised.push({ downTo, correlation: correlations(own, other) });
  }
  return {
    randomised,
    shifted: correlations(own, await shifted(runnable, examples, question, own, shift, options)),
    n: own.n,
    counted: "examples",
    nullDescription: "0: maps that have nothing to do with each other",
    doesNotEstablish: "that a map which changes is right: it is then only known to depend on the weights",
  };
}

/** Weights by what they belong to, in the order an activation meets them: `embed`, `blocks.0`, …, `unembed`. */
export function weightGroups(names: readonly string[]): [string, string[]][] {
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const [group] = /^blocks\.\d+|^[^.]+/.exec(name)!;
    groups.set(group, [...(groups.get(group) ?? []), name]);
  }
  return [...groups];
}

/**
 * The maps of the same function of a value that is written `shift` higher: gradients are the same there, the value is not, and the baseline lies
 * `shift` lower in the old terms.
 */
async function shifted(
  runnable: RunnableNetwork,
  examples: Examples,
  question: SaliencyQuestion,
  own: Saliency,
  shift: number | undefined,
  options: WorkOptions,
): Promise<Pick<Saliency, "maps">> {
  const { gradient } = own.maps;
  const by = shift ?? spreadOf(own.value.data).deviation;
  const baseline = (question.baseline ?? 0) - by;
  const { maps } = await saliency(runnable, examples, { ...question, baseline }, options);
  const times = Float64Array.from(own.value.data, (v, i) => gradient.data[i]! * (v + by));
  return { maps: { ...maps, gradientTimesInput: { ...gradient, data: times } } };
}

function correlations(a: Pick<Saliency, "maps">, b: Pick<Saliency, "maps">): MapCorrelations {
  return Object.fromEntries(
    SALIENCY_KINDS.map((kind) => {
      const [one, other] = [a.maps[kind], b.maps[kind]];
      const over = (of: (x: number) => number): number => meanCorrelation(one, other, of);
      return [kind, { signed: over((x) => x), sizes: over(Math.abs) }];
    }),
  ) as unknown as MapCorrelations;
}

/** Spearman's of each example, and their mean; a map that is the same everywhere ranks nothing and counts as 0. */
function meanCorrelation(a: Values, b: Values, of: (x: number) => number): number {
  const n = a.shape[0]!;
  const size = a.data.length / n;
  let total = 0;
  for (let e = 0; e < n; e++) {
    const [p, q] = [a, b].map(({ data }) => Float64Array.from(data.subarray(e * size, (e + 1) * size), of));
    const rho = spearman(p!, q!);
    total += Number.isNaN(rho) ? 0 : rho;
  }
  return total / n;
}
