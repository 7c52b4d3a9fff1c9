/** The cross-entropy of a language model on the text that it reads. */
import { axisSize, cast, crossEntropy, div, equal, mul, not, slice, sum, type Tensor } from "../tensor/index.ts";

/** A network whose output at a position is about the token after it. */
export interface LanguageModel {
  /** The token that fills rows up; what is said of it does not count. */
  readonly padding?: number;
}

/**
 * The mean cross-entropy of each token after the first, from the output at the position before, in nats.
 *
 * @param logits `batch pos vocab`
 * @param tokens `batch pos`, what the network read: the last position's output is about a token that is not there
 */
export function nextTokenLoss(logits: Tensor, tokens: Tensor, axis: string, { padding }: LanguageModel): Tensor<""> {
  const pos = axisSize(tokens, "pos");
  const next = slice(tokens, "pos", 1, pos) as Tensor;
  const losses = crossEntropy(slice(logits, "pos", 0, pos - 1) as Tensor, next, axis) as Tensor;
  const isPadding = padding === undefined ? -1 : padding;
  const counts = cast(not(equal(cast(next, "f32"), isPadding)), "f32") as Tensor;
  return div(sum(mul(losses, counts)), sum(counts)) as Tensor<"">;
}
