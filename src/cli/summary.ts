/** A verdict as tables. */
import type { Verdict } from "../evidence/judge.ts";
import { shownPath, significant, table } from "./format.ts";
import { sentence } from "./watch.ts";

/** The parts of a verdict that are shown, as they come out of a file; one that an older version wrote has fewer. */
type Shown = Partial<Omit<Verdict, "schema">> & { readonly stepsPerSecond?: number | null };

/** Regimes as people call them, in the order in which they are shown. */
const REGIME_NAMES = {
  stochastic: "stochastic masks",
  stochasticDelta: "… and remainder",
  ciMasked: "CI masks",
  rounded: "rounded above 0",
  rounded0p1: "rounded above 0.1",
  adversarial: "adversarial masks",
  adversarialDelta: "… and remainder",
  random: "random masks",
  unmasked: "no masks",
  zero: "zero ablation",
} as const;

/** Sites as rows, the totals below, then how well the components stand in for the network. */
export function summary(name: string, path: string, result: Readonly<Record<string, unknown>>): string {
  const shown = result as Shown;
  return [
    `${name}  (${shownPath(path)})`,
    "",
    siteTable(shown),
    "",
    reconstructionTable(shown),
    "",
    ...(shown.ladder
      ? [
          `attack of ${shown.ladder.map(({ steps, divergence }) => `${steps} steps ${significant(divergence, 3)}`).join(", ")}`,
          "",
        ]
      : []),
    ...(shown.warnings ?? []).map(sentence),
    `${conclusion(shown)}${significant(shown.stepsPerSecond, 3)} steps/s`,
  ].join("\n");
}

function siteTable({ sites = {}, ...total }: Shown): string {
  const all = Object.entries(sites);
  const known = total.targetCiError !== undefined;
  const matched = all.some(([, { mmcs }]) => typeof mmcs === "number");
  const alive = ({ alive: found, expectedAlive }: Partial<Verdict>): string =>
    expectedAlive === undefined ? "" : `${found} of ${expectedAlive}`;
  const rows = all.map(([site, s]) => [
    site,
    ...(known ? [s.pattern ?? "", alive(s), String(s.targetCiError ?? "")] : []),
    ...(matched ? [significant(s.mmcs, 4), significant(s.ml2r, 4)] : []),
    ...(known || s.counts === undefined ? [] : [String(s.counts.alive.above0p1), String(s.rank)]),
    significant(s.l0, 3),
  ]);
  const sum = [
    "all",
    ...(known ? ["", alive(total), String(total.targetCiError)] : []),
    ...(matched ? [significant(total.mmcs, 4), significant(total.ml2r, 4)] : []),
    ...(known || total.aliveByThreshold === undefined ? [] : [String(total.aliveByThreshold.above0p1), ""]),
    significant(total.l0, 3),
  ];
  const head = [
    "site",
    ...(known ? ["pattern", "components", "target-CI error"] : []),
    ...(matched ? ["MMCS", "ML2R"] : []),
    ...(known || total.aliveByThreshold === undefined ? [] : ["alive", "rank"]),
    "L0",
  ];
  return table(head, [...rows, sum]);
}

function reconstructionTable(shown: Shown): string {
  const { regimes, unit } = shown;
  const nats = unit === "nats";
  const faithfulness =
    shown.explainedVariance === undefined
      ? ["faithfulness", significant(shown.faithfulness, 3)]
      : ["explained variance", significant(shown.explainedVariance, 4)];
  if (regimes === undefined) {
    return table(
      ["mean squared error", ""],
      [
        ["stochastic masks", significant(shown.stochasticRecon, 3)],
        ["CI masks", significant(shown.ciMaskedRecon, 3)],
        ["adversarial masks", significant(shown.adversarialRecon, 3)],
        ["no masks", significant(shown.unmaskedRecon, 3)],
        faithfulness,
      ],
    );
  }
  const text = shown.crossEntropy !== undefined;
  const rows = Object.entries(REGIME_NAMES).map(([regime, title]) => {
    const score = regimes[regime as keyof typeof REGIME_NAMES];
    return [
      title,
      significant(score.divergence, 3),
      significant(score.relative, 3),
      ...(text ? [significant(score.crossEntropy, 4)] : []),
    ];
  });
  const blank = ["", ...(text ? [""] : [])];
  return table(
    [nats ? "divergence, nats" : "mean squared error", "", "of zero ablation", ...(text ? ["cross-entropy"] : [])],
    [
      ...rows,
      ...(text ? [["the network itself", "", "", significant(shown.crossEntropy, 4)]] : []),
      [...faithfulness, ...blank],
    ],
  );
}

function conclusion({ gate, passed }: Shown): string {
  if (gate !== undefined) {
    return gate.passed ? `passes: ${gate.text}\n` : `does not pass (${gate.text}): ${gate.missed.join("; ")}\n`;
  }
  if (passed !== undefined) return `${passed ? "matches" : "does not match"} the known mechanisms; `;
  return "";
}
