import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readSafetensors, writeSafetensors } from "../../src/file/safetensors.ts";
import { command, documentOf, emptyFolder } from "./command.ts";

const GOLDEN = join(import.meta.dirname, "../golden/networks");

test("check holds every point of a folder against the others", async () => {
  const dir = emptyFolder();
  cpSync(join(GOLDEN, "llama"), join(dir, "llama"), { recursive: true });
  const ended = await command(dir, "check", "llama", "--tokens", "1,2,3,2", "--json");
  expect([ended.status, ended.stderr]).toEqual([0, ""]);
  const document = documentOf(ended) as unknown as Record<string, unknown>;
  expect(document).toMatchObject({ command: "check", network: "llama", positions: 4, tokens: [1, 2, 3, 2], ok: true });
  expect(document.refusals).toEqual({});
  const rows = document.rows as readonly Record<string, unknown>[];
  expect(rows.length).toBeGreaterThan(60);
  expect(rows.every(({ passed }) => passed === true)).toBe(true);
});

test("check ends with 4 where something does not hold, and names the point", async () => {
  const dir = emptyFolder();
  cpSync(join(GOLDEN, "gpt2"), join(dir, "broken"), { recursive: true });
  const path = join(dir, "broken", "model.safetensors");
  const { tensors } = readSafetensors(readFileSync(path));
  tensors["transformer.h.1.mlp.c_fc.bias"]!.data[3] = NaN;
  writeFileSync(path, writeSafetensors(tensors));
  const ended = await command(dir, "check", "broken", "--tokens", "1,2,3");
  expect(ended.status).toBe(4);
  expect(ended.stderr).toMatch(
    /^mechanist: blocks\.1\.mlp\.hook_pre: failed its check, off by NaN from .*more failed\n$/,
  );
  expect(ended.stdout).toMatch(/^blocks\.N\.mlp\.hook_pre .* WRONG in 1 of 2$/m);
});

test("check of networks made here", async () => {
  const dir = emptyFolder();
  await command(dir, "compile", "sort", "--out", "sort");
  expect(await command(dir, "check", "sort")).toMatchObject({ status: 0, stderr: "" });
  await command(dir, "train", "tms", "--steps", "20", "--out", "toy");
  expect(await command(dir, "check", "toy")).toMatchObject({ status: 0, stderr: "" });
  const refused = await command(dir, "check", "toy", "--tokens", "1");
  expect([refused.status, refused.stderr]).toEqual([2, expect.stringMatching(/expected a network that reads tokens/)]);
});

test.each([
  [["nowhere"], 3, "nowhere: expected a folder or a pulled network, not pulled yet: mechanist pull nowhere"],
  [["gpt2", "--tokens", "1,37"], 2, "prompt: expected token ids from 0 to 36, got 37 at position 1"],
  [["gpt2", "--tokens", Array(17).fill(1).join()], 2, "prompt: expected at most 16 tokens, got 17"],
  [["gpt2", "--tokens", "1;2"], 2, "--tokens: expected token ids as 1,2,3, got 1;2"],
  [["gpt2", "--prompt", "a"], 2, "--prompt: expected a network with a tokenizer, got gpt2 without; give --tokens"],
  [["gpt2", "--prompt", "a", "--tokens", "1"], 2, "check: expected --prompt or --tokens, got both"],
])("check %j", async (args, status, message) => {
  const [name, ...rest] = args;
  const path = name === "gpt2" ? join(GOLDEN, name) : name!;
  const ended = await command(emptyFolder(), "check", path, ...rest);
  expect([ended.status, ended.stderr]).toEqual([status, `mechanist: ${message}\n`]);
});
