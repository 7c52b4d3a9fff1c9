/** Decompositions of known value made by hand: dictionaries whose weights are written down instead of trained, on features of known directions. */
import { ActivationDecomposition, type Coder } from "../../decomposition/activation/index.ts";
import { dictionaryCoder } from "../../decomposition/dictionary/coder.ts";
import { dictionaryWeights, type DictionaryShape } from "../../decomposition/dictionary/dictionary.ts";
import { type NamedValues, values } from "../../engine/index.ts";
import { superposition } from "../../network/superposition.ts";
import { abs, constant, einsum, reshape, sizesOf, sum, type Tensor } from "../../tensor/index.ts";
import type { KnownMechanisms } from "../../training/known-mechanisms.ts";
import { resolveTarget } from "../../training/targets.ts";
import { superpositionTarget } from "../../training/targets/superposition.ts";
import { type AnomalyData } from "./place.ts";

/** Features of known directions: a network that is nothing but them, its data, and what is known. */
export interface FeatureToy {
  readonly weights: NamedValues;
  readonly data: AnomalyData;
  readonly known: KnownMechanisms;
  /** Unit directions, `feature d`. */
  readonly F: readonly (readonly number[])[];
  readonly dictionary: (dictionary: HandMade) => ActivationDecomposition;
  readonly coded: (coder: Coder) => ActivationDecomposition;
}

/** A dictionary: for each latent what it reads, from where on, and what it writes. */
export interface HandMade {
  readonly latents: readonly {
    readonly reads: readonly number[];
    readonly bias?: number;
    readonly writes: readonly number[];
  }[];
  readonly bias?: readonly number[];
}

/** @param set settings of the target `superposition` */
export async function featureToy(set: Readonly<Record<string, unknown>>): Promise<FeatureToy> {
  const document = resolveTarget("superposition", { set });
  const { weights } = await superpositionTarget.train(document.settings);
  const { features, dimensions: d } = document.settings as unknown as { features: number; dimensions: number };
  const network = superposition({ features, dimensions: d });
  const all = weights.F!.data;
  return {
    weights,
    data: { batch: (size) => superpositionTarget.batch("data", document.settings, size) },
    known: superpositionTarget.known!(document.settings)!,
    F: Array.from({ length: features }, (_, j) => Array.from(all.slice(j * d, (j + 1) * d))),
    dictionary: ({ latents, bias }) => {
      const C = latents.length;
      const shape: DictionaryShape = { site: "hook_hidden", code: "relu", dIn: d, dOut: d, C };
      const numbers: Record<string, number[]> = {
        W_enc: Array.from({ length: d * C }, (_, i) => latents[i % C]!.reads[Math.floor(i / C)]!),
        b_enc: latents.map((latent) => latent.bias ?? 0),
        W_dec: latents.flatMap(({ writes }) => [...writes]),
        b_dec: [...(bias ?? Array.from({ length: d }, () => 0))],
      };
      const specs = dictionaryWeights(shape);
      const components = Object.fromEntries(
        specs.map((spec) => [spec.name, values(spec.axes, spec.shape, numbers[spec.name.split(".").at(-1)!]!)]),
      );
      const coder = dictionaryCoder({ shape, reads: "hook_hidden", writes: "hook_hidden" });
      return new ActivationDecomposition(network, weights, [coder], specs, components);
    },
    coded: (coder) => new ActivationDecomposition(network, weights, [coder]),
  };
}

/** A sum of vectors with factors. */
export function mix(...parts: readonly (readonly [factor: number, vector: readonly number[]])[]): number[] {
  return parts[0]![1].map((_, k) => parts.reduce((total, [factor, vector]) => total + factor * vector[k]!, 0));
}

/** Latents that read a direction and write the same. */
export const along = (directions: readonly (readonly number[])[]): HandMade => ({
  latents: directions.map((u) => ({ reads: u, writes: u })),
});

/** A vector at length 1. */
export const unit = (v: readonly number[]): number[] => v.map((x) => x / Math.hypot(...v));

/**
 * Components that act with both signs, as principal components do: each carries what its direction reads.
 *
 * @param carried what else is done to what they carry, `C batch`
 */
export function signedCoder(
  directions: readonly (readonly number[])[],
  carried: (z: Tensor<"C batch">) => Tensor<"C batch"> = (z) => z,
): Coder {
  const [C, d] = [directions.length, directions[0]!.length];
  const matrix = (axis: string): Tensor => constant(`C ${axis}`, { C, [axis]: d }, directions.flat());
  const flat = (z: Tensor<"C m batch">): Tensor<"C batch"> => sum(z, "m") as Tensor<"C batch">;
  return {
    site: { name: "hook_hidden", dIn: d, dOut: d },
    reads: ["hook_hidden"],
    writes: ["hook_hidden"],
    count: C,
    rank: 1,
    bits: 32 * d,
    encode: (_, { hook_hidden }) => {
      const z = einsum("batch d_in, C d_in -> C batch", hook_hidden!, matrix("d_in") as Tensor<"C d_in">);
      return reshape(carried(z), "C m batch", { ...sizesOf(z), m: 1 });
    },
    decode: (_, z) => einsum("C batch, C d_out -> batch d_out", flat(z), matrix("d_out") as Tensor<"C d_out">),
    // Directions are unit vectors.
    magnitudes: (_, z) => abs(flat(z)),
  };
}
