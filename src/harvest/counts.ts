/**
 * Exact counts of whole-number keys in bounded memory. Where there are few possible keys, one number for each; else a hash table, which is
 * put aside in sorted order whenever it is full, and in the end merged with what was put aside.
 */
/** Keys in rising order with how often each was counted. */
export interface CountRun {
  readonly keys: Float64Array;
  readonly counts: Float64Array;
}

/** Where full tables go: memory in a browser, the disk under Node. */
export interface Spill {
  /** How many runs it holds. */
  readonly runs: number;
  write(run: CountRun): void;
  /** A run in pieces, in order. */
  read(index: number): Iterable<CountRun>;
  /** Forgets all runs but the first few, which are those that a checkpoint knew of. */
  keep(runs: number): void;
}

/** Runs held in memory. */
export class MemorySpill implements Spill {
  readonly #runs: CountRun[] = [];
  get runs(): number {
    return this.#runs.length;
  }
  write(run: CountRun): void {
    this.#runs.push(run);
  }
  read(index: number): Iterable<CountRun> {
    return [this.#runs[index]!];
  }
  keep(runs: number): void {
    this.#runs.length = Math.min(runs, this.#runs.length);
  }
}

/** A table is full at this share of its places: beyond, finding a place takes long. */
const FULL = 0.625;
/** Bytes of one place: key and count. */
const PLACE = 16;
const EMPTY = -1;
const SMALLEST = 2 ** 10;

export class KeyCounts {
  readonly #spill: Spill;
  readonly #mostPlaces: number;
  readonly #dense: Float64Array | undefined;
  #keys = new Float64Array(0);
  #counts = new Float64Array(0);
  #shift = 0;
  #used = 0;

  /**
   * @param possible keys are below this, at most 2⁵³
   * @param bytes    memory it may take, `countBytes` at least
   */
  constructor(possible: number, bytes: number, spill: Spill) {
    this.#spill = spill;
    if (possible * 8 <= bytes) this.#dense = new Float64Array(possible);
    // While a table grows, the old one and the new one of twice the size are there.
    this.#mostPlaces = Math.max(SMALLEST, 2 ** Math.floor(Math.log2(bytes / PLACE / 1.5)));
    if (this.#dense === undefined) this.#allocate(SMALLEST);
  }

  /** Counts a key; a full table is put aside first. */
  add(key: number): void {
    this.#addMany(key, 1);
  }

  #addMany(key: number, count: number): void {
    if (this.#dense !== undefined) {
      this.#dense[key]! += count;
      return;
    }
    const mask = this.#keys.length - 1;
    let place = this.#placeOf(key);
    for (;;) {
      const held = this.#keys[place]!;
      if (held === key) {
        this.#counts[place]! += count;
        return;
      }
      if (held === EMPTY) break;
      place = (place + 1) & mask;
    }
    if (this.#used >= this.#mostPlaces * FULL) {
      this.#putAside();
      place = this.#placeOf(key);
    }
    this.#keys[place] = key;
    this.#counts[place] = count;
    this.#used++;
    if (this.#used >= this.#keys.length * FULL && this.#keys.length < this.#mostPlaces) this.#grow();
  }

  /** Puts the table aside and begins an empty one. */
  #putAside(): void {
    this.#spill.write(this.held());
    this.#keys.fill(EMPTY);
    this.#used = 0;
  }

  /** What is in memory now, in order. */
  held(): CountRun {
    if (this.#dense !== undefined) {
      let seen = 0;
      for (const count of this.#dense) if (count > 0) seen++;
      const keys = new Float64Array(seen);
      let next = 0;
      this.#dense.forEach((count, key) => {
        if (count > 0) keys[next++] = key;
      });
      return { keys, counts: keys.map((key) => this.#dense![key]!) };
    }
    const keys = new Float64Array(this.#used);
    let at = 0;
    for (const key of this.#keys) if (key !== EMPTY) keys[at++] = key;
    keys.sort();
    return { keys, counts: keys.map((key) => this.#countOf(key)) };
  }

  /** Goes on from what was held when `runs` runs were put aside. */
  restore({ keys, counts }: CountRun, runs: number): void {
    this.#spill.keep(runs);
    keys.forEach((key, i) => this.#addMany(key, counts[i]!));
  }

  /** How many runs were put aside. */
  get runs(): number {
    return this.#spill.runs;
  }

  /** Every key that was counted, rising, with its count. */
  *entries(): Generator<readonly [key: number, count: number]> {
    const own = this.held();
    const sources = [
      Cursor.over([own]),
      ...Array.from({ length: this.runs }, (_, i) => Cursor.over(this.#spill.read(i))),
    ];
    for (;;) {
      let key = Infinity;
      for (const source of sources) if (source.key < key) key = source.key;
      if (key === Infinity) return;
      let count = 0;
      for (const source of sources) if (source.key === key) count += source.take();
      yield [key, count];
    }
  }

  #placeOf(key: number): number {
    const mixed = Math.imul((key >>> 0) ^ Math.imul(key / 2 ** 32, 0x85ebca6b), 0x9e3779b1);
    return mixed >>> this.#shift;
  }

  #countOf(key: number): number {
    const mask = this.#keys.length - 1;
    let place = this.#placeOf(key);
    while (this.#keys[place] !== key) place = (place + 1) & mask;
    return this.#counts[place]!;
  }

  #allocate(places: number): void {
    this.#keys = new Float64Array(places).fill(EMPTY);
    this.#counts = new Float64Array(places);
    this.#shift = 32 - Math.log2(places);
    this.#used = 0;
  }

  #grow(): void {
    const [keys, counts] = [this.#keys, this.#counts];
    this.#allocate(keys.length * 2);
    keys.forEach((key, i) => {
      if (key !== EMPTY) this.#addMany(key, counts[i]!);
    });
  }
}

/** The least memory that counting such keys makes sense in: all of them, or a table of some size. */
export function countBytes(possible: number, share: number): number {
  const LEAST = 2 ** 24;
  return Math.min(possible * 8, Math.max(share, LEAST));
}

/** One run while it is merged. */
class Cursor {
  readonly #pieces: Iterator<CountRun>;
  #piece: CountRun | undefined;
  #at = 0;
  key = -1;

  private constructor(pieces: Iterator<CountRun>) {
    this.#pieces = pieces;
  }

  static over(pieces: Iterable<CountRun>): Cursor {
    const cursor = new Cursor(pieces[Symbol.iterator]());
    cursor.#next();
    return cursor;
  }

  /** The count at the key, going on to the next key. */
  take(): number {
    const count = this.#piece!.counts[this.#at]!;
    this.#at++;
    this.#next();
    return count;
  }

  #next(): void {
    while (this.#piece === undefined || this.#at >= this.#piece.keys.length) {
      const { value, done } = this.#pieces.next();
      if (done === true) {
        this.key = Infinity;
        return;
      }
      [this.#piece, this.#at] = [value, 0];
    }
    this.key = this.#piece.keys[this.#at]!;
  }
}
