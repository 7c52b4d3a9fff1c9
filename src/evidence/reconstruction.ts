/**
 * What masked networks get wrong on fresh data against the network itself, as mean squared error over batch and outputs, or as mean
 * Kullback–Leibler divergence in nats where outputs are distributions:
 *
 * - stochastic: all sites under random masks `g + (1 - g) r`. An average over what may be removed.
 * - CI-masked, rounded: masks are the importances alone. Sufficiency of what matters; says nothing about the rest.
 * - unmasked: all components whole. Whether they add up to the network.
 * - adversarial: the worst masks that 20 steps find (`adversary.ts`).
 *
 * None says much by itself: each stands beside zero ablation, where every component is out.
 */
import { divergence } from "../decomposition/parameter/losses/reconstruction.ts";
import { compile, itemOf, type NamedValues } from "../engine/index.ts";
import { constant, type Tensor } from "../tensor/index.ts";
import { adversarialDivergence, ATTACK_STEPS, LADDER } from "./adversary.ts";
import { columns, type FreshData } from "./fresh-data.ts";
import { hiddenErrors } from "./hidden-error.ts";
import { ImportanceCounts, type SiteCounts } from "./importance-counts.ts";
import { type LanguageModel, nextTokenLoss } from "./next-token-loss.ts";
import { maskedBy, type Regime, REGIMES } from "./regimes.ts";

/** What masking costs under one regime. */
export interface RegimeScore {
  /** In the verdict's unit. */
  readonly divergence: number;
  /** That over zero ablation's. */
  readonly relative: number;
  /** Language models: mean cross-entropy of the next token, in nats. */
  readonly crossEntropy?: number;
  /** `(CE - CE of the network) / (CE of zero ablation - CE of the network)`: 0 where nothing is lost, 1 where everything is. */
  readonly unrecovered?: number;
}

/** The damage of a longer attack, the remainder under attack too. */
export interface Rung {
  readonly steps: number;
  readonly divergence: number;
  readonly relative: number;
}

/** Under which masks the values inside are looked at. */
const HIDDEN = ["ciMasked", "stochastic"] as const;

/** What masks do to the value at a hook point: `Σ (a' - a)² / Σ a²`. */
export interface HiddenError extends Readonly<Record<(typeof HIDDEN)[number], number>> {
  readonly point: string;
}

/** Regimes without gradients, and the two attacks. */
export type Scored = Regime | "adversarial" | "adversarialDelta";

export interface Reconstruction {
  readonly unit: "nats" | "squared error";
  readonly regimes: Readonly<Record<Scored, RegimeScore>>;
  readonly ladder?: readonly Rung[];
  /** Language models: mean cross-entropy of the network itself, in nats. */
  readonly crossEntropy?: number;
  /** Divergence when only this site runs on its components, all whole and without remainder. */
  readonly bySite: Readonly<Record<string, number>>;
  readonly counts: Readonly<Record<string, SiteCounts>>;
  /** Relative squared errors at hook points. */
  readonly hidden: readonly HiddenError[];
}

export interface ReconstructionOptions {
  readonly languageModel?: LanguageModel;
  /** Whether to go on with the attack for as long as 320 steps. */
  readonly ladder?: boolean;
}

const NAMES = Object.keys(REGIMES) as Regime[];

/** Measures all of them on batches nobody trained on. */
export async function reconstruction(data: FreshData, options: ReconstructionOptions = {}): Promise<Reconstruction> {
  const { network } = data.decomposition;
  const counts = new ImportanceCounts();
  const found = await means(data, passivePrograms(data, options), counts);
  const attacked = async (steps: readonly number[], delta: boolean): Promise<number[]> =>
    adversarialDivergence(data, { steps, delta });
  const [adversarial] = await attacked([ATTACK_STEPS], false);
  const rungs = await attacked(options.ladder ? LADDER : [ATTACK_STEPS], true);
  const zero = found["divergence/zero"]!;
  const relative = (x: number): number => x / zero;
  const own = found.crossEntropy;
  const lost = own === undefined ? undefined : found["crossEntropy/zero"]! - own;
  const scores = NAMES.map((name): [string, RegimeScore] => {
    const [value, crossEntropy] = [found[`divergence/${name}`]!, found[`crossEntropy/${name}`]];
    return [
      name,
      {
        divergence: value,
        relative: relative(value),
        ...(crossEntropy !== undefined && { crossEntropy, unrecovered: (crossEntropy - own!) / lost! }),
      },
    ];
  });
  const attack = (value: number): RegimeScore => ({ divergence: value, relative: relative(value) });
  return {
    unit: network.logits === undefined ? "squared error" : "nats",
    regimes: {
      ...(Object.fromEntries(scores) as Record<Regime, RegimeScore>),
      adversarial: attack(adversarial!),
      adversarialDelta: attack(rungs[0]!),
    },
    ...(options.ladder && { ladder: LADDER.map((steps, i) => ({ steps, ...attack(rungs[i]!) })) }),
    ...(own !== undefined && { crossEntropy: own }),
    bySite: under(found, "site"),
    counts: counts.counts(),
    hidden: Object.entries(under(found, "ciMasked")).map(([point, ciMasked]) => ({
      point,
      ciMasked,
      stochastic: found[`stochastic/${point}`]!,
    })),
  };
}

/** The numbers whose names begin with a word and a stroke, without it. */
function under(found: Readonly<Record<string, number>>, word: string): Record<string, number> {
  const prefix = `${word}/`;
  const own = Object.entries(found).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length), value]));
}

type Program = Readonly<Record<string, Tensor>>;

/** Scalars that need no gradient, in programs that are run one after the other so that none holds the others' values. */
function passivePrograms(data: FreshData, { languageModel }: ReconstructionOptions): Program[] {
  const { decomposition, given } = data;
  const { network } = decomposition;
  const asText = (output: Tensor): Tensor => nextTokenLoss(output, given.x, network.logits!, languageModel!) as Tensor;
  const regimes = NAMES.flatMap((name): [string, Tensor][] => {
    const output = maskedBy(decomposition, name, given);
    return [
      [`divergence/${name}`, divergence(network, output, given.output)],
      ...(languageModel ? ([[`crossEntropy/${name}`, asText(output)]] as [string, Tensor][]) : []),
    ];
  });
  const sites = Object.entries(given.importances).map(([site, g]): [string, Tensor] => {
    const output = decomposition.masked(given.x, { [site]: constant("C batch", columns(g), 1) });
    return [`site/${site}`, divergence(network, output, given.output)];
  });
  const hidden = HIDDEN.flatMap((regime) =>
    Object.entries(hiddenErrors(data, regime)).map(([point, error]): [string, Tensor] => [`${regime}/${point}`, error]),
  );
  return [
    { ...Object.fromEntries(regimes), ...(languageModel && { crossEntropy: asText(given.output) }) },
    Object.fromEntries(sites),
    Object.fromEntries(hidden),
  ].filter((program) => Object.keys(program).length > 0);
}

/** Every scalar's mean over the batches; importances are counted on the way. */
async function means(
  data: FreshData,
  programs: readonly Program[],
  counts: ImportanceCounts,
): Promise<Record<string, number>> {
  const totals: Record<string, number> = {};
  for (const [p, outputs] of programs.entries()) {
    const program = await compile(outputs, data.options);
    try {
      for (let i = 0; i < data.batches; i++) {
        const { feeds, key, importances } = await data.draw(i);
        if (p === 0) counts.add(importances);
        const found: NamedValues = await program.run(feeds, key);
        for (const [name, value] of Object.entries(found))
          totals[name] = (totals[name] ?? 0) + itemOf(value) / data.batches;
      }
    } finally {
      await program.dispose();
    }
  }
  return totals;
}
