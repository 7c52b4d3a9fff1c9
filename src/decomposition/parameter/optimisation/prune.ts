/**
 * Pruning, ours and not the papers': components that as good as never matter become 0, in the course of a run.
 *
 * Importance minimality closes the gate of a component that nothing needs, and from then on no loss but faithfulness, which only sees the
 * sum, says what its `V` and `U` are. They stay at some small noise, each harmless; but to measures that compare directions one such
 * component may look like a mechanism, and all of them together may hold a tenth of a mechanism that is masked at random, for which the live
 * ones make up in length. A component of zeros has no gradient and stays as it is. What it held falls to the remainder, and where
 * steps are left to take, the live ones learn it.
 */
import { compile, type CompileOptions, type NamedValues } from "../../../engine/index.ts";
import { type Network, weightInputs, type WeightSpec } from "../../../network/network.ts";
import { axisNames, foldIn, type Key, mean, sizeOf, type Tensor } from "../../../tensor/index.ts";
import { cleanRun } from "../losses/clean-run.ts";
import type { ImportanceFunction } from "../importance/importance.ts";
import { rowsIn } from "../masks/masked-product.ts";
import { componentWeights } from "../parameter-decomposition.ts";
import { slotsOf } from "../rank-one-decomposition.ts";

/** Over how many rows a component's mean importance is taken. */
const SAMPLE = 65_536;

/** Whose components, and how much they must matter, and on what data, to stay. */
export interface PruneSubject {
  readonly network: Network;
  readonly weights: NamedValues;
  /** Tables that the batch is drawn from. */
  readonly tables?: NamedValues;
  readonly importance: ImportanceFunction;
  /** One batch of inputs, as a program of draws. */
  readonly x: Tensor;
  /** The least mean importance that stays. */
  readonly below: number;
  readonly key: Key;
}

/**
 * Every number of a component whose mean importance lies below the bound, in what predicts its importance too, becomes 0: its importance is then
 * 0 on every input there is. Numbers of the others, and such as belong to no component, stay as they are.
 *
 * @param components subcomponents and gates by name, `<site>.V` and so on
 */
export async function prune(
  subject: PruneSubject,
  components: NamedValues,
  options: CompileOptions = {},
): Promise<NamedValues> {
  const specs = componentWeights(slotsOf(subject.network.sites, components), subject.importance);
  const importance = await meanImportances(subject, specs, components, options);
  const owned = specs.flatMap((spec) => {
    const site = subject.network.sites.find(
      (s) => spec.name.startsWith(`${s.name}.`) && axisNames(spec.axes).includes("C"),
    );
    return site === undefined ? [] : [{ ...spec, site: site.name }];
  });
  const pruned = owned.map(({ name, axes, shape, site }) => {
    // What one of two tied sites needs stays at both.
    const other = importance[subject.network.sites.find((s) => s.name === site)!.tiedTo ?? site]!;
    const keep = importance[site]!.map((m, c) => m >= subject.below || other[c]! >= subject.below);
    const tensor = components[name]!;
    const inner = sizeOf(shape.slice(axisNames(axes).indexOf("C") + 1));
    const data = Float32Array.from(tensor.data, (x, i) => (keep[Math.floor(i / inner) % keep.length]! ? x : 0));
    return [name, { ...tensor, data }] as const;
  });
  return { ...components, ...Object.fromEntries(pruned) };
}

/** For each site, each component's mean importance over the sample. */
async function meanImportances(
  { network, weights, tables, importance, x, key }: PruneSubject,
  specs: readonly WeightSpec[],
  components: NamedValues,
  options: CompileOptions,
): Promise<Readonly<Record<string, readonly number[]>>> {
  const { importances } = cleanRun(network, weightInputs(network.weights), weightInputs(specs), importance, x);
  const names = network.sites.map(({ name }) => name);
  const program = await compile(
    Object.fromEntries(names.map((name) => [name, mean(importances[name]!.lower, "batch")])),
    options,
  );
  const rows = rowsIn(network, x);
  const batches = Math.ceil(SAMPLE / (rows.example * rows.pos));
  try {
    const feeds = { ...weights, ...tables, ...Object.fromEntries(specs.map(({ name }) => [name, components[name]!])) };
    const means: Record<string, readonly number[]> = {};
    for (let i = 0; i < batches; i++) {
      const found: NamedValues = await program.run(feeds, foldIn(key, i));
      for (const name of names)
        means[name] = Array.from(found[name]!.data, (x, c) => (means[name]?.[c] ?? 0) + x / batches);
    }
    return means;
  } finally {
    await program.dispose();
  }
}
