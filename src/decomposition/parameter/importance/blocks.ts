/** Work on a site's components some at a time, for the sake of the processor's cache. */
import { concat, type Tensor } from "../../../tensor/index.ts";

/**
 * At most this many numbers in the hidden layer of gates at once: two megabytes, which stay in a processor's cache through the dozen
 * operations that work on it. Blocks of components are independent, so this changes no number.
 */
const BLOCK = 524_288;

/**
 * What `f` makes of components `start` (counted) to `end` (not counted), put together.
 *
 * @param C    how many components there are
 * @param each how many numbers the largest intermediate result has for one
 */
export function inBlocks(
  C: number,
  each: number,
  f: (start: number, end: number) => Tensor<"C batch">,
): Tensor<"C batch"> {
  const perBlock = Math.max(1, Math.floor(BLOCK / each));
  const blocks = Array.from({ length: Math.ceil(C / perBlock) }, (_, i) =>
    f(i * perBlock, Math.min(C, (i + 1) * perBlock)),
  );
  return concat(blocks, "C");
}
