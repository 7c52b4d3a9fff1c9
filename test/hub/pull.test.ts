import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { values } from "../../src/engine/values.ts";
import { cacheFolder, parseHubId, resolveNetworkFolder } from "../../src/file/node-cache.ts";
import { type PulledNetwork, pull, type PullOptions } from "../../src/file/node-hub.ts";
import { folderSource } from "../../src/file/node-bytes.ts";
import { openWeights } from "../../src/file/open-safetensors.ts";
import { writeSafetensors } from "../../src/file/safetensors.ts";
import { COMMIT, type Faults, type HubFile, hubServer, type HubServer } from "./server.ts";

const ID = "tiny/network";
const text = (content: string): HubFile => ({ content: new TextEncoder().encode(content) });
const WEIGHTS = writeSafetensors({
  W: values(
    "row col",
    [300, 300],
    Array.from({ length: 90_000 }, (_, i) => i),
  ),
});
const FILES: Readonly<Record<string, HubFile>> = {
  ".gitattributes": text("*.safetensors lfs"),
  "README.md": text("# tiny"),
  "config.json": text('{"model_type":"gpt2"}'),
  "generation_config.json": text("{}"),
  "tokenizer.json": text('{"model":{}}'),
  "tokenizer_config.json": text("{}"),
  "model.safetensors": { content: WEIGHTS, lfs: true },
  "pytorch_model.bin": text("pickle"),
};
const NAMES = ["config.json", "model.safetensors", "pulled.json", "tokenizer.json", "tokenizer_config.json"];

let cache: string;
beforeEach(() => {
  vi.stubEnv("HF_TOKEN", "");
  vi.stubEnv("HF_ENDPOINT", "");
  cache = mkdtempSync(join(tmpdir(), "mechanist-"));
  onTestFinished(() => {
    rmSync(cache, { recursive: true });
    vi.unstubAllEnvs();
  });
});

const pullFrom = (hub: HubServer, name = ID, options: PullOptions = {}): Promise<PulledNetwork> =>
  pull(name, { cache, endpoint: hub.url, waits: [1, 1], ...options });
const tiny = (faults: Faults = {}, files = FILES): Promise<HubServer> => hubServer(ID, files, faults);
const sha256 = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");

describe("pulling", () => {
  test("fetches configuration, tokenizer and safetensors, and nothing else", async () => {
    const hub = await tiny();
    const seen: [string, number, number][] = [];
    const pulled = await pullFrom(hub, ID, { onProgress: (...one) => seen.push(one) });
    expect(pulled).toMatchObject({ id: ID, revision: COMMIT });
    expect(readdirSync(pulled.path).sort()).toEqual(NAMES);
    for (const { name, bytes, sha256: sum } of pulled.files) {
      const content = readFileSync(join(pulled.path, name));
      expect(content.equals(FILES[name]!.content)).toBe(true);
      expect([bytes, sum]).toEqual([content.length, sha256(content)]);
    }
    expect(pulled.files.map(({ name }) => name)).toEqual([
      "tokenizer_config.json",
      "tokenizer.json",
      "config.json",
      "model.safetensors",
    ]);
    const total = pulled.files.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(seen.at(-1)).toEqual(["model.safetensors", total, total]);
    const weights = await openWeights(folderSource(pulled.path));
    expect((await weights.readTensor("W")).data[89_999]).toBe(89_999);
    await weights.close();
  });

  test("is found by its id from then on, without the hub, and nothing is fetched twice", async () => {
    const hub = await tiny();
    await expect(resolveNetworkFolder(ID, cache)).rejects.toThrow(
      `${ID}: expected a folder or a pulled network, not pulled yet: mechanist pull ${ID}`,
    );
    const { path } = await pullFrom(hub);
    const before = hub.requests.length;
    expect(await pullFrom(hub)).toMatchObject({ path });
    expect(hub.requests.slice(before).map((request) => request.path)).toEqual([`api/models/${ID}/revision/main`]);
    hub.close();
    expect(await resolveNetworkFolder(ID, cache)).toBe(path);
    expect(await resolveNetworkFolder(`${ID}@main`, cache)).toBe(path);
    expect(await resolveNetworkFolder(`${ID}@${COMMIT}`, cache)).toBe(path);
    expect(await pullFrom(hub, `${ID}@${COMMIT}`)).toMatchObject({ path });
    const notes: string[] = [];
    expect(await pullFrom(hub, ID, { onNote: (note) => notes.push(note) })).toMatchObject({ path });
    expect(notes).toEqual([`${hub.url} does not answer; this is what ${ID} was when it was last pulled`]);
    await expect(resolveNetworkFolder(`${ID}@other`, cache)).rejects.toMatchObject({ code: "MissingFile" });
  });

  test("a path goes before an id, and a file is no folder", async () => {
    expect(await resolveNetworkFolder(cache)).toBe(cache);
    writeFileSync(join(cache, "file"), "");
    await expect(resolveNetworkFolder(join(cache, "file"))).rejects.toThrow(/expected a folder, got a file$/);
    await expect(resolveNetworkFolder(join(cache, "none"))).rejects.toThrow(/expected a folder, got none$/);
  });

  test("shards come with their index, copies in other forms do not", async () => {
    const shard = { content: WEIGHTS, lfs: true };
    const hub = await tiny(
      {},
      {
        "config.json": text("{}"),
        "consolidated.safetensors": shard,
        "model-00001-of-00001.safetensors": shard,
        "model.safetensors.index.json": text('{"weight_map":{"W":"model-00001-of-00001.safetensors"}}'),
      },
    );
    const { path } = await pullFrom(hub);
    expect(readdirSync(path).sort()).toEqual([
      "config.json",
      "model-00001-of-00001.safetensors",
      "model.safetensors.index.json",
      "pulled.json",
    ]);
  });

  test("a dropped connection goes on where it broke off", async () => {
    const hub = await tiny({ drop: { file: "model.safetensors", after: 100_000, times: 2 } });
    const { path } = await pullFrom(hub);
    expect(readFileSync(join(path, "model.safetensors")).equals(WEIGHTS)).toBe(true);
    expect(hub.of("model.safetensors").map(({ range }) => range)).toEqual([
      undefined,
      "bytes=100000-",
      "bytes=200000-",
    ]);
    const stored = hub.requests.filter((request) => request.path === "storage/model.safetensors");
    expect(stored.map(({ range }) => range)).toEqual([undefined, "bytes=100000-", "bytes=200000-"]);
  });

  test("one that drops again and again is given up, and the next pull goes on", async () => {
    const hub = await tiny({ drop: { file: "model.safetensors", after: 0, times: 4 } });
    hub.faults.drop = { file: "model.safetensors", after: 100_000, times: 1 };
    const first = pullFrom(hub, ID, { waits: [] });
    await expect(first).rejects.toThrow(
      /model\.safetensors: expected an answer, got a dropped connection 1 times; the next pull goes on from there$/,
    );
    await expect(first).rejects.toMatchObject({ code: "Unavailable" });
    await expect(resolveNetworkFolder(ID, cache)).rejects.toThrow("not pulled yet");
    hub.faults.drop = { file: "model.safetensors", after: 0, times: 3 };
    await expect(pullFrom(hub)).rejects.toThrow("a dropped connection 3 times");
    const before = hub.requests.length;
    const { path } = await pullFrom(hub);
    expect(readFileSync(join(path, "model.safetensors")).equals(WEIGHTS)).toBe(true);
    const resolved = hub.requests.slice(before).filter((request) => request.path.includes("/resolve/"));
    expect(resolved).toMatchObject([{ path: `${ID}/resolve/${COMMIT}/model.safetensors`, range: "bytes=100000-" }]);
  });

  test("a server without ranges sends it all anew", async () => {
    const hub = await tiny({ drop: { file: "model.safetensors", after: 100_000, times: 1 }, noRanges: true });
    const { path } = await pullFrom(hub);
    expect(readFileSync(join(path, "model.safetensors")).equals(WEIGHTS)).toBe(true);
    expect(hub.of("model.safetensors").map(({ range }) => range)).toEqual([undefined, "bytes=100000-"]);
  });

  test.each(["model.safetensors", "config.json"])("a wrong checksum of %s removes the file", async (file) => {
    const hub = await tiny({ corrupt: file });
    const pulled = pullFrom(hub);
    await expect(pulled).rejects.toMatchObject({ code: "BadFile" });
    await expect(pulled).rejects.toThrow(
      /(model\.safetensors|config\.json): expected the checksum [0-9a-f]{40,64}, got [0-9a-f]{40,64}; the file was removed$/,
    );
    const folder = join(cache, "models", "tiny--network", COMMIT);
    expect(readdirSync(folder).filter((name) => name.startsWith(file))).toEqual([]);
    delete hub.faults.corrupt;
    expect(readdirSync((await pullFrom(hub)).path).sort()).toEqual(NAMES);
  });

  test("a file that has gone or shrunk since is fetched again, alone", async () => {
    const hub = await tiny();
    const { path } = await pullFrom(hub);
    rmSync(join(path, "config.json"));
    truncateSync(join(path, "tokenizer.json"), 3);
    await expect(resolveNetworkFolder(ID, cache)).rejects.toThrow("not pulled yet");
    const before = hub.requests.length;
    await pullFrom(hub);
    const fetched = hub.requests.slice(before).filter((request) => request.path.includes("/resolve/"));
    expect(fetched.map((request) => request.path.split("/").at(-1)).sort()).toEqual(["config.json", "tokenizer.json"]);
  });

  test("a part that is longer than the whole is thrown away", async () => {
    const hub = await tiny();
    const folder = join(cache, "models", "tiny--network", COMMIT);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "config.json.partial"), Buffer.alloc(1000));
    await pullFrom(hub);
    expect(readFileSync(join(folder, "config.json"), "utf8")).toBe('{"model_type":"gpt2"}');
    expect(existsSync(join(folder, "config.json.partial"))).toBe(false);
  });

  test("a server that sends more than it listed is refused, and keeps no room", async () => {
    const hub = await tiny({ longer: "config.json" });
    await expect(pullFrom(hub)).rejects.toThrow(/config\.json: expected 21 bytes, got more$/);
    expect(readdirSync(join(cache, "models", "tiny--network", COMMIT))).not.toContain("config.json.partial");
  });

  test("names that lead out of the folder are not files of a network", async () => {
    const evil = text("evil");
    const names = ["../config.json", "sub/config.json", "..", "config.json/../../x.safetensors", "a\\b.safetensors"];
    const hub = await tiny({}, { ...FILES, ...Object.fromEntries(names.map((name) => [name, evil])) });
    expect(readdirSync((await pullFrom(hub)).path).sort()).toEqual(NAMES);
    expect(readdirSync(cache, { recursive: true }).filter((name) => /evil|x\.safe|b\.safe/.test(String(name)))).toEqual(
      [],
    );
  });

  test("the token is for the hub alone", async () => {
    const hub = await tiny({ token: "hf_right" });
    const without = pullFrom(hub);
    await expect(without).rejects.toMatchObject({ code: "Refused" });
    await expect(without).rejects.toThrow(
      "tiny/network@main: expected leave to read it, got 401: it is gated, private or not there: set HF_TOKEN",
    );
    await expect(pullFrom(hub, ID, { token: "hf_wrong" })).rejects.toThrow(
      "got 401: the account of HF_TOKEN may not read it: accept its terms",
    );
    vi.stubEnv("HF_TOKEN", "hf_right");
    vi.stubEnv("HF_ENDPOINT", `${hub.url}/`);
    await pull(ID, { cache, waits: [] });
    const stored = hub.requests.filter((request) => request.path.startsWith("storage/"));
    expect(stored.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  test("a hub that is busy for a moment is asked again", async () => {
    const hub = await tiny({ status: { code: 503, times: 2 } });
    await pullFrom(hub);
    hub.faults.status = { code: 429, times: 99 };
    await expect(pullFrom(hub, ID, { cache: join(cache, "new") })).rejects.toThrow(
      /expected an answer, got status 429 3 times/,
    );
  });

  test.each<[string, Faults, string, string, RegExp]>([
    ["terms that are not accepted", { status: { code: 403, times: 1 } }, ID, "Refused", /got 403: .*set HF_TOKEN/],
    [
      "a network that is not there",
      {},
      "tiny/netwrok",
      "UnknownName",
      /tiny\/netwrok@main: expected that network on http:\S+, got none/,
    ],
    [
      "a revision that is not there",
      {},
      `${ID}@v9`,
      "UnknownName",
      /tiny\/network@v9: expected that revision on http:\S+, got none/,
    ],
    [
      "a portal in between",
      { portal: true },
      ID,
      "Unavailable",
      /expected an answer as the hub gives, got something else/,
    ],
    ["what is no id", {}, "a/b/c", "BadArgument", /expected org\/name or org\/name@revision, got "a\/b\/c"/],
    ["what leaves the cache", {}, "../../etc", "BadArgument", /expected org\/name/],
  ])("%s", async (_, faults, name, code, message) => {
    const pulled = pullFrom(await tiny(faults), name);
    await expect(pulled).rejects.toThrow(message);
    await expect(pulled).rejects.toMatchObject({ code });
  });

  test("pickles are never loaded", async () => {
    const pickles = pullFrom(await tiny({}, { "config.json": text("{}"), "pytorch_model.bin": text("pickle") }));
    await expect(pickles).rejects.toThrow(
      `${ID}: expected weights as safetensors, got only pytorch_model.bin, which can execute code and is never loaded; save it again with safe_serialization=True`,
    );
    await expect(pickles).rejects.toMatchObject({ code: "BadFile" });
    await expect(pullFrom(await tiny({}, { "config.json": text("{}") }))).rejects.toThrow(
      "expected weights as safetensors, got none",
    );
  });

  test("nothing answers at all", async () => {
    const hub = await tiny();
    hub.close();
    await expect(pullFrom(hub)).rejects.toThrow(/expected an answer, got ECONNREFUSED 3 times/);
  });

  test("settings of the surroundings that are wrong", async () => {
    await expect(pull(ID, { cache, endpoint: "hub.example" })).rejects.toThrow(
      "HF_ENDPOINT: expected an address with http or https, got hub.example",
    );
    await expect(pull(ID, { cache, token: "a b" })).rejects.toThrow("HF_TOKEN: expected a token, got other characters");
  });

  test("stops when asked to, and keeps what came", async () => {
    const hub = await tiny();
    const controller = new AbortController();
    const pulled = pullFrom(hub, ID, {
      signal: controller.signal,
      onProgress: (file, bytes) => file === "model.safetensors" && bytes > 1000 && controller.abort(),
    });
    await expect(pulled).rejects.toMatchObject({ code: "Cancelled" });
    expect(await pullFrom(hub)).toMatchObject({ id: ID });
  });
});

describe("names", () => {
  test.each([
    ["gpt2", { id: "gpt2", revision: "main" }],
    ["EleutherAI/pythia-70m@step3000", { id: "EleutherAI/pythia-70m", revision: "step3000" }],
    ["a/b@refs/pr/1", { id: "a/b", revision: "refs/pr/1" }],
    ["", undefined],
    ["a/", undefined],
    ["a/..", undefined],
    ["./a", undefined],
    ["a/b@", undefined],
    ["a--b/c", undefined],
    ["a b", undefined],
  ])("%j", (name, parsed) => {
    expect(parseHubId(name)).toEqual(parsed);
  });

  test("the cache is where the user says, or the system", () => {
    expect(cacheFolder({ MECHANIST_CACHE: "/own", XDG_CACHE_HOME: "/shared" })).toBe(join("/own"));
    expect(cacheFolder({ XDG_CACHE_HOME: "/shared" })).toBe(join("/shared", "mechanist"));
    expect(cacheFolder({})).toMatch(/\.cache[/\\]mechanist$/);
  });
});
