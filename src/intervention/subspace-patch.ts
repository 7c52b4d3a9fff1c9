/**
 * Patching along a direction, and whether what it does is an illusion (Makelov et al. 2024, "Is this the subspace you are looking for?").
 *
 * A direction can mix a part that differs between the runs but that nothing downstream reads with a part that downstream reads but that
 * never differs: neither does anything alone, while patching along the mixture carries the difference of the first over into the second.
 * So the direction is split into what the matrix that reads the value sees and what it does not see, and each part is patched alone.
 * The reader should be the whole matrix that follows, a `W_out` for instance: what reads one number only sees one direction, along which
 * every effect passes.
 */
import type { NamedValues, Values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import type { RunnableNetwork } from "../network/run.ts";
import type { Question } from "./ablation.ts";
import { captured, measured } from "./capture.ts";
import { effectsOf } from "./effects.ts";
import { expectAlike } from "./examples.ts";
import { type Contrast, runsOf } from "./patching.ts";
import { fromRun, type Source } from "./sources.ts";
import type { EffectRow, EffectTable } from "./table.ts";

/** `whole`: along the direction; `read`: along what downstream reads of it; `unread`: along the rest. */
export type DirectionPart = "whole" | "read" | "unread";

export interface SubspaceRow extends EffectRow {
  readonly part: DirectionPart;
  /** How long this part of the direction is; the whole is 1. */
  readonly length: number;
}

export interface SubspaceTable extends EffectTable<SubspaceRow> {
  /** How much of the effect along the direction is gone when only what downstream reads of it is patched; none without an effect. */
  readonly illusoryShare: number | null;
  /** Whether that is more than half. */
  readonly illusion: boolean;
}

/** Above this share an effect is called an illusion. */
const ILLUSORY = 0.5;
/** Effects and lengths below this are none. */
const NOTHING = 1e-9;

/**
 * Patches along a direction at a hook point, and along its two parts.
 *
 * @param direction along the point's last axis; its length does not matter
 * @param reader    the matrix that reads the point, its first axis as long as the direction, `d_mlp d_model` for instance: a weight's name
 * @throws `ShapeMismatch` where the direction, the point and the reader differ in size
 */
export async function subspacePatch(
  runnable: RunnableNetwork,
  contrast: Contrast,
  {
    point,
    direction,
    reader,
    metric,
    key,
    ...options
  }: Question & { readonly point: string; readonly direction: readonly number[]; readonly reader: string },
): Promise<SubspaceTable> {
  const { base, source: other } = runsOf(contrast);
  expectAlike("subspace patching", base, other);
  const parts = splitDirection(direction, readerOf(runnable.weights, reader, direction.length));
  const target = await measured(runnable, other, metric, options);
  const [own] = [(await captured(runnable, base, [point], options))[point]!];
  const others = (await captured(runnable, other, [point], options))[point]!;
  const size = own.shape.at(-1);
  if (size !== direction.length) {
    throw new MechanistError("ShapeMismatch", `${point}: expected a direction of ${size}, got ${direction.length}`);
  }
  const tables: EffectTable<SubspaceRow>[] = [];
  for (const part of ["whole", "read", "unread"] as const) {
    const vector = parts[part];
    const source: Source = {
      ...fromRun(other),
      description: `the value of the run on ${other.name} along ${DESCRIBED[part]}`,
      standIns: async () => ({ [point]: { how: "replace", values: exchangedAlong(own, others, vector) } }),
    };
    const what = { base, variants: [{ point }], source, metric, target, direction: contrast.direction, key };
    const table = await effectsOf(runnable, what, options);
    tables.push({ ...table, rows: table.rows.map((row) => ({ ...row, part, length: lengthOf(vector) })) });
  }
  const rows = tables.flatMap((table) => table.rows);
  const [whole, read] = rows as [SubspaceRow, SubspaceRow];
  // Effects of several examples may cancel in the mean: sizes are compared.
  const [all, kept] = [sizeOfEffect(whole), along(read, whole)];
  const illusoryShare = all < NOTHING ? null : 1 - kept / all;
  return {
    ...tables[0]!,
    description: `the value of the run on ${other.name} along a direction, and along its parts that ${reader} reads and does not read`,
    rows,
    illusoryShare,
    illusion: illusoryShare !== null && illusoryShare > ILLUSORY,
  };
}

const DESCRIBED: Readonly<Record<DirectionPart, string>> = {
  whole: "a direction",
  read: "what downstream reads of a direction",
  unread: "what downstream does not read of a direction",
};

const lengthOf = (x: readonly number[]): number => Math.sqrt(x.reduce((total, v) => total + v * v, 0));

/** The length of the effects of all examples. */
const sizeOfEffect = ({ perExample }: EffectRow): number => lengthOf(perExample);

/** How far the effects of one go along those of the other. */
function along(part: EffectRow, whole: EffectRow): number {
  const dot = part.perExample.reduce((total, x, i) => total + x * whole.perExample[i]!, 0);
  return dot / sizeOfEffect(whole);
}

/** The matrix that reads a point, as columns. */
function readerOf(weights: NamedValues, name: string, size: number): number[][] {
  const W = weights[name];
  const rows = W?.shape[0];
  if (W === undefined || rows !== size) {
    throw new MechanistError(
      "ShapeMismatch",
      `${name}: expected a matrix that reads ${size} numbers, got ${rows ?? "none"}`,
    );
  }
  const columns = W.data.length / size;
  return Array.from({ length: columns }, (_, c) => Array.from({ length: size }, (_, r) => W.data[r * columns + c]!));
}

/**
 * A direction, of length 1, as the sum of what is in the span of the reader's columns and what is orthogonal to all of them.
 *
 * @param columns of the matrix that reads, each as long as the direction
 */
export function splitDirection(
  direction: readonly number[],
  columns: readonly (readonly number[])[],
): Readonly<Record<DirectionPart, readonly number[]>> {
  const length = lengthOf(direction);
  if (length === 0) throw new MechanistError("BadArgument", "subspace patching: expected a direction, got zeros");
  const whole = direction.map((x) => x / length);
  const read = whole.map(() => 0);
  for (const axis of orthonormal(columns)) {
    const part = axis.reduce((total, x, i) => total + x * whole[i]!, 0);
    axis.forEach((x, i) => (read[i]! += part * x));
  }
  return { whole, read, unread: whole.map((x, i) => x - read[i]!) };
}

/** An orthonormal basis of the span of some vectors, by Gram and Schmidt, each vector twice for the sake of rounding. */
function orthonormal(vectors: readonly (readonly number[])[]): number[][] {
  const basis: number[][] = [];
  for (const vector of vectors) {
    const rest = [...vector];
    const size = lengthOf(rest);
    for (let pass = 0; pass < 2; pass++) {
      for (const axis of basis) {
        const part = axis.reduce((total, x, i) => total + x * rest[i]!, 0);
        axis.forEach((x, i) => (rest[i]! -= part * x));
      }
    }
    const left = lengthOf(rest);
    if (left > 1e-10 * Math.max(1, size)) basis.push(rest.map((x) => x / left));
  }
  return basis;
}

/** `base + v v·(source - base)` for the unit vector along a part, along the last axis; `base` where the part is nothing. */
function exchangedAlong(base: Values, source: Values, part: readonly number[]): Values {
  const length = lengthOf(part);
  const data = Float64Array.from(base.data);
  if (length > NOTHING) {
    const size = part.length;
    for (let row = 0; row < data.length; row += size) {
      let dot = 0;
      for (let i = 0; i < size; i++) dot += (part[i]! / length) * (source.data[row + i]! - base.data[row + i]!);
      for (let i = 0; i < size; i++) data[row + i]! += (part[i]! / length) * dot;
    }
  }
  return { ...base, data };
}
