/** The fixtures are those that their sidecar describes, all of them, and small. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { expect, test } from "vitest";

const folder = import.meta.dirname;
const LARGEST = 100_000; // bytes
const sidecar = JSON.parse(readFileSync(join(folder, "versions.json"), "utf8")) as {
  readonly torch: string;
  readonly sha256: Readonly<Record<string, string>>;
};
const fixtures = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => /\.(json|safetensors)$/.test(entry.name) && entry.name !== "versions.json")
  .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
  .sort();

test("the sidecar names every fixture and the PyTorch that made them", () => {
  expect(Object.keys(sidecar.sha256).sort()).toEqual(fixtures);
  expect(sidecar.torch).toMatch(/^2\./);
});

test.each(fixtures)("%s is as it was written, and small", (path) => {
  const bytes = readFileSync(join(folder, path));
  expect(createHash("sha256").update(bytes).digest("hex")).toBe(sidecar.sha256[path]);
  expect(bytes.length).toBeLessThan(LARGEST);
});
