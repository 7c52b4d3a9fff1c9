/** Settings as people give them, `key=value`, made into settings as a schema has them. */
import type { z } from "zod";
import { MechanistError } from "./error.ts";
import { nearest } from "./nearest.ts";

/** A named starting point. */
export interface Preset {
  readonly summary: string;
  /** Where the settings come from: a paper, or this project. */
  readonly source: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** A schema of flat settings. */
export type SettingsSchema = z.ZodObject<Record<string, z.ZodType>>;

/** Looks a name up, or says which valid one is nearest. */
export function named<T>(what: string, name: string, table: Readonly<Record<string, T>>): T {
  if (Object.hasOwn(table, name)) return table[name]!;
  const close = nearest(name, Object.keys(table));
  const hint = close === undefined ? `one of ${Object.keys(table).join(", ")}` : `${close}`;
  throw new MechanistError("UnknownName", `${what}: expected ${hint}, got ${name}`, { name, nearest: close });
}

/**
 * Settings checked against a schema, with its defaults filled in.
 *
 * @param where names the settings in an error, `tms` for instance
 * @param given later ones win; values may be text, as the command line has them
 */
export function settingsFrom<S extends SettingsSchema>(
  where: string,
  schema: S,
  ...given: readonly Readonly<Record<string, unknown>>[]
): z.infer<S> {
  const merged: Record<string, unknown> = {};
  for (const part of given) {
    for (const [key, value] of Object.entries(part)) {
      const field = named(`${where} settings`, key, schema.shape);
      merged[key] = typeof value === "string" ? fromText(field, value) : value;
    }
  }
  const result = schema.safeParse(merged);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const key = issue.path.join(".");
  if (issue.code === "invalid_value") {
    const choices = Object.fromEntries(issue.values.map((choice) => [String(choice), choice]));
    named(`${where} ${key}`, String(merged[key]), choices);
  }
  throw new MechanistError(
    "BadArgument",
    `${where} ${key}: ${sentence(issue.message)}, got ${JSON.stringify(merged[key])}`,
    {
      key,
      value: merged[key],
    },
  );
}

/** Text read as a number or a truth value where the field takes one; otherwise left as it is for the schema to judge. */
function fromText(field: z.ZodType, text: string): unknown {
  if (field.safeParse(text).success) return text;
  if (text === "true" || text === "false") return text === "true";
  return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

/** Zod's "Too small: expected number to be >0" and "expected number, received string" in the form our errors have. */
function sentence(message: string): string {
  const text = message
    .replace(/^(Too small|Too big|Invalid input|Invalid option): /, "")
    .replace(/, received \w+$/, "");
  return text.charAt(0).toLowerCase() + text.slice(1);
}
