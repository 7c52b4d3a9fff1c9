/** `mechanist import`: a network that others trained becomes a run, with a text of the user's as its data. */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { parquetDocuments } from "../data/parquet-documents.ts";
import { jsonLineDocuments, type StoredDocument, textPieces } from "../data/text-documents.ts";
import type { TokenData } from "../data/token-data.ts";
import { tokenRows, type TokenRow, tokenTable } from "../data/token-rows.ts";
import { tokenDocuments } from "../data/token-stream.ts";
import type { Tokenizer } from "../data/tokenizer.ts";
import type { NamedValues, Values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import type { ByteSource } from "../file/bytes.ts";
import { fileSource } from "../file/node-bytes.ts";
import { isTransformer, type Transformer } from "../network/transformer/transformer.ts";
import { environment } from "../run/environment.ts";
import { RunFolder } from "../run/folder.ts";
import { newRunPath } from "../run/runs.ts";
import { settingsFrom } from "../settings.ts";
import type { TrainDocument } from "../training/target.ts";
import { targetNamed } from "../training/targets.ts";
import { pretrainedScores, type PretrainedSettings, rowsText } from "../training/targets/pretrained.ts";
import { describeRun } from "./describe-run.ts";
import { shownPath } from "./format.ts";
import { interruptible } from "./interrupt.ts";
import { openNetwork, type OpenedNetwork } from "./open-network.ts";
import { type DeviceOptions, type Placement, placementFrom, wholeNumber } from "./options.ts";
import { record } from "./record.ts";
import type { Terminal } from "./terminal.ts";
import { successOf, successTable } from "./train.ts";

export interface ImportOptions extends DeviceOptions {
  readonly text: string;
  readonly field: string;
  readonly context?: string;
  readonly windows: string;
  readonly out?: string;
}

/** Tokens of a window unless told: networks can take more than a first decomposition should. */
const CONTEXT = 128;
const TARGET = "pretrained";

export async function importCommand(given: string, options: ImportOptions, terminal: Terminal): Promise<void> {
  const placement = placementFrom(options);
  const windows = wholeNumber("--windows", options.windows, 1, 1_000_000);
  const { run, cut } = await interruptible(terminal, async ({ signal }) => {
    terminal.working(`opening ${given}`);
    const opened = await openNetwork(given, {
      signal,
      onProgress: (done, all) => terminal.working(`opening ${given}: ${done} of ${all} tensors`),
    });
    const { network, tokenizer } = expectLanguageModel(opened, given);
    const context = contextOf(options, network);
    const source = await fileSource(options.text);
    try {
      const data = tokenData(options, tokenizer, network.config.vocab, context);
      const onRow = (rows: number): void => terminal.working(`reading ${options.text}: window ${rows} of ${windows}`);
      const text = await windowsOf(source, tokenizer, data, { windows, signal, onRow });
      const settings: Omit<PretrainedSettings, "steps" | "seed"> = {
        name: given,
        family: opened.title,
        weights: digestOf(opened.weights),
        network: network.config as PretrainedSettings["network"],
        text: basename(options.text),
        rows: rowsText(text.rows),
        windows: text.rows.shape[0]!,
        context,
        bos: data.bos === "row" ? "row" : "none",
        names: JSON.stringify(namesOf(tokenizer, network.config.vocab)),
      };
      return {
        run: await importInto(settings, opened.weights, { ...placement, signal, terminal }, options.out),
        ...text,
      };
    } finally {
      await source.close();
    }
  });
  terminal.document("import", { ...describeRun(run), ...run.record.result, cut });
  const { windows: count, context } = run.record.document.settings as unknown as PretrainedSettings;
  const much = cut
    ? `the first ${count.toLocaleString("en-US")}, for the text goes on,`
    : `all ${count.toLocaleString("en-US")}`;
  terminal.print(`imported ${run.name}: ${much} windows of ${context} tokens  (${shownPath(run.path)})`);
  terminal.print(successTable((run.record.result?.success ?? []) as never));
}

function expectLanguageModel(
  { network, tokenizer, path, title, document }: OpenedNetwork,
  given: string,
): { readonly network: Transformer; readonly tokenizer: Tokenizer } {
  if (document !== undefined) {
    throw new MechanistError("BadArgument", `${given}: expected a network from elsewhere, got ${title}, trained here`);
  }
  if (!isTransformer(network)) {
    throw new MechanistError("BadArgument", `${given}: expected a language model, got ${title}`);
  }
  if (tokenizer === undefined) {
    throw new MechanistError("MissingFile", `${path}: expected tokenizer.json, to make tokens of a text, got none`);
  }
  return { network, tokenizer };
}

function contextOf({ context }: ImportOptions, network: Transformer): number {
  const most = network.config.context;
  return context === undefined ? Math.min(CONTEXT, most) : wholeNumber("--context", context, 2, most);
}

/** How the text becomes windows: as a network sees it whose tokenizer would encode a text, which may begin with a mark. */
function tokenData({ text, field }: ImportOptions, tokenizer: Tokenizer, vocabulary: number, pos: number): TokenData {
  const { bosId = null, eosId = null } = tokenizer;
  const format = /\.(jsonl|ndjson)$/i.test(text) ? "jsonl" : /\.parquet$/i.test(text) ? "parquet" : "text";
  const marked = bosId !== null && tokenizer.encode("a", "tokenizer")[0] === bosId;
  return {
    format,
    field,
    separator: "",
    pos,
    packing: "packed",
    bos: marked ? "row" : "none",
    eos: format !== "text" && eosId !== null ? "document" : "none",
    overflow: "split",
    remainder: "drop",
    padding: "right",
    bosId,
    eosId,
    padId: null,
    vocabulary,
  };
}

interface Windows {
  readonly rows: Values<"row pos">;
  /** Whether the text had more. */
  readonly cut: boolean;
}

/** The first windows of a text; no more of it is read than they need. */
async function windowsOf(
  source: ByteSource,
  tokenizer: Tokenizer,
  data: TokenData,
  limits: { readonly windows: number; readonly signal: AbortSignal; readonly onRow: (rows: number) => void },
): Promise<Windows> {
  let [tokens, seen] = [0, 0];
  const counted = async function* (): AsyncGenerator<{ readonly ids: ArrayLike<number>; readonly where: string }> {
    for await (const document of tokenDocuments(documentsIn(source, data), tokenizer)) {
      limits.signal.throwIfAborted();
      tokens += document.ids.length;
      yield document;
    }
  };
  const first = async function* (): AsyncGenerator<TokenRow> {
    for await (const row of tokenRows(counted(), data)) {
      seen++;
      if (seen > limits.windows) return;
      if (seen % 256 === 0) limits.onRow(seen);
      yield row;
    }
    if (seen > 0) return;
    const needed = data.pos - Number(data.bos === "row");
    throw new MechanistError(
      "BadFile",
      `${source.name}: expected at least ${needed} tokens, a window, got ${tokens}; --context takes fewer`,
    );
  };
  const { tokens: rows } = await tokenTable(first());
  return { rows, cut: seen > limits.windows };
}

function documentsIn(source: ByteSource, { format, field }: TokenData): AsyncGenerator<StoredDocument> {
  if (format === "text") return textPieces(source);
  return format === "jsonl" ? jsonLineDocuments(source, field) : parquetDocuments(source, field);
}

/** How each token reads; ids that no token has read as their numbers. */
function namesOf(tokenizer: Tokenizer, vocabulary: number): string[] {
  return Array.from({ length: Math.min(tokenizer.size, vocabulary) }, (_, id) => {
    try {
      return tokenizer.tokenText(id);
    } catch {
      return String(id);
    }
  });
}

/** sha256 of names and numbers. */
function digestOf(weights: NamedValues): string {
  const hash = createHash("sha256");
  for (const [name, { shape, data }] of Object.entries(weights)) {
    hash.update(`${name} ${shape.join("x")}\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}

async function importInto(
  given: Omit<PretrainedSettings, "steps" | "seed">,
  weights: NamedValues,
  options: Placement & { readonly signal: AbortSignal; readonly terminal: Terminal },
  out: string | undefined,
): Promise<RunFolder> {
  const target = targetNamed(TARGET);
  const settings = settingsFrom(TARGET, target.schema, given) as TrainDocument["settings"];
  const document: TrainDocument = { target: TARGET, preset: "import", settings };
  const path = out ?? (await newRunPath(target.title(settings)));
  const { device, threads } = options;
  const run = await RunFolder.create(path, { kind: "train", document, environment: environment(device, threads) });
  const began = performance.now();
  await record(run, options, async (loop) => {
    await loop.onCheckpoint?.({ step: 0, tensors: weights });
    options.terminal.working("measuring its loss on the text");
    const metrics = await pretrainedScores(settings as unknown as PretrainedSettings, weights, loop);
    const result = {
      steps: 0,
      loss: metrics.textLoss!,
      success: successOf(document, metrics).map((measured) => ({ ...measured })),
      stepsPerSecond: null,
      seconds: (performance.now() - began) / 1000,
    };
    return { value: undefined, result };
  });
  return run;
}
