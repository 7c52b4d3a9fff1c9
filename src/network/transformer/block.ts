/** What the parts of a transformer block have in common while a network is traced. */
import type { Tensor, Tensors } from "../../tensor/index.ts";
import type { Hooks } from "../network.ts";
import type { TransformerConfig } from "./config.ts";

export interface Block {
  readonly config: TransformerConfig;
  readonly layer: number;
  /** `blocks.0`. */
  readonly name: string;
  readonly weights: Tensors;
  readonly hooks: Hooks;
  /** Each token's position, `pos` or `batch pos`. */
  readonly ids: Tensor;
  /** Position vectors that only queries and keys are made of. */
  readonly shortform: Tensor | undefined;
  readonly padding: Tensor<"batch"> | undefined;
  /**
   * An activation times one of the block's matrices, which an onlooker may replace.
   *
   * @param site       without the block's name: `mlp.W_in`
   * @param activation what the matrix reads, `batch pos …`
   * @returns          what it writes, `batch pos …`, under the axes of the weight
   */
  product(site: string, activation: Tensor): Tensor;
}
