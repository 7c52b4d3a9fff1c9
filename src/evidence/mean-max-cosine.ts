/**
 * MMCS and ML2R: do the components have the directions and the lengths of the network's own columns?
 *
 * For each feature j with column `W_j`, the component whose part for that feature, `U_c V_cj`, has the largest cosine with
 * it. MMCS is the mean of those cosines, ML2R the mean of `‖U_c V_cj‖ / ‖W_j‖` for the same components (SPD paper,
 * section 3; after APD).
 *
 * What they do not say: that components are few, or one to a feature. With importance minimality off MMCS is still 0.99 in two
 * dimensions, because among many random directions one is near.
 */
import type { Values } from "../engine/index.ts";

export interface MatrixMatch {
  /** Mean cosine, 1 at best. */
  readonly mmcs: number;
  /** Mean ratio of lengths, 1 at best; below it components have shrunk. */
  readonly ml2r: number;
  /** For each feature, the matched component, its cosine and its ratio of lengths. */
  readonly features: readonly { readonly component: number; readonly cosine: number; readonly ratio: number }[];
}

/**
 * @param W    the site's matrix, `d_in d_out`
 * @param V    `d_in C`, or `d_in C m` where components have rank m
 * @param U    `C d_out`, or `C m d_out`
 * @param side which axis runs over features: the rows of `W` where features come in, its columns where they come out
 */
export function matchColumns(W: Values, V: Values, U: Values, side: "in" | "out"): MatrixMatch {
  const [dIn, dOut] = W.shape as [number, number];
  const [C, m = 1] = V.shape.slice(1) as [number, number?];
  const [count, length] = side === "in" ? [dIn, dOut] : [dOut, dIn];
  const at = (feature: number, i: number): number => W.data[side === "in" ? feature * dOut + i : i * dOut + feature]!;
  const part = (c: number, feature: number, i: number): number => {
    const [row, column] = side === "in" ? [feature, i] : [i, feature];
    let entry = 0;
    for (let k = c * m; k < (c + 1) * m; k++) entry += V.data[row * C * m + k]! * U.data[k * dOut + column]!;
    return entry;
  };
  const features = Array.from({ length: count }, (_, feature) => {
    let best = { component: 0, cosine: -Infinity, ratio: 0 };
    const norm = Math.hypot(...Array.from({ length }, (__, i) => at(feature, i)));
    for (let component = 0; component < C; component++) {
      let dot = 0;
      let square = 0;
      for (let i = 0; i < length; i++) {
        const value = part(component, feature, i);
        dot += value * at(feature, i);
        square += value * value;
      }
      const size = Math.sqrt(square);
      const cosine = size > 0 && norm > 0 ? dot / (size * norm) : 0;
      if (cosine > best.cosine) best = { component, cosine, ratio: norm > 0 ? size / norm : 0 };
    }
    return best;
  });
  const mean = (f: (x: (typeof features)[number]) => number): number =>
    features.reduce((total, x) => total + f(x), 0) / features.length;
  return { mmcs: mean((x) => x.cosine), ml2r: mean((x) => x.ratio), features };
}
