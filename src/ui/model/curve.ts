/** From a metric's column to the points of a line: smoothing, and thinning to what a chart's width can show. */

/**
 * Exponential moving average, started without bias: each point is the mean of what came before it, with weights that fall by
 * `weight` a point. On a log axis the mean is of logarithms, so that the line stays in the middle of what is drawn.
 *
 * @param weight in [0, 1); 0 changes nothing
 */
export function smoothed(values: readonly number[], weight: number, log: boolean): number[] {
  let [sum, total] = [0, 0];
  return values.map((value) => {
    const x = log ? Math.log(value) : value;
    if (!Number.isFinite(x)) return Number.NaN;
    sum = sum * weight + x;
    total = total * weight + 1;
    return log ? Math.exp(sum / total) : sum / total;
  });
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/**
 * At most four points a pixel column: the first, lowest, highest and last of it. A line through them covers the same pixels as
 * a line through all points. Points without a finite place end a stretch.
 */
export function thinned(points: Iterable<Point>): Point[][] {
  const stretches: Point[][] = [];
  let stretch: Point[] = [];
  let column: { at: number; first: Point; low: Point; high: Point; last: Point } | undefined;
  const flushColumn = (): void => {
    if (!column) return;
    const { first, low, high, last } = column;
    const middle = low.x <= high.x ? [low, high] : [high, low];
    for (const p of [first, ...middle, last]) if (stretch.at(-1) !== p) stretch.push(p);
    column = undefined;
  };
  const flushStretch = (): void => {
    flushColumn();
    if (stretch.length > 0) stretches.push(stretch);
    stretch = [];
  };
  for (const p of points) {
    if (!Number.isFinite(p.x) || !Number.isFinite(p.y)) {
      flushStretch();
      continue;
    }
    const at = Math.floor(p.x);
    if (column && column.at !== at) flushColumn();
    if (!column) column = { at, first: p, low: p, high: p, last: p };
    if (p.y < column.low.y) column.low = p;
    if (p.y > column.high.y) column.high = p;
    column.last = p;
  }
  flushStretch();
  return stretches;
}

/** An SVG path through stretches of points; a stretch of one point is drawn as a dot by round line ends. */
export function pathOf(stretches: readonly (readonly Point[])[]): string {
  const at = ({ x, y }: Point): string => `${round(x)} ${round(y)}`;
  return stretches
    .map((stretch) => (stretch.length === 1 ? `M${at(stretch[0]!)}h0` : `M${stretch.map(at).join("L")}`))
    .join("");
}

const round = (x: number): number => Math.round(x * 10) / 10;
