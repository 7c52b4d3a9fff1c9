/** What must not change what a network computes: what is read from it, what runs beside it, where it stands, what comes after. */
import type { Values } from "../../engine/index.ts";
import { mul, type Tensor } from "../../tensor/index.ts";
import type { RunnableNetwork } from "../run.ts";
import { tokenValues } from "../run.ts";
import { LOGITS } from "./identities.ts";

/** A pair of values that should be the same. */
export interface Agreement {
  readonly point: string;
  readonly says: string;
  readonly wanted: ArrayLike<number>;
  readonly got: ArrayLike<number>;
}

/** How many positions of padding a prompt is moved by. */
const MOVED = 3;

/** Reading, replacing by itself and stopping change nothing: holds of every network. */
export async function readingAgreements(runnable: RunnableNetwork, x: Values, cached: Values): Promise<Agreement[]> {
  const { points } = runnable.network;
  const plain = await runnable.run(x);
  const hooks = points.map(({ name }) => ({ point: name, replace: (value: Tensor): Tensor => mul(value, 1) }));
  const replaced = await runnable.run(x, { hooks });
  const list: Agreement[] = [
    { point: LOGITS, says: "reading every point changes nothing", wanted: plain.output.data, got: cached.data },
    {
      point: LOGITS,
      says: "every value put back where it was changes nothing",
      wanted: plain.output.data,
      got: replaced.output.data,
    },
  ];
  const middle = points[Math.floor(points.length / 2)]?.name;
  if (middle !== undefined) {
    const [whole, stopped] = [await runnable.run(x, { cache: [middle] }), await runnable.run(x, { stopAt: middle })];
    list.push({
      point: middle,
      says: "stopping there changes nothing",
      wanted: whole.cache[middle]!.data,
      got: stopped.output.data,
    });
  }
  return list;
}

/** What holds of sequences of tokens: neighbours in a batch, padding and the future change nothing. */
export async function sequenceAgreements(
  runnable: RunnableNetwork,
  tokens: readonly number[],
  { causal }: { readonly causal: boolean },
): Promise<Agreement[]> {
  const { vocab, context } = runnable.network.input as { vocab: number; context: number };
  const alone = (await runnable.run(tokenValues([tokens]))).output;
  const [count, width] = [tokens.length, alone.data.length / tokens.length];
  const other = tokens.map((id) => (id + 1) % vocab);
  const beside = (await runnable.run(tokenValues([other, tokens]))).output;
  const list: Agreement[] = [
    {
      point: LOGITS,
      says: "other rows of a batch change nothing",
      wanted: alone.data,
      got: beside.data.subarray(count * width),
    },
  ];
  // A prompt as long as the context has no room to be moved, but for its last tokens.
  const kept = tokens.slice(0, Math.max(0, Math.min(count, context - MOVED)));
  if (kept.length > 0) {
    const short = kept.length === count ? alone : (await runnable.run(tokenValues([kept]))).output;
    const moved = tokenValues([[...kept.slice(0, 1).flatMap((id) => Array<number>(MOVED).fill(id)), ...kept]]);
    const { output } = await runnable.run(moved, { padding: [MOVED] });
    list.push({
      point: LOGITS,
      says: "padding on the left changes nothing",
      wanted: short.data,
      got: output.data.subarray(MOVED * width),
    });
  }
  if (causal && count > 1) {
    const changed = [...tokens.slice(0, -1), (tokens.at(-1)! + 1) % vocab];
    const { output } = await runnable.run(tokenValues([changed]));
    list.push({
      point: LOGITS,
      says: "a later token changes nothing before it",
      wanted: alone.data.subarray(0, (count - 1) * width),
      got: output.data.subarray(0, (count - 1) * width),
    });
  }
  return list;
}
