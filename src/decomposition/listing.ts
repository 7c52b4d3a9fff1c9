/** Components and remainders as lists: their addresses, and what they cost to write down. */
import type { Site } from "../network/network.ts";
import { formatAddress } from "./address.ts";
import type { ComponentInfo } from "./decomposition.ts";

/** What a number costs to write down, in bits. */
const BITS = 32;

/** So many components of a site, all of one rank and one price. */
export function componentsAt(site: Site, count: number, each: Pick<ComponentInfo, "rank" | "bits">): ComponentInfo[] {
  return Array.from({ length: count }, (_, component) => ({
    address: formatAddress({ site: site.name, component }),
    site: site.name,
    rank: each.rank,
    bits: each.bits,
  }));
}

/** What is left over of a site's matrix: a matrix. */
export function matrixRemainder({ name, dIn, dOut }: Site): ComponentInfo {
  return {
    address: formatAddress({ site: name, component: "remainder" }),
    site: name,
    rank: Math.min(dIn, dOut),
    bits: BITS * dIn * dOut,
  };
}
