/** What the seed tables of toys show beside what training measures by itself. */
import { brotliCompressSync, constants } from "node:zlib";
import { sampled } from "../src/data/draws.ts";
import { type NamedValues, values } from "../src/engine/index.ts";
import { countByUnstable, fixedPoints } from "../src/evidence/fixed-points.ts";
import { RunnableNetwork } from "../src/network/run.ts";
import { foldIn, keyFromSeed } from "../src/tensor/index.ts";
import type { MetricsRow } from "../src/training/loop.ts";
import type { TrainDocument } from "../src/training/target.ts";
import { targetNamed } from "../src/training/targets.ts";
import { preparedText, type TextSettings } from "../src/training/targets/text.ts";

type Metrics = Readonly<Record<string, number>>;

/** A trained toy, with the numbers that were recorded on the way. */
export interface TrainedToy {
  readonly document: TrainDocument;
  readonly weights: NamedValues;
  readonly metrics: Metrics;
  readonly rows: readonly MetricsRow[];
}

/** Fixed points without input, found from `starts` mixtures of states: how many, and how many with 0, 1, … ways out. */
export function countFixedPoints(starts: number): (toy: TrainedToy) => Promise<Metrics> {
  return async ({ document, weights }) => {
    const key = foldIn(keyFromSeed(document.settings.seed), "fixed points");
    const target = targetNamed(document.target);
    const network = target.network(document.settings);
    const { x } = sampled({ x: target.batch("visited", document.settings, 16) }, key);
    const runnable = new RunnableNetwork(network, weights, { threads: 1 });
    const { cache } = await runnable.run(x, { cache: ["hook_hidden"] });
    await runnable.dispose();
    const { data, shape } = cache.hook_hidden!;
    const visited = values("row hidden", [shape[0]! * shape[1]!, shape[2]!], data);
    const points = fixedPoints(network, weights, { visited, key, starts });
    return {
      fixedPoints: points.length,
      ...Object.fromEntries(countByUnstable(points).map((count, k) => [`unstable${k}`, count])),
    };
  };
}

/**
 * The step at which each mode of a deep linear network is half learnt, times its singular value, largest over smallest: 1 if the time a mode
 * takes is inversely proportional to its singular value, as in theory.
 */
export async function halfwaySpread({ document, rows }: TrainedToy): Promise<Metrics> {
  const modes = Number(document.settings.modes);
  const products = Array.from({ length: modes }, (_, k) => {
    const s = modes - k;
    return s * (rows.find((row) => Number(row[`mode${k + 1}`]) >= s / 2)?.step ?? Infinity);
  });
  return { halfwaySpread: Math.max(...products) / Math.min(...products) };
}

/** How many times later a network generalises than it knows its training set. */
export async function grokkingDelay({ metrics }: TrainedToy): Promise<Metrics> {
  const { trainStep, testStep } = metrics;
  return trainStep === undefined || testStep === undefined ? {} : { delay: testStep / trainStep };
}

/**
 * What a story model knows that word frequencies and the nearest or last word do not: nats above the least that the grammar allows, as a share of
 * what frequencies leave to learn, and accuracies beyond the better of chance and shortcut.
 */
export async function beyondShortcuts({ metrics }: TrainedToy): Promise<Metrics> {
  const { heldOutLoss, lossFloor, unigramLoss } = metrics as Record<string, number>;
  const gain = (fact: string): number =>
    metrics[fact]! - Math.max(metrics[`${fact}Chance`]!, metrics[`${fact}LastNamed`]!);
  return {
    unlearnt: (heldOutLoss! - lossFloor!) / (unigramLoss! - lossFloor!),
    ownerGain: gain("owner"),
    placeGain: gain("place"),
  };
}

/**
 * Bits a byte of a text model over those of brotli at its strongest, for the held-out tenth of the text after the rest of it: the increase of the
 * compressed length. Below 1 a model knows more of a text than which pieces come again.
 */
export async function overCompressor({ document, metrics }: TrainedToy): Promise<Metrics> {
  const { tokenizer, training, held } = await preparedText(document.settings as unknown as TextSettings);
  const [seen, unseen] = [training, held].map((tokens) => Buffer.from(tokenizer.decode([...tokens])));
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 };
  const size = (text: Buffer): number => brotliCompressSync(text, { params }).length;
  const compressed = (8 * (size(Buffer.concat([seen!, unseen!])) - size(seen!))) / unseen!.length;
  return { compressorBitsPerByte: compressed, overCompressor: metrics.bitsPerByte! / compressed };
}
