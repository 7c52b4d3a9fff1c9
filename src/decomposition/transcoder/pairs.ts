/** Between which hook points transcoders act: what an MLP reads and what it writes, unless others are named. */
import { MechanistError } from "../../error.ts";
import { type Network, weightInputs } from "../../network/network.ts";
import { axisNames, type Tensor } from "../../tensor/index.ts";
import type { TrainDocument } from "../../training/target.ts";
import { targetNamed } from "../../training/targets.ts";
import { pointRows } from "../activation/coder.ts";
import { rowPoints, type RowPoint } from "../dictionary/rows.ts";

/** What is read and what is written. */
export interface PointPair {
  readonly reads: RowPoint;
  readonly writes: RowPoint;
}

/** What an MLP reads, the best first: normalised (Dunefsky et al. 2024), before its norm, or the stream where there is no norm. */
const MLP_INPUTS = ["ln2.hook_normalized", "hook_mlp_in", "hook_resid_pre"] as const;
const MLP_OUTPUT = /^(blocks\.\d+)\.hook_mlp_out$/;

/** What cross-layer transcoders read: the stream before the MLP (Ameisen et al. 2025). */
export const STREAM_INPUTS = ["hook_resid_mid", "hook_mlp_in", "hook_resid_pre"] as const;

type Batch = (size: number) => Tensor;

/** What a network lacks that no transcoder fits into. */
const NO_PAIR = "a network with MLPs, or without attention and with two hook points of as many rows";

/** Why no transcoder fits into a network, in a few words; nothing where one does. */
export function pairObjection({ target, settings }: TrainDocument): string | undefined {
  const found = targetNamed(target);
  const batch = (size: number): Tensor => found.batch("data", settings, size);
  return usualPairs(found.network(settings), batch, MLP_INPUTS).length === 0 ? NO_PAIR : undefined;
}

/**
 * The pairs that settings ask for.
 *
 * @param names  hook points that are read and written, commas between and `*` for any part of a name, in the same order; empty: every MLP's
 * @param inputs of an MLP's points the ones that count as what it reads
 * @throws `UnknownName`, or `BadArgument` for pairs that are none
 */
export function pointPairs(
  network: Network,
  names: { readonly reads: string; readonly writes: string },
  batch: Batch,
  inputs: readonly string[] = MLP_INPUTS,
): PointPair[] {
  const usual = names.reads === "" || names.writes === "" ? usualPairs(network, batch, inputs) : [];
  if (usual.length === 0 && (names.reads === "" || names.writes === "")) {
    throw new MechanistError("BadArgument", `reads: expected ${NO_PAIR}, got none`);
  }
  const points = (given: string, own: readonly string[]): RowPoint[] =>
    rowPoints(network, given === "" ? own.join(",") : given, batch);
  const reads = points(
    names.reads,
    usual.map(([from]) => from),
  );
  const writes = points(
    names.writes,
    usual.map(([, to]) => to),
  );
  if (reads.length !== writes.length) {
    throw new MechanistError(
      "BadArgument",
      `reads and writes: expected as many points, got ${reads.length} and ${writes.length}`,
    );
  }
  const rows = rowCounts(network, batch);
  const place = ({ name }: RowPoint): number => network.points.findIndex((point) => point.name === name);
  return reads.map((from, i) => {
    const to = writes[i]!;
    if (place(from) >= place(to)) {
      throw new MechanistError("BadArgument", `reads: expected a point before ${to.name}, got ${from.name}`);
    }
    if (rows.get(from.name) !== rows.get(to.name)) {
      const got = `${rows.get(from.name)} and ${rows.get(to.name)} an example`;
      throw new MechanistError(
        "BadArgument",
        `${from.name} to ${to.name}: expected as many rows at one as at the other, got ${got}`,
      );
    }
    return { reads: from, writes: to };
  });
}

/**
 * Every MLP; where a network has none, from the first point whose rows are those of the last to the last. Attention alone brings together rows that no transcoder sees
 * together.
 */
function usualPairs(network: Network, batch: Batch, inputs: readonly string[]): [string, string][] {
  const names = network.points.map(({ name }) => name);
  const own = names.flatMap((name): [string, string][] => {
    const [, block] = MLP_OUTPUT.exec(name) ?? [];
    const from = inputs.map((input) => `${block}.${input}`).find((input) => names.includes(input));
    return block === undefined || from === undefined ? [] : [[from, name]];
  });
  if (own.length > 0 || names.some((name) => name.includes(".attn."))) return own;
  const rows = rowCounts(network, batch);
  const last = names.findLast((name) => rows.has(name))!;
  const first = names.find((name) => name !== last && rows.get(name) === rows.get(last));
  if (first !== undefined) return [[first, last]];
  return [];
}

/** How many rows each point has for one example; points without rows are left out. */
export function rowCounts(network: Network, batch: Batch): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  network.forward(weightInputs(network.weights), batch(1), {
    at: (name, value) => {
      const axes = axisNames(value.axes);
      if (axes[0] === "batch" && axes.length > 1 && value.dtype === "f32" && !axes.includes("key")) {
        found.set(name, pointRows(value).shape[0]!);
      }
      return undefined;
    },
  });
  return found;
}
