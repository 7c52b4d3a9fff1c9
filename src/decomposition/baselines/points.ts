/** The hook points at which a baseline acts where none is asked for. */
import type { Network } from "../../network/network.ts";
import { fitsPattern } from "../../network/site-patterns.ts";
import { usualPoint } from "../dictionary/rows.ts";

const like = ({ points }: Network, pattern: string): string[] =>
  points.map(({ name }) => name).filter((name) => fitsPattern(pattern, name));

/** What every MLP's or filter layer's `W_out` reads, all of them; where there are none, the hidden units. */
export function neuronPoints(network: Network): string[] {
  const posts = like(network, "blocks.*hook_post");
  return posts.length > 0 ? posts : like(network, "hook_hidden");
}

/** What every head carries before it is written. */
export function headPoints(network: Network): string[] {
  return like(network, "blocks.*.attn.hook_z");
}

/**
 * The residual stream at each place where it has another value: before the first block, in the middle of each and after it; where there is no stream, the
 * point in the middle of the network.
 */
export function streamPoints(network: Network): string[] {
  const own = network.points
    .map(({ name }) => name)
    .filter((name) => /^blocks\.\d+\.hook_resid_(pre|mid|post)$/.test(name));
  // What comes after a block is what comes before the next.
  const posts = own.filter((name) => name.endsWith("_post"));
  const distinct = own.filter((name) => !name.endsWith("_pre") || posts.length === 0 || name === own[0]);
  return distinct.length > 0 ? distinct : [usualPoint(network).name];
}

/** The one point at which dictionaries are made, too, so that they can be compared. */
export function middlePoint(network: Network): string[] {
  return [usualPoint(network).name];
}

/** Where values are not negative, as far as the names tell: what neurons say, or a last layer that is cut off at 0. */
export function nonNegativePoints(network: Network): string[] {
  const posts = like(network, "blocks.*hook_post");
  const found = posts.length > 0 ? posts : like(network, "hook_post");
  return found.length > 0 ? found : middlePoint(network);
}
