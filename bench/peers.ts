/**
 * `npm run bench:peers -- [--json] [--config name]… [--backend name]… [--rounds n] [--seconds n] [--threads n] [--python path]`: our training
 * step and the same one in PyTorch and JAX (`reference/bench_spd.py`), in turn, each time in a new process, with the ratio of the medians.
 *
 * Taking turns spreads what else the machine does over all of them. A ratio above 1 says how many times as fast ours is. On a machine that is
 * not idle the ratios of pairs, of the fastest steps and of processor time say more than that of the medians.
 */
import { execFileSync } from "node:child_process";
import { availableParallelism, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CONFIGS } from "./step-subject.ts";

/** One process's measurement. */
interface Measured {
  readonly msPerStep: number;
  /** The fastest step, or call of a few. */
  readonly leastMs: number;
  /** Processor time of all threads a step. */
  readonly cpuMsPerStep: number;
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
  /** The fastest step of all rounds: the one that other work on the machine has slowed down least. */
  readonly leastMs: number;
  readonly cpuMsPerStep: number;
  readonly peakMemoryBytes: number;
  /** Its median over ours. */
  readonly ratio: number;
  /** The median over rounds of its median in a round over ours in that round: what slows a whole round down cancels. */
  readonly pairedRatio: number;
  readonly leastRatio: number;
  readonly cpuRatio: number;
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

const loadBefore = loadavg()[0]!;
const results = values.config.map((config) => ({ config, rows: compare(config) }));
if (values.json) {
  console.log(JSON.stringify({ schema: 1, threads: Number(values.threads), loadBefore, results }));
} else {
  if (loadBefore > 0.5)
    console.log(`the machine was busy before we began (load ${loadBefore.toFixed(1)}), ${values.threads} threads`);
  for (const { config, rows } of results) {
    console.log(config);
    for (const row of rows) console.log(line(row));
  }
}

/** Ours and each peer in turn, as many times as there are rounds. */
function compare(config: string): Row[] {
  const peers = values.backend ?? (JSON.parse(python("--list", "--config", config)) as string[]);
  const measured = new Map<string, Measured[]>([OURS, ...peers].map((backend) => [backend, []]));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [backend, list] of measured) list.push(backend === OURS ? ours(config) : peer(config, backend));
  }
  const own = summary(measured.get(OURS)!);
  return [...measured].map(([backend, list]) => {
    const all = summary(list);
    const { msPerStep, peakMemoryBytes } = all;
    return {
      backend,
      version: list[0]!.version ?? "",
      ...all,
      rounds: list.map((m) => m.msPerStep),
      ratio: msPerStep / own.msPerStep,
      pairedRatio: median(list.map((m, i) => m.msPerStep / measured.get(OURS)![i]!.msPerStep)),
      leastRatio: all.leastMs / own.leastMs,
      cpuRatio: all.cpuMsPerStep / own.cpuMsPerStep,
      memoryRatio: peakMemoryBytes / own.peakMemoryBytes,
    };
  });
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;
}

function summary(list: readonly Measured[]): Measured {
  return {
    msPerStep: median(list.map((m) => m.msPerStep)),
    leastMs: Math.min(...list.map((m) => m.leastMs)),
    cpuMsPerStep: Math.min(...list.map((m) => m.cpuMsPerStep)),
    peakMemoryBytes: median(list.map((m) => m.peakMemoryBytes)),
  };
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

function line(row: Row): string {
  const { backend, version, msPerStep, leastMs, cpuMsPerStep, peakMemoryBytes, memoryRatio } = row;
  const name = version === "" ? backend : `${backend} (${version})`;
  const cells = [
    `  ${name}`.padEnd(32),
    `${msPerStep.toFixed(2)} ms/step`.padStart(18),
    `least ${leastMs.toFixed(2)}`.padStart(16),
    `processor ${cpuMsPerStep.toFixed(2)}`.padStart(20),
    `${(peakMemoryBytes / 2 ** 20).toFixed(0)} MiB`.padStart(12),
  ];
  if (backend !== OURS)
    cells.push(
      `${row.ratio.toFixed(2)} × our time`.padStart(18),
      `(pairs ${row.pairedRatio.toFixed(2)}, least ${row.leastRatio.toFixed(2)}, processor ${row.cpuRatio.toFixed(2)})`,
      `${memoryRatio.toFixed(2)} × our memory`.padStart(20),
    );
  return cells.join("");
}
