/**
 * Networks from the Hugging Face hub, or a mirror of it, into the cache: configuration, tokenizer and safetensors. Never a pickle.
 *
 * Listings are the hub library's. Files are fetched here, because its streams neither go on where they broke off nor tell a status.
 */
import { mkdir, statfs } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { MechanistError } from "../error.ts";
import { diskFailure, writeAtomic } from "./node-atomic.ts";
import {
  cacheFolder,
  COMMIT,
  type HubId,
  modelFolder,
  parseHubId,
  PULLED,
  type Pulled,
  pulledCommit,
  readPulled,
  refFile,
} from "./node-cache.ts";
import { bytesHere, download, type Expected, type Fetching, patiently, TryAgain } from "./node-download.ts";

export interface PullOptions {
  /** Where to keep it; without it, `cacheFolder()`. */
  readonly cache?: string;
  /** The hub or a mirror; without it, `HF_ENDPOINT` or the hub. */
  readonly endpoint?: string | undefined;
  /** For gated and private networks; without it, `HF_TOKEN`. */
  readonly token?: string | undefined;
  readonly signal?: AbortSignal;
  /** Milliseconds to wait before each further try. */
  readonly waits?: readonly number[];
  /** How many bytes of all files are here. */
  readonly onProgress?: (file: string, bytes: number, total: number) => void;
  /** Something the user should know. */
  readonly onNote?: (note: string) => void;
}

/** A network that is in the cache. */
export interface PulledNetwork extends Pulled {
  /** Its folder. */
  readonly path: string;
}

const WAITS = [500, 1000, 2000, 4000];

/** Configuration and text of the tokenizer. */
const TEXT =
  /^(config\.json|tokenizer[\w.-]*\.json|special_tokens_map\.json|added_tokens\.json|vocab\.(json|txt)|merges\.txt)$/;
const WEIGHTS = /\.safetensors(\.index\.json)?$/;
/** The names under which `transformers` finds weights; other copies of the same beside them are left. */
const STANDARD_WEIGHTS = /^model(-\d+-of-\d+)?\.safetensors(\.index\.json)?$/;
const PICKLES = /\.(bin|pt|pth|ckpt|pkl|msgpack|h5)$/;

const entrySchema = z.object({
  type: z.string(),
  path: z.string(),
  size: z.number().int().nonnegative(),
  oid: z.string(),
  lfs: z.object({ oid: z.string(), size: z.number().int().nonnegative() }).optional(),
});
type Entry = z.infer<typeof entrySchema>;

/**
 * Pulls a network. What is here already is not fetched again.
 *
 * @param name `org/name` or `org/name@revision`
 * @throws `BadArgument`, `UnknownName`, `Refused`, `Unavailable`, `BadFile`, `DiskFailure`, `Cancelled`
 */
export async function pull(name: string, options: PullOptions = {}): Promise<PulledNetwork> {
  const hubId = parseHubId(name);
  if (hubId === undefined) {
    throw new MechanistError(
      "BadArgument",
      `pull: expected org/name or org/name@revision, got ${JSON.stringify(name)}`,
    );
  }
  const { cache = cacheFolder() } = options;
  const before = await pulledCommit(cache, hubId);
  if (COMMIT.test(hubId.revision)) {
    const here = await fromCache(cache, hubId.id, hubId.revision);
    if (here !== undefined) return here;
  }
  const hub = await hubAt(hubId, options);
  let commit: string;
  try {
    commit = await hub.commit();
  } catch (error) {
    const here = before === undefined ? undefined : await fromCache(cache, hubId.id, before);
    if (here === undefined || !(error instanceof MechanistError) || error.code !== "Unavailable") throw error;
    options.onNote?.(`${hub.endpoint} does not answer; this is what ${name} was when it was last pulled`);
    return here;
  }
  const here = (await fromCache(cache, hubId.id, commit)) ?? (await fetchCommit(hub, cache, hubId, commit, options));
  const ref = refFile(cache, hubId);
  if (!COMMIT.test(hubId.revision)) await makeFolder(join(ref, "..")).then(() => writeAtomic(ref, `${commit}\n`));
  return here;
}

async function fromCache(cache: string, id: string, commit: string): Promise<PulledNetwork | undefined> {
  const path = join(modelFolder(cache, id), commit);
  const pulled = await readPulled(path);
  return pulled && { ...pulled, path };
}

async function fetchCommit(
  hub: Hub,
  cache: string,
  { id }: HubId,
  commit: string,
  options: PullOptions,
): Promise<PulledNetwork> {
  const entries = wanted(id, await hub.list(commit));
  const path = join(modelFolder(cache, id), commit);
  await makeFolder(path);
  const total = entries.reduce((sum, entry) => sum + entry.size, 0);
  await expectSpace(path, entries);
  const files: Pulled["files"] = [];
  let done = 0;
  for (const entry of entries) {
    const before = done;
    const url = hub.url(commit, entry.path);
    const sha256 = await download(url, join(path, entry.path), expectedOf(entry), hub.fetching, (bytes) =>
      options.onProgress?.(entry.path, before + bytes, total),
    );
    files.push({ name: entry.path, bytes: entry.size, sha256 });
    done += entry.size;
  }
  const pulled: Pulled = { schema: 1, id, revision: commit, files };
  await writeAtomic(join(path, PULLED), `${JSON.stringify(pulled, null, 2)}\n`);
  return { ...pulled, path };
}

/** The files to fetch, by name: small ones first. */
function wanted(id: string, entries: readonly Entry[]): readonly Entry[] {
  // What is in folders is no part of a network that `transformers` would load.
  const files = entries.filter(({ type, path }) => type === "file" && /^[\w.-]+$/.test(path) && !path.startsWith("."));
  const standard = files.some(({ path }) => STANDARD_WEIGHTS.test(path));
  const weights = files.filter(({ path }) => (standard ? STANDARD_WEIGHTS : WEIGHTS).test(path));
  if (!weights.some(({ path }) => path.endsWith(".safetensors"))) {
    const pickle = files.find(({ path }) => PICKLES.test(path))?.path;
    const got =
      pickle === undefined
        ? "none"
        : `only ${pickle}, which can execute code and is never loaded; save it again with safe_serialization=True`;
    throw new MechanistError("BadFile", `${id}: expected weights as safetensors, got ${got}`);
  }
  return [...files.filter(({ path }) => TEXT.test(path)), ...weights].sort((a, b) => a.size - b.size);
}

function expectedOf({ size, oid, lfs }: Entry): Expected {
  return { bytes: size, checksum: lfs === undefined ? { kind: "git", hex: oid } : { kind: "sha256", hex: lfs.oid } };
}

interface Hub {
  readonly endpoint: string;
  readonly fetching: Fetching;
  commit(): Promise<string>;
  list(commit: string): Promise<readonly Entry[]>;
  url(commit: string, file: string): string;
}

async function hubAt({ id, revision }: HubId, options: PullOptions): Promise<Hub> {
  const { HUB_URL, listFiles, modelInfo } = await import("@huggingface/hub");
  const endpoint = endpointFrom(options.endpoint ?? process.env.HF_ENDPOINT) ?? HUB_URL;
  const token = tokenFrom(options.token ?? process.env.HF_TOKEN);
  const { signal, waits = WAITS } = options;
  const once = async (url: string, headers: Readonly<Record<string, string>>): Promise<Response> => {
    // The token is for the hub alone; a mirror's listing may point elsewhere.
    const trusted = token !== undefined && new URL(url).origin === new URL(endpoint).origin;
    const init = {
      headers: { ...headers, ...(trusted && { Authorization: `Bearer ${token}` }) },
      ...(signal && { signal }),
    };
    const answer = await fetch(url, init).catch((cause: unknown) => {
      throw new TryAgain(reasonOf(cause), { cause });
    });
    if (answer.status < 400) return answer;
    await answer.body?.cancel();
    if (answer.status >= 500 || answer.status === 429) throw new TryAgain(`status ${answer.status}`);
    throw refusal(answer, `${id}@${revision}`, endpoint, token !== undefined);
  };
  const fetching: Fetching = { fetch: once, waits, signal };
  // How the hub's library asks.
  const ask: typeof fetch = (input, init) =>
    patiently(endpoint, fetching, () => once(String(input), Object.fromEntries(new Headers(init?.headers))));
  return {
    endpoint,
    fetching,
    async commit() {
      const info = modelInfo({ name: id, revision, hubUrl: endpoint, fetch: ask, additionalFields: ["sha"] });
      const { sha } = await understood(endpoint, () => info);
      if (COMMIT.test(sha)) return sha;
      throw new MechanistError(
        "Unavailable",
        `${endpoint}: expected the commit of ${id}@${revision}, got ${JSON.stringify(sha)}`,
      );
    },
    list: (commit) =>
      understood(endpoint, async () => {
        const entries: Entry[] = [];
        for await (const entry of listFiles({
          repo: { type: "model", name: id },
          revision: commit,
          hubUrl: endpoint,
          fetch: ask,
        })) {
          entries.push(entrySchema.parse(entry));
        }
        return entries;
      }),
    url: (commit, file) => `${endpoint}/${id}/resolve/${commit}/${encodeURIComponent(file)}`,
  };
}

/** What a server says that is not in the hub's language is no fault of ours. */
async function understood<T>(endpoint: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    if (cause instanceof MechanistError) throw cause;
    throw new MechanistError(
      "Unavailable",
      `${endpoint}: expected an answer as the hub gives, got something else`,
      {},
      { cause },
    );
  }
}

function refusal({ status, headers }: Response, name: string, endpoint: string, token: boolean): MechanistError {
  const details = { status };
  if (status === 401 || status === 403) {
    const what = token
      ? "the account of HF_TOKEN may not read it: accept its terms on its page, or use another token"
      : "it is gated, private or not there: set HF_TOKEN to a token of an account that may read it";
    return new MechanistError("Refused", `${name}: expected leave to read it, got ${status}: ${what}`, details);
  }
  if (status === 404) {
    const missing = headers.get("X-Error-Code") === "RevisionNotFound" ? "that revision" : "that network";
    return new MechanistError("UnknownName", `${name}: expected ${missing} on ${endpoint}, got none`, details);
  }
  return new MechanistError("Unavailable", `${name}: expected an answer from ${endpoint}, got ${status}`, details);
}

/** `fetch failed` says nothing; what caused it does. */
function reasonOf(cause: unknown): string {
  const { code, message } = ((cause as Error).cause ?? cause) as NodeJS.ErrnoException;
  return code ?? message ?? "a failed connection";
}

function endpointFrom(text: string | undefined): string | undefined {
  if (!text) return undefined;
  if (!URL.canParse(text) || !/^https?:\/\//.test(text)) {
    throw new MechanistError("BadArgument", `HF_ENDPOINT: expected an address with http or https, got ${text}`);
  }
  return text.replace(/\/+$/, "");
}

function tokenFrom(text: string | undefined): string | undefined {
  if (!text) return undefined;
  if (!/^[!-~]+$/.test(text))
    throw new MechanistError("BadArgument", "HF_TOKEN: expected a token, got other characters");
  return text;
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((cause: unknown) => {
    throw diskFailure(path, cause);
  });
}

/** Tells before the first byte what would be told after hours. */
async function expectSpace(path: string, entries: readonly Entry[]): Promise<void> {
  let missing = 0;
  for (const entry of entries) missing += entry.size - (await bytesHere(join(path, entry.path)));
  const { bavail, bsize } = await statfs(path);
  const free = bavail * bsize;
  if (free >= missing) return;
  throw new MechanistError("DiskFailure", `${path}: expected ${missing} bytes of free disk, got ${free}`, {
    expected: missing,
    got: free,
  });
}
