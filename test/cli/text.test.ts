import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { command, documentOf, emptyFolder } from "./command.ts";

const TINY = "windows=16 context=8 layers=1 width=8 heads=1 mlpWidth=8 batch=4".split(" ").flatMap((s) => ["--set", s]);
const text = "the cat sat on the mat.\n".repeat(200);

test("a text from a file is kept in the run's folder, and resuming needs no other", async () => {
  const dir = emptyFolder();
  writeFileSync(join(dir, "cats.txt"), text);
  const asked = ["train", "text", "--out", "run", "--steps", "20", "--threads", "1", ...TINY];
  const trained = await command(dir, ...asked, "--set", "text=@cats.txt", "--json");
  expect([trained.status, trained.stderr]).toEqual([0, ""]);
  const { success } = documentOf(trained) as unknown as { success: { metric: string; value: number }[] };
  expect(success.map(({ metric }) => metric)).toEqual(["bitsPerByte", "unigramBitsPerByte", "heldOutLoss"]);

  const record = readFileSync(join(dir, "run", "run.json"), "utf8");
  const [name] = readdirSync(join(dir, "run", "texts"));
  expect(readFileSync(join(dir, "run", "texts", name!), "utf8")).toBe(text);
  expect(record).toContain(`"text": "sha256:${name!.replace(".txt", "")}"`);
  expect(record).toContain(`"vocabulary": ${new Set(text).size}`);

  writeFileSync(join(dir, "cats.txt"), `${text}and another.`);
  const same = await command(dir, ...asked, "--resume", "--json");
  expect([same.status, documentOf(same).success]).toEqual([0, success]);
  const other = await command(dir, ...asked, "--set", "text=@cats.txt", "--resume");
  expect([other.status, other.stderr]).toEqual([2, expect.stringMatching(/--resume: run: expected text sha256:/)]);
});

test.each([
  ["text=@none.txt", 3, /none\.txt: expected a text, got no file that can be read/],
  ["text=@bytes.txt", 3, /bytes\.txt: expected text in UTF-8, got other bytes/],
])("%s is refused", async (set, status, message) => {
  const dir = emptyFolder();
  writeFileSync(join(dir, "bytes.txt"), Uint8Array.of(0xff, 0xfe, 0xfd));
  const ended = await command(dir, "train", "text", "--set", set);
  expect([ended.status, ended.stderr]).toEqual([status, expect.stringMatching(message)]);
  expect(readdirSync(dir)).toEqual(["bytes.txt"]);
});
