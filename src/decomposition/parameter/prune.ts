/**
 * Pruning, the last thing a run does and ours, not the papers': components that never mattered become 0.
 *
 * Importance minimality closes the gate of a component that nothing needs, and from then on no loss but faithfulness, which only sees the
 * sum, says what its `V` and `U` are: they stay at some small noise. Their masks are random, so that noise was already harmless; but it
 * is not 0, and to measures that compare directions one such component may look like a mechanism. What they held falls to the remainder.
 */
import { compile, type CompileOptions, type NamedValues } from "../../engine/index.ts";
import { type Network, weightInputs, type WeightSpec } from "../../network/network.ts";
import { foldIn, type Key, max, type Tensor } from "../../tensor/index.ts";
import { cleanRun } from "./objective.ts";
import { componentWeights } from "./parameter-decomposition.ts";

/** Whose components, and on what data they must matter to stay. */
export interface PruneSubject {
  readonly network: Network;
  readonly weights: NamedValues;
  /** One batch of inputs, as a program of draws. */
  readonly x: Tensor;
  /** How many such batches are drawn. */
  readonly batches: number;
  readonly key: Key;
}

/**
 * Every number of a component that is never important, of its gate too, becomes 0: its importance is then 0 on every input there is. One
 * that mattered a little on one example stays as it is, and so do numbers that belong to no component.
 *
 * @param components subcomponents and gates by name, `<site>.V` and so on
 */
export async function prune(
  subject: PruneSubject,
  components: NamedValues,
  options: CompileOptions = {},
): Promise<NamedValues> {
  const specs = specsOf(subject.network, components);
  const important = await everImportant(subject, specs, components, options);
  const pruned = specs.map(({ name, axes, site }) => {
    const keep = important[site]!;
    const tensor = components[name]!;
    // `C` is the first axis of all of them but V, where it is the last.
    const inner = axes.startsWith("C") ? tensor.data.length / keep.length : 1;
    const data = Float32Array.from(tensor.data, (x, i) => (keep[Math.floor(i / inner) % keep.length]! ? x : 0));
    return [name, { ...tensor, data }] as const;
  });
  return { ...components, ...Object.fromEntries(pruned) };
}

type ComponentSpec = WeightSpec & { readonly site: string };

/** The tensors that hold components, with their sites, in the sizes that were given. */
function specsOf({ sites }: Network, components: NamedValues): ComponentSpec[] {
  return sites.flatMap((site) => {
    const [C, width] = components[`${site.name}.gate.W_in`]!.shape as [number, number];
    return componentWeights([site], C, width).map((spec) => ({ ...spec, site: site.name }));
  });
}

/** For each site, whether each component has importance above 0 on any example of the sample. */
async function everImportant(
  { network, weights, x, batches, key }: PruneSubject,
  specs: readonly ComponentSpec[],
  components: NamedValues,
  options: CompileOptions,
): Promise<Readonly<Record<string, readonly boolean[]>>> {
  const { importances } = cleanRun(network, weightInputs(network.weights), weightInputs(specs), x);
  const names = network.sites.map(({ name }) => name);
  const peaks = await compile(
    Object.fromEntries(names.map((name) => [name, max(importances[name]!.lower, "batch")])),
    options,
  );
  try {
    const feeds = { ...weights, ...Object.fromEntries(specs.map(({ name }) => [name, components[name]!])) };
    const found: Record<string, readonly boolean[]> = {};
    for (let i = 0; i < batches; i++) {
      const highest: NamedValues = await peaks.run(feeds, foldIn(key, i));
      for (const name of names)
        found[name] = Array.from(highest[name]!.data, (peak, c) => peak > 0 || found[name]?.[c] === true);
    }
    return found;
  } finally {
    await peaks.dispose();
  }
}
