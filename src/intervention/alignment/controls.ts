/**
 * What an alignment is held against. A subspace found by search says something only where the same search finds nothing in a network that
 * was never trained and on labels that mean nothing, and where a subspace of the same size in a random direction does not do as well.
 */
import type { NamedValues } from "../../engine/index.ts";
import { foldIn, gather, keyFromSeed, relabel, topK, uniform } from "../../tensor/index.ts";
import type { LoopOptions } from "../../training/loop.ts";
import { type AlignmentSearch, alignmentSearch, randomSubspace } from "./distributed-alignment-search.ts";
import { type InterchangeAccuracy, interchangeAccuracy, type Pairs } from "./interchange.ts";

/** An alignment's accuracy on fresh pairs, with what it is held against. */
export interface ControlledAlignment {
  readonly subspace: NamedValues[string];
  /** Of the subspace that the search found. */
  readonly found: InterchangeAccuracy;
  /** Of one in a random direction, without any search. */
  readonly random: InterchangeAccuracy;
  /** Of what the same search finds in the network as it was before training. */
  readonly untrained: InterchangeAccuracy;
  /** Of what the same search finds where each pair has another pair's label, on labels shuffled likewise. */
  readonly shuffled: InterchangeAccuracy;
}

/**
 * Searches, and searches again where nothing is to be found.
 *
 * @param untrained weights that the network might have started from
 * @param n         how many fresh pairs each accuracy is measured on
 */
export async function controlledAlignment(
  what: AlignmentSearch,
  { untrained, n }: { readonly untrained: NamedValues; readonly n: number },
  options: LoopOptions = {},
): Promise<ControlledAlignment> {
  const { weights, pairs, readout, d, k, seed } = what;
  const measure = (
    subspace: NamedValues[string],
    subject: { readonly weights?: NamedValues; readonly pairs?: typeof pairs } = {},
  ): Promise<InterchangeAccuracy> =>
    interchangeAccuracy(what, subject.weights ?? weights, subspace, {
      pairs: subject.pairs ?? pairs,
      readout,
      n,
      seed: seed + 1,
    });
  const mixed = (batch: number): Pairs => shuffledLabels(pairs(batch));
  const { subspace } = await alignmentSearch(what, options);
  const onUntrained = await alignmentSearch({ ...what, weights: untrained }, options);
  const onShuffled = await alignmentSearch({ ...what, pairs: mixed }, options);
  return {
    subspace,
    found: await measure(subspace),
    random: await measure(randomSubspace(d, k, foldIn(keyFromSeed(seed), "random subspace"))),
    untrained: await measure(onUntrained.subspace, { weights: untrained }),
    shuffled: await measure(onShuffled.subspace, { pairs: mixed }),
  };
}

/** The same pairs, each with the label of another one: a permutation drawn anew for each batch. */
export function shuffledLabels(pairs: Pairs): Pairs {
  const batch = pairs.label.shape[0]!;
  const order = topK(uniform("shuffle", "batch", { batch }), "batch", batch, "other").indices;
  const label = relabel(gather(pairs.label, order, "batch"), "batch");
  return { ...pairs, label };
}
