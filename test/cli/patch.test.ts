import { cpSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { command, documentOf, emptyFolder } from "./command.ts";

const GOLDEN = join(import.meta.dirname, "../golden/networks");

test("patch finds the way of a token through a compiled program", async () => {
  const dir = emptyFolder();
  await command(dir, "compile", "reverse", "--out", "reverse");
  // The last token out is the first one in: 1 in the clean run, 3 in the other.
  const prompts = ["--clean", "0,1,2,3,2", "--corrupt", "0,3,2,3,2", "--answer", "1", "--against", "3"];
  const ended = await command(dir, "patch", "reverse", ...prompts, "--json");
  expect([ended.status, ended.stderr]).toEqual([0, ""]);
  const document = documentOf(ended) as unknown as Record<string, unknown>;
  expect(document).toMatchObject({
    command: "patch",
    sweep: "layer-position",
    kind: "patch",
    direction: "denoise",
    reference: { name: "clean", n: 1 },
    n: 1,
  });
  const rows = document.rows as readonly { point: string; position: number; recovered: number }[];
  expect(rows).toHaveLength(45);
  const whole = rows.filter(({ recovered }) => recovered > 0.99).map(({ point, position }) => `${point} ${position}`);
  expect(whole).toEqual([
    "blocks.0.hook_resid_pre 1",
    "blocks.1.hook_resid_pre 1",
    "blocks.2.hook_resid_pre 1",
    "blocks.2.hook_attn_out 4",
  ]);
  const text = await command(dir, "patch", "reverse", ...prompts, "--sweep", "heads");
  expect(text.stdout).toContain("-1.000 in the corrupt run, 1.000 in the clean run");
});

test("patch runs on a folder from the hub, and says what does not fit in one line", async () => {
  const dir = emptyFolder();
  cpSync(join(GOLDEN, "gpt2"), join(dir, "gpt2"), { recursive: true });
  const prompts = ["--clean", "1,2,3", "--corrupt", "1,4,3"];
  const ended = await command(dir, "patch", "gpt2", ...prompts, "--metric", "kl", "--sweep", "pattern");
  expect([ended.status, ended.stderr]).toEqual([0, ""]);
  expect(ended.stdout).toMatch(/^divergence \(nats\): \S+ in the corrupt run, 0 in the clean run$/m);
  const said = async (...args: string[]): Promise<string> => (await command(dir, "patch", "gpt2", ...args)).stderr;
  expect(await said("--clean", "1,2", "--corrupt", "1,2,3", "--answer", "1", "--against", "2")).toBe(
    "mechanist: patch: expected prompts of as many tokens, got 2 in --clean and 3 in --corrupt\n",
  );
  expect(await said(...prompts, "--answer", "1")).toBe("mechanist: --against: expected a token, got none\n");
  expect(await said(...prompts, "--sweep", "head")).toBe("mechanist: sweep: expected heads, got head\n");
});
