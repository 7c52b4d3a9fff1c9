/**
 * A toy model of superposition and its decomposition, written down rather than trained: feature vectors are the corners of a
 * regular polygon, each feature has one component at `linear1` and one at `linear2`, the identity has two, and all other
 * components are dead. Everything follows from the arguments.
 */
import { type NamedValues, values } from "../../src/engine/index.ts";

export interface SolvedTms {
  readonly weights: NamedValues;
  readonly components: NamedValues;
  /** `slots[f]` is the component of feature f. */
  readonly slots: readonly number[];
}

export interface SolvedTmsOptions {
  readonly features: number;
  /** Components at each site, at least as many as features. */
  readonly C: number;
  readonly identity?: boolean;
  /** How far it is solved: at 0 all components share every feature, at 1 it is solved. */
  readonly progress?: number;
}

const GATE = 2;
const HIDDEN = 2;

/** A deterministic number in [-1, 1] for two whole numbers: the noise of unsolved and dead components. */
export function wobble(i: number, j: number): number {
  const x = Math.sin(i * 12.9898 + j * 78.233) * 43758.5453;
  return 2 * (x - Math.floor(x)) - 1;
}

export function solvedTms({ features: n, C, identity = false, progress = 1 }: SolvedTmsOptions): SolvedTms {
  const slots = Array.from({ length: n }, (_, f) => (f * 3 + 1) % C);
  if (new Set(slots).size < n) throw new Error(`solved tms: expected a C without common divisors with 3, got ${C}`);
  const corner = (f: number): [number, number] => {
    const angle = Math.PI / 2 + (2 * Math.PI * f) / n;
    return [1.1 * Math.cos(angle), 1.1 * Math.sin(angle)];
  };
  const W = Array.from({ length: n }, (_, f) => corner(f)).flat();
  const b = Array.from({ length: n }, () => -0.25);

  const far = 1 - progress;
  const components: Record<string, NamedValues[string]> = {};
  const site = (name: string, dIn: number, dOut: number, read: Cell, write: Cell, gain: number, bias: number): void => {
    const noise = (i: number, j: number): number => wobble(i + name.length * 31, j) * (0.004 + 0.5 * far);
    const V = fill(dIn, C, (i, c) => progress * read(i, c) + noise(i, c));
    const U = fill(C, dOut, (c, o) => progress * write(c, o) + noise(c + 7, o));
    components[`${name}.V`] = values("d_in C", [dIn, C], V);
    components[`${name}.U`] = values("C d_out", [C, dOut], U);
    // Two gate neurons of opposite sign, z = gelu(gain h + bias) + gelu(-gain h + bias) - 0.1: blind to the sign of h.
    components[`${name}.gate.W_in`] = values(
      "C gate",
      [C, GATE],
      fill(C, GATE, (_, g) => (g === 0 ? gain : -gain)),
    );
    components[`${name}.gate.b_in`] = values(
      "C gate",
      [C, GATE],
      fill(C, GATE, () => bias),
    );
    components[`${name}.gate.W_out`] = values(
      "C gate",
      [C, GATE],
      fill(C, GATE, () => 1),
    );
    components[`${name}.gate.b_out`] = values(
      "C",
      [C],
      fill(C, 1, () => -0.1 + 0.4 * far),
    );
  };
  const feature = (c: number): number => slots.indexOf(c);
  const one = (yes: boolean): number => (yes ? 1 : 0);
  const direction = (c: number, h: number): number => (feature(c) < 0 ? 0 : corner(feature(c))[h]!);
  // At linear1 a component reads its own feature alone: h is 0.75 there and 0 elsewhere.
  site(
    "linear1",
    n,
    HIDDEN,
    (i, c) => one(feature(c) === i),
    (c, h) => direction(c, h),
    4,
    -0.2,
  );
  if (identity) {
    // Two components read along orthogonal axes and write them back; most features need both.
    site(
      "identity",
      HIDDEN,
      HIDDEN,
      (i, c) => one(c === i),
      (c, o) => one(c === o),
      20,
      0,
    );
  }
  // At linear2 it reads along its corner: h is 0.75 · 1.21 there and at most 0.75 · 1.21 · 0.81 in size elsewhere (n = 5).
  site(
    "linear2",
    HIDDEN,
    n,
    (h, c) => direction(c, h),
    (c, o) => one(feature(c) === o),
    22,
    -18,
  );
  return { weights: { W: values("feature hidden", [n, HIDDEN], W), b: values("feature", [n], b) }, components, slots };
}

type Cell = (row: number, column: number) => number;

function fill(rows: number, columns: number, cell: Cell): Float32Array {
  return Float32Array.from({ length: rows * columns }, (_, i) => cell(Math.floor(i / columns), i % columns));
}
