/**
 * `npm run bench:peers:networks -- [--json] [--rounds n] [--seconds n] [--threads n] [--python path]`: a language model's training step against
 * PyTorch, a forward pass that keeps activations and a patching sweep against TransformerLens (`reference/bench_transformer.py`,
 * `reference/bench_patching.py`), in turn, each time in a new process, with the ratio of the medians.
 */
import { execFileSync } from "node:child_process";
import { availableParallelism, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "5" },
    threads: { type: "string", default: String(availableParallelism()) },
    positions: { type: "string", default: "8" },
    python: { type: "string", default: "python3" },
  },
});

/** Milliseconds by what was done. */
type Times = Readonly<Record<string, number>>;

interface Contest {
  readonly ours: () => Times;
  readonly peers: Readonly<Record<string, () => Times>>;
}

const common = ["--threads", values.threads, "--seconds", values.seconds];
const step = "training step";
const sweep = ["--positions", values.positions, "--json"];
const CONTESTS: readonly Contest[] = [
  {
    ours: () => ({ [step]: stepTime(node("transformer-step")) }),
    peers: {
      "PyTorch eager": () => ({ [step]: stepTime(python("bench_transformer.py", "--backend", "eager")) }),
      "PyTorch eager, fused attention": () => ({
        [step]: stepTime(python("bench_transformer.py", "--backend", "eager-sdpa")),
      }),
    },
  },
  {
    ours: () => byName(node("patching", ...sweep)),
    peers: {
      TransformerLens: () => byName(python("bench_patching.py", ...sweep)),
      "TransformerLens, run_with_hooks": () => byName(python("bench_patching.py", "--plain", ...sweep)),
    },
  },
];

const stepTime = (text: string): number => (JSON.parse(text) as { msPerStep: number }).msPerStep;

function byName(text: string): Times {
  const { results } = JSON.parse(text) as { results: readonly { what: string; ms: number }[] };
  return Object.fromEntries(results.map(({ what, ms }) => [what, ms]));
}

function node(script: string, ...args: string[]): string {
  const file = fileURLToPath(import.meta.url.replace(/network-peers(\.[jt]s)$/, `${script}$1`));
  return execFileSync(process.execPath, [...process.execArgv, file, ...common, ...args], { encoding: "utf8" });
}

function python(script: string, ...args: string[]): string {
  const stdio: ["ignore", "pipe", "ignore"] = ["ignore", "pipe", "ignore"];
  return execFileSync(values.python, [`reference/${script}`, ...common, ...args], { encoding: "utf8", stdio });
}

const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1]!;

const loadBefore = loadavg()[0]!;
const rows = CONTESTS.flatMap(({ ours, peers }) => {
  const runs: Readonly<Record<string, () => Times>> = { mechanist: ours, ...peers };
  const measured = Object.keys(runs).map((name): [string, Times[]] => [name, []]);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [name, list] of measured) list.push(runs[name]!());
  }
  const [, own] = measured[0]!;
  return Object.keys(own[0]!).flatMap((what) =>
    measured
      .filter(([, list]) => list[0]![what] !== undefined)
      .map(([backend, list]) => {
        const [ms, ourMs] = [list, own].map((of) => median(of.map((times) => times[what]!))) as [number, number];
        return { what, backend, ms, ratio: ms / ourMs };
      }),
  );
});
if (values.json) {
  console.log(JSON.stringify({ schema: 1, threads: Number(values.threads), loadBefore, rows }));
} else {
  if (loadBefore > 0.5) console.log(`the machine was busy before we began (load ${loadBefore.toFixed(1)})`);
  for (const { what, backend, ms, ratio } of rows) {
    console.log(
      `${what.padEnd(24)}${backend.padEnd(34)}${ms.toFixed(1).padStart(10)} ms${ratio.toFixed(2).padStart(8)} × our time`,
    );
  }
}
