/**
 * Necessity: how far the network is from itself when the units of the highest rank are removed, all others and the remainder in, against how many they
 * are; and at the method's own size what removing its active units does, and what removing all others does.
 */
import type { MeasureText, Note } from "../scoreboard.ts";
import { type Measured, ratio } from "../noise.ts";
import { areaOf } from "./area.ts";
import { traceCurves } from "./curve.ts";
import type { Heard, Hearing } from "./hearing.ts";
import { ownRungs, readOff } from "./matched.ts";

const TEXT: MeasureText = {
  title: "necessity",
  formula: "∫ D(f | k units removed) d log₂(1 + k) / (log₂(1 + K) · D(mean output))",
  source: "comprehensiveness: DeYoung et al. 2020 (ERASER); for circuits: Wang et al. 2022 (completeness)",
  unit: "of chance: 0 nothing is missed, 1 as bad as the network's mean output",
  reduction: "mean over prompts, and over the logarithm of size up to the largest of any subject",
  better: "higher",
  establishes: "that the network does not do without what is said to matter most, all else being there",
  doesNotEstablish:
    "that it is a mechanism: breaking anything large does damage, so a number means something only beside random units, as many",
};

const NATURAL: MeasureText = {
  ...TEXT,
  title: "necessity, active units",
  formula: "D(f | active units removed) / D(mean output)",
  reduction: "mean over prompts, at the method's own size",
  doesNotEstablish: `${TEXT.doesNotEstablish}; methods that call more active remove more`,
};

const COMPLEMENT: MeasureText = {
  ...TEXT,
  title: "necessity, all others",
  formula: "D(f | inactive units removed) / D(mean output)",
  unit: "of chance: 0 nothing is missed",
  reduction: "mean over prompts, at the method's own size, the remainder in",
  better: "lower",
  establishes: "that what is said not to matter is not missed",
  doesNotEstablish: "anything where nothing, or next to nothing, is said not to matter",
};

export async function necessity(hearing: Hearing): Promise<Heard> {
  const { trial, chance, most, naturalSizes } = hearing;
  const traced = await traceCurves(hearing, "necessity", { flipped: true, remainder: true });
  const rungs = await ownRungs(hearing);
  const answers = await trial.ask(
    rungs.flatMap(({ threshold }) => [
      { threshold, flipped: true, remainder: true },
      { threshold, remainder: true },
    ]),
  );
  const atOwnSize = (side: 0 | 1): Measured =>
    readOff(
      rungs.map((rung, r) => ({ ...rung, measured: ratio(answers[2 * r + side]!.divergence, chance) })),
      naturalSizes ?? 0,
    );
  const name = { measure: "necessity" as const, ablation: "zero" as const, ranking: "own" as const };
  const notes: Note[] = [];
  if (answers[0]!.size > 0.999 * trial.units)
    notes.push({
      subject: trial.subject.name,
      measure: "necessity",
      text: "it calls everything active: removing all others removes nothing",
    });
  return {
    found: [
      ...traced.map(({ ablation, ranking, answers }) => ({
        ...{ id: `necessity/${ablation}/${ranking}/units`, measure: "necessity" as const, ablation, ranking },
        ...{ axis: "units" as const, text: TEXT, measured: ratio(areaOf(answers, "size", most.units), chance) },
      })),
      {
        ...name,
        id: "necessity/zero/own/active",
        variant: "active",
        text: NATURAL,
        measured: atOwnSize(0),
      },
      {
        ...name,
        id: "necessity/zero/own/others",
        variant: "others",
        text: COMPLEMENT,
        measured: atOwnSize(1),
      },
    ],
    curves: traced.map(({ curve }) => curve),
    notes,
  };
}
