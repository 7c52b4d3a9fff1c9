/**
 * `node scripts/run.js bench/clustering.ts [--components 1000,5000,20000] [--positions n] [--active n] [--samplers greedy,chain] [--alpha a]`:
 * how long clustering takes, how much memory, and whether planted clusters come back.
 *
 * Planted: groups of 2 to 14 subcomponents; each group fires at a rate of its own, log-uniform over a factor of ten, and each member then joins in
 * with probability 0.9, so that `active` components fire at a position on average. Beside that each fires alone at a twentieth of its rate.
 * Null: the same components at the same rates, each at positions of its own.
 */
import { parseArgs } from "node:util";
import { type Firings, packFirings } from "../src/decomposition/clustering/firings.ts";
import { mergeAll } from "../src/decomposition/clustering/merge.ts";
import { cheapestResolution, costsOf, crossings, labelsAt } from "../src/decomposition/clustering/merge-history.ts";
import { adjustedRand } from "../src/decomposition/clustering/partition-distance.ts";
import { samplerFrom } from "../src/decomposition/clustering/settings.ts";
import { shuffledFirings } from "../src/decomposition/clustering/shuffled.ts";
import { fillUniform, foldIn, type Key, keyFromSeed, randomUniform } from "../src/tensor/index.ts";

const { values: options } = parseArgs({
  options: {
    components: { type: "string", default: "1000,5000,20000" },
    positions: { type: "string", default: "16384" },
    active: { type: "string", default: "100" },
    samplers: { type: "string", default: "greedy,chain" },
    alpha: { type: "string", default: "1" },
    seed: { type: "string", default: "0" },
  },
});
const [positions, active, alpha] = [options.positions, options.active, options.alpha].map(Number) as [
  number,
  number,
  number,
];

/** Positions where something fires that does so at a rate: gaps are geometric. */
function draw(key: Key, rate: number, among: number): number[] {
  const uniforms = fillUniform(key, new Float32Array(Math.ceil(among * rate * 2) + 64));
  const found: number[] = [];
  let at = -1;
  for (const u of uniforms) {
    at += 1 + Math.floor(Math.log(1 - u) / Math.log(1 - rate));
    if (at >= among) break;
    found.push(at);
  }
  return found;
}

function planted(C: number, key: Key): { firings: Firings; truth: Int32Array } {
  const truth = new Int32Array(C);
  const sizes = randomUniform(foldIn(key, "sizes"), C);
  for (let c = 0, group = 0; c < C; group++) {
    const end = Math.min(C, c + 2 + Math.floor(13 * sizes[group]!));
    for (; c < end; c++) truth[c] = group;
  }
  const spread = randomUniform(foldIn(key, "rates"), C).map((u) => 10 ** u);
  const mean = truth.reduce((sum, group) => sum + spread[group]!, 0) / C;
  const rates = spread.map((s) => Math.min(0.5, ((s / mean) * (active / C)) / 0.9));
  const lists = Array.from(truth, (group, c) => {
    const all = draw(foldIn(foldIn(key, "group"), group), rates[group]!, positions);
    const joins = randomUniform(foldIn(foldIn(key, "joins"), c), all.length);
    const alone = draw(foldIn(foldIn(key, "alone"), c), rates[group]! / 20, positions);
    const own = new Set([...all.filter((_, i) => joins[i]! < 0.9), ...alone]);
    if (own.size === 0) own.add(c % positions);
    return Int32Array.from(own).sort();
  });
  return {
    truth,
    firings: packFirings(
      positions,
      lists.map((_, c) => `planted:${c}`),
      lists,
    ),
  };
}

for (const C of options.components.split(",").map(Number)) {
  const key = foldIn(keyFromSeed(Number(options.seed)), C);
  const { firings, truth } = planted(C, key);
  const subjects = { planted: firings, null: shuffledFirings(firings, foldIn(key, "null")) };
  for (const [what, given] of Object.entries(subjects)) {
    for (const name of options.samplers.split(",")) {
      const began = performance.now();
      const worked = process.cpuUsage();
      const before = process.memoryUsage().rss;
      let peak = before;
      const history = await mergeAll(
        { firings: given, alpha, sampler: samplerFrom(name), key },
        { onProgress: () => (peak = Math.max(peak, process.memoryUsage().rss)) },
      );
      const seconds = (performance.now() - began) / 1000;
      const cpu = process.cpuUsage(worked).user / 1e6;
      const costs = costsOf(history);
      const k = cheapestResolution(costs, C);
      const labels = labelsAt(history, k);
      const groups = truth.at(-1)! + 1;
      console.log(
        JSON.stringify({
          what,
          sampler: name,
          components: C,
          firings: given.at.length,
          groups,
          seconds: Number(seconds.toFixed(2)),
          cpuSeconds: Number(cpu.toFixed(2)),
          rssMiB: Math.round(peak / 2 ** 20),
          addedMiB: Math.round((peak - before) / 2 ** 20),
          k,
          crossings: crossings(costs, C).length,
          firstCost: Number(costs.cost[0]!.toFixed(2)),
          cost: Number(costs.cost[C - k]!.toFixed(3)),
          costAtGroups: Number(costs.cost[C - groups]!.toFixed(3)),
          adjustedRand: Number(adjustedRand(truth, labels).toFixed(4)),
          atGroups: Number(adjustedRand(truth, labelsAt(history, groups)).toFixed(4)),
        }),
      );
    }
  }
}
