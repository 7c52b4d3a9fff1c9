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
      `address: expected site:component or site:component@position, got ${JSON.stringify(text.slice(0, 80))}`,
    );
  }
  const [, site, component, position] = match;
  return {
    site: site!,
    component: component === "remainder" ? component : index(text, component!),
    ...(position !== undefined && { position: index(text, position) }),
  };
}

/** Numbers beyond those that are exact would name another component than was written. */
function index(text: string, digits: string): number {
  const value = Number(digits);
  if (Number.isSafeInteger(value)) return value;
  const [expected, got] = [Number.MAX_SAFE_INTEGER, digits.slice(0, 40)];
  throw new MechanistError(
    "BadArgument",
    `address: expected numbers up to ${expected}, got ${got} in ${JSON.stringify(text.slice(0, 80))}`,
  );
}

/** Writes an address. */
export function formatAddress({ site, component, position }: Address): string {
  return `${site}:${component}${position === undefined ? "" : `@${position}`}`;
}
