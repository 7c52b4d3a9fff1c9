/**
 * Addresses, the same everywhere: `blocks.1.mlp.W_in:12` is a component, `blocks.1.mlp.W_in:12@7` the same at position 7,
 * `blocks.1.mlp.W_in:remainder` what is left over at the site.
 */
import { MechanistError } from "../error.ts";

export interface Address {
  readonly site: string;
  readonly component: number | "remainder";
  readonly position?: number;
}

const GRAMMAR = /^([A-Za-z_][\w.]*):(\d+|remainder)(?:@(\d+))?$/;

/** Reads an address. */
export function parseAddress(text: string): Address {
  const match = GRAMMAR.exec(text);
  if (match === null) {
    throw new MechanistError(
      "BadArgument",
      `address: expected site:component or site:component@position, got "${text}"`,
    );
  }
  const [, site, component, position] = match;
  return {
    site: site!,
    component: component === "remainder" ? component : Number(component),
    ...(position !== undefined && { position: Number(position) }),
  };
}

/** Writes an address. */
export function formatAddress({ site, component, position }: Address): string {
  return `${site}:${component}${position === undefined ? "" : `@${position}`}`;
}
