/**
 * Random sequences in which a marker stands twice: somewhere before a token to remember, and at the end, where that token is wanted:
 * `begin … marker M … marker → M`. The induction toy of parameter decomposition (goodfire-ai/spd, `experiments/ih`).
 */
import { MechanistError } from "../error.ts";
import { add, broadcast, cast, concat, constant, equal, reshape, type Tensor, where } from "../tensor/index.ts";
import { wholeNumbers } from "./draws.ts";

export interface MarkedTokenOptions {
  readonly batch: number;
  /** With the first token and both markers, without the answer. */
  readonly pos: number;
  /** Plain tokens: ids from 1 to this. 0 begins a sequence, the id after them is the marker. */
  readonly vocabulary: number;
}

export interface MarkedTokens {
  /** i32 `batch pos`: one longer than asked, the answer being last. */
  readonly tokens: Tensor<"batch pos">;
  /** i32 `batch`: where the first marker is; the token to remember comes next. */
  readonly marker: Tensor<"batch">;
}

/**
 * A batch of marked sequences. Plain tokens, the one to remember and the first marker's place, from 1 to `pos` - 4, are uniform; the token
 * to remember may stand elsewhere too.
 *
 * @param name names the draws, so that two batches in one program differ
 */
export function markedTokens(name: string, { batch, pos, vocabulary }: MarkedTokenOptions): MarkedTokens {
  const shortest = 5;
  if (pos < shortest) {
    throw new MechanistError("BadArgument", `marked tokens: expected at least ${shortest} positions, got ${pos}`);
  }
  const markerId = vocabulary + 1;
  const places = Array.from({ length: pos }, (_, i) => i);
  const fromOne = <A extends string>(x: Tensor<A>): Tensor<A> => add(cast(x, "f32"), 1);
  const everywhere = (x: Tensor): Tensor<"batch pos"> =>
    broadcast(x, "batch pos", { batch, pos }) as Tensor<"batch pos">;

  const plain = fromOne(wholeNumbers(`${name}/plain`, "batch pos", { batch, pos }, vocabulary));
  const answer = fromOne(wholeNumbers(`${name}/answer`, "batch", { batch }, vocabulary));
  const marker = fromOne(wholeNumbers(`${name}/marker`, "batch", { batch }, pos - shortest + 1));
  const place = everywhere(constant("pos", { pos }, places));
  const ends = (at: number, id: number, x: Tensor<"batch pos">): Tensor<"batch pos"> =>
    where(equal(place, at), id, x) as Tensor<"batch pos">;
  const drawn = ends(0, 0, ends(pos - 1, markerId, plain));
  const remembered = where(equal(place, everywhere(add(marker, 1))), everywhere(answer), drawn);
  const marked = where(equal(place, everywhere(marker)), markerId, remembered) as Tensor<"batch pos">;
  const whole = concat([marked, reshape(answer, "batch pos", { batch, pos: 1 })], "pos");
  return { tokens: cast(whole, "i32"), marker: cast(marker, "i32") };
}
