/**
 * The remainder: what the network loses when all components are there and what they leave over is not, and how much what they leave over does alone.
 */
import type { MeasureText } from "../scoreboard.ts";
import { ratio } from "../noise.ts";
import { EVERYTHING, NOTHING } from "../trial.ts";
import type { Heard, Hearing } from "./hearing.ts";

const LOST: MeasureText = {
  title: "remainder lost",
  formula: "D(f | all components, no remainder) / D(mean output)",
  source:
    "loss recovered by a dictionary: Bricken et al. 2023; what its error carries: Marks et al. 2024, Engels et al. 2024",
  unit: "of chance: 0 nothing is lost, 1 as bad as the network's mean output",
  reduction: "mean over prompts",
  better: "lower",
  establishes: "how much of what the network does is in no component at all",
  doesNotEstablish:
    "that components are few or the right ones: any basis leaves nothing over, and one component that is everything neither",
};

const ALONE: MeasureText = {
  title: "remainder alone",
  formula: "1 - D(f | remainder, no components) / D(f | neither)",
  source: LOST.source,
  unit: "share of what is taken apart: 0 the remainder does nothing, 1 it does all by itself",
  reduction: "ratio of means over prompts",
  better: "lower",
  establishes: "how much what is left over does without any component",
  doesNotEstablish: LOST.doesNotEstablish,
};

export async function remainder({ trial, chance }: Hearing): Promise<Heard> {
  const [lost, alone, neither] = await trial.ask([
    { threshold: EVERYTHING },
    { threshold: NOTHING, remainder: true },
    { threshold: NOTHING },
  ]);
  const of = { measure: "remainder" as const, ablation: "zero" as const };
  return {
    found: [
      { ...of, id: "remainder/lost", variant: "lost", text: LOST, measured: ratio(lost!.divergence, chance) },
      {
        ...{ ...of, id: "remainder/alone", variant: "alone", text: ALONE },
        measured: { channels: [alone!.divergence, neither!.divergence], combine: ([a, b]) => 1 - a! / b! },
      },
    ],
  };
}
