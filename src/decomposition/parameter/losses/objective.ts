/**
 * The objective of parameter decomposition:
 *
 *   L = β_f L_faithfulness + Σ β_i L_reconstruction,i + β_3 (L_importance + β_4 L_frequency) + β_5 L_locality
 *
 * (Bushnaq, Braun & Sharkey 2025, section 2; VPD, objective; param-decomp SPEC, S8 to S36). The network runs once on its own weights; what
 * its matrices see there is what importances are predicted from. Each masked run draws its own sources.
 *
 * A targeted decomposition has a second stream of data, everything else, on which the remainder stays whole (tPD).
 */
import type { Network, Site } from "../../../network/network.ts";
import { namesLike } from "../../../network/site-patterns.ts";
import { add, input, mul, scalar, type Tensor, type Tensors } from "../../../tensor/index.ts";
import type { StepObjective } from "../../../training/optimise.ts";
import { freshReconstruction, persistentReconstruction } from "./adversarial-reconstructions.ts";
import { cleanRun } from "./clean-run.ts";
import { componentsGroup } from "../optimisation/groups.ts";
import type { ImportanceFunction } from "../importance/importance.ts";
import { comparison } from "./blockwise-divergence.ts";
import { rowsIn } from "../masks/masked-product.ts";
import {
  masked,
  type Masking,
  drawnMasks,
  passiveReconstructions,
  type Term,
  times,
  wholeLike,
} from "./masked-reconstructions.ts";
import { scheduledTensors } from "../optimisation/schedules.ts";
import type { ParameterSettings } from "../settings.ts";
import { carriedMeans, sparsity } from "./sparsity.ts";
import { slotsIn, subcomponentsOf } from "../subcomponents.ts";
import { decayed, mostImportance } from "../optimisation/weight-decay.ts";
import { weightTerms } from "./weight-terms.ts";

/** What is taken apart, on what. */
export interface Subject {
  readonly network: Network;
  /** The network's own weights. */
  readonly weights: Tensors;
  readonly importance: ImportanceFunction;
  /** The batch; of the target alone in a targeted decomposition. */
  readonly x: Tensor;
  /** There, a batch of everything else. */
  readonly others?: Tensor;
  /** About how many logits of a language model there may be at once; absent, as many as fit well into memory. */
  readonly logitsAtOnce?: number;
}

/**
 * The objective on one batch, its parts as metrics.
 *
 * @param components subcomponents and what predicts their importances, by name
 */
export function decompositionObjective(
  subject: Subject,
  components: Tensors,
  settings: ParameterSettings,
): StepObjective {
  const { network, weights, importance, others } = subject;
  const scheduled = scheduledTensors(settings);
  const slots = slotsIn(network.sites, components);
  const points = settings.hiddenRecon > 0 ? pointsLike(network, settings.hiddenPoints) : [];
  const compared = comparison(network, weights, subject.logitsAtOnce);
  const streamOf = (x: Tensor, stream: string, remainder: Masking["remainder"]): Masking => {
    const how = { lowerLeak: settings.lowerLeak, points, run: compared.run };
    const clean = cleanRun(network, weights, components, importance, x, how);
    return {
      ...{ network, components, x, rows: rowsIn(network, x), clean, stream, settings, remainder },
      comparison: compared,
    };
  };
  const pressure = times(scheduled.importanceScale, settings.importanceMinimality);
  const main = streamOf(subject.x, "", settings.delta ? "masked" : "absent");
  const adversarial = persistentReconstruction(main, slots, scheduled.persistentScale);
  const paid = paidFor(main, settings, scheduled);
  const terms: Term[] = [
    ...weightTerms(network, weights, components, settings, scheduled.localityThreshold),
    ...passiveReconstructions(main),
    ...freshReconstruction(main, slots),
    ...adversarial.terms,
    { name: "importanceMinimality", coefficient: pressure, value: paid.importance },
  ];
  if (paid.frequency !== undefined)
    terms.push({
      name: "frequencyMinimality",
      coefficient: times(pressure, settings.frequencyMinimality),
      value: paid.frequency,
    });
  const streams = [main];
  if (others !== undefined) {
    const other = streamOf(others, "other/", "whole");
    streams.push(other);
    const otherPressure = times(pressure, settings.otherImportance);
    terms.push(...otherTerms(other, settings), {
      name: "otherImportance",
      coefficient: otherPressure,
      value: paidFor(other, { ...settings, frequencyMinimality: 0 }, scheduled).importance,
    });
  }
  const greatest = settings.unusedDecay > 0 ? greatestImportances(streams) : {};
  return {
    metrics: { ...Object.fromEntries(terms.map(({ name, value }) => [name, value])), loss: weighed(terms) },
    ...(adversarial.wrt && { wrt: adversarial.wrt }),
    values: { ...adversarial.values, ...paid.means, ...greatest },
    carried: (slopes, values) => ({
      ...adversarial.carried?.(slopes, values),
      ...carriedMeans(Object.fromEntries(Object.keys(paid.means).map((name) => [name, values[name]!]))),
    }),
    ...(settings.unusedDecay > 0 && { after: decayOfUnused(network.sites, settings) }),
  };
}

function paidFor(
  { clean, network, rows }: Masking,
  settings: ParameterSettings,
  scheduled: ReturnType<typeof scheduledTensors>,
): ReturnType<typeof sparsity> {
  const sites = network.sites.map(({ name }) => name);
  return sparsity(clean, sites, rows.example * rows.pos, settings, scheduled);
}

/** On everything else: components may not hurt where the remainder does all the work (tPD, non-target batches). */
function otherTerms(other: Masking, { otherRecon, otherUnmasked }: ParameterSettings): Term[] {
  const { network, clean } = other;
  const random = (): Tensor<""> => masked(other, drawnMasks(other, "other/stochastic", network.sites));
  const whole = (): Tensor<""> =>
    masked(
      other,
      Object.fromEntries(network.sites.map(({ name }) => [name, { mask: wholeLike(clean.importances[name]!.lower) }])),
    );
  return [
    ...(otherRecon > 0 ? [{ name: "otherRecon", coefficient: otherRecon, value: random() }] : []),
    ...(otherUnmasked > 0 ? [{ name: "otherUnmasked", coefficient: otherUnmasked, value: whole() }] : []),
  ];
}

/** Each component's greatest importance on any row of any stream: `greatest/<site>`, `C`. */
function greatestImportances(streams: readonly Masking[]): Tensors {
  const [first] = streams;
  return Object.fromEntries(
    first!.network.sites.map(({ name }) => [
      `greatest/${name}`,
      mostImportance(streams.map(({ clean }) => clean.importances[name]!.lower)),
    ]),
  );
}

/** What components become after the optimiser's step where what nobody needs shrinks away. */
function decayOfUnused(
  sites: readonly Site[],
  settings: ParameterSettings,
): (weights: Tensors, values: Tensors) => Tensors {
  const rate = input(`${componentsGroup(settings)}learningRate`, "", {});
  return (weights, values) =>
    Object.fromEntries(
      // The weights of one group at a time: what predicts importances has no such decay.
      sites
        .filter(({ name }) => weights[`${name}.V`] !== undefined)
        .flatMap((site) => {
          const greatest = values[`greatest/${site.name}`] as Tensor<"C">;
          const { V, U } = decayed(subcomponentsOf(weights, site), greatest, rate, settings.unusedDecay);
          return [
            [`${site.name}.V`, V],
            [`${site.name}.U`, U],
          ];
        }),
    );
}

function weighed(terms: readonly Term[]): Tensor<""> {
  return terms
    .filter(({ coefficient }) => coefficient !== 0)
    .map(({ coefficient: c, value }) => (typeof c === "number" ? mul(value, c) : mul(value, c)))
    .reduce((a, b) => add(a, b), scalar(0));
}

/** The hook points whose names a pattern fits. */
function pointsLike({ points }: Network, pattern: string): string[] {
  return namesLike(
    "hiddenPoints",
    pattern,
    points.map(({ name }) => name),
  );
}
