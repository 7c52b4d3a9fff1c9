import { expect, test } from "vitest";
import { MEASURES } from "./measures.ts";
import { keyName, SHORTCUTS, shortcutOf } from "./shortcuts.ts";

test("no key does two things", () => {
  const keys = SHORTCUTS.flatMap((shortcut) => [...shortcut.keys]);
  expect(new Set(keys).size).toBe(keys.length);
  const ids = SHORTCUTS.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test("a key with a modifier belongs to the browser", () => {
  const plain = { key: "r", ctrlKey: false, metaKey: false, altKey: false };
  expect(shortcutOf(plain)?.id).toBe("reset");
  expect(shortcutOf({ ...plain, metaKey: true })).toBeUndefined();
  expect(shortcutOf({ ...plain, key: "ArrowLeft" })).toBeUndefined();
  expect([keyName(" "), keyName("Escape"), keyName("j")]).toEqual(["space", "Esc", "j"]);
});

test("every measure says what it does not establish", () => {
  for (const { establishes, leavesOpen, unit } of MEASURES) {
    for (const text of [establishes, leavesOpen, unit]) expect(text).toMatch(/^\S.*[^.\s]$/);
  }
});
