/** The README's code runs, and `expression; // → text` is what it says. */
import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { expect, test } from "vitest";
import * as mechanist from "../src/index.ts";

const FENCE = /^```ts\n([\s\S]*?)^```/gm;
const IMPORT = /^import \{([^}]*)\} from "mechanist";$/gm;
const ARROW = /^(.+?);? \/\/ → (.+)$/gm;

const AsyncFunction = (async () => {}).constructor as new (...args: string[]) => (...args: unknown[]) => Promise<void>;

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const fences = Array.from(readme.matchAll(FENCE), ([, code]) => code!);

test("the README has code", () => {
  expect(fences.length).toBeGreaterThan(1);
});

test.each(fences.map((code, i) => [i + 1, code] as const))(
  "README code %i runs",
  async (_, code) => {
    const body = code
      .replace(IMPORT, "const {$1} = mechanist;")
      .replace(ARROW, (__, expression: string, text: string) => `check(${expression}, ${JSON.stringify(text)});`);
    const check = (value: unknown, text: string): void => expect(inspect(value)).toBe(text);
    await new AsyncFunction("mechanist", "check", body)(mechanist, check);
  },
  60_000,
);

test("the README fits a screen or three", () => {
  expect(readme.split("\n").length).toBeLessThanOrEqual(150);
});
