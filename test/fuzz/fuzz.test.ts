import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MechanistError } from "../../src/error.ts";
import { tryParser } from "./check.ts";
import { PARSERS } from "./parsers.ts";

/** Two thousand in all. `npm run fuzz` tries a hundred thousand. */
const CASES = Math.ceil(2000 / Object.keys(PARSERS).length);

describe("bytes from strangers", () => {
  test.each(Object.entries(PARSERS))("%s", { timeout: 60_000 }, async (name, parser) => {
    const { accepted, refused } = await tryParser(name, parser, CASES, 20_240_601);
    // Inputs that are all good, or all bad at the first byte, would test nothing.
    expect(accepted).toBeGreaterThan(CASES / 50);
    if (name !== "metrics.jsonl" && name !== "hub id") expect(refused).toBeGreaterThan(CASES / 10);
  });
});

describe("the check itself notices", () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 9 });
  const notices = (parse: (bytes: Uint8Array) => unknown, message: RegExp): Promise<void> =>
    expect(tryParser("p", { input: bytes, parse }, 5, 1)).rejects.toThrow(message);

  test("a crash", () => notices((given) => JSON.parse(`${String(given)}}`), /^p: Unexpected /));
  test("a look outside", () => notices((given) => new Uint8Array(given.buffer)[0], /^p: reads outside its buffer/));
  test("an allocation of what was not checked", () =>
    notices(() => {
      new Uint8Array(2 ** 25).fill(1);
    }, /^p: expected at most 64 times \d bytes, got 33554/));
  test("a refusal of two lines", () =>
    notices(() => {
      throw new MechanistError("BadFile", "a\nb");
    }, /^p: expected one line, got BadFile/));
});
