/**
 * Where pulled networks lie:
 *
 *     <cache>/models/<org>--<name>/<commit>/config.json, model.safetensors, …, pulled.json
 *     <cache>/models/<org>--<name>/refs/<revision>      the commit that the revision was when it was last pulled
 *
 * `pulled.json` is written last: a commit's folder that has it is whole. `docs/formats.md` says the same to users.
 */
import { readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { MechanistError } from "../error.ts";
import { parseJson } from "./json.ts";

/** A network on the hub: `org/name@revision`. */
export interface HubId {
  readonly id: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
}

/** The name of the file that says what was pulled. */
export const PULLED = "pulled.json";

const pulledSchema = z.object({
  schema: z.literal(1),
  id: z.string(),
  /** The commit, 40 hexadecimal digits. */
  revision: z.string(),
  files: z.array(z.object({ name: z.string(), bytes: z.number(), sha256: z.string() })),
});

/** What was pulled, as `pulled.json` has it. */
export type Pulled = z.infer<typeof pulledSchema>;

export const COMMIT = /^[0-9a-f]{40}$/;
const NAME = /^[A-Za-z0-9](?:[\w.-]*\w)?$/;
const MAIN = "main";

/** Reads `org/name`, `org/name@revision` or the bare `name` that a few old networks have; absent for what is none of these. */
export function parseHubId(text: string): HubId | undefined {
  const [id = "", ...rest] = text.split("@");
  const revision = rest.length === 0 ? MAIN : rest.join("@");
  const parts = id.split("/");
  const named = parts.length <= 2 && parts.every((part) => NAME.test(part) && !/--|\.\./.test(part));
  return named && /^[\w./-]{1,200}$/.test(revision) ? { id, revision } : undefined;
}

/** The cache: `MECHANIST_CACHE`, or `mechanist` where this system keeps caches. */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const { MECHANIST_CACHE: own, XDG_CACHE_HOME: shared } = environment;
  if (own) return resolve(own);
  return join(shared ? resolve(shared) : join(homedir(), ".cache"), "mechanist");
}

/** The folder of all that was pulled of a network. */
export function modelFolder(cache: string, id: string): string {
  return join(cache, "models", id.replace("/", "--"));
}

/** The file that says which commit a branch or tag was. */
export function refFile(cache: string, { id, revision }: HubId): string {
  return join(modelFolder(cache, id), "refs", encodeURIComponent(revision));
}

/** What was pulled into a commit's folder; absent where that was not finished, or a file has gone since. */
export async function readPulled(folder: string): Promise<Pulled | undefined> {
  const path = join(folder, PULLED);
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes === undefined) return undefined;
  const read = pulledSchema.safeParse(parseJson(bytes, path));
  if (!read.success) throw new MechanistError("BadFile", `${path}: expected what was pulled, got something else`);
  for (const { name, bytes: expected } of read.data.files) {
    const size = (await stat(join(folder, name)).catch(() => undefined))?.size;
    if (size !== expected) return undefined;
  }
  return read.data;
}

/** The commit that a revision was when it was last pulled. */
export async function pulledCommit(cache: string, hubId: HubId): Promise<string | undefined> {
  if (COMMIT.test(hubId.revision)) return hubId.revision;
  const commit = await readFile(refFile(cache, hubId), "utf8").catch(() => "");
  return COMMIT.test(commit.trim()) ? commit.trim() : undefined;
}

/**
 * The folder of a network: a path to one, or one that was pulled, by its id. A path that exists goes before an id that reads the same.
 *
 * @throws `MissingFile` where there is neither
 */
export async function resolveNetworkFolder(idOrPath: string, cache: string = cacheFolder()): Promise<string> {
  const there = await stat(idOrPath).catch(() => undefined);
  if (there?.isDirectory()) return resolve(idOrPath);
  if (there !== undefined) throw new MechanistError("BadFile", `${idOrPath}: expected a folder, got a file`);
  const hubId = parseHubId(idOrPath);
  if (hubId === undefined) throw new MechanistError("MissingFile", `${idOrPath}: expected a folder, got none`);
  const commit = await pulledCommit(cache, hubId);
  const folder = commit === undefined ? undefined : join(modelFolder(cache, hubId.id), commit);
  if (folder !== undefined && (await readPulled(folder)) !== undefined) return folder;
  throw new MechanistError(
    "MissingFile",
    `${idOrPath}: expected a folder or a pulled network, not pulled yet: mechanist pull ${idOrPath}`,
  );
}
