/**
 * `node scripts/run.js bench/largest-component.ts [--seeds n] [--table]`: the largest component of each site of a trained toy, beside the same of the toy as it
 * was before training. One line a site goes to standard output, and with its numbers to `docs/results/largest-component.jsonl`.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { sampled } from "../src/data/draws.ts";
import { importancesOf } from "../src/decomposition/decomposition.ts";
import { methodNamed } from "../src/decomposition/methods.ts";
import { interpret } from "../src/engine/index.ts";
import { type LargestComponent, largestComponents } from "../src/evidence/largest-component.ts";
import { decompose, resolveMethod, resolveTarget, train } from "../src/index.ts";
import { foldIn, input, keyFromSeed, type Tensor } from "../src/tensor/index.ts";
import { targetNamed } from "../src/training/targets.ts";
import { addRow, readRows } from "./rows.ts";

const { values } = parseArgs({
  options: { seeds: { type: "string", default: "3" }, table: { type: "boolean", default: false } },
});

const FILE = "docs/results/largest-component.jsonl";
/** Taken apart by our default. */
const TOYS = { "tms 5-2": ["tms", "default"], "resid-mlp 5-5": ["resid-mlp", "resid-mlp-5-5"] } as const;
/** A step that is as good as none. */
const UNTRAINED = { steps: 1, learningRate: 1e-12 };
const EXAMPLES = 2048;

interface Row {
  readonly toy: string;
  readonly trained: boolean;
  readonly seed: number;
  readonly site: string;
  readonly largest: LargestComponent;
}

async function rowsOf(toy: keyof typeof TOYS, trained: boolean, seed: number): Promise<Row[]> {
  const [name, preset] = TOYS[toy];
  const once = name === "tms" ? { ...UNTRAINED, attempts: 1 } : UNTRAINED;
  const target = resolveTarget(name, { preset, set: { seed, ...(!trained && once) } });
  const { weights } = await train(target, { threads: 1 });
  const document = resolveMethod("spd", { target, preset: "default", set: { seed } });
  const found = await decompose(document, weights, { threads: 1 });
  const decomposition = methodNamed("spd").open(document, weights, found.components);
  const key = foldIn(keyFromSeed(seed), "largest");
  const { x } = sampled({ x: targetNamed(name).batch("data", target.settings, EXAMPLES) }, key);
  const given = input("x", "batch feature", { batch: EXAMPLES, feature: x.shape[1]! });
  const importances = interpret(importancesOf(decomposition, given) as Record<string, Tensor>, {
    ...decomposition.values,
    x,
  });
  return Object.entries(largestComponents(decomposition, importances)).map(([site, largest]) => ({
    ...{ toy, trained, seed, site, largest },
  }));
}

const number = (x: number): string => x.toPrecision(3);
function line({ toy, trained, seed, site, largest: { address, share, rank, density, bits, remainder } }: Row): string {
  const which = address.slice(site.length + 1);
  const cells = [toy, trained ? "trained" : "untrained", seed, site, which, number(share), rank, number(density), bits];
  return `| ${[...cells, number(remainder)].join(" | ")} |`;
}

console.log("| toy | network | seed | site | largest | share of the weights | rank | density | bits | left over |");
console.log("|---|---|---|---|---|---|---|---|---|---|");
if (values.table) {
  for (const row of readRows<Row>(FILE)) console.log(line(row));
} else {
  writeFileSync(FILE, "");
  for (const toy of Object.keys(TOYS) as (keyof typeof TOYS)[]) {
    for (const trained of [true, false]) {
      for (let seed = 0; seed < Number(values.seeds); seed++) {
        for (const row of await rowsOf(toy, trained, seed)) {
          addRow(FILE, row);
          console.log(line(row));
        }
      }
    }
  }
}
