/**
 * `npm run bench:peers -- [--json] [--config name]… [--backend name]… [--rounds n] [--seconds n] [--threads n] [--python path]`: our training
 * step and the same one in PyTorch and JAX (`reference/bench_spd.py`), in turn, each time in a new process, with the ratio of the medians.
 *
 * Taking turns spreads what else the machine does over all of them. A ratio above 1 says how many times as fast ours is.
 */
import { execFileSync } from "node:child_process";
import { availableParallelism, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CONFIGS } from "./step.ts";

/** One process's measurement. */
interface Measured {
  readonly msPerStep: number;
  readonly peakMemoryBytes: number;
  readonly version?: string;
  readonly outsideShare?: number;
}

/** All measurements of one backend on one config. */
interface Row {
  readonly backend: string;
  readonly version: string;
  readonly msPerStep: number;
  /** The median of each process, in the order they ran. */
  readonly rounds: readonly number[];
  readonly peakMemoryBytes: number;
  /** Its median over ours. */
  readonly ratio: number;
  /** Its peak memory over ours. */
  readonly memoryRatio: number;
}

const OURS = "mechanist";
/** The benchmark beside this file, compiled as this one is. */
const OUR_BENCH = fileURLToPath(import.meta.url.replace(/peers(\.[jt]s)$/, "bench$1"));
/** npm runs scripts from the root of the repository. */
const PEER_BENCH = "reference/bench_spd.py";
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    config: { type: "string", multiple: true, default: [...CONFIGS] },
    backend: { type: "string", multiple: true },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "5" },
    threads: { type: "string", default: String(availableParallelism()) },
    python: { type: "string", default: "python3" },
  },
});

const peers = values.backend ?? (JSON.parse(python("--list")) as string[]);
const loadBefore = loadavg()[0]!;
const results = values.config.map((config) => ({ config, rows: compare(config) }));
if (values.json) {
  console.log(JSON.stringify({ schema: 1, threads: Number(values.threads), loadBefore, results }));
} else {
  if (loadBefore > 0.5)
    console.log(`the machine was busy before we began (load ${loadBefore.toFixed(1)}): the ratios are of little use`);
  for (const { config, rows } of results) {
    console.log(config);
    for (const row of rows) console.log(line(row));
  }
}

/** Ours and each peer in turn, as many times as there are rounds. */
function compare(config: string): Row[] {
  const measured = new Map<string, Measured[]>([OURS, ...peers].map((backend) => [backend, []]));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [backend, list] of measured) list.push(backend === OURS ? ours(config) : peer(config, backend));
  }
  const own = summary(measured.get(OURS)!);
  return [...measured].map(([backend, list]) => {
    const { msPerStep, peakMemoryBytes } = summary(list);
    return {
      backend,
      version: list[0]!.version ?? "",
      msPerStep,
      rounds: list.map((m) => m.msPerStep),
      peakMemoryBytes,
      ratio: msPerStep / own.msPerStep,
      memoryRatio: peakMemoryBytes / own.peakMemoryBytes,
    };
  });
}

function summary(list: readonly Measured[]): Measured {
  const median = (of: (m: Measured) => number): number => list.map(of).sort((a, b) => a - b)[list.length >> 1]!;
  return { msPerStep: median((m) => m.msPerStep), peakMemoryBytes: median((m) => m.peakMemoryBytes) };
}

function common(config: string): string[] {
  return ["--config", config, "--seconds", values.seconds, "--threads", values.threads];
}

function ours(config: string): Measured {
  const args = [OUR_BENCH, ...common(config)];
  // The loader that runs this file runs the other one too.
  return JSON.parse(execFileSync(process.execPath, [...process.execArgv, ...args], { encoding: "utf8" })) as Measured;
}

function peer(config: string, backend: string): Measured {
  return JSON.parse(python("--backend", backend, ...common(config))) as Measured;
}

function python(...args: string[]): string {
  try {
    const stdio: ["ignore", "pipe", "inherit"] = ["ignore", "pipe", "inherit"];
    return execFileSync(values.python, [PEER_BENCH, ...args], { encoding: "utf8", stdio });
  } catch {
    console.error(
      `bench:peers: ${values.python} ended with an error; reference/README.md says how to install PyTorch and JAX`,
    );
    process.exit(1);
  }
}

function line({ backend, version, msPerStep, peakMemoryBytes, ratio, memoryRatio }: Row): string {
  const name = version === "" ? backend : `${backend} (${version})`;
  const cells = [
    `  ${name}`.padEnd(32),
    `${msPerStep.toFixed(2)} ms/step`.padStart(16),
    `${(peakMemoryBytes / 2 ** 20).toFixed(0)} MiB`.padStart(12),
  ];
  if (backend !== OURS)
    cells.push(`${ratio.toFixed(2)} × our time`.padStart(18), `${memoryRatio.toFixed(2)} × our memory`.padStart(20));
  return cells.join("");
}
