/**
 * The verdict on a decomposition: how well its components stand in for the network on fresh data, how many it takes, and, where it is known what
 * they should be, whether they are that.
 */
import { type Decomposition, isOfWeights } from "../decomposition/decomposition.ts";
import { type Decomposed, methodNamed } from "../decomposition/methods.ts";
import type { Device } from "../engine/index.ts";
import { meanOfNumbers } from "../intervention/bootstrap.ts";
import type { KnownMechanisms } from "../training/known-mechanisms.ts";
import { targetNamed } from "../training/targets.ts";
import { contributionCorrelation } from "./contributions.ts";
import { explainedVariance } from "./explained-variance.ts";
import { type DataSource, FreshData } from "./fresh-data.ts";
import { type FrequencyGroups, frequencyGroups } from "./frequency-groups.ts";
import { checkGate, type GateVerdict } from "./gate.ts";
import { byThreshold, type ByThreshold, type SiteCounts } from "./importance-counts.ts";
import { type MarkerCircuit, markerCircuit, type MarkerSite } from "./marker-circuit.ts";
import { judgeMechanisms, type MechanismVerdict, type SiteMechanisms } from "./mechanisms.ts";
import { type Reconstruction, reconstruction } from "./reconstruction.ts";
import { meanFaithfulness, siteFaithfulness } from "./site-faithfulness.ts";
import { isTargeted, ofAPart, type Symptoms, type Warning, warningsOf } from "./warnings.ts";

/** One site's verdict. Of its mechanisms only where they are known. */
export interface SiteVerdict extends Partial<SiteMechanisms>, Partial<MarkerSite> {
  /** Mean number of components with importance above 0 on an input. */
  readonly l0: number;
  /** What is counted on the data, at several thresholds. */
  readonly counts: SiteCounts;
  readonly components: number;
  readonly rank: number;
  /** `‖W - Σ components‖² / ‖W‖²`; where components are parts of weights. */
  readonly relativeFaithfulness?: number;
  /** The part of the variance of what is written here that components explain; where they are parts of activations. */
  readonly explainedVariance?: number;
  /** The divergence when this site alone runs on its components, all whole. */
  readonly unmaskedRecon: number;
}

export interface Verdict
  extends Omit<Partial<MechanismVerdict>, "sites">, Studies, Omit<Reconstruction, "bySite" | "counts"> {
  readonly schema: 1;
  readonly sites: Readonly<Record<string, SiteVerdict>>;
  /** The divergences of four regimes, in `unit`. */
  readonly stochasticRecon: number;
  readonly ciMaskedRecon: number;
  readonly unmaskedRecon: number;
  readonly adversarialRecon: number;
  /** With every component out. */
  readonly zeroRecon: number;
  /** Sums over sites: components an input uses, at threshold 0 and at each. */
  readonly l0: number;
  readonly l0ByThreshold: ByThreshold;
  /** The first of these over the sum of the matrices' ranks. */
  readonly l0OverRank: number;
  /** Components above each threshold on some input, and those with mean importance above 1e-6: sums over sites. */
  readonly aliveByThreshold: ByThreshold;
  readonly aliveMean: number;
  /** Mean squared difference from the network's weights, and the mean over sites of the relative one; where components are parts of weights. */
  readonly faithfulness?: number;
  readonly relativeFaithfulness?: number;
  /** The mean over hook points of the part of the variance that components explain; where they are parts of activations. */
  readonly explainedVariance?: number;
  /** Whether the attack found less damage than random masks do: then its numbers bound nothing. */
  readonly adversaryWeaker: boolean;
  /** Where it is known what a decomposition should reach. */
  readonly gate?: GateVerdict;
  /** The gate's; absent without one. */
  readonly passed?: boolean;
  readonly warnings: readonly Warning[];
}

/** What a verdict tells of troubles. */
function symptomsOf({ ml2r, regimes, sites }: Omit<Verdict, "warnings">): Symptoms {
  return {
    ...(ml2r !== undefined && { ml2r }),
    stochastic: regimes.stochastic.divergence,
    adversarial: regimes.adversarial.divergence,
    zero: regimes.zero.divergence,
    sites: Object.fromEntries(
      Object.entries(sites).map(([name, site]) => [name, { ...site, ...site.counts, l0: site.l0 }]),
    ),
  };
}

/** What is asked of networks whose mechanisms are known in ways of their own. */
interface Studies extends Partial<MarkerCircuit>, Partial<FrequencyGroups> {
  readonly contributionCorrelation?: number;
}

async function studies(
  data: FreshData,
  { contributions, marker, modulus }: KnownMechanisms,
): Promise<Studies & { readonly sites?: Readonly<Record<string, MarkerSite>> }> {
  const correlation = contributions && contributionCorrelation(data.decomposition, contributions);
  return {
    ...(correlation !== undefined && { contributionCorrelation: correlation }),
    ...(marker && (await markerCircuit(data, marker))),
    ...(modulus && (await frequencyGroups(data, modulus))),
  };
}

export interface JudgeOptions {
  readonly device?: Device;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  /** Whether to go on with the attack for as long as 320 steps: sixteen times the work. */
  readonly ladder?: boolean;
}

/** The whole verdict on a decomposition of a network that was trained here. */
export async function judge(
  { document, weights, components }: Pick<Decomposed, "document" | "weights" | "components">,
  options: JudgeOptions = {},
): Promise<Verdict> {
  const decomposition = methodNamed(document.method).open(document, weights, components);
  const { target: name, settings } = document.target;
  const target = targetNamed(name);
  const tables = await target.tables?.(settings);
  const batch: DataSource["batch"] = (size) => target.batch("data", settings, size);
  const known = target.known?.(settings);
  const source = { batch, ...(tables && { tables }) };
  if (!isTargeted(document.settings)) return judgeDecomposition(decomposition, source, known, options);
  // It is to explain a part: what a gate asks of the whole would be asked of something else.
  const { gate: _, ...rest } = known ?? {};
  const verdict = await judgeDecomposition(decomposition, source, rest, options);
  return { ...verdict, warnings: ofAPart(verdict.warnings) };
}

/** The whole verdict on any decomposition of any network. */
export async function judgeDecomposition(
  decomposition: Decomposition,
  source: DataSource,
  known: KnownMechanisms = {},
  { ladder, ...options }: JudgeOptions = {},
): Promise<Verdict> {
  const data = await FreshData.open(decomposition, source, options);
  try {
    const { bySite, counts, ...found } = await reconstruction(data, {
      ...(known.languageModel && { languageModel: known.languageModel }),
      ...(ladder && { ladder }),
    });
    // What is known of matrices is asked of components that are parts of them.
    const ofWeights = isOfWeights(decomposition);
    const asked = ofWeights ? known : {};
    const { sites: mechanisms, ...probed } = asked.patterns
      ? judgeMechanisms(decomposition, asked.patterns)
      : { sites: {} as MechanismVerdict["sites"] };
    const faithfulness = ofWeights ? siteFaithfulness(decomposition) : {};
    const explained = await explainedVariance(data);
    const { sites: steps = {}, ...studied } = await studies(data, asked);
    const sites = Object.fromEntries(
      decomposition.sites.map(({ name, dIn, dOut }): [string, SiteVerdict] => [
        name,
        {
          ...mechanisms[name],
          ...steps[name],
          l0: counts[name]!.l0.above0,
          counts: counts[name]!,
          components: decomposition.components.filter(({ site }) => site === name).length,
          rank: Math.min(dIn, dOut),
          ...(faithfulness[name] && { relativeFaithfulness: faithfulness[name].relative }),
          ...(explained[name] !== undefined && { explainedVariance: explained[name] }),
          unmaskedRecon: bySite[name]!,
        },
      ]),
    );
    const all = Object.values(sites);
    const total = (f: (site: SiteVerdict) => number): number => all.reduce((sum, site) => sum + f(site), 0);
    const l0 = total((site) => site.l0);
    const { regimes } = found;
    const verdict = {
      schema: 1 as const,
      ...probed,
      ...studied,
      ...found,
      stochasticRecon: regimes.stochastic.divergence,
      ciMaskedRecon: regimes.ciMasked.divergence,
      unmaskedRecon: regimes.unmasked.divergence,
      adversarialRecon: regimes.adversarial.divergence,
      zeroRecon: regimes.zero.divergence,
      l0,
      l0ByThreshold: byThreshold((threshold) => total((site) => site.counts.l0[threshold])),
      l0OverRank: l0 / total((site) => site.rank),
      aliveByThreshold: byThreshold((threshold) => total((site) => site.counts.alive[threshold])),
      aliveMean: total((site) => site.counts.aliveMean),
      ...(ofWeights && {
        faithfulness: meanFaithfulness(faithfulness),
        relativeFaithfulness: total((site) => site.relativeFaithfulness!) / all.length,
      }),
      ...(!ofWeights && { explainedVariance: meanOfNumbers(Object.values(explained)) }),
      adversaryWeaker: regimes.adversarial.divergence < regimes.stochastic.divergence,
      sites,
    };
    const gate = asked.gate && checkGate(asked.gate, verdict);
    // Each warning names a setting of the methods that learn importances.
    const warnings = decomposition.measure === "importance" ? warningsOf(symptomsOf(verdict)) : [];
    return { ...verdict, ...(gate && { gate, passed: gate.passed }), warnings };
  } finally {
    await data.dispose();
  }
}
