/**
 * Direct logit attribution (Elhage et al. 2021; nostalgebraist 2020): a logit as a sum over what was written into the residual stream. The
 * embedding, positions, each head, each MLP, each bias have a part; the parts sum to the logit, and how nearly is part of the answer.
 *
 * The last norm is frozen: each part is divided by what the norm divided the whole stream by in this run, so that parts add up. Its weight
 * belongs to the direction that is read, its bias and the unembedding's are parts of their own. A cap on logits comes after the sum.
 */
import { type NamedValues, values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import { meanOfNumbers } from "../intervention/bootstrap.ts";
import { expectGoingOn, type WorkOptions } from "../intervention/capture.ts";
import {
  batchesOf,
  countOf,
  DEFAULT_MEMORY,
  type Examples,
  pickedRun,
  pointSizes,
  rowsWithin,
} from "../intervention/examples.ts";
import type { RunnableNetwork, Traced } from "../network/run.ts";
import { type Transformer } from "../network/transformer/transformer.ts";
import {
  axisNames,
  axisSize,
  contract,
  div,
  foldIn,
  input,
  type Key,
  randomNormal,
  select,
  sub,
  type Tensor,
} from "../tensor/index.ts";
import { expectTransformer, gainOf } from "./attention-circuits.ts";
import type { Finding } from "./finding.ts";
import { dot, lengthOf } from "./random-directions.ts";

export interface AttributionRow {
  /** What wrote it: `hook_embed`, `blocks.0.attn:3` a head, `blocks.0.attn.b_O`, `blocks.0.mlp`, `ln_final.b`. */
  readonly writer: string;
  /** Over examples, in logits. */
  readonly mean: number;
  readonly perExample: readonly number[];
  /** The root mean square of what it adds along random directions of the unembedding's length. */
  readonly null: number;
}

export interface LogitAttribution extends Finding {
  readonly rows: readonly AttributionRow[];
  /** The sum of the parts of each example. */
  readonly total: readonly number[];
  /** What the network has there: the logit of the answer, less that of the other where there is one, before any cap. */
  readonly logit: readonly number[];
  /** The largest difference of the two. */
  readonly largestError: number;
  /** What was done about the last norm. */
  readonly norm: string;
}

/** Random directions that the null is made of. */
const RANDOM = 32;

/** What is asked: at the last position, the logit of a token, or of one rather than another. */
export interface LogitQuestion {
  readonly answer: readonly number[];
  readonly against?: readonly number[];
  /** Where; the last position unless given. */
  readonly position?: number;
}

/** Takes the logits of some examples apart. */
export async function directLogitAttribution(
  runnable: RunnableNetwork,
  examples: Examples,
  question: LogitQuestion,
  key: Key,
  options: WorkOptions = {},
): Promise<LogitAttribution> {
  const network = expectTransformer("direct logit attribution", runnable.network);
  const n = countOf(examples);
  expectOneEach(network, n, question);
  const position = question.position ?? examples.x.shape[1]! - 1;
  const directions = readDirections(network, runnable.weights, question, key);
  const program = attributionProgram(network, position);
  const { signal, memoryBytes = DEFAULT_MEMORY } = options;
  const parts = new Map<string, number[][]>();
  const logit: number[] = [];
  const { dModel, vocab } = network.config;
  for (const { rows, used } of batchesOf(n, rowsWithin(pointSizes(runnable, examples.x), memoryBytes))) {
    expectGoingOn(signal);
    const { x, ...rest } = pickedRun(examples, rows);
    const given = new Float64Array(rows.length * (RANDOM + 1) * dModel);
    rows.forEach((row, i) => given.set(directions.read(row), i * (RANDOM + 1) * dModel));
    const feeds = {
      [DIRECTIONS]: { ...values("batch direction d_model", [rows.length, RANDOM + 1, dModel], []), data: given },
    };
    const found = await runnable.compute(x, program, { ...rest, feeds });
    for (let i = 0; i < used; i++) {
      const row = rows[i]!;
      const at = (id: number): number => found.logits!.data[i * vocab + id]!;
      logit.push(at(question.answer[row]!) - (question.against === undefined ? 0 : at(question.against[row]!)));
      for (const { writer, numbers } of writtenBy(found, i)) parts.set(writer, [...(parts.get(writer) ?? []), numbers]);
      for (const { writer, numbers } of directions.biases(row))
        parts.set(writer, [...(parts.get(writer) ?? []), numbers]);
    }
  }
  const rows = [...parts].map(([writer, numbers]): AttributionRow => {
    const perExample = numbers.map(([own]) => own!);
    const random = numbers.flatMap(([, ...others]) => others);
    return {
      writer,
      mean: perExample.reduce((a, b) => a + b, 0) / n,
      perExample,
      null: Math.sqrt(random.reduce((a, b) => a + b * b, 0) / random.length),
    };
  });
  const total = logit.map((_, i) => rows.reduce((sum, { perExample }) => sum + perExample[i]!, 0));
  return {
    rows,
    total,
    logit,
    largestError: Math.max(...total.map((x, i) => Math.abs(x - logit[i]!))),
    norm: NORMS[network.config.norm.kind],
    n,
    counted: "examples",
    nullDescription: `${RANDOM} random directions as long as the unembedding's: the root mean square`,
    doesNotEstablish:
      "what a part does through later blocks, or what becomes of the logit without it: the norm's divisor would change and later parts react",
  };
}

const NORMS: Readonly<Record<Transformer["config"]["norm"]["kind"], string>> = {
  none: "there is none",
  layer: "frozen: parts are centred and divided by what this run's stream was divided by",
  rms: "frozen: parts are divided by what this run's stream was divided by",
};

const DIRECTIONS = "attribution:directions";

function expectOneEach({ config }: Transformer, n: number, { answer, against }: LogitQuestion): void {
  for (const ids of [answer, against ?? answer]) {
    if (ids.length !== n) {
      throw new MechanistError("BadArgument", `direct logit attribution: expected ${n} tokens, got ${ids.length}`);
    }
    const bad = ids.find((id) => !(Number.isInteger(id) && id >= 0 && id < config.vocab));
    if (bad !== undefined) {
      throw new MechanistError(
        "BadArgument",
        `direct logit attribution: expected token ids from 0 to ${config.vocab - 1}, got ${bad}`,
      );
    }
  }
}

interface ReadDirections {
  /** For an example, the direction that is read in the stream and the random ones, one after the other: `direction d_model`. */
  read(row: number): Float64Array;
  /** What biases add to the logit, and to the random ones. */
  biases(row: number): readonly { readonly writer: string; readonly numbers: number[] }[];
}

/** Directions of the stream from columns of the unembedding, through the last norm's weight and centring. */
function readDirections(network: Transformer, weights: NamedValues, question: LogitQuestion, key: Key): ReadDirections {
  const { dModel, norm } = network.config;
  const gain = gainOf(network, weights, "ln_final");
  const shift = weights["ln_final.b"]?.data;
  const b_U = weights["unembed.b_U"]?.data;
  const read = (column: Float64Array): Float64Array => {
    const gained = gain === undefined ? column : column.map((u, i) => u * gain[i]!);
    if (norm.kind !== "layer") return gained;
    const mean = meanOfNumbers(gained);
    return gained.map((u) => u - mean);
  };
  const columnsOf = (row: number): Float64Array[] => {
    const column = unembeddingColumn(network, weights, question.answer[row]!);
    if (question.against !== undefined) {
      const other = unembeddingColumn(network, weights, question.against[row]!);
      other.forEach((u, i) => (column[i]! -= u));
    }
    const length = lengthOf(column);
    const drawn = randomNormal(foldIn(key, row), RANDOM * dModel);
    const random = Array.from({ length: RANDOM }, (_, r) => {
      const one = Float64Array.from(drawn.subarray(r * dModel, (r + 1) * dModel));
      const scale = length / lengthOf(one);
      return one.map((x) => x * scale);
    });
    return [column, ...random];
  };
  return {
    read: (row) => {
      const all = new Float64Array((RANDOM + 1) * dModel);
      columnsOf(row).forEach((column, i) => all.set(read(column), i * dModel));
      return all;
    },
    biases: (row) => {
      const found: { writer: string; numbers: number[] }[] = [];
      if (shift !== undefined) {
        found.push({ writer: "ln_final.b", numbers: columnsOf(row).map((column) => dot(column, shift)) });
      }
      if (b_U !== undefined) {
        const [a, b] = [question.answer[row]!, question.against?.[row]];
        const own = b_U[a]! - (b === undefined ? 0 : b_U[b]!);
        // A random direction has no bias.
        found.push({ writer: "unembed.b_U", numbers: [own, ...Array.from({ length: RANDOM }, () => 0)] });
      }
      return found;
    },
  };
}

/** One column of the unembedding, of its own. */
function unembeddingColumn({ config }: Transformer, weights: NamedValues, token: number): Float64Array {
  const { dModel, vocab, tied } = config;
  const W = weights[tied ? "embed.W_E" : "unembed.W_U"]!.data;
  return Float64Array.from({ length: dModel }, (_, d) => W[tied ? token * dModel + d : d * vocab + token]!);
}

/** What each part adds at a position, `batch direction` or `batch head direction`, under its name. */
function attributionProgram(network: Transformer, position: number): (traced: Traced) => Record<string, Tensor> {
  const { config } = network;
  return ({ at, weights }) => {
    const batch = axisSize(at.hook_embed!, "batch");
    const directions = input(DIRECTIONS, "batch direction d_model", {
      batch,
      direction: RANDOM + 1,
      d_model: config.dModel,
    }) as Tensor;
    const here = (value: Tensor): Tensor =>
      axisNames(value.axes).includes("pos") ? (select(value, "pos", position) as Tensor) : value;
    const scale = config.norm.kind === "none" ? undefined : here(at["ln_final.hook_scale"]!);
    const along = (value: Tensor): Tensor => {
      const leading = axisNames(here(value).axes).filter((axis) => axis !== "d_model" && axis !== "batch");
      const product = contract(here(value), directions, ["batch", ...leading, "direction"].join(" "));
      return scale === undefined ? product : div(product, scale);
    };
    const found: Record<string, Tensor> = {
      logits: here(at["unembed.hook_out"]!),
      "part hook_embed": along(at.hook_embed!),
    };
    const { positions } = config;
    if (positions.kind === "absolute" && positions.addedTo === "residual") {
      found["part hook_pos_embed"] = along(at.hook_pos_embed!);
    }
    for (let layer = 0; layer < config.layers; layer++) {
      const name = `blocks.${layer}`;
      const bias = (part: string): Tensor | undefined =>
        weights[`${name}.${part}`] && along(weights[`${name}.${part}`]!);
      // What a norm after the part makes of it belongs to the whole part.
      if (config.norm.post) {
        found[`part ${name}.attn`] = along(at[`${name}.hook_attn_out`]!);
        if (config.mlp !== undefined) found[`part ${name}.mlp`] = along(at[`${name}.hook_mlp_out`]!);
        continue;
      }
      found[`heads ${name}.attn`] = along(at[`${name}.attn.hook_result`]!);
      const b_O = bias("attn.b_O");
      if (b_O !== undefined) found[`part ${name}.attn.b_O`] = b_O;
      if (config.mlp === undefined) continue;
      const [mlp, b_out] = [along(at[`${name}.hook_mlp_out`]!), bias("mlp.b_out")];
      found[`part ${name}.mlp`] = b_out === undefined ? mlp : sub(mlp, b_out);
      if (b_out !== undefined) found[`part ${name}.mlp.b_out`] = b_out;
    }
    return found;
  };
}

/** The parts of one example: the direction's first, then the random ones'. */
function writtenBy(found: NamedValues, row: number): { readonly writer: string; readonly numbers: number[] }[] {
  const size = RANDOM + 1;
  return Object.entries(found).flatMap(([name, { data }]) => {
    const [kind, writer] = name.split(" ") as [string, string | undefined];
    if (writer === undefined) return [];
    const perRow = data.length / found.logits!.shape[0]!;
    const cut = (i: number): number[] => Array.from(data.slice(row * perRow + i * size, row * perRow + (i + 1) * size));
    if (kind === "part") return [{ writer, numbers: cut(0) }];
    return Array.from({ length: perRow / size }, (_, head) => ({ writer: `${writer}:${head}`, numbers: cut(head) }));
  });
}
