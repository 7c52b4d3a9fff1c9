/** `mechanist attribute --heads`: which components of queries and keys meet in which head, and which heads read and write alike. */
import {
  aliveOnData,
  type DataMeans,
  dataMeans,
  type HeadOverlap,
  headOverlap,
  type InputPair,
  observe,
  staticInteractions,
  type StaticPair,
  strongestAt,
  strongestPairs,
} from "../circuit/index.ts";
import { MechanistError } from "../error.ts";
import { isRotary } from "../network/transformer/positions.ts";
import { isTransformer, type Transformer } from "../network/transformer/transformer.ts";
import { type AttributeOptions, inputOf } from "./attribute.ts";
import { ROWS } from "./attribute-dataset.ts";
import { significant, table } from "./format.ts";
import { interruptible } from "./interrupt.ts";
import { openRankOne, type OpenedDecomposition } from "./open-decomposition.ts";
import { placementFrom, wholeNumber } from "./options.ts";
import { type PromptInput, promptInput } from "./prompt-input.ts";
import type { Terminal } from "./terminal.ts";
import { trainingData } from "./training-data.ts";

const TOP = "50";
/** How many pairs of a layer are printed. */
const SHOWN = 8;
const MOST = 1_000_000;
/** Where positions turn, and none are asked for. */
const OFFSETS = [0, 1, 2, 3, 4];

interface Layer {
  readonly layer: number;
  /** Absent where queries and keys are not both taken apart; `all` is of how many pairs the ones given are the strongest. */
  readonly queryKey?: {
    readonly sites: { readonly query: string; readonly key: string };
    readonly offsets: readonly number[];
    readonly pairs: readonly StaticPair[];
    readonly all: number;
    readonly onInput?: { readonly position: number; readonly pairs: readonly InputPair[]; readonly all: number };
  };
  /** Absent where values and outputs are not both taken apart. */
  readonly outputValue?: HeadOverlap;
}

export async function attributeHeads(given: string, options: AttributeOptions, terminal: Terminal): Promise<void> {
  const placement = placementFrom(options);
  const rows = wholeNumber("--rows", options.rows ?? ROWS, 1, 1e9);
  const top = wholeNumber("--top", options.top ?? TOP, 1, MOST);
  const seed = wholeNumber("--seed", options.seed ?? "0", 0, Number.MAX_SAFE_INTEGER);
  const offsets = options.offsets?.split(",").map((text) => wholeNumber("--offsets", text, 0, MOST));
  const at = options.at === undefined ? undefined : wholeNumber("--at", options.at, 0, MOST);
  const layer = options.layer === undefined ? undefined : wholeNumber("--layer", options.layer, 0, MOST);
  const onInput = [options.tokens, options.prompt, options.features].some((text) => text !== undefined);
  const { opened, input, means, layers } = await interruptible(terminal, async ({ signal }) => {
    terminal.working(`opening ${given}`);
    const found = await openRankOne(given, "attribute");
    const network = transformerOf(found);
    const wanted = layersOf(found, network, layer);
    const prompt = onInput ? await promptInput(found, options) : undefined;
    const data = await trainingData(found, rows, seed);
    const told = await dataMeans(found.decomposition, data, {
      ...placement,
      signal,
      onProgress: (done, all) => terminal.working(`counting what matters in ${given}: ${done} of ${all} batches`),
    });
    const seen = prompt && (await observe(found.decomposition, prompt.x, placement));
    const asked = {
      offsets: offsets ?? (isRotary(network.config.positions) ? OFFSETS : [0]),
      top,
      ...(seen && { passed: seen.passed, position: at ?? seen.positions - 1 }),
    };
    const all: Layer[] = [];
    for (const one of wanted) {
      terminal.working(`heads of layer ${one} of ${given}`);
      // Arithmetic of this process alone: without a pause nobody could stop it.
      await new Promise((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
      all.push(layerOf(found, told, one, asked));
    }
    return { opened: found, input: prompt, means: told, layers: all };
  });
  terminal.clear();
  const { run, step } = opened;
  const matrix = ({ data, shape }: HeadOverlap["reads"]): number[][] =>
    Array.from({ length: shape[0]! }, (_, i) => Array.from(data.subarray(i * shape[1]!, (i + 1) * shape[1]!)));
  terminal.document("attribute", {
    run: run.name,
    path: run.path,
    step,
    dataset: { n: means.n, examples: means.examples, seed },
    ...(input && { input: inputOf(input) }),
    heads: layers.map(({ outputValue, ...rest }) => ({
      ...rest,
      ...(outputValue && {
        outputValue: { ...outputValue, reads: matrix(outputValue.reads), writes: matrix(outputValue.writes) },
      }),
    })),
  });
  terminal.print(described(opened, means, layers, input));
}

function transformerOf({ decomposition: { network }, title }: OpenedDecomposition): Transformer {
  if (isTransformer(network)) return network;
  throw new MechanistError("BadArgument", `--heads: expected a transformer, got ${title}, which has no attention`);
}

const siteName = (layer: number, part: string): string => `blocks.${layer}.attn.W_${part}`;

function isApart({ decomposition: { sites } }: OpenedDecomposition, layer: number, parts: readonly string[]): boolean {
  return parts.every((part) => sites.some(({ name }) => name === siteName(layer, part)));
}

/** The layers whose attention was taken apart, or the one asked for. */
function layersOf(opened: OpenedDecomposition, { config }: Transformer, asked: number | undefined): number[] {
  if (asked !== undefined && asked >= config.layers) {
    throw new MechanistError("BadArgument", `--layer: expected a layer from 0 to ${config.layers - 1}, got ${asked}`);
  }
  const apart = Array.from({ length: config.layers }, (_, layer) => layer).filter(
    (layer) => isApart(opened, layer, ["Q", "K"]) || isApart(opened, layer, ["V", "O"]),
  );
  const wanted = asked === undefined ? apart : apart.filter((layer) => layer === asked);
  if (wanted.length > 0) return wanted;
  const where = asked === undefined ? opened.run.name : `layer ${asked} of ${opened.run.name}`;
  throw new MechanistError("BadArgument", `--heads: expected attention that was taken apart in ${where}, got none`);
}

interface Asked {
  readonly offsets: readonly number[];
  readonly top: number;
  readonly passed?: Parameters<typeof strongestAt>[2];
  readonly position?: number;
}

function layerOf(
  opened: OpenedDecomposition,
  means: DataMeans,
  layer: number,
  { offsets, top, passed, position }: Asked,
): Layer {
  const subject = opened.decomposition;
  let queryKey: Layer["queryKey"];
  if (isApart(opened, layer, ["Q", "K"])) {
    const sites = { query: siteName(layer, "Q"), key: siteName(layer, "K") };
    const among = { query: aliveOnData(means, sites.query), key: aliveOnData(means, sites.key) };
    const interactions = staticInteractions(subject, layer, { offsets, signs: means.signs });
    const [heads] = interactions.raw.shape as [number];
    const onInput = passed && strongestAt(subject, layer, passed, position!);
    queryKey = {
      sites,
      offsets,
      pairs: strongestPairs(interactions, top, among),
      all: heads * offsets.length * among.query.length * among.key.length,
      ...(onInput && { onInput: { position: position!, pairs: onInput.slice(0, top), all: onInput.length } }),
    };
  }
  const outputValue = isApart(opened, layer, ["V", "O"]) ? headOverlap(subject, layer, means.importance) : undefined;
  return { layer, ...(queryKey && { queryKey }), ...(outputValue && { outputValue }) };
}

function described(
  { run, step, title }: OpenedDecomposition,
  { n }: DataMeans,
  layers: readonly Layer[],
  input: PromptInput | undefined,
): string {
  return [
    `${run.name}, step ${step}, of ${title}; importances and signs are means over ${n.toLocaleString("en-US")} positions`,
    ...layers.flatMap((layer) => [
      ...(layer.queryKey ? ["", staticTable(layer.layer, layer.queryKey)] : []),
      ...(layer.queryKey?.onInput && input ? ["", inputTable(layer.layer, layer.queryKey, input)] : []),
      ...(layer.outputValue && layer.outputValue.writes.data.length > 1
        ? ["", overlapTable(layer.layer, layer.outputValue)]
        : []),
    ]),
  ].join("\n");
}

const counted = (shown: number, all: number): string => `${shown} of ${all.toLocaleString("en-US")}`;

function staticTable(layer: number, { pairs, all, offsets, sites }: NonNullable<Layer["queryKey"]>): string {
  const shown = pairs.slice(0, SHOWN);
  const rows = shown.map(({ head, offset, query, key, standardised, raw }) => [
    String(head),
    ...(offsets.length > 1 ? [String(offset)] : []),
    `${sites.query}:${query}`,
    `${sites.key}:${key}`,
    significant(standardised, 3),
    significant(raw, 3),
  ]);
  const head = ["head", ...(offsets.length > 1 ? ["positions back"] : []), "query", "key", "deviations", "score"];
  return [
    `layer ${layer}, queries and keys in the weights: ${counted(shown.length, all)} pairs of components that matter`,
    table(head, rows),
  ].join("\n");
}

function inputTable(
  layer: number,
  { onInput, sites }: NonNullable<Layer["queryKey"]>,
  { tokens }: PromptInput,
): string {
  const { position, pairs, all } = onInput!;
  const shown = pairs.slice(0, SHOWN);
  const token = (at: number): string => `${at} ${JSON.stringify(tokens[at])}`;
  const rows = shown.map(({ head, query, key, position: at, score }) => [
    String(head),
    `${sites.query}:${query}@${position}`,
    `${sites.key}:${key}@${at}`,
    token(at),
    significant(score, 3),
  ]);
  return [
    `layer ${layer}, on the input, from position ${token(position)}: ${counted(shown.length, all)} pairs`,
    table(["head", "query", "key", "looks at", "adds to the score"], rows),
  ].join("\n");
}

function overlapTable(layer: number, { reads, writes, random }: HeadOverlap): string {
  const [heads, shared] = [writes.shape[0]!, writes.shape[0]! / reads.shape[0]!];
  const of = (value: (head: number) => number, { data, shape }: HeadOverlap["reads"], a: number, b: number): number =>
    data[value(a) * shape[1]! + value(b)]!;
  const pairs = Array.from({ length: heads }, (_, a) => a).flatMap((a) =>
    Array.from({ length: heads - a - 1 }, (__, i) => {
      const b = a + i + 1;
      return { a, b, write: of((h) => h, writes, a, b), read: of((h) => Math.floor(h / shared), reads, a, b) };
    }),
  );
  const largest = ({ read, write }: (typeof pairs)[number]): number => Math.max(read, write);
  const shown = pairs.sort((p, q) => largest(q) - largest(p)).slice(0, SHOWN);
  return [
    `layer ${layer}, values and outputs: ${counted(shown.length, pairs.length)} pairs of heads; two random heads are at ${significant(random, 3)}`,
    table(
      ["head", "and", "read alike", "write alike"],
      shown.map(({ a, b, read, write }) => [String(a), String(b), significant(read, 3), significant(write, 3)]),
    ),
  ].join("\n");
}
