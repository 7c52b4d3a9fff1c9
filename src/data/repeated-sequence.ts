/**
 * Sequences that repeat themselves, for induction heads (Olsson et al. 2022): a random segment, again and again until the
 * context is full. Drawn by a traced program of uniform draws.
 */
import { MechanistError } from "../error.ts";
import { cast, constant, gather, greaterEqual, takeAlong, type Tensor } from "../tensor/index.ts";
import { wholeNumbers } from "./draws.ts";

export interface RepeatedSequenceOptions {
  readonly batch: number;
  readonly pos: number;
  readonly vocabulary: number;
  /** The segment's length is uniform from `shortest` to `longest`. */
  readonly shortest: number;
  readonly longest: number;
}

export interface RepeatedSequences {
  /** i32 `batch pos` */
  readonly tokens: Tensor<"batch pos">;
  /** i32 `batch`: the length of the segment. */
  readonly period: Tensor<"batch">;
  /** bool `batch pos`: the token repeats the one `period` before. */
  readonly repeated: Tensor<"batch pos">;
  /**
   * bool `batch pos`: so does the token before it, so that looking for that one's last occurrence finds this token. Where `repeated`
   * holds and this does not, the first token of the second copy, nothing tells that the segment has ended.
   */
  readonly inducible: Tensor<"batch pos">;
}

/**
 * A batch of repeated sequences.
 *
 * @param name names the draws, so that two batches in one program differ
 */
export function repeatedSequences(name: string, options: RepeatedSequenceOptions): RepeatedSequences {
  const { batch, pos, vocabulary, shortest, longest } = options;
  if (!(Number.isInteger(shortest) && Number.isInteger(longest) && 1 <= shortest && shortest <= longest)) {
    throw new MechanistError(
      "BadArgument",
      `repeated sequences: expected whole lengths with 1 <= shortest <= longest, got ${shortest} and ${longest}`,
    );
  }
  if (longest >= pos) {
    throw new MechanistError(
      "BadArgument",
      `repeated sequences: expected segments shorter than the ${pos} positions, got ${longest}`,
    );
  }
  const lengths = longest - shortest + 1;
  const segment = wholeNumbers(`${name}/segment`, "batch place", { batch, place: longest }, vocabulary);
  const length = wholeNumbers(`${name}/length`, "batch", { batch }, lengths);
  // All lengths' tables at once: looking up is exact, and division by a drawn number need not be.
  const table = (of: (period: number, t: number) => number): Tensor<"batch pos"> => {
    const cells = Array.from({ length: lengths * pos }, (_, i) => of(shortest + Math.floor(i / pos), i % pos));
    return gather(
      constant("length pos", { length: lengths, pos }, cells, "i32"),
      length,
      "length",
    ) as Tensor<"batch pos">;
  };
  const holds = (of: (period: number, t: number) => boolean): Tensor<"batch pos"> =>
    greaterEqual(
      cast(
        table((period, t) => Number(of(period, t))),
        "f32",
      ),
      1,
    );
  const periods = constant(
    "length",
    { length: lengths },
    Array.from({ length: lengths }, (_, i) => shortest + i),
    "i32",
  );
  return {
    tokens: takeAlong(
      segment,
      table((period, t) => t % period),
      "place",
    ) as Tensor<"batch pos">,
    period: gather(periods, length, "length") as Tensor<"batch">,
    repeated: holds((period, t) => t >= period),
    inducible: holds((period, t) => t > period),
  };
}
