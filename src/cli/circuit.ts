/** `mechanist circuit`: the fewest nodes that keep an answer on one input, and what an adversary leaves of them. */
import { resolve } from "node:path";
import { optimisedCircuit, type OptimisedCircuit, type Outcome, type Regimes } from "../circuit/index.ts";
import { writeAtomic } from "../file/node-atomic.ts";
import { inputOf } from "./attribute.ts";
import { shownPath, significant, table } from "./format.ts";
import { interruptible } from "./interrupt.ts";
import { openRankOne, type OpenedDecomposition } from "./open-decomposition.ts";
import { decimal, type DeviceOptions, placementFrom, wholeNumber } from "./options.ts";
import { type PromptInput, promptInput, type PromptOptions } from "./prompt-input.ts";
import type { Terminal } from "./terminal.ts";

export interface CircuitOptions extends DeviceOptions, PromptOptions {
  readonly token?: string;
  readonly at?: string;
  readonly steps?: string;
  readonly minimality?: string;
  readonly seed?: string;
  /** Commander's `--no-adversary`. */
  readonly adversary: boolean;
  readonly out?: string;
}

/** How many nodes are printed; `--json` has all. */
const SHOWN = 20;
const MOST = 1_000_000;

export async function circuitCommand(given: string, options: CircuitOptions, terminal: Terminal): Promise<void> {
  const placement = placementFrom(options);
  const settings = {
    ...(options.steps !== undefined && { steps: wholeNumber("--steps", options.steps, 1, MOST) }),
    ...(options.seed !== undefined && { seed: wholeNumber("--seed", options.seed, 0, Number.MAX_SAFE_INTEGER) }),
    ...(options.minimality !== undefined && {
      importanceMinimality: decimal("--minimality", options.minimality, 0, Infinity),
    }),
    ...(options.adversary ? {} : { adversarial: 0 }),
  };
  const { opened, input, found } = await interruptible(terminal, async ({ signal }) => {
    terminal.working(`opening ${given}`);
    const decomposition = await openRankOne(given, "circuit");
    const prompt = await promptInput(decomposition, options);
    const task = {
      ...(options.at !== undefined && { position: wholeNumber("--at", options.at, 0, MOST) }),
      ...(options.token !== undefined && { token: prompt.tokenNamed("--token", options.token) }),
    };
    const circuit = await optimisedCircuit(decomposition.decomposition, prompt.x, task, settings, {
      ...placement,
      signal,
      onProgress: (progress) => terminal.progress(progress),
    });
    return { opened: decomposition, input: prompt, found: circuit };
  });
  terminal.clear();
  const { kept: _, ...told } = found;
  const { run, step } = opened;
  const document = { run: run.name, path: run.path, step, input: inputOf(input), ...told };
  if (options.out !== undefined) {
    await writeAtomic(resolve(options.out), `${JSON.stringify({ schema: 1, ...document }, null, 2)}\n`);
  }
  terminal.document("circuit", { ...document, ...(options.out !== undefined && { out: resolve(options.out) }) });
  terminal.print(described(opened, input, found));
  if (options.out !== undefined) terminal.print(shownPath(resolve(options.out)));
}

function described({ run, step, title }: OpenedDecomposition, input: PromptInput, found: OptimisedCircuit): string {
  const { nodes, alive, before, after, token, settings } = found;
  const rows = nodes
    .slice(0, SHOWN)
    .map(({ address, importance, kept }) => [address, significant(importance, 3), significant(kept, 3)]);
  const answer = token === null ? "what it answers" : `the probability of ${JSON.stringify(input.outputName(token))}`;
  return [
    `${run.name}, step ${step}, of ${title}: ${input.prompt.slice(0, 100)}`,
    `${nodes.length} of ${alive} nodes keep ${answer}, optimised ${settings.adversarial === 0 ? "WITHOUT an adversary" : "against an adversary"}`,
    "",
    regimeTable(found.network, before, after, alive, nodes.length),
    "",
    table(["node", "importance", "kept"], rows),
    "",
    `${rows.length} of ${nodes.length} nodes. The attack is ${after.adversarial.restarts} starts of ${after.adversarial.steps} steps: it shows that a circuit fails, not that it holds. Another seed may choose other nodes.`,
  ].join("\n");
}

function regimeTable(network: Outcome, before: Regimes, after: Regimes, alive: number, kept: number): string {
  const line = (name: string, nodes: string, { divergence, probability }: Outcome): string[] => [
    name,
    nodes,
    significant(probability, 3),
    significant(divergence, 3),
  ];
  const three = (name: string, nodes: number, { ciMasked, stochastic, adversarial }: Regimes): string[][] => [
    line(`${name}, the rest removed`, String(nodes), ciMasked),
    line(`${name}, the rest at random (mean of ${stochastic.draws})`, String(nodes), stochastic),
    line(`${name}, the rest by an adversary (worst)`, String(nodes), adversarial),
  ];
  return table(
    ["", "nodes", "probability", "divergence"],
    [line("network", "–", network), ...three("important nodes", alive, before), ...three("circuit", kept, after)],
  );
}
