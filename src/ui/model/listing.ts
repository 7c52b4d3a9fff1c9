/** Which components of a site are listed before the reader asks for all. */
import type { SiteParts } from "./laboratory.ts";

/** Few enough to look at, enough to see the first dead ones. */
const FEWEST = 20;
const MOST = 60;
const DEAD_SHOWN = 8;

/** The first ones of the site's order: all that are alive and a few of the dead, or everything. */
export function listed({ order, components, name }: SiteParts, all: readonly string[]): readonly number[] {
  if (all.includes(name)) return order;
  const alive = components.filter((component) => component.alive).length;
  return order.slice(0, Math.min(MOST, Math.max(FEWEST, alive + DEAD_SHOWN)));
}
