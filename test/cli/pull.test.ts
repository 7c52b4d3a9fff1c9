import { readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test, vi } from "vitest";
import { COMMIT, hubServer, type HubServer } from "../hub/server.ts";
import { BIN, command, documentOf, emptyFolder, startProgram } from "./command.ts";

const ID = "tiny/network";
let [dir, hub] = ["", undefined as unknown as HubServer];
beforeEach(async () => {
  dir = emptyFolder();
  hub = await hubServer(ID, {
    "config.json": { content: new TextEncoder().encode("{}") },
    "model.safetensors": { content: new Uint8Array(300_000).fill(7), lfs: true },
  });
  vi.stubEnv("HF_ENDPOINT", hub.url);
  vi.stubEnv("HF_TOKEN", "");
  vi.stubEnv("MECHANIST_CACHE", join(dir, "cache"));
  return () => vi.unstubAllEnvs();
});

test("a network is pulled, and pulled again from the cache", async () => {
  hub.faults.drop = { file: "model.safetensors", after: 100_000, times: 1 };
  const first = await command(dir, "pull", ID, "--json");
  expect([first.status, first.stderr]).toEqual([0, ""]);
  const path = join(dir, "cache", "models", "tiny--network", COMMIT);
  expect(documentOf(first)).toEqual({
    schema: 1,
    command: "pull",
    id: ID,
    revision: COMMIT,
    path,
    files: [
      { name: "config.json", bytes: 2, sha256: expect.stringMatching(/^44136fa355b3678a/) },
      { name: "model.safetensors", bytes: 300_000, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    ],
  });
  expect(hub.of("model.safetensors").map(({ range }) => range)).toEqual([undefined, "bytes=100000-"]);
  const again = await command(dir, "pull", ID);
  expect([again.status, again.stderr]).toEqual([0, ""]);
  expect(again.stdout).toContain(`${ID} at ${COMMIT.slice(0, 12)}\n${path}\n`);
  expect(hub.of("model.safetensors")).toHaveLength(2);
});

test("each refusal is one line and its exit status", async () => {
  const missing = await command(dir, "pull", "tiny/nothing");
  expect([missing.status, missing.stdout]).toEqual([2, ""]);
  expect(missing.stderr).toMatch(/^mechanist: tiny\/nothing@main: expected that network on http:\S+, got none\n$/);
  hub.faults.corrupt = "model.safetensors";
  const wrong = await command(dir, "pull", ID);
  expect([wrong.status, wrong.stdout]).toEqual([3, ""]);
  expect(wrong.stderr).toMatch(
    /^mechanist: \S+model\.safetensors: expected the checksum \w+, got \w+; the file was removed\n$/,
  );
});

test.skipIf(process.platform === "win32")("a disk that takes no more", async () => {
  const script = `ulimit -f 128; exec "${process.execPath}" "${BIN}" pull ${ID}`;
  const ended = await startProgram(dir, "bash", ["-c", script]).ended;
  expect([ended.status, ended.stdout]).toEqual([3, ""]);
  expect(ended.stderr).toMatch(/^mechanist: \S+model\.safetensors: expected to write, got EFBIG: [^\n]*\n$/);
  const whole = await command(dir, "pull", ID);
  expect([whole.status, whole.stderr]).toEqual([0, ""]);
  expect(readdirSync(join(dir, "cache", "models", "tiny--network", COMMIT)).sort()).toEqual([
    "config.json",
    "model.safetensors",
    "pulled.json",
  ]);
});
