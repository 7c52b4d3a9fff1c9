/**
 * Everything that one pass over the data counts, row by row. What is counted for pairs and tokens is exact; a component fires where its
 * importance is above the threshold.
 */
import { foldIn, type Key } from "../tensor/index.ts";
import { Best } from "./best.ts";
import { KeyCounts, type Spill } from "./counts.ts";
import { type Background, type Example, Examples, lot } from "./examples.ts";
import type { Stimuli, Window } from "./stimuli.ts";

/** Numbers of one site's components in a batch: `C batch`, flat. */
export interface SiteRows {
  /** The number of the site's first component among all. */
  readonly first: number;
  readonly components: number;
  readonly importances: ArrayLike<number>;
  /** How strongly each acts, with a sign; absent where the decomposition does not say. */
  readonly activations?: ArrayLike<number>;
}

/** One batch as the pass sees it. */
export interface BatchView {
  /** The place of its first row in the stream of data, padding included. */
  readonly start: number;
  readonly stimuli: Stimuli;
  readonly sites: readonly SiteRows[];
  /** The network's own probabilities of each output token, `batch vocab`, flat; absent where outputs are no distribution. */
  readonly probabilities?: ArrayLike<number>;
}

export interface TallyShape {
  readonly components: number;
  /** Tokens or features of the input. */
  readonly stimuli: number;
  /** Output tokens; 0 where none are counted. */
  readonly outputs: number;
  readonly threshold: number;
  /** Examples of each kind. */
  readonly examples: number;
  readonly background: number;
  readonly key: Key;
  /** Bytes that pairs, and tokens, may be counted in. */
  readonly pairBytes: number;
  readonly tokenBytes: number;
}

export class Tally {
  readonly shape: TallyShape;
  /** Rows counted, and rows passed over because they are padding. */
  n = 0;
  padding = 0;
  /** Rows of the stream that were looked at. */
  streamed = 0;
  readonly firings: Float64Array;
  readonly importance: Float64Array;
  readonly largest: Float64Array;
  /** Sums of |activation|. */
  readonly activation: Float64Array;
  /** Rows at which each token or feature was present. */
  readonly present: Float64Array;
  /** Sums of each output token's probability: over all rows, and over those where a component fires. */
  readonly mass: Float64Array;
  readonly massFiring: Float64Array;
  /** Keys `a · components + b` with a < b. */
  readonly pairs: KeyCounts;
  /** Keys `component · stimuli + token`. */
  readonly tokens: KeyCounts;
  readonly examples: Examples;
  readonly background: Best<Background>;
  readonly #backgroundKey: Key;
  readonly #threshold: number;
  #fired = new Int32Array(2 ** 12);
  #firedAt = new Int32Array(2 ** 12);

  constructor(shape: TallyShape, spills: { readonly pairs: Spill; readonly tokens: Spill }) {
    const { components, stimuli, outputs, key } = shape;
    this.shape = shape;
    this.firings = new Float64Array(components);
    this.importance = new Float64Array(components);
    this.largest = new Float64Array(components);
    this.activation = new Float64Array(components);
    this.present = new Float64Array(stimuli);
    this.mass = new Float64Array(outputs);
    this.massFiring = new Float64Array(components * outputs);
    this.pairs = new KeyCounts(components * components, shape.pairBytes, spills.pairs);
    this.tokens = new KeyCounts(components * stimuli, shape.tokenBytes, spills.tokens);
    this.examples = new Examples(components, shape.examples, foldIn(key, "examples"));
    this.background = new Best(shape.background);
    this.#backgroundKey = foldIn(key, "background");
    // Importances are float32, and so must be what they are held against.
    this.#threshold = Math.fround(shape.threshold);
  }

  /**
   * Counts a batch's rows, the first `most` of those that are no padding.
   *
   * @returns how many were counted
   */
  take(view: BatchView, most: number): number {
    const rows: number[] = [];
    const { stimuli } = view;
    for (let row = 0; row < stimuli.rows && rows.length < most; row++) {
      if (stimuli.counts(row)) rows.push(row);
      else this.padding++;
    }
    this.streamed = view.start + stimuli.rows;
    this.n += rows.length;
    const { starts, fired } = this.#firing(view, rows);
    rows.forEach((row, i) => {
      const here = fired.subarray(starts[i]!, starts[i + 1]!);
      this.#countStimuli(stimuli.present(row), here);
      this.#countPairs(here);
      this.#countOutputs(view, row, here);
      for (const component of here) this.#offerExample(view, component, row);
      this.#offerBackground(view, row);
    });
    return rows.length;
  }

  /** Adds up each component's numbers, and lists what fires at each of the rows, rising. */
  #firing(view: BatchView, rows: readonly number[]): { starts: Int32Array; fired: Int32Array } {
    const all = view.stimuli.rows;
    const starts = new Int32Array(rows.length + 1);
    let count = 0;
    for (const { first, components, importances, activations } of view.sites) {
      for (let c = 0; c < components; c++) {
        let [sum, largest, strength] = [0, this.largest[first + c]!, 0];
        for (let i = 0; i < rows.length; i++) {
          const at = c * all + rows[i]!;
          const value = importances[at]!;
          sum += value;
          if (value > largest) largest = value;
          if (activations !== undefined) strength += Math.abs(activations[at]!);
          if (!(value > this.#threshold)) continue;
          if (count === this.#fired.length) this.#widen();
          this.#fired[count] = first + c;
          this.#firedAt[count++] = i;
          starts[i + 1]!++;
          this.firings[first + c]!++;
        }
        this.importance[first + c]! += sum;
        this.largest[first + c] = largest;
        this.activation[first + c]! += strength;
      }
    }
    for (let i = 0; i < rows.length; i++) starts[i + 1]! += starts[i]!;
    const next = starts.slice();
    const fired = new Int32Array(count);
    for (let f = 0; f < count; f++) fired[next[this.#firedAt[f]!]!++] = this.#fired[f]!;
    return { starts, fired };
  }

  #widen(): void {
    const wider = (old: Int32Array): Int32Array<ArrayBuffer> => {
      const wide = new Int32Array(old.length * 2);
      wide.set(old);
      return wide;
    };
    this.#fired = wider(this.#fired);
    this.#firedAt = wider(this.#firedAt);
  }

  #countStimuli(present: ArrayLike<number>, firing: Int32Array): void {
    for (let p = 0; p < present.length; p++) {
      const id = present[p]!;
      this.present[id]!++;
      for (const component of firing) this.tokens.add(component * this.shape.stimuli + id);
    }
  }

  #countPairs(firing: Int32Array): void {
    for (let i = 0; i < firing.length; i++) {
      const from = firing[i]! * this.shape.components;
      for (let j = i + 1; j < firing.length; j++) this.pairs.add(from + firing[j]!);
    }
  }

  #countOutputs({ probabilities }: BatchView, row: number, firing: Int32Array): void {
    if (probabilities === undefined) return;
    const { outputs } = this.shape;
    const from = row * outputs;
    for (let v = 0; v < outputs; v++) this.mass[v]! += probabilities[from + v]!;
    for (const component of firing) {
      const to = component * outputs;
      for (let v = 0; v < outputs; v++) this.massFiring[to + v]! += probabilities[from + v]!;
    }
  }

  #offerExample(view: BatchView, component: number, row: number): void {
    const site = view.sites.findLast(({ first }) => first <= component)!;
    const from = (component - site.first) * view.stimuli.rows;
    const importance = site.importances[from + row]!;
    this.examples.offer(component, view.start + row, importance, (): Example => {
      const { rows, ...window } = view.stimuli.window(row);
      return {
        ...window,
        position: view.start + row,
        importance,
        activation: site.activations?.[from + row],
        importances: Float32Array.from(rows, (at) => site.importances[from + at]!),
      };
    });
  }

  #offerBackground(view: BatchView, row: number): void {
    const position = view.start + row;
    const mine = lot(this.#backgroundKey, position);
    if (!this.background.wants(mine, 0)) return;
    const { rows, ...window } = view.stimuli.window(row);
    this.background.put(mine, 0, { ...window, position, firing: this.#firingIn(view, rows) });
  }

  #firingIn(view: BatchView, rows: Window["rows"]): Int32Array {
    const found: number[] = [];
    for (const { first, components, importances } of view.sites)
      for (let c = 0; c < components; c++)
        if (rows.some((row) => importances[c * view.stimuli.rows + row]! > this.#threshold)) found.push(first + c);
    return Int32Array.from(found);
  }
}
