import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { lookCommand, type LookCommandOptions } from "../../src/cli/look.ts";
import { INSTRUMENTS } from "../../src/cli/look/instruments.ts";
import { Terminal } from "../../src/cli/terminal.ts";
import { readSafetensors } from "../../src/file/safetensors.ts";
import { command, documentOf, emptyFolder, SMALL_TRAINING } from "./command.ts";

const GOLDEN = join(import.meta.dirname, "../golden/networks");
const DOCUMENTED = new Set(
  [...readFileSync("docs/json.md", "utf8").matchAll(/`([\w.]+)`/g)].flatMap((m) => m[1]!.split(".")),
);

function fieldsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(fieldsOf);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) => [key, ...fieldsOf(part)]);
}

/** Runs the command in this process, which spares its start; what it prints as JSON, checked. */
async function looked(given: string, options: LookCommandOptions): Promise<Record<string, unknown>> {
  let printed = "";
  const out = { write: (text: string) => (printed += text) } as unknown as NodeJS.WriteStream;
  const err = { isTTY: false, write: () => true } as unknown as NodeJS.WriteStream;
  await lookCommand(given, { threads: "1", ...options }, new Terminal(true, { out, err }));
  const document = JSON.parse(printed) as Record<string, unknown>;
  expect(fieldsOf(document).filter((field) => !DOCUMENTED.has(field))).toEqual([]);
  expect(document).toMatchObject({ command: "look", n: expect.any(Number), nullDescription: expect.any(String) });
  expect(document.doesNotEstablish).toEqual(expect.any(String));
  return document;
}

test("look lists its instruments, and prints one beside its null", async () => {
  const dir = emptyFolder();
  const listed = documentOf(await command(dir, "look", "--json")) as unknown as Record<string, unknown>;
  expect(fieldsOf(listed).filter((field) => !DOCUMENTED.has(field))).toEqual([]);
  expect(listed.instruments).toHaveLength(Object.keys(INSTRUMENTS).length);
  cpSync(join(GOLDEN, "gpt2"), join(dir, "gpt2"), { recursive: true });
  const { status, stdout, stderr } = await command(dir, "look", "gpt2", "--with", "logit-lens", "--tokens", "1,2,3");
  expect([status, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^blocks\.1\.hook_resid_post +0 +1\.00 /m);
  expect(stdout).toContain("Null: the network with shuffled weights");
  expect(stdout).toContain("Does not establish that the network uses what the lens shows");
  const wrong = await command(dir, "look", "gpt2", "--with", "logit-lense");
  expect([wrong.status, wrong.stderr]).toEqual([2, "mechanist: instrument: expected logit-lens, got logit-lense\n"]);
});

const GPT2 = join(GOLDEN, "gpt2");
const PROMPT = { tokens: "1,2,3,4,2,3" };

test("instruments on a folder from the hub", async () => {
  const names =
    "logit-lens attribution heads rollout values composition copying skip-trigram saliency examples anisotropy";
  const found: Record<string, Record<string, unknown>> = {};
  for (const name of names.split(" ")) found[name] = await looked(GPT2, { with: name, ...PROMPT });
  const steering = { towards: "1,2", away: "3,4", answer: "5", against: "6" };
  expect((await looked(GPT2, { with: "steering", ...PROMPT, ...steering })).rows).toHaveLength(4);
  expect(found.attribution!.largestError).toBeLessThan(1e-5);
  const rollout = found.rollout!.last as number[];
  expect(rollout.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
  expect(found.saliency!.positions).toHaveLength(6);
});

test("instruments that need data take the run's", async () => {
  const dir = emptyFolder();
  await command(dir, ...SMALL_TRAINING, "--out", "net");
  for (const name of ["probe", "description-length", "erasure", "similarity", "anisotropy", "examples"]) {
    await looked(join(dir, "net"), { with: name, examples: "300", unit: "1" });
  }
  const small = ["--preset", "quick", "--set", "batch=8", "--steps", "2"];
  expect((await command(dir, "train", "induction", ...small, "--out", "tokens")).stderr).toBe("");
  const out = join(dir, "lens.safetensors");
  await looked(join(dir, "tokens"), { with: "tuned-lens", examples: "8", steps: "3", out });
  const { tensors } = readSafetensors(readFileSync(out));
  expect(tensors["blocks.1.hook_resid_post.A"]!.shape).toEqual([32, 32]);
  await looked(join(dir, "tokens"), { with: "probe", examples: "16" });
  await expect(looked(join(dir, "net"), { with: "heads" })).rejects.toThrow(
    "head detectors: expected a transformer, got a network without attention",
  );
});

test.each([
  [{ with: "rollout" }, "--prompt: expected a text or token ids, got none"],
  [{ with: "probe" }, "look: expected a run, which has data of its own, got gpt2"],
  [{ with: "values", tokens: "1,2", layer: "9" }, "--layer: expected a whole number from 0 to 1, got 9"],
  [{ with: "examples", tokens: "1,2,3", unit: "99" }, "blocks.1.hook_resid_pre: expected a unit from 0 to 15, got 99"],
  [{ with: "attribution", tokens: "1,999" }, "--tokens: expected ids from 0 to"],
  [{ with: "attribution", prompt: "the cat" }, "which has no tokenizer, got the cat"],
  [{ with: "attribution", tokens: "1", prompt: "1" }, "look: expected --prompt or --tokens, got both"],
] as const)("look says what does not fit: %o", async (options, message) => {
  await expect(looked(GPT2, options)).rejects.toThrow(message);
});
