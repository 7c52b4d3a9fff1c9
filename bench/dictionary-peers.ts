/**
 * `npm run bench:peers:dictionaries -- [--json] [--config sae|topk]… [--rounds n] [--rows n] [--seconds n] [--threads n] [--python path]`: our training step of
 * a sparse dictionary and the same one in PyTorch (`reference/bench_dictionaries.py`), in turn, each time in a new process.
 *
 * A ratio above 1 says how many times as fast ours is. On a machine that is not idle the ratios of pairs and of processor time say more than that
 * of the medians.
 */
import { execFileSync } from "node:child_process";
import { availableParallelism, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** One process's measurement. */
interface Measured {
  readonly msPerStep: number;
  readonly leastMs: number;
  /** Processor time of all threads a step. */
  readonly cpuMsPerStep: number;
  readonly rowsPerSecond: number;
  readonly peakMemoryBytes: number;
  readonly version?: string;
}

/** The benchmark beside this file, compiled as this one is. */
const OURS = fileURLToPath(import.meta.url.replace(/dictionary-peers(\.[jt]s)$/, "dictionary-step$1"));
const PEERS = "reference/bench_dictionaries.py";
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    config: { type: "string", multiple: true, default: ["sae", "topk"] },
    rounds: { type: "string", default: "3" },
    rows: { type: "string", default: "2048" },
    seconds: { type: "string", default: "8" },
    threads: { type: "string", default: String(availableParallelism()) },
    python: { type: "string", default: "python3" },
  },
});

const loadBefore = loadavg()[0]!;
const results = values.config.map((config) => ({ config, backends: compare(config) }));
const report = { schema: 1, threads: Number(values.threads), rows: Number(values.rows), loadBefore, results };
if (values.json) console.log(JSON.stringify(report));
else print();

function print(): void {
  if (loadBefore > 0.5) console.log(`the machine was busy before we began: load ${loadBefore.toFixed(1)}`);
  for (const { config, backends } of results) {
    console.log(`${config}: 4096 latents, 256 wide, ${values.rows} rows a step, ${values.threads} threads`);
    for (const { backend, rows, ratio, cpuRatio, leastMs, msPerStep, cpuMsPerStep, memory } of backends) {
      const cells = [
        `  ${backend}`.padEnd(26),
        `${rows.toFixed(0)} rows/s`.padStart(14),
        `${msPerStep.toFixed(1)} ms/step`.padStart(18),
        `least ${leastMs.toFixed(1)}`.padStart(14),
        `processor ${cpuMsPerStep.toFixed(1)}`.padStart(18),
        `${(memory / 2 ** 20).toFixed(0)} MiB`.padStart(11),
        `pairs ${ratio.toFixed(2)} × our time, processor ${cpuRatio.toFixed(2)} ×`.padStart(46),
      ];
      console.log(cells.join(""));
    }
  }
}

interface Compared {
  readonly backend: string;
  readonly msPerStep: number;
  readonly leastMs: number;
  readonly cpuMsPerStep: number;
  readonly rows: number;
  readonly memory: number;
  /** The median over rounds of its median in a round over ours in that round. */
  readonly ratio: number;
  readonly cpuRatio: number;
}

/** Ours and each peer in turn, as many times as there are rounds. */
function compare(config: string): Compared[] {
  const peers = JSON.parse(python("--list", "--config", config)) as string[];
  const measured = new Map<string, Measured[]>(["mechanist", ...peers].map((backend) => [backend, []]));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [backend, list] of measured) list.push(backend === "mechanist" ? ours(config) : peer(config, backend));
  }
  const own = measured.get("mechanist")!;
  return [...measured].map(([backend, list]) => ({
    backend: list[0]!.version === undefined ? backend : `${backend} (${list[0]!.version})`,
    msPerStep: median(list.map((m) => m.msPerStep)),
    leastMs: Math.min(...list.map((m) => m.leastMs)),
    cpuMsPerStep: median(list.map((m) => m.cpuMsPerStep)),
    rows: median(list.map((m) => m.rowsPerSecond)),
    memory: median(list.map((m) => m.peakMemoryBytes)),
    ratio: median(list.map((m, i) => m.msPerStep / own[i]!.msPerStep)),
    cpuRatio: median(list.map((m, i) => m.cpuMsPerStep / own[i]!.cpuMsPerStep)),
  }));
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;
}

function common(config: string): string[] {
  const { seconds, threads, rows } = values;
  return ["--config", config, "--seconds", seconds, "--threads", threads, "--rows", rows];
}

function ours(config: string): Measured {
  // The loader that runs this file runs the other one too.
  const args = [...process.execArgv, OURS, ...common(config)];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as Measured;
}

function peer(config: string, backend: string): Measured {
  return JSON.parse(python("--backend", backend, ...common(config))) as Measured;
}

function python(...args: string[]): string {
  try {
    const stdio: ["ignore", "pipe", "inherit"] = ["ignore", "pipe", "inherit"];
    return execFileSync(values.python, [PEERS, ...args], { encoding: "utf8", stdio });
  } catch {
    console.error(
      `bench:peers:dictionaries: ${values.python} ended with an error; reference/README.md says how to install PyTorch`,
    );
    process.exit(1);
  }
}
