/**
 * Long texts among a run's settings, the text that a language model is trained on for instance. Each is a file of its own in the run's
 * folder, named for its content; in the document stands its digest, so that `run.json` stays small and still says everything.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { MechanistError } from "../error.ts";
import { writeAtomic } from "../file/node-atomic.ts";

/** The folder of a run's texts. */
export const TEXTS = "texts";

/** Characters that a text may have and stay in the document. */
const SHORT = 2000;
const STANDS_FOR = /^sha256:([0-9a-f]{64})$/;

/** A document as `run.json` has it, with the long texts that its digests stand for. */
export function withoutTexts<D>(document: D): { readonly document: D; readonly texts: ReadonlyMap<string, string> } {
  const texts = new Map<string, string>();
  const stored = mapped(document, (text) => {
    // What looks like a digest is kept as a text, too: a digest in a document always stands for a text.
    if (text.length <= SHORT && !STANDS_FOR.test(text)) return text;
    const digest = sha256(text);
    texts.set(digest, text);
    return `sha256:${digest}`;
  });
  return { document: stored, texts };
}

/** Writes texts into a run's folder. */
export async function writeTexts(folder: string, texts: ReadonlyMap<string, string>): Promise<void> {
  if (texts.size > 0) await mkdir(join(folder, TEXTS), { recursive: true });
  for (const [digest, text] of texts) await writeAtomic(pathOf(folder, digest), text);
}

/**
 * A document of `run.json` with its texts, from the run's folder.
 *
 * @throws `MissingFile` where one is gone; `BadFile` where it has changed
 */
export async function withTexts<D>(document: D, folder: string): Promise<D> {
  const found = new Map<string, string>();
  for (const text of stringsOf(document)) {
    const [, digest] = STANDS_FOR.exec(text) ?? [];
    if (digest !== undefined) found.set(text, await readText(folder, digest));
  }
  return mapped(document, (text) => found.get(text) ?? text);
}

async function readText(folder: string, digest: string): Promise<string> {
  const path = pathOf(folder, digest);
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new MechanistError("MissingFile", `${path}: expected a text of the run, got none`, {}, { cause });
  });
  const got = sha256(text);
  if (got !== digest)
    throw new MechanistError("BadFile", `${path}: expected the text with sha256 ${digest}, got ${got}`);
  return text;
}

const pathOf = (folder: string, digest: string): string => join(folder, TEXTS, `${digest}.txt`);
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function mapped<D>(value: D, of: (text: string) => string): D {
  if (typeof value === "string") return of(value) as D;
  if (Array.isArray(value)) return value.map((part: unknown) => mapped(part, of)) as D;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, mapped(part as unknown, of)])) as D;
}

function stringsOf(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(stringsOf) : [];
}
