/**
 * Lists of component addresses, short enough for a URL: runs of neighbours are written as a range,
 * `linear1:0-3,linear1:7,linear2:remainder`.
 */
import { formatAddress, parseAddress } from "../../decomposition/address.ts";

/** A range longer than this is not a list of components but a mistake or a joke. */
const LONGEST_RANGE = 100_000;

/** Reads a list. Parts that are not addresses are left out; the rest is in order and without repeats. */
export function parseAddresses(text: string): string[] {
  return inOrder(text.split(",").flatMap(expand));
}

/** Writes a list. */
export function formatAddresses(addresses: readonly string[]): string {
  const parts: string[] = [];
  let last: { site: string; from: number; to: number } | undefined;
  const flush = (): void => {
    if (last) parts.push(last.from === last.to ? `${last.site}:${last.from}` : `${last.site}:${last.from}-${last.to}`);
    last = undefined;
  };
  for (const address of inOrder(addresses)) {
    const { site, component } = parseAddress(address);
    if (component === "remainder") {
      flush();
      parts.push(address);
    } else if (last && last.site === site && component === last.to + 1) {
      last.to = component;
    } else {
      flush();
      last = { site, from: component, to: component };
    }
  }
  flush();
  return parts.join(",");
}

/** Sorted by site, then by number, the remainder last; each once. */
export function inOrder(addresses: readonly string[]): string[] {
  const rank = (component: number | "remainder"): number => (component === "remainder" ? Infinity : component);
  return [...new Set(addresses)].sort((a, b) => {
    const [x, y] = [parseAddress(a), parseAddress(b)];
    if (x.site !== y.site) return x.site < y.site ? -1 : 1;
    return x.component === y.component ? 0 : rank(x.component) - rank(y.component);
  });
}

function expand(part: string): string[] {
  const match = /^([A-Za-z_][\w.]*):(?:(remainder)|(\d{1,9})(?:-(\d{1,9}))?)$/.exec(part);
  if (match === null) return [];
  const [, site, remainder, from, to] = match;
  if (remainder !== undefined) return [formatAddress({ site: site!, component: "remainder" })];
  const [low, high] = [Number(from), Number(to ?? from)];
  if (high < low || high - low > LONGEST_RANGE) return [];
  return Array.from({ length: high - low + 1 }, (_, i) => formatAddress({ site: site!, component: low + i }));
}
