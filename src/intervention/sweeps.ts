/** Ready sweeps: every cell of a grid of layers, heads and positions, patched or ablated one after the other, as a table. */
import { MechanistError } from "../error.ts";
import type { RunnableNetwork } from "../network/run.ts";
import { named } from "../settings.ts";
import { ablate, type Ablation, type Question } from "./ablation.ts";
import { type Examples, type PointSizes, pointSizes } from "./examples.ts";
import { type Contrast, patch } from "./patching.ts";
import type { Selection } from "./selection.ts";
import type { EffectRow, EffectTable } from "./table.ts";

/** Where a cell of a sweep lies. */
export interface Cell {
  readonly point: string;
  readonly layer: number;
  readonly head?: number;
  readonly position?: number;
  /** For patterns: the position that looks, and the one that is looked at. */
  readonly query?: number;
  readonly key?: number;
  readonly neuron?: number;
}

/** An effect with its place in the grid. */
export type SweepRow = EffectRow & Cell;

export interface Sweep {
  readonly summary: string;
  /** Hook points of a block, and the axes along which each index is a cell. */
  readonly parts: readonly string[];
  readonly along: readonly string[];
}

/** What there is, by name. */
export const SWEEPS: Readonly<Record<string, Sweep>> = {
  "layer-position": {
    summary: "residual stream, attention and MLP output of each layer at each position",
    parts: ["hook_resid_pre", "hook_attn_out", "hook_mlp_out"],
    along: ["pos"],
  },
  "resid-pre": {
    summary: "residual stream before each layer at each position",
    parts: ["hook_resid_pre"],
    along: ["pos"],
  },
  heads: { summary: "output of each head, at all positions", parts: ["attn.hook_z"], along: ["head"] },
  "head-position": {
    summary: "output of each head at each position",
    parts: ["attn.hook_z"],
    along: ["head", "pos"],
  },
  "query-key-value": {
    summary: "queries, keys and values of each head, at all positions",
    parts: ["attn.hook_q", "attn.hook_k", "attn.hook_v"],
    along: ["head"],
  },
  pattern: { summary: "attention pattern of each head", parts: ["attn.hook_pattern"], along: ["head"] },
  "pattern-position": {
    summary: "attention of each head from each position to each one",
    parts: ["attn.hook_pattern"],
    along: ["head", "query", "key"],
  },
  neurons: { summary: "each neuron, at all positions", parts: ["mlp.hook_post"], along: ["d_mlp"] },
};

/** The cells of a sweep, layer by layer; a query looks only at keys that are not after it. */
export function cellsOf(
  runnable: RunnableNetwork,
  sizes: PointSizes,
  name: string,
): { cell: Cell; selection: Selection }[] {
  const { parts, along } = named("sweep", name, SWEEPS);
  const cells: { cell: Cell; selection: Selection }[] = [];
  for (const { name: point } of runnable.network.points) {
    const [, layer, part] = /^blocks\.(\d+)\.(.*)$/.exec(point) ?? [];
    if (layer === undefined || !parts.includes(part!)) continue;
    const size = sizes.get(point)!;
    // Where several query heads share keys and values, these have an axis of their own.
    const axes = along.map((axis) => (axis === "head" && !(axis in size) ? "kv_head" : axis));
    for (const at of indicesOf(axes.map((axis) => size[axis]!))) {
      const by = Object.fromEntries(axes.map((axis, i) => [axis, at[i]!]));
      if (by.key !== undefined && by.key > by.query!) continue;
      const head = by.head ?? by.kv_head;
      cells.push({
        cell: {
          point,
          layer: Number(layer),
          ...(head !== undefined && { head }),
          ...(by.pos !== undefined && { position: by.pos }),
          ...(by.query !== undefined && { query: by.query }),
          ...(by.key !== undefined && { key: by.key }),
          ...(by.d_mlp !== undefined && { neuron: by.d_mlp }),
        },
        selection: { point, at: Object.fromEntries(axes.map((axis) => [axis, [by[axis]!]])) },
      });
    }
  }
  if (cells.length > 0) return cells;
  throw new MechanistError(
    "BadArgument",
    `sweep ${name}: expected a network with ${parts.join(", ")}, got none of these`,
  );
}

function indicesOf(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>(
    (all, size) => all.flatMap((before) => Array.from({ length: size }, (_, i) => [...before, i])),
    [[]],
  );
}

/** Patches every cell of a sweep. */
export async function patchingSweep(
  runnable: RunnableNetwork,
  contrast: Contrast,
  { sweep, ...question }: Question & { readonly sweep: string },
): Promise<EffectTable<SweepRow>> {
  const cells = cellsOf(runnable, pointSizes(runnable, contrast.clean.x), sweep);
  const variants = cells.map(({ selection }) => selection);
  return withCells(await patch(runnable, contrast, { ...question, variants }), cells);
}

/** Ablates every cell of a sweep. */
export async function ablationSweep(
  runnable: RunnableNetwork,
  base: Examples,
  { sweep, ...question }: Question & { readonly sweep: string; readonly ablation: Ablation },
): Promise<EffectTable<SweepRow>> {
  const cells = cellsOf(runnable, pointSizes(runnable, base.x), sweep);
  const variants = cells.map(({ selection }) => selection);
  return withCells(await ablate(runnable, base, { ...question, variants }), cells);
}

/** A table whose rows say which cell of the sweep they are. */
export function withCells<T extends EffectTable>(
  table: T,
  cells: readonly { readonly cell: Cell }[],
): Omit<T, "rows"> & { readonly rows: SweepRow[] } {
  return { ...table, rows: table.rows.map((row, i) => ({ ...row, ...cells[i]!.cell })) };
}
