/** A harvest as the folder tree of Neuronpedia's exports, to load into an instance of it. */
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { MechanistError } from "../error.ts";
import { diskFailure, writeAtomic } from "../file/node-atomic.ts";
import { activationLines, type NeuronpediaFeature, sourceOf } from "./neuronpedia.ts";
import type { HarvestFolder } from "./node-folder.ts";
import { type Answer, HarvestQuery } from "./node-query.ts";

export interface NeuronpediaExport {
  readonly path: string;
  readonly sources: number;
  readonly features: number;
  readonly activations: number;
}

/** Features of a file. */
const BATCH = 256;

/**
 * Writes `v1/<run>/<source>/…` into a folder: components that fired, their examples, and what they belong to.
 *
 * @throws `BadArgument` for a network of features; `MissingFile` where there is no harvest; `DiskFailure`
 */
export async function exportNeuronpedia(folder: HarvestFolder, run: string, to: string): Promise<NeuronpediaExport> {
  const query = await HarvestQuery.open(folder);
  try {
    if (query.document.kind !== "tokens") {
      throw new MechanistError("BadArgument", `${run}: expected a network of tokens to export, got one of features`);
    }
    const sites = (await query.rows("SELECT site FROM components GROUP BY site ORDER BY min(component)")).map((row) =>
      String(row.site),
    );
    const totals = { features: 0, activations: 0 };
    for (const site of sites) {
      const { features, activations } = await exportSource(query, { run, site, to });
      totals.features += features;
      totals.activations += activations;
    }
    return { path: to, sources: sites.length, ...totals };
  } finally {
    query.close();
  }
}

async function exportSource(
  query: HarvestQuery,
  { run, site, to }: { readonly run: string; readonly site: string; readonly to: string },
): Promise<{ readonly features: number; readonly activations: number }> {
  const { layer, set } = sourceOf(run, site);
  const path = join(to, "v1", run, layer);
  const about = { modelId: run, visibility: "UNLISTED" };
  const { settings, n } = query.document;
  const meaning = `importance of components, firing above ${settings.threshold}, n = ${n}`;
  await writeLines(join(path, "release.jsonl"), [{ name: run, description: meaning, visibility: "UNLISTED" }]);
  await writeLines(join(path, "model.jsonl"), [{ id: run, displayName: run, displayNameShort: run, owner: "" }]);
  await writeLines(join(path, "sourceset.jsonl"), [{ ...about, name: set, description: meaning, releaseName: run }]);
  await writeLines(join(path, "source.jsonl"), [{ ...about, id: layer, setName: set, hasDashboards: true }]);
  const fired = await query.rows("SELECT * FROM components WHERE site = $1 AND firings > 0 ORDER BY component", [site]);
  let activations = 0;
  for (let batch = 0; batch * BATCH < fired.length; batch++) {
    const features: NeuronpediaFeature[] = [];
    const lines: object[] = [];
    for (const component of fired.slice(batch * BATCH, (batch + 1) * BATCH)) {
      const feature = await featureLine(query, run, layer, component);
      features.push(feature);
      const examples = await query.rows("SELECT * FROM examples WHERE component = $1 ORDER BY kind DESC, rank", [
        Number(component.component),
      ]);
      lines.push(...activationLines(feature, examples as never));
    }
    await writeLines(join(path, "features", `batch-${batch}.jsonl.gz`), features);
    await writeLines(join(path, "activations", `batch-${batch}.jsonl.gz`), lines);
    activations += lines.length;
  }
  return { features: fired.length, activations };
}

async function featureLine(
  query: HarvestQuery,
  modelId: string,
  layer: string,
  component: Answer,
): Promise<NeuronpediaFeature> {
  const outputs = (sign: string): Promise<Answer[]> =>
    query.rows(
      `SELECT text, pmi FROM tokens WHERE component = $1 AND kind = 'output' AND ${sign} AND isfinite(pmi)
       ORDER BY abs(pTokenGivenFires * pmi) DESC, token LIMIT 10`,
      [Number(component.component)],
    );
  const [more, less] = [await outputs("pmi > 0"), await outputs("pmi < 0")];
  return {
    modelId,
    layer,
    index: /:(\d+)$/.exec(String(component.address))![1]!,
    maxActApprox: Number(component.largestImportance),
    frac_nonzero: Number(component.density),
    pos_str: more.map((row) => String(row.text)),
    pos_values: more.map((row) => Number(row.pmi)),
    neg_str: less.map((row) => String(row.text)),
    neg_values: less.map((row) => Number(row.pmi)),
  };
}

async function writeLines(path: string, lines: readonly object[]): Promise<void> {
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  await mkdir(dirname(path), { recursive: true }).catch((cause: unknown) => {
    throw diskFailure(path, cause);
  });
  await writeAtomic(path, path.endsWith(".gz") ? gzipSync(text) : text);
}
