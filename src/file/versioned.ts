/** JSON documents of ours that say which version of their schema they are. */
import type { z } from "zod";
import { MechanistError } from "../error.ts";

/**
 * Reads a document.
 *
 * @param where  names the file in an error
 * @param newest the newest version that is known here
 * @throws `BadFile` when it is not one; `NewerSchema` when a newer Mechanist wrote it
 */
export function readVersioned<S extends z.ZodType>(text: string, where: string, schema: S, newest: number): z.infer<S> {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw new MechanistError("BadFile", `${where}: expected JSON, got something half-written`, {}, { cause });
  }
  const version = (content as { schema?: unknown } | null)?.schema;
  if (typeof version === "number" && version > newest) {
    throw new MechanistError(
      "NewerSchema",
      `${where}: expected schema ${newest}, got ${version}; it needs a newer version of Mechanist`,
      { expected: newest, got: version },
    );
  }
  const result = schema.safeParse(content);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new MechanistError("BadFile", `${where}: ${issue.path.join(".") || "content"}: ${issue.message.toLowerCase()}`);
}
