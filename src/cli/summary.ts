/** A verdict as a table. */
import type { Verdict } from "../evidence/judge.ts";
import { shownPath, significant, table } from "./format.ts";

/** The parts of a verdict that are shown, as they come out of a file. */
type Shown = Partial<Omit<Verdict, "schema">> & { readonly stepsPerSecond?: number | null };

/** Sites as rows, the totals below, then how well the components stand in for the network. */
export function summary(name: string, path: string, result: Readonly<Record<string, unknown>>): string {
  const shown = result as Shown;
  const { sites = {} } = shown;
  const rows = Object.entries(sites).map(([site, s]) => [
    site,
    s.pattern,
    `${s.alive} of ${s.expectedAlive}`,
    String(s.targetCiError),
    significant(s.mmcs, 4),
    significant(s.ml2r, 4),
    significant(s.l0, 3),
  ]);
  const total = [
    "all",
    "",
    `${shown.alive} of ${shown.expectedAlive}`,
    String(shown.targetCiError),
    significant(shown.mmcs, 4),
    significant(shown.ml2r, 4),
    significant(shown.l0, 3),
  ];
  return [
    `${name}  (${shownPath(path)})`,
    "",
    table(["site", "pattern", "components", "target-CI error", "MMCS", "ML2R", "L0"], [...rows, total]),
    "",
    table(
      ["mean squared error", "", "per"],
      [
        ["stochastic masks", significant(shown.stochasticRecon, 3), "output"],
        ["CI masks", significant(shown.ciMaskedRecon, 3), "output"],
        ["adversarial masks", significant(shown.adversarialRecon, 3), "output"],
        ["no masks", significant(shown.unmaskedRecon, 3), "output"],
        ["faithfulness", significant(shown.faithfulness, 3), "weight"],
      ],
    ),
    "",
    `${shown.passed ? "matches the known mechanisms" : "does not match the known mechanisms"}; ${significant(shown.stepsPerSecond, 3)} steps/s`,
  ].join("\n");
}
