import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { environment } from "./environment.ts";
import { RunFolder } from "./folder.ts";
import { withoutTexts, withTexts, writeTexts } from "./texts.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mechanist-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

// sha256 of 3,000 times the letter a, by sha256sum.
const DIGEST = "556ac82f23f64d2f41b3fb3b9a171791364021aa95c0af6df9e2b5e1d88c8038";
const LONG = "a".repeat(3000);
const document = { target: "text", preset: "default", settings: { text: LONG, characters: true, steps: 3 } };

test("long texts leave their digest in the document, short ones stay", () => {
  const { document: stored, texts } = withoutTexts(document);
  expect(stored).toEqual({ ...document, settings: { ...document.settings, text: `sha256:${DIGEST}` } });
  expect([...texts]).toEqual([[DIGEST, LONG]]);
  const short = { settings: { text: "b".repeat(2000) } };
  expect(withoutTexts(short)).toEqual({ document: short, texts: new Map() });
});

test("what comes back is what went in", async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), fc.string({ unit: "binary" }), async (value, text) => {
      const whole = { value, texts: [text.repeat(500), `sha256:${DIGEST}`, text] };
      const { document: stored, texts } = withoutTexts(whole);
      await writeTexts(dir, texts);
      expect(JSON.stringify(await withTexts(stored, dir))).toBe(JSON.stringify(whole));
    }),
    { numRuns: 50 },
  );
});

test("a run keeps its text beside a small run.json, and opens with it", async () => {
  const path = join(dir, "run");
  await RunFolder.create(path, { kind: "train", document, environment: environment("cpu", 1) });
  expect(readFileSync(join(path, "run.json"), "utf8").length).toBeLessThan(2000);
  expect(readdirSync(path).sort()).toEqual(["run.json", "texts"]);
  const run = await RunFolder.open(path);
  expect(await run.withTexts(run.record.document)).toEqual(document);
});

test("a text that is gone or has changed is told", async () => {
  const { document: stored, texts } = withoutTexts(document);
  await expect(withTexts(stored, dir)).rejects.toThrow(/texts.*\.txt: expected a text of the run, got none/);
  await writeTexts(dir, texts);
  writeFileSync(join(dir, "texts", `${DIGEST}.txt`), "b");
  await expect(withTexts(stored, dir)).rejects.toThrow(new RegExp(`expected the text with sha256 ${DIGEST}, got 3e23`));
});
