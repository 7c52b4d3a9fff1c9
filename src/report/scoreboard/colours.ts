/** How subjects look in every figure of a report: a colour a method, which its controls share, faint and with a line pattern a kind; grey for the rest. */
import type { ControlKind, SubjectRow } from "../../evidence/referee/scoreboard.ts";

export interface Ink {
  /** A class of the page's style. */
  readonly colour: string;
  /** `stroke-dasharray`; empty for a whole line. */
  readonly dashes: string;
  /** Whether it is a control. */
  readonly faint: boolean;
}

/** As many as can be told apart; further methods begin anew, with dashes. */
const COLOURS = 8;

/** The line pattern of each kind of control. */
export const DASHES: Readonly<Record<ControlKind, string>> = {
  oracle: "",
  "oracle ranking": "7 2",
  random: "2 3",
  permuted: "5 3",
  "random directions": "1 2",
};

/** The inks by subject. */
export function inksOf(subjects: readonly SubjectRow[]): ReadonlyMap<string, Ink> {
  const methods = subjects.filter(({ control }) => control === undefined);
  const inks = new Map<string, Ink>(
    methods.map(({ name }, i) => [
      name,
      { colour: `c${i % COLOURS}`, dashes: i < COLOURS ? "" : "12 3", faint: false },
    ]),
  );
  for (const { name, control, of } of subjects) {
    if (control === undefined) continue;
    const colour = (of === undefined ? undefined : inks.get(of)?.colour) ?? "control";
    inks.set(name, { colour, dashes: DASHES[control], faint: true });
  }
  return inks;
}

/** The colours themselves, for light and dark. */
export const COLOUR_STYLE = `
.c0 { --c: light-dark(#1f5fbf, #8ab4f8) } .c1 { --c: light-dark(#b3261e, #ff8a80) } .c2 { --c: light-dark(#2c7d4f, #7fd1a0) } .c3 { --c: light-dark(#8a5a00, #f0b45a) }
.c4 { --c: light-dark(#7a3fa8, #cf9bff) } .c5 { --c: light-dark(#007a87, #66d3de) } .c6 { --c: light-dark(#a8326e, #ff9ccb) } .c7 { --c: light-dark(#4d6b00, #b9d94a) }
.control { --c: light-dark(#8a8a8a, #8a8a94) }
`;
