/** The one numeric comparison of the tests: its failure says how far off, where by axis name, and how many. */
import { axisNames } from "../src/tensor/axes.ts";
import type { Values } from "../src/engine/values.ts";

export interface Tolerance {
  /** Allowed error relative to each expected number. */
  readonly relative: number;
  /** Allowed error beside that; absent, `relative` times the largest expected number, or times 1 where all are smaller. */
  readonly absolute?: number;
}

/** Throws unless `actual` has the expected axes and shape and every number lies within the tolerance. */
export function expectClose(
  actual: Values,
  expected: Pick<Values, "axes" | "shape"> & { data: ArrayLike<number> },
  tolerance: Tolerance,
): void {
  if (actual.axes !== expected.axes || actual.shape.join() !== expected.shape.join()) {
    throw new Error(
      `expected "${expected.axes}" ${expected.shape.join("×")}, got "${actual.axes}" ${actual.shape.join("×")}`,
    );
  }
  const wanted = Array.from(expected.data);
  if (actual.data.length !== wanted.length) {
    throw new Error(`expected ${wanted.length} numbers, got ${actual.data.length}`);
  }
  const scale = wanted.reduce((top, x) => (Number.isFinite(x) ? Math.max(top, Math.abs(x)) : top), 1);
  const slack = tolerance.absolute ?? tolerance.relative * scale;
  let worst = { excess: 0, at: -1 };
  let failures = 0;
  wanted.forEach((want, i) => {
    const got = actual.data[i]!;
    if (Object.is(got, want) || got === want) return;
    const excess = Math.abs(got - want) / (slack + tolerance.relative * Math.abs(want));
    if (excess <= 1) return;
    failures++;
    if (worst.at < 0 || !(excess <= worst.excess)) worst = { excess, at: i };
  });
  if (failures === 0) return;
  const [got, want] = [actual.data[worst.at]!, wanted[worst.at]!];
  throw new Error(
    `${failures} of ${wanted.length} numbers are off; worst${place(actual, worst.at)}: expected ${want}, got ${got}, ` +
      `${worst.excess.toPrecision(3)} times the tolerance (${tolerance.relative} relative, ${slack.toPrecision(2)} absolute)`,
  );
}

function place(x: Values, position: number): string {
  let rest = position;
  const parts: string[] = [];
  axisNames(x.axes)
    .slice()
    .reverse()
    .forEach((axis, i) => {
      const size = x.shape[x.shape.length - 1 - i]!;
      parts.unshift(`${axis} ${rest % size}`);
      rest = Math.floor(rest / size);
    });
  return parts.length > 0 ? ` at ${parts.join(", ")}` : "";
}
