/** `mechanist decompose --seeds n`: what a decomposition owes to its seed. */
import { join } from "node:path";
import {
  type AliveComponents,
  aliveIn,
  type Band,
  bandOf,
  likeness,
  likenessByChance,
} from "../evidence/cross-seed.ts";
import { writeAtomic } from "../file/node-atomic.ts";
import type { RunFolder } from "../run/folder.ts";
import { keyFromSeed } from "../tensor/index.ts";
import { shownPath, significant, table } from "./format.ts";
import { interruptible } from "./interrupt.ts";
import { decomposeMany, exitAsFailed, failedOnes, type Made, type ManyOptions, type Member } from "./many.ts";
import { openLatest } from "./open-decomposition.ts";
import { placementFrom, wholeNumber } from "./options.ts";
import type { Terminal } from "./terminal.ts";

/** The numbers of a verdict whose bands are shown, where it has them. */
const BANDS = [
  "mmcs",
  "ml2r",
  "targetCiError",
  "l0",
  "aliveMean",
  "unmaskedRecon",
  "ciMaskedRecon",
  "stochasticRecon",
  "adversarialRecon",
  "relativeFaithfulness",
] as const;

/** How alike decompositions with different seeds are, over all pairs. */
export interface SeedsResult {
  /** Those that finished. */
  readonly seeds: readonly number[];
  /** How many matched the known mechanisms; absent where none are known. */
  readonly passed?: number;
  readonly bands: Readonly<Record<string, Band>>;
  /** By site, over pairs of seeds: the mean cosine of matched components, the fraction that is the same, and the cosine by chance. */
  readonly matching: Readonly<Record<string, { readonly cosine: Band; readonly same: Band; readonly byChance: Band }>>;
}

export async function seedsCommand(
  given: string,
  options: ManyOptions & { readonly seeds: string },
  terminal: Terminal,
): Promise<void> {
  const count = wholeNumber("--seeds", options.seeds, 2, 1000);
  const first =
    options.seed === undefined ? 0 : wholeNumber("--seed", options.seed, 0, Number.MAX_SAFE_INTEGER - count);
  const seeds = Array.from({ length: count }, (_, i) => first + i);
  const { seed: _, ...rest } = options;
  const { made, result } = await interruptible(terminal, async ({ signal }) => {
    const members = seeds.map((seed) => ({ seed, name: `seed-${seed}`, set: [`seed=${seed}`] }));
    const decomposed = await decomposeMany(given, "seeds", members, rest, terminal, signal);
    terminal.working("matching components of different seeds");
    const found = await compareSeeds(decomposed.finished, { ...placementFrom(options), signal });
    const content = { schema: 1, ...found, ...failedOnes(decomposed) };
    await writeAtomic(join(decomposed.path, "seeds.json"), `${JSON.stringify(content, undefined, 2)}\n`);
    return { made: decomposed, result: found };
  });
  const runs = made.finished.map(({ run }) => run.name);
  terminal.document("decompose", { path: made.path, runs, ...result, ...failedOnes(made) });
  terminal.print(told(made, result));
  exitAsFailed(made);
}

interface SeedMember extends Member {
  readonly seed: number;
}

/** Bands of what was judged, and how alike the runs' components are. */
async function compareSeeds(
  finished: Made<SeedMember>["finished"],
  options: Parameters<typeof aliveIn>[2],
): Promise<SeedsResult> {
  const seeds = finished.map(({ member }) => member.seed);
  const runs = finished.map(({ run }) => run);
  const results = runs.map(({ record }) => (record.result ?? {}) as Readonly<Record<string, unknown>>);
  const alive: AliveComponents[] = [];
  for (const run of runs) alive.push(await aliveOf(run, options));
  const pairs = alive.flatMap((a, i) => alive.slice(i + 1).map((b, j) => [a, b, i * runs.length + j] as const));
  const all = pairs.map(([a, b, i]) => ({ found: likeness(a, b), chance: likenessByChance(a, b, keyFromSeed(i)) }));
  const sites = pairs.length === 0 ? [] : Object.keys(alive[0]!.alive);
  const numbers = (name: string): number[] => results.map((r) => r[name]).filter((x) => typeof x === "number");
  const judged = results.filter((r) => typeof r.passed === "boolean");
  return {
    seeds,
    ...(judged.length === results.length && { passed: judged.filter((r) => r.passed === true).length }),
    bands: Object.fromEntries(
      BANDS.flatMap((name) => (numbers(name).length === runs.length ? [[name, bandOf(numbers(name))]] : [])),
    ),
    matching: Object.fromEntries(
      sites.map((site) => [
        site,
        {
          cosine: bandOf(all.map(({ found }) => found[site]!.cosine)),
          same: bandOf(all.map(({ found }) => found[site]!.same)),
          byChance: bandOf(all.map(({ chance }) => chance[site]!.cosine)),
        },
      ]),
    ),
  };
}

async function aliveOf(run: RunFolder, options: Parameters<typeof aliveIn>[2]): Promise<AliveComponents> {
  const { decomposition, source } = await openLatest(run);
  return aliveIn(decomposition, source, options);
}

function told({ path, failed }: Made<Member>, { seeds, passed, bands, matching }: SeedsResult): string {
  const shown = (band: Band): string[] => [
    significant(band.mean, 4),
    significant(band.deviation, 2),
    significant(band.least, 4),
    significant(band.most, 4),
  ];
  return [
    `${seeds.length + failed.length} seeds${failed.length === 0 ? "" : `, ${failed.length} failed`}  (${shownPath(path)})`,
    "",
    table(
      ["", "mean", "±", "least", "most"],
      Object.entries(bands).map(([name, band]) => [name, ...shown(band)]),
    ),
    "",
    table(
      ["components of two seeds", "cosine", "±", "least", "most", "same", "cosine by chance"],
      Object.entries(matching).map(([site, { cosine, same, byChance }]) => [
        site,
        ...shown(cosine),
        significant(same.mean, 3),
        significant(byChance.mean, 3),
      ]),
    ),
    ...(failed.length === 0 ? [] : ["", ...failed.map(({ member, error }) => `${member.name}: ${error.message}`)]),
    ...(passed === undefined ? [] : ["", `${passed} of ${seeds.length} match the known mechanisms`]),
  ].join("\n");
}
