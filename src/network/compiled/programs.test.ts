import { expect, test } from "vitest";
import { everyInput } from "../../../test/network/compiled-runs.ts";
import { evaluate } from "./evaluate.ts";
import { COMPILED } from "./programs.ts";

const count = (input: readonly string[], token: string): number => input.filter((t) => t === token).length;

/** Never more closed than opened, and as many in the end. */
function closes(input: readonly string[], open: string, close: string): boolean {
  let depth = 0;
  for (const token of input) {
    if (token === open) depth++;
    if (token === close) depth--;
    if (depth < 0) return false;
  }
  return depth === 0;
}

/** The same again, as anybody would write it. */
const PLAIN: Readonly<Record<string, (input: readonly string[]) => unknown[]>> = {
  length: (input) => input.map(() => input.length),
  reverse: (input) => input.toReversed(),
  sort: (input) => input.toSorted(),
  histogram: (input) => input.map((token) => count(input, token)),
  "fraction-previous": (input) => input.map((_, i) => count(input.slice(0, i + 1), "x") / (i + 1)),
  "bracket-balance": (input) =>
    input.map((_, i) => (count(input.slice(0, i + 1), "(") - count(input.slice(0, i + 1), ")")) / (i + 1)),
  dyck: (input) => input.map(() => closes(input, "(", ")")),
  "shuffle-dyck": (input) => input.map(() => closes(input, "(", ")") && closes(input, "[", "]")),
  "most-frequent": (input) => {
    const most = Math.max(...input.map((token) => count(input, token)));
    return input.map(() => input.find((token) => count(input, token) === most));
  },
};

test("there is a plain function for every program", () => {
  expect(Object.keys(PLAIN)).toEqual(Object.keys(COMPILED));
});

test.each(Object.entries(COMPILED))("%s means what its plain function computes", (name, { vocabulary, output }) => {
  const program = output(vocabulary, 6);
  const inputs = everyInput(vocabulary, [1, 2, 3, 4, 5, 6]);
  const found = inputs.map((input) => evaluate(program, input));
  expect(found).toEqual(inputs.map((input) => PLAIN[name]!(input)));
  // None of them says the same of every input.
  expect(new Set(found.flat()).size).toBeGreaterThan(1);
});
