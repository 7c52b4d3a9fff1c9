/** What a command says, and where: results on standard output, all else on standard error, progress only to people. */
import type { Progress } from "../training/loop.ts";
import { gibibytes } from "./format.ts";
import { type Many, manyLine, progressLine } from "./progress-line.ts";

/** The version of the documents that `--json` prints; `docs/json.md` says what is in them. */
export const JSON_SCHEMA = 1;

const REDRAW_EVERY = 100; // ms
const CLEAR_LINE = "\r\u001b[2K";

export interface Streams {
  readonly out: NodeJS.WriteStream;
  readonly err: NodeJS.WriteStream;
}

export class Terminal {
  readonly json: boolean;
  readonly #streams: Streams;
  #drawn = false;
  #drawnAt = 0;

  constructor(json: boolean, streams: Streams = { out: process.stdout, err: process.stderr }) {
    this.json = json;
    this.#streams = streams;
  }

  /** Whether somebody watches standard error. */
  get watched(): boolean {
    return this.#streams.err.isTTY;
  }

  /** Whether results may have colours. */
  get coloured(): boolean {
    return this.#streams.out.isTTY === true && !process.env.NO_COLOR;
  }

  /** Prints text for people; with `--json`, nothing. */
  print(text: string): void {
    this.clear();
    if (!this.json) this.#streams.out.write(`${text}\n`);
  }

  /** Prints a command's one JSON document; without `--json`, nothing. */
  document(command: string, content: Readonly<Record<string, unknown>>): void {
    if (!this.json) return;
    this.#streams.out.write(`${JSON.stringify({ schema: JSON_SCHEMA, command, ...content }, finiteOrNull, 2)}\n`);
  }

  /** Says something that must be seen even where only results are kept: a fallback, a warning. */
  note(text: string): void {
    this.clear();
    this.#streams.err.write(`mechanist: ${text}\n`);
  }

  /** Says something to whoever watches. */
  remark(text: string): void {
    if (this.watched) this.note(text);
  }

  /** Says what the steps of a run were predicted to take. */
  memory(bytes: number): void {
    this.remark(`its steps take about ${gibibytes(bytes)} of memory`);
  }

  /** Draws how far a run is, ten times a second at most, in place of what was drawn before. */
  progress(progress: Progress): void {
    this.#draw((columns) => progressLine(progress, columns), progress.step >= progress.steps);
  }

  /** Draws how far several runs are, in the same way. */
  progressOfMany(many: Many): void {
    this.#draw((columns) => manyLine(many, columns), false);
  }

  #draw(line: (columns: number) => string, atAnyRate: boolean): void {
    const now = performance.now();
    if (!this.watched || (now - this.#drawnAt < REDRAW_EVERY && !atAnyRate)) return;
    this.#drawnAt = now;
    this.working(line(this.#streams.err.columns));
  }

  /** Says what is going on, for as long as it goes on. */
  working(what: string): void {
    if (!this.watched) return;
    this.#drawn = true;
    this.#streams.err.write(CLEAR_LINE + what);
  }

  /** Takes the progress away. */
  clear(): void {
    if (this.#drawn) this.#streams.err.write(CLEAR_LINE);
    this.#drawn = false;
  }
}

/** JSON has no NaN: what cannot be said is `null`. */
function finiteOrNull(_: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? null : value;
}
