/**
 * One component out, everywhere, and all else in, what is left over too: the divergence at each place where the network answers. As an order of units it
 * is right if components act one by one; where two can stand in for each other neither is missed, so it is a yardstick and no upper bound.
 */
import { MechanistError } from "../../error.ts";
import { type NamedValues, values } from "../../engine/index.ts";
import { axisSize } from "../../tensor/index.ts";
import { keepFeeds, keepInputs } from "../keep.ts";
import { pointwiseDivergence } from "./divergence.ts";
import type { Ranker, Trial } from "./trial.ts";

/** Rows that an order by damage may take to run. */
const MOST = 2 ** 19;

/** What removing one component does in a batch: one number a prompt, or a prompt and position. */
export async function withoutOne(trial: Trial, batch: number, site: string, component: number): Promise<Float32Array> {
  const { probe, subject } = trial;
  probe.options.signal?.throwIfAborted();
  const program = await trial.program("without one", () => {
    const { masks, remainder } = keepInputs(subject.decomposition);
    const said = subject.decomposition.masked(probe.x, masks, { remainder });
    return { divergence: pointwiseDivergence(probe.network, said, probe.output) };
  });
  const { feeds, key } = await trial.fed(batch);
  const kept = keepFeeds(subject.decomposition, (s, c) => s !== site || c !== component, true);
  return (await program.run({ ...feeds, ...kept }, key)).divergence.data as Float32Array;
}

/**
 * Units by the damage that their component's removal does to their prompt.
 *
 * @throws `Refused` where it would take too many runs
 */
export function byDamage(trial: Trial): Ranker {
  const { probe, subject } = trial;
  const sites = Object.entries(trial.scores).map(([site, s]) => ({
    site,
    C: axisSize(s, "C"),
    rows: trial.rows[site]!,
  }));
  const total = sites.reduce((sum, { C }) => sum + C, 0);
  const runs = total * probe.prompts * trial.rowsEach;
  if (runs > MOST) {
    const each = `${total} components on ${probe.prompts * trial.rowsEach} rows`;
    throw new MechanistError("Refused", `${subject.name}: expected at most ${MOST} rows to run, got ${each}, ${runs}`);
  }
  return trial.remembering(async (batch) => {
    const found: [string, NamedValues[string]][] = [];
    for (const { site, C, rows } of sites) {
      const scores = new Float32Array(C * rows);
      for (let c = 0; c < C; c++) {
        const damage = await withoutOne(trial, batch, site, c);
        const [points, each] = [damage.length / probe.size, rows / probe.size];
        for (let i = 0; i < probe.size; i++) {
          let mean = 0;
          for (let p = 0; p < points; p++) mean += damage[i * points + p]! / points;
          scores.fill(mean, c * rows + i * each, c * rows + (i + 1) * each);
        }
      }
      found.push([`score/${site}`, values("C batch", [C, rows], scores)]);
    }
    return Object.fromEntries(found);
  });
}
