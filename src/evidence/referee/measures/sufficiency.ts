/**
 * Sufficiency: how far the network is from itself when it runs on the units of the highest rank alone, the remainder out, against how many they are.
 */
import type { MeasureText } from "../scoreboard.ts";
import { ratio } from "../noise.ts";
import { areaOf } from "./area.ts";
import { traceCurves } from "./curve.ts";
import type { Heard, Hearing } from "./hearing.ts";

const TEXT: MeasureText = {
  title: "sufficiency",
  formula: "∫ D(f | k units kept) d log₂(1 + k) / (log₂(1 + K) · D(mean output))",
  source:
    "curves of loss against L0: Gao et al. 2024; area over size: Mueller et al. 2025 (MIB); for circuits: Wang et al. 2022 (faithfulness)",
  unit: "of chance: 0 the network itself, 1 its mean output over the prompts",
  reduction: "mean over prompts, and over the logarithm of size up to the largest of any subject",
  better: "lower",
  establishes:
    "that so few units, with nothing else of what was taken apart, do what the network does on these prompts",
  doesNotEstablish:
    "that what was left out does nothing when it is there, nor anything of the part of the network that was not taken apart: see coverage",
};

export async function sufficiency(hearing: Hearing): Promise<Heard> {
  const { chance, most } = hearing;
  const traced = await traceCurves(hearing, "sufficiency", {});
  return {
    found: traced.flatMap(({ ablation, ranking, answers }) =>
      (["units", "bits"] as const).map((axis) => ({
        ...{
          id: `sufficiency/${ablation}/${ranking}/${axis}`,
          measure: "sufficiency" as const,
          ablation,
          ranking,
          axis,
        },
        text: axis === "units" ? TEXT : { ...TEXT, formula: TEXT.formula.replaceAll("k", "bits").replace("K", "B") },
        measured: ratio(areaOf(answers, axis === "units" ? "size" : "bits", most[axis]), chance),
      })),
    ),
    curves: traced.map(({ curve }) => curve),
  };
}
