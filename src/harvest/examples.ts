/**
 * Examples of a component firing: a uniform sample of all its firings, whose order by importance stands for their quantiles, and the
 * firings of highest importance. The top alone would show what a component is at its loudest, not what it mostly is.
 */
import { foldIn, type Key, threefry2x32 } from "../tensor/index.ts";
import { Best } from "./best.ts";
import type { Window } from "./stimuli.ts";

/** One firing, with what was around it. */
export interface Example extends Omit<Window, "rows"> {
  /** Which position of the stream of data it is, counted from 0 with padding. */
  readonly position: number;
  /** How much the component mattered there. */
  readonly importance: number;
  /** How strongly it acted there, where that is known. */
  readonly activation: number | undefined;
  /** Of each of the ids; of one row that is all of it, one number. */
  readonly importances: Float32Array;
}

/** A place in the data that was not chosen for any component, with all components that fire somewhere in it. */
export interface Background extends Omit<Window, "rows"> {
  readonly position: number;
  /** Components, rising. */
  readonly firing: Int32Array;
}

/** A random number in [0, 1) that belongs to a place in the stream and nothing else; 53 bits. */
export function lot(key: Key, position: number): number {
  const [a, b] = threefry2x32(key, [Math.floor(position / 2 ** 32), position >>> 0]);
  return ((a >>> 5) * 2 ** 26 + (b >>> 6)) * 2 ** -53;
}

/** The examples of all components. */
export class Examples {
  readonly sample: (Best<Example> | undefined)[];
  readonly top: (Best<Example> | undefined)[];
  readonly #keys: readonly Key[];
  readonly #most: number;

  /** @param most how many of each kind a component has */
  constructor(components: number, most: number, key: Key) {
    this.sample = Array.from({ length: components }, () => undefined);
    this.top = Array.from({ length: components }, () => undefined);
    this.#keys = Array.from({ length: components }, (_, c) => foldIn(key, c));
    this.#most = most;
  }

  /** Tells of a firing; `example` is called only if it is kept. */
  offer(component: number, position: number, importance: number, example: () => Example): void {
    const mine = lot(this.#keys[component]!, position);
    const sample = this.sampleOf(component);
    const top = this.topOf(component);
    let made: Example | undefined;
    if (sample.wants(mine, 0)) sample.put(mine, 0, (made = example()));
    if (!top.wants(importance, mine)) return;
    made ??= example();
    // Data that repeats itself would fill the list with one example.
    if (!top.items.some((other) => sameStimulus(other, made))) top.put(importance, mine, made);
  }

  sampleOf(component: number): Best<Example> {
    return (this.sample[component] ??= new Best(this.#most));
  }

  topOf(component: number): Best<Example> {
    return (this.top[component] ??= new Best(this.#most));
  }
}

type Shown = Pick<Window, "ids" | "values" | "focus">;

function sameStimulus(a: Shown, b: Shown): boolean {
  return a.focus === b.focus && sameNumbers(a.ids, b.ids) && sameNumbers(a.values ?? [], b.values ?? []);
}

function sameNumbers(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/**
 * Where each of a uniform sample lies among all firings, by importance: the share of them that matters less, estimated as (rank + 1/2) / k.
 *
 * @returns quantiles in the order of the examples given
 */
export function quantilesOf(examples: readonly Pick<Example, "importance" | "position">[]): number[] {
  const order = examples
    .map((_, i) => i)
    .sort((i, j) => {
      const [a, b] = [examples[i]!, examples[j]!];
      return a.importance - b.importance || a.position - b.position;
    });
  const quantiles: number[] = [];
  order.forEach((i, rank) => (quantiles[i] = (rank + 0.5) / examples.length));
  return quantiles;
}
