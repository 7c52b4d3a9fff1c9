import { expect, test } from "vitest";
import { targetNamed, TARGETS } from "./targets.ts";

/** A name as metrics have them, `uniformLoss`, and no proper name. */
const NAME = /\b[a-z]+\d*[A-Z]\w*/g;

test.each(Object.keys(TARGETS))("%s shows every number that the meaning of another names", (name) => {
  const { success } = targetNamed(name);
  const shown = success.map(({ metric }) => metric);
  expect(success.flatMap(({ meaning }) => meaning.match(NAME) ?? []).filter((word) => !shown.includes(word))).toEqual(
    [],
  );
});
