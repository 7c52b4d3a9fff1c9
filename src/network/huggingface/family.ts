/** What a family of networks on the Hugging Face hub is: a row of a table. */
import type { TransformerConfig } from "../transformer/config.ts";

/** Where a weight comes from: a tensor of the checkpoint, and its axes as stored. */
export type Stored = readonly [
  /** The tensor's name, with `#` for the layer. */
  tensor: string,
  /**
   * Its axes in memory order, by our names; those in brackets are one axis of the file. Along `qkv` lie queries, keys and values, of which
   * each weight takes its own.
   */
  axes: string,
];

/** A family of networks. */
export interface Family {
  /** What `architectures` may say. */
  readonly architectures: readonly string[];
  /**
   * Reads a `config.json`.
   *
   * @throws `BadFile` naming the field
   */
  readonly describe: (config: Readonly<Record<string, unknown>>, where: string) => TransformerConfig;
  /** What all tensors but the unembedding begin with, unless the file holds the bare network. */
  readonly prefix: string;
  /** For each weight, with `#` for the layer, the tensor it is made of. */
  readonly weights: Readonly<Record<string, Stored>>;
  /** Tensors that are no weights: masks and frequencies that old versions stored. */
  readonly ignored: RegExp;
}
