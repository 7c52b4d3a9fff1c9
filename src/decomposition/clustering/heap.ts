/** A binary heap of clusters: which comes before all others, in as many steps as the logarithm of how many there are (Williams 1964). */
export class Heap {
  readonly #ids: number[] = [];
  readonly #before: (x: number, y: number) => boolean;

  /** @param before whether one cluster comes before another; no two are alike */
  constructor(before: (x: number, y: number) => boolean) {
    this.#before = before;
  }

  /** The one that comes before all others. */
  get top(): number | undefined {
    return this.#ids[0];
  }

  push(id: number): void {
    const ids = this.#ids;
    let at = ids.push(id) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!this.#before(id, ids[above]!)) break;
      ids[at] = ids[above]!;
      at = above;
    }
    ids[at] = id;
  }

  /** Takes the top out. */
  pop(): number | undefined {
    const { top } = this;
    const last = this.#ids.pop();
    if (last !== undefined && this.#ids.length > 0) this.#sink(last);
    return top;
  }

  /** Lets the top sink to its place, once it comes later than it did. */
  settle(): void {
    if (this.top !== undefined) this.#sink(this.top);
  }

  /** Puts a cluster on top and lets it sink to its place. */
  #sink(id: number): void {
    const ids = this.#ids;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= ids.length) break;
      if (below + 1 < ids.length && this.#before(ids[below + 1]!, ids[below]!)) below++;
      if (!this.#before(ids[below]!, id)) break;
      ids[at] = ids[below]!;
      at = below;
    }
    ids[at] = id;
  }
}
