/**
 * `mechanist attribute`: what acts on what. On one input it is a graph of components, for a look and for other viewers; with `--dataset` a
 * mean over data, with `--heads` what meets in each head.
 */
import { resolve } from "node:path";
import {
  type AttributionGraph,
  attributionGraph,
  type Calibration,
  calibrateEdges,
  calibrateNodes,
  graphJson,
  pruned,
  type PrunedGraph,
} from "../circuit/index.ts";
import { MechanistError } from "../error.ts";
import { writeAtomic } from "../file/node-atomic.ts";
import { promptGraph } from "../report/prompt-graph.ts";
import { mechanistVersion } from "../run/environment.ts";
import { shownPath, significant, table } from "./format.ts";
import { interruptible } from "./interrupt.ts";
import { openRankOne, type OpenedDecomposition } from "./open-decomposition.ts";
import { decimal, type DeviceOptions, placementFrom, wholeNumber } from "./options.ts";
import { type PromptInput, promptInput, type PromptOptions } from "./prompt-input.ts";
import type { Terminal } from "./terminal.ts";

export interface AttributeOptions extends DeviceOptions, PromptOptions {
  readonly threshold?: string;
  readonly top?: string;
  readonly outputs?: string;
  readonly at?: string;
  readonly remainder?: boolean;
  readonly calibrate?: boolean;
  readonly out?: string;
  readonly figure?: string;
  readonly dataset?: boolean;
  readonly heads?: boolean;
  readonly rows?: string;
  readonly to?: readonly string[];
  readonly targets?: string;
  readonly layer?: string;
  readonly offsets?: string;
  readonly seed?: string;
}

type Mode = "dataset" | "heads" | "input";

/** What belongs to some of what can be asked, and to which; all else belongs to each. */
const MODES: Readonly<Partial<Record<keyof AttributeOptions, readonly Mode[]>>> = {
  tokens: ["input", "heads"],
  prompt: ["input", "heads"],
  features: ["input"],
  threshold: ["input"],
  outputs: ["input"],
  at: ["input", "heads"],
  remainder: ["input"],
  calibrate: ["input"],
  out: ["input"],
  figure: ["input"],
  rows: ["dataset", "heads"],
  seed: ["dataset", "heads"],
  to: ["dataset"],
  targets: ["dataset"],
  layer: ["heads"],
  offsets: ["heads"],
};

/** @throws `BadArgument` for options that do not go together */
function modeOf(options: AttributeOptions): Mode {
  const both = options.dataset && options.heads;
  const mode = options.dataset ? "dataset" : options.heads ? "heads" : "input";
  const wrong = (Object.keys(MODES) as (keyof AttributeOptions)[]).find(
    (name) => options[name] !== undefined && !MODES[name]!.includes(mode),
  );
  if (!both && wrong === undefined) return mode;
  const wanted = both ? ["dataset"] : MODES[wrong!]!.filter((name) => name !== "input");
  if (mode === "input") {
    const where = wanted.map((name) => `--${name}`).join(" or ");
    throw new MechanistError("BadArgument", `--${wrong}: expected ${where} with it, got neither`);
  }
  const other = both ? "heads" : wrong;
  throw new MechanistError("BadArgument", `attribute: expected --${mode} or --${other}, got both`);
}

export async function attributeCommand(given: string, options: AttributeOptions, terminal: Terminal): Promise<void> {
  const mode = modeOf(options);
  if (mode === "dataset") return (await import("./attribute-dataset.ts")).attributeDataset(given, options, terminal);
  if (mode === "heads") return (await import("./attribute-heads.ts")).attributeHeads(given, options, terminal);
  return attributeInput(given, options, terminal);
}

/** How many edges are printed; `--json` and files have `--top`. */
const SHOWN = 12;
const MOST = 1_000_000;

async function attributeInput(given: string, options: AttributeOptions, terminal: Terminal): Promise<void> {
  const placement = placementFrom(options);
  const top = wholeNumber("--top", options.top ?? "200", 1, MOST);
  const chosen = {
    threshold: decimal("--threshold", options.threshold ?? "0", 0, 1),
    outputs: wholeNumber("--outputs", options.outputs ?? "5", 1, MOST),
    ...(options.at !== undefined && { outputsAt: [wholeNumber("--at", options.at, 0, MOST)] }),
    remainder: options.remainder ?? false,
  };
  const { opened, input, whole, calibration } = await interruptible(terminal, async ({ signal }) => {
    terminal.working(`opening ${given}`);
    const decomposition = await openRankOne(given, "attribute");
    const prompt = await promptInput(decomposition, options);
    const work = {
      ...placement,
      signal,
      onProgress: (done: number, all: number) => terminal.working(`attributing ${given}: ${done} of ${all} targets`),
    };
    const graph = await attributionGraph(decomposition.decomposition, prompt.x, { ...chosen, ...work });
    const few = pruned(graph, top);
    const measured = options.calibrate
      ? await calibrated(decomposition, prompt, few, {
          ...work,
          remainder: chosen.remainder,
          onProgress: (done, all) => terminal.working(`removing components of ${given}: ${done} of ${all}`),
        })
      : undefined;
    return { opened: decomposition, input: prompt, whole: graph, calibration: measured };
  });
  const graph = pruned(whole, top);
  terminal.clear();
  await written(opened, input, graph, options);
  const { nodes, edges, all, influence, layers, divergence, important, targets, threshold } = graph;
  terminal.document("attribute", {
    run: opened.run.name,
    path: opened.run.path,
    step: opened.step,
    input: inputOf(input),
    layers,
    threshold,
    important,
    divergence,
    targets,
    shown: { nodes: nodes.length, edges: edges.length },
    all,
    nodes: nodes.map((node, i) => ({ ...node, influence: influence.nodes[i]! })),
    edges: edges.map(({ from, to, weight }, i) => ({
      from: nodes[from]!.address,
      to: nodes[to]!.address,
      weight,
      influence: influence.edges[i]!,
    })),
    ...(calibration && { calibration: calibration.edges, nodeCalibration: calibration.nodes }),
    ...(options.out !== undefined && { out: resolve(options.out) }),
    ...(options.figure !== undefined && { figure: resolve(options.figure) }),
  });
  terminal.print(described(opened, input, graph, calibration));
  for (const file of [options.out, options.figure]) if (file !== undefined) terminal.print(shownPath(resolve(file)));
}

interface Calibrations {
  readonly edges: Calibration;
  /** Of the output that is told first, the likeliest or largest. */
  readonly nodes?: Calibration & { readonly output: string };
}

/** Edges with all else held still, and nodes with all behind them following. */
async function calibrated(
  { decomposition }: OpenedDecomposition,
  { x }: PromptInput,
  graph: PrunedGraph,
  options: Parameters<typeof calibrateEdges>[3],
): Promise<Calibrations> {
  const edges = await calibrateEdges(decomposition, x, graph, options);
  const output = graph.nodes.find(({ kind }) => kind === "output");
  if (output === undefined) return { edges };
  const nodes = await calibrateNodes(decomposition, x, graph, output, options);
  return { edges, nodes: { output: output.address, ...nodes } };
}

/** An input as documents tell it. */
export function inputOf({ prompt, x }: PromptInput): Record<string, unknown> {
  return { prompt, values: Array.from(x.data) };
}

async function written(
  { run, title }: OpenedDecomposition,
  input: PromptInput,
  graph: PrunedGraph,
  { out, figure }: AttributeOptions,
): Promise<void> {
  const { tokens, prompt, outputName, inputName } = input;
  const name = `${run.name}: ${prompt.slice(0, 60)}`;
  if (out !== undefined) {
    const document = graphJson(graph, {
      slug: run.name.replaceAll(/[^\w-]+/g, "-"),
      scan: title,
      tokens,
      prompt,
      outputName,
      generator: { name: "mechanist", version: mechanistVersion() },
      createdAt: Date.now(),
    });
    await writeAtomic(resolve(out), `${JSON.stringify(document)}\n`);
  }
  if (figure !== undefined) {
    const columns = graph.positions === 1 && input.x.dtype === "f32" ? [prompt] : tokens;
    const drawn = promptGraph({ title: name, graph, tokens: columns, outputName, inputName });
    await writeAtomic(resolve(figure), drawn);
  }
}

function described(
  { run, step, title }: OpenedDecomposition,
  input: PromptInput,
  graph: PrunedGraph,
  calibration: Calibrations | undefined,
): string {
  const { nodes, edges, all, influence, important, threshold, divergence } = graph;
  const rows = edges.slice(0, SHOWN).map(({ from, to, weight }, i) => {
    return [nodes[from]!.address, nodes[to]!.address, significant(weight, 3), significant(influence.edges[i]!, 3)];
  });
  const many = (x: number): string => x.toLocaleString("en-US");
  return [
    `${run.name}, step ${step}, of ${title}: ${input.prompt.slice(0, 100)}`,
    `${many(important)} components of importance above ${threshold}; the run on them alone is ${significant(divergence, 3)} from the network`,
    "",
    outputLines(graph, input),
    "",
    table(["from", "to", "contributes", "influence"], rows),
    "",
    `${many(rows.length)} of ${many(all.edges)} edges, those of the largest influence on the outputs; ${many(edges.length)} in files, with ${many(nodes.length)} of ${many(all.nodes)} nodes.`,
    ...(calibration === undefined
      ? []
      : [
          "held against removing each source:",
          calibrationLine("edges, all else held still", calibration.edges),
          ...(calibration.nodes
            ? [calibrationLine(`nodes, on ${calibration.nodes.output}, all behind them following`, calibration.nodes)]
            : []),
        ]),
  ].join("\n");
}

/** What arrives at each output, and how much of it is accounted for. */
function outputLines({ nodes }: Pick<AttributionGraph, "nodes">, { outputName }: PromptInput): string {
  const rows = nodes
    .filter(({ kind }) => kind === "output")
    .map(({ component, value, probability, incoming }) => [
      outputName(component as number),
      significant(probability, 3),
      significant(value, 3),
      significant(incoming!.drawn, 3),
      significant(incoming!.others, 3),
      significant(incoming!.rest, 3),
    ]);
  return table(["output", "probability", "value", "by edges shown", "by other sources", "by no source"], rows);
}

function calibrationLine(what: string, { n, correlation, slope, signAgreement }: Calibration): string {
  return (
    `  ${what} (${n}): correlation ${significant(correlation, 3)}, ` +
    `slope ${significant(slope, 3)}, same sign ${significant(signAgreement, 3)}`
  );
}
