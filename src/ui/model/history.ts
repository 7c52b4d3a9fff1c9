/**
 * The metrics of a run, one column a metric. Rows come in order; a row that goes back in steps means that the run was resumed from
 * there, so what came after it is forgotten, as it is in the file.
 */
export class History {
  stage = "";
  readonly steps: number[] = [];
  readonly columns = new Map<string, number[]>();

  /** Takes in one row of `metrics.jsonl`. What a row lacks is NaN. */
  add(row: Readonly<Record<string, unknown>>): void {
    const step = Number(row.step);
    if (!Number.isFinite(step)) return;
    if (typeof row.stage === "string" && row.stage !== this.stage) {
      this.truncate(0);
      this.stage = row.stage;
    }
    let length = this.steps.length;
    while (length > 0 && this.steps[length - 1]! >= step) length--;
    if (length < this.steps.length) this.truncate(length);
    for (const [name, value] of Object.entries(row)) {
      if (name === "step" || name === "stage") continue;
      // A NaN is written as null in JSON, or as its name.
      if (typeof value !== "number" && value !== null && value !== "NaN") continue;
      if (!this.columns.has(name)) this.columns.set(name, Array<number>(length).fill(Number.NaN));
      this.columns.get(name)!.push(value === null ? Number.NaN : Number(value));
    }
    this.steps.push(step);
    for (const column of this.columns.values()) if (column.length <= length) column.push(Number.NaN);
  }

  /** Forgets everything. */
  clear(): void {
    this.truncate(0);
    this.columns.clear();
    this.stage = "";
  }

  private truncate(length: number): void {
    this.steps.length = length;
    for (const column of this.columns.values()) column.length = length;
  }
}

/** The index of the value nearest to `x` in ascending `xs`; -1 when there is none. */
export function nearestIndex(xs: readonly number[], x: number): number {
  let [low, high] = [0, xs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle]! < x) low = middle + 1;
    else high = middle;
  }
  if (low === xs.length) return low - 1;
  return low > 0 && x - xs[low - 1]! <= xs[low]! - x ? low - 1 : low;
}
