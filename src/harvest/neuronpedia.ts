/**
 * Components as the features of Neuronpedia's exports: one JSON object a line for a feature and one for an activation, under the field
 * names of its feature JSON. `values` are importances; `pos_values` and `neg_values` are PMI in nats of output tokens with the component
 * firing, not logits.
 */

/** A component as a line of `features`. */
export interface NeuronpediaFeature {
  readonly modelId: string;
  /** The source: `<layer>-<source set>`. */
  readonly layer: string;
  readonly index: string;
  readonly maxActApprox: number;
  readonly frac_nonzero: number;
  readonly pos_str: readonly string[];
  readonly pos_values: readonly number[];
  readonly neg_str: readonly string[];
  readonly neg_values: readonly number[];
}

/** An example as a line of `activations`. */
export interface NeuronpediaActivation {
  readonly modelId: string;
  readonly layer: string;
  readonly index: string;
  readonly tokens: readonly string[];
  readonly values: readonly number[];
  readonly maxValue: number;
  readonly maxValueTokenIndex: number;
  readonly minValue: number;
  readonly dataIndex: string;
  /** Of a sample by quantile: the range of importances of its quarter, and the share of firings there. */
  readonly binMin?: number;
  readonly binMax?: number;
  readonly binContains?: number;
}

/** `blocks.1.mlp.W_in` of a decomposition as a source: layer 1, the rest its set. */
export function sourceOf(run: string, site: string): { readonly layer: string; readonly set: string } {
  const block = /^blocks\.(\d+)\.(.+)$/.exec(site);
  const set = `${run}-${block?.[2] ?? site}`.replaceAll(/[^\w.-]+/g, "_");
  return { layer: `${block?.[1] ?? 0}-${set}`, set };
}

/** Quarters of a sample, by quantile. */
const BINS = 4;

interface SampledExample {
  readonly kind: "sample" | "top";
  readonly quantile: number | null;
  readonly importance: number;
  readonly importances: readonly number[];
  readonly texts: readonly string[];
  readonly position: number;
}

/** The lines of a component's examples. */
export function activationLines(
  feature: Pick<NeuronpediaFeature, "modelId" | "layer" | "index">,
  examples: readonly SampledExample[],
): NeuronpediaActivation[] {
  const binOf = (quantile: number): number => Math.min(BINS - 1, Math.floor(quantile * BINS));
  const bins = Array.from({ length: BINS }, (_, bin) =>
    examples.filter(({ quantile }) => quantile !== null && binOf(quantile) === bin).map(({ importance }) => importance),
  );
  const { modelId, layer, index } = feature;
  return examples.map(({ quantile, importances, texts, position }) => {
    const maxValue = Math.max(...importances);
    const members = quantile === null ? undefined : bins[binOf(quantile)]!;
    return {
      modelId,
      layer,
      index,
      tokens: texts,
      values: importances,
      maxValue,
      maxValueTokenIndex: importances.indexOf(maxValue),
      minValue: Math.min(...importances),
      dataIndex: String(position),
      ...(members && { binMin: Math.min(...members), binMax: Math.max(...members), binContains: 1 / BINS }),
    };
  });
}
