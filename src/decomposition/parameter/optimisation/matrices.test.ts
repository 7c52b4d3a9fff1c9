import { expect, test } from "vitest";
import { tms } from "../../../network/tms.ts";
import { muonLayout } from "../../../training/muon.ts";
import { layoutOf } from "../../../training/parameters.ts";
import { scalarGates } from "../importance/scalar-gate.ts";
import { matricesOf } from "./matrices.ts";
import { componentWeights } from "../parameter-decomposition.ts";

test.each([
  ["d_in C", [5, 20], { count: 1, rows: 5, columns: 20 }],
  ["C d_out", [20, 2], { count: 1, rows: 20, columns: 2 }],
  ["C gate d_in", [20, 16, 5], { count: 20, rows: 16, columns: 5 }],
  ["hidden C", [8, 20], { count: 1, rows: 8, columns: 20 }],
  ["C gate", [20, 16], undefined],
  ["C", [20], undefined],
  ["d_model", [4], undefined],
])('"%s" of %j', (axes, shape, expected) => expect(matricesOf({ axes, shape })).toEqual(expected));

test("of SPD with scalar gates Muon moves V and U, AdamW the gates", () => {
  const { sites } = tms({ features: 5, hidden: 2, identity: false });
  const weights = componentWeights(
    sites.map((site) => ({ site, C: 6 })),
    scalarGates(4),
  );
  const { matrices, rest } = muonLayout(layoutOf(weights), matricesOf);
  expect(matrices.entries.map(({ name }) => name)).toEqual(["linear1.V", "linear1.U", "linear2.V", "linear2.U"]);
  expect(rest.entries).toHaveLength(8);
});
