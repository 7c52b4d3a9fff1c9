/** A document's fingerprint: two documents have the same one exactly when they ask for the same. */
import { createHash } from "node:crypto";
import type { NamedValues } from "../engine/values.ts";

/** JSON with the keys of every object in order of their UTF-16 code units, and no spaces. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** sha256 of a document's canonical JSON, in hexadecimal. */
export function digestOf(document: unknown): string {
  return createHash("sha256").update(canonicalJson(document)).digest("hex");
}

/** sha256 of tensors by their names, shapes and numbers, whatever their order. */
export function digestOfTensors(tensors: NamedValues): string {
  const hash = createHash("sha256");
  for (const name of Object.keys(tensors).sort()) {
    const { shape, data } = tensors[name]!;
    hash.update(`${name} ${shape.join("x")}\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}
