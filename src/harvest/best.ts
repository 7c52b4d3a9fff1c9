/**
 * The best few of many, by a score, with a second score where the first is equal. With random scores that are the items' own, it is a uniform
 * sample without replacement that does not depend on the order in which items come (bottom-k sampling, Cohen & Kaplan 2007).
 */
export class Best<T> {
  readonly most: number;
  readonly #scores: Float64Array;
  readonly #ties: Float64Array;
  readonly #items: T[] = [];
  #worst = 0;

  constructor(most: number) {
    this.most = most;
    this.#scores = new Float64Array(most);
    this.#ties = new Float64Array(most);
  }

  /** Whether an item of these scores would be kept, were it offered. */
  wants(score: number, tie: number): boolean {
    if (this.#items.length < this.most) return this.most > 0;
    const worst = this.#scores[this.#worst]!;
    return score > worst || (score === worst && tie > this.#ties[this.#worst]!);
  }

  /** Those that are kept now, in no order. */
  get items(): readonly T[] {
    return this.#items;
  }

  /** Keeps an item that `wants` wanted. */
  put(score: number, tie: number, item: T): void {
    const at = this.#items.length < this.most ? this.#items.length : this.#worst;
    this.#scores[at] = score;
    this.#ties[at] = tie;
    this.#items[at] = item;
    if (this.#items.length < this.most) return;
    for (let i = 0; i < this.most; i++) if (this.#isWorse(i, this.#worst)) this.#worst = i;
  }

  /** Those that were kept, best first. */
  kept(): { readonly score: number; readonly tie: number; readonly item: T }[] {
    return this.#items
      .map((item, i) => ({ score: this.#scores[i]!, tie: this.#ties[i]!, item }))
      .sort((a, b) => b.score - a.score || b.tie - a.tie);
  }

  #isWorse(a: number, b: number): boolean {
    const [x, y] = [this.#scores[a]!, this.#scores[b]!];
    return x < y || (x === y && this.#ties[a]! < this.#ties[b]!);
  }
}
