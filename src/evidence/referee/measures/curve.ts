/** Divergence at a ladder of sizes, of what is kept or of what is removed. */
import { meanOfNumbers } from "../../../intervention/bootstrap.ts";
import type { AblationKind, Curve, MeasureName, Ranking } from "../scoreboard.ts";
import { type Answer, EVERYTHING, type Question } from "../trial.ts";
import type { Hearing } from "./hearing.ts";

export interface Traced {
  readonly ablation: AblationKind;
  readonly ranking: Ranking;
  readonly answers: readonly Answer[];
  readonly curve: Curve;
}

/** The curves of a subject: by its own order under every ablation, and by gradient where what is removed is nothing. */
export async function traceCurves(
  hearing: Hearing,
  measure: MeasureName,
  how: Pick<Question, "flipped" | "remainder">,
): Promise<Traced[]> {
  const { trial, gradient, ablations, ladder, natural } = hearing;
  const sizes = ladder.filter((size) => size < trial.units);
  const traced: Traced[] = [];
  const trace = async (ranking: Ranking, kinds: readonly AblationKind[]): Promise<void> => {
    const ranker = ranking === "own" ? trial.own : gradient!;
    const thresholds = [...(await trial.thresholds(sizes, ranker)), EVERYTHING];
    // Equal scores make equal thresholds; each is asked about once.
    const distinct = [...new Set(ranking === "own" ? [...thresholds, natural] : thresholds)];
    const questions = kinds.flatMap((ablation) => distinct.map((threshold) => ({ threshold, ablation, ...how })));
    const answers = await trial.ask(questions, ranker);
    for (const ablation of kinds) {
      const own = answers.filter((_, q) => questions[q]!.ablation === ablation);
      const points = own
        .map(({ size, bits, divergence }, i) => ({
          ...{ size, bits, divergence: meanOfNumbers(divergence) },
          ...(ranking === "own" && distinct[i] === natural && { natural: true }),
        }))
        .sort((a, b) => a.size - b.size);
      traced.push({
        ablation,
        ranking,
        answers: own,
        curve: { subject: trial.subject.name, measure, ablation, ranking, points },
      });
    }
  };
  await trace("own", ablations);
  if (gradient !== undefined) await trace("gradient", ["zero"]);
  return traced;
}
