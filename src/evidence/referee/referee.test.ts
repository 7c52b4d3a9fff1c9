/** The referee on subjects of known worth: the mechanisms themselves, strangers, and the mechanisms with their importances mixed up. */
import { beforeAll, describe, expect, test } from "vitest";
import {
  featureImportances,
  features,
  handMade,
  pentagon,
  pentagonNetwork,
  strangers,
} from "../../../test/evidence/subjects.ts";
import { sparseFeatures } from "../../data/sparse-feature.ts";
import { resolveTarget, targetNamed } from "../../training/targets.ts";
import type { DataSource } from "../fresh-data.ts";
import { referee } from "./referee.ts";
import type { MeasureResult, Scoreboard } from "./scoreboard.ts";

const known = targetNamed("tms").known!(resolveTarget("tms").settings);
const source: DataSource = { batch: (batch) => sparseFeatures("data", { features: 5, batch, probability: 0.2 }) };

describe("on a network of features", () => {
  let board: Scoreboard;
  beforeAll(async () => {
    const methods = [
      { name: "truth", decomposition: handMade(pentagonNetwork, pentagon, features, featureImportances(0)) },
      { name: "mixed", decomposition: handMade(pentagonNetwork, pentagon, features, featureImportances(1)) },
      { name: "strangers", decomposition: handMade(pentagonNetwork, pentagon, strangers, featureImportances(0)) },
    ];
    board = await referee(methods, { title: "pentagon", digest: "", source, known }, { threads: 1, prompts: 256 });
  }, 120_000);

  test("prints", () => {
    for (const m of board.measures)
      console.log(
        m.id,
        m.tellsControlsApart,
        m.promptsNeeded,
        m.minimumDetectable?.toFixed(4),
        m.ranks.map((r) => r.rank).join(),
        m.scores.map((s) => `${s.subject} ${s.value.toFixed(4)}±${s.band.toFixed(3)}`).join(" | "),
      );
    console.log(board.subjects, board.gaps, board.notes, board.known, board.protocol, board.seconds);
  });
});
