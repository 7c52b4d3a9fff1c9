/** Which sites a pattern means: names, with `*` for any part of one. */
import { MechanistError } from "../error.ts";
import { nearest } from "../nearest.ts";

/** Whether a name fits a pattern. */
export function fitsPattern(pattern: string, name: string): boolean {
  const parts = pattern.split("*").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join(".*")}$`).test(name);
}

/**
 * The names that a pattern fits, in their order.
 *
 * @param what names the thing in an error: `site`
 * @throws `UnknownName` with the nearest names where it fits none
 */
export function namesLike(what: string, pattern: string, names: readonly string[]): string[] {
  const found = names.filter((name) => fitsPattern(pattern, name));
  if (found.length > 0) return found;
  const close = nearest(pattern.replaceAll("*", ""), names);
  const shown = names.slice(0, 8).join(", ");
  const all = names.length > 8 ? `one of ${shown}, … (8 of ${names.length})` : `one of ${shown}`;
  throw new MechanistError("UnknownName", `${what}: expected ${close ?? all}, got ${pattern}`, {
    name: pattern,
    nearest: close,
  });
}
