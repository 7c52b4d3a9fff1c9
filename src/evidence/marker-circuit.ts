/**
 * Induction in two steps, in a network that is to say again what followed a marker: queries and keys that look at the previous token, then queries
 * and keys that match. Are the components that matter there needed, and are all that matter enough?
 *
 * Needed: without those of either step the answer is a guess. Enough: with nothing but what matters the answer is as likely as before.
 * What it does not say: which of them does what; one that matters at no position is not looked at.
 */
import { compile, type NamedValues, type Values } from "../engine/index.ts";
import { axisSize, input, logSoftmax, select, takeAlong, type Tensor } from "../tensor/index.ts";
import type { KnownMarker } from "../training/known-mechanisms.ts";
import { ALIVE_ABOVE } from "./alive.ts";
import type { FreshData } from "./fresh-data.ts";
import { keepFeeds, keepInputs } from "./keep.ts";

/** What is left of the answer. Probabilities and nats are means over sequences. */
export interface MarkerCircuit {
  /** The probability that the network itself gives to the answer. */
  readonly answer: number;
  /** The same without the components that matter in queries and keys of the first layer, and of the last. */
  readonly answerWithoutPreviousToken: number;
  readonly answerWithoutMatching: number;
  /** Nats that the answer loses when everything else is out, the remainder too. */
  readonly lossOfAliveAlone: number;
}

/** A site's components with mean importance above 0.1 where they matter most, and at the last position. */
export interface MarkerSite {
  readonly aliveSomewhere: number;
  readonly aliveAtEnd: number;
}

/** Measures it on one batch. */
export async function markerCircuit(
  data: FreshData,
  known: KnownMarker,
): Promise<MarkerCircuit & { readonly sites: Readonly<Record<string, MarkerSite>> }> {
  const { decomposition, given } = data;
  const { network } = decomposition;
  const { feeds, importances } = await data.draw(0);
  const x = feeds["evaluation.x"]!;
  const [batch, positions] = x.shape as [number, number];
  const { masks, remainder } = keepInputs(decomposition);
  const ids = input("answer", "batch", { batch }, "i32");
  const logProbability = (output: Tensor): Tensor => {
    const last = select(output as Tensor<"batch pos vocab">, "pos", axisSize(output, "pos") - 1);
    return takeAlong(logSoftmax(last as Tensor, network.logits!), ids, network.logits!);
  };
  const [own, masked] = await Promise.all([
    compile({ logP: logProbability(given.output) }, data.options),
    compile({ logP: logProbability(decomposition.masked(given.x, masks, { remainder })) }, data.options),
  ]);
  try {
    const answer: NamedValues = { answer: answersOf(x, known.marker) };
    const where = new Map(decomposition.sites.map(({ name }) => [name, importantAt(importances[name]!, positions)]));
    const isAlive = (site: string, c: number): boolean => where.get(site)![c]!.somewhere > ALIVE_ABOVE;
    const run = async (kept: (site: string, c: number) => boolean, rest: boolean): Promise<Values> =>
      (await masked.run({ ...feeds, ...answer, ...keepFeeds(decomposition, kept, rest) })).logP;
    const without = async (sites: readonly string[]): Promise<number> =>
      meanOf(await run((site, c) => !(sites.includes(site) && isAlive(site, c)), true), Math.exp);
    const whole = (await own.run({ ...feeds, ...answer })).logP;
    const sites = Array.from(where, ([name, importance]): [string, MarkerSite] => {
      const counted = (part: keyof Importance): number => importance.filter((at) => at[part] > ALIVE_ABOVE).length;
      return [name, { aliveSomewhere: counted("somewhere"), aliveAtEnd: counted("atEnd") }];
    });
    return {
      answer: meanOf(whole, Math.exp),
      answerWithoutPreviousToken: await without(known.previousToken),
      answerWithoutMatching: await without(known.matching),
      lossOfAliveAlone: meanOf(whole, (p) => p) - meanOf(await run(isAlive, false), (p) => p),
      sites: Object.fromEntries(sites),
    };
  } finally {
    await own.dispose();
    await masked.dispose();
  }
}

/** What follows the first marker of each row. */
function answersOf({ data, shape }: Values, marker: number): Values {
  const [batch, positions] = shape as [number, number];
  const answers = Int32Array.from({ length: batch }, (_, row) => {
    const tokens = data.subarray(row * positions, (row + 1) * positions);
    return tokens[tokens.indexOf(marker) + 1]!;
  });
  return { axes: "batch", shape: [batch], dtype: "i32", data: answers };
}

/** A component's importance, mean over sequences: where it is largest, and at the last position. */
interface Importance {
  readonly somewhere: number;
  readonly atEnd: number;
}

function importantAt({ data, shape }: Values, positions: number): Importance[] {
  const [C, all] = shape as [number, number];
  const rows = all / positions;
  return Array.from({ length: C }, (_, c) => {
    let [somewhere, atEnd] = [0, 0];
    for (let row = 0; row < rows; row++) {
      const from = c * all + row * positions;
      let most = 0;
      for (let t = 0; t < positions; t++) most = Math.max(most, data[from + t]!);
      somewhere += most / rows;
      atEnd += data[from + positions - 1]! / rows;
    }
    return { somewhere, atEnd };
  });
}

function meanOf({ data }: Values, f: (x: number) => number): number {
  let total = 0;
  for (const x of data) total += f(x);
  return total / data.length;
}
