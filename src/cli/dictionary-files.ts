/** Dictionaries in the files of others: `mechanist decompose --from` makes a run of them, `mechanist export --format` writes a run's. */
import { existsSync, statSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { scaledBy } from "../decomposition/dictionary/formats/folding.ts";
import { dictionaryFormatNamed, readStored } from "../decomposition/dictionary/formats/formats.ts";
import { storedOf } from "../decomposition/dictionary/formats/of-decomposition.ts";
import { type Given, placeStored } from "../decomposition/dictionary/formats/place.ts";
import type { Claims, Stored, StoredFiles } from "../decomposition/dictionary/formats/stored.ts";
import { activationSource } from "../decomposition/dictionary/method.ts";
import { rowPoints } from "../decomposition/dictionary/rows.ts";
import { meanLengthScale } from "../decomposition/dictionary/start.ts";
import { sampleRows } from "../decomposition/dictionary/store.ts";
import type { Decomposition } from "../decomposition/decomposition.ts";
import { type DecomposeDocument, methodNamed } from "../decomposition/methods.ts";
import type { NamedValues } from "../engine/values.ts";
import { MechanistError } from "../error.ts";
import {
  agreement,
  type Agreement,
  dictionaryMeasures,
  type DictionaryMeasures,
} from "../evidence/dictionary-claims.ts";
import { FreshData, type FreshDataOptions } from "../evidence/fresh-data.ts";
import type { SourceFolder } from "../file/bytes.ts";
import { writeAtomic } from "../file/node-atomic.ts";
import { folderSource } from "../file/node-bytes.ts";
import { isPickle, pickleRefusal } from "../file/pickle.ts";
import { digestOfTensors } from "../run/digest.ts";
import { settingsFrom } from "../settings.ts";
import { keyFromSeed } from "../tensor/index.ts";
import type { Checkpoint } from "../training/loop.ts";
import { carriedOf } from "../training/optimise.ts";
import type { TrainDocument } from "../training/target.ts";
import { targetNamed } from "../training/targets.ts";
import type { Subject } from "./decompose.ts";
import { shownPath, significant, table } from "./format.ts";

/** A decomposition read from files. */
export interface ImportedDictionaries extends Subject {
  readonly checkpoint: Checkpoint;
  readonly format: string;
  /** By site. */
  readonly claims: Readonly<Record<string, Claims>>;
  /** What had to be found out because the files do not say it. */
  readonly notes: readonly string[];
}

/**
 * A decomposition of dictionaries that others trained.
 *
 * @param path a folder, or a file of one
 * @throws `MissingFile`; `BadFile` for a pickle, for files that contradict each other, and for dictionaries of another network, point or width
 */
export async function subjectFromDictionary(
  path: string,
  target: TrainDocument,
  weights: NamedValues,
  given: Given,
  options: FreshDataOptions,
): Promise<ImportedDictionaries> {
  const { folder, only } = await opened(path);
  const { format, stored } = await readStored(folder, only);
  const digest = digestOfTensors(weights);
  const { scaled, notes } = await withScales(path, stored, target, weights, given, options);
  const { method, settings, components, bySite } = placeStored(path, scaled, target, { given, digest });
  const whole = settingsFrom(method, methodNamed(method).schema, settings);
  const document: DecomposeDocument = {
    ...{ method, preset: "imported", target },
    settings: whole as DecomposeDocument["settings"],
  };
  methodNamed(method).check(document);
  const carried = Object.entries(components).flatMap(([name, { axes, shape, data }]) =>
    carriedOf(name)[0]!.map((own) => [
      own,
      { axes, shape, dtype: "f32" as const, data: new Float32Array(data.length) },
    ]),
  );
  return {
    ...{ document, weights, format, notes },
    checkpoint: { step: document.settings.steps, tensors: { ...components, ...Object.fromEntries(carried) } },
    claims: Object.fromEntries(Object.entries(bySite).map(([site, { claims }]) => [site, claims])),
  };
}

/** The folder that is meant, and of it one file where that was. Folders in it are looked into by name. */
async function opened(path: string): Promise<{ readonly folder: SourceFolder; readonly only?: string }> {
  if (!existsSync(path))
    throw new MechanistError("MissingFile", `${path}: expected a dictionary's folder or file, got none`);
  const isFile = statSync(path).isFile();
  const at = isFile ? dirname(path) : path;
  const source = folderSource(at);
  const folder: SourceFolder = {
    name: at,
    open: (file) => {
      const [inner, ...rest] = file.split("/");
      return rest.length === 0 ? source.open(file) : folderSource(join(at, inner!)).open(rest.join("/"));
    },
  };
  if (isFile) return { folder, only: basename(path) };
  const names = await readdir(at);
  // A folder of nothing but a pickle, whatever that is called.
  const pickle = names.find(isPickle);
  if (pickle !== undefined && !names.some((name) => /\.(safetensors|npz)$/.test(name) || name === "checkpoints")) {
    throw pickleRefusal(join(at, pickle), pickle);
  }
  return { folder };
}

/** Rows that a missing scale is measured on. */
const SAMPLE = 4096;

/** Dictionaries whose files lack the number that activations were scaled by: it is measured on the network's own data. */
async function withScales(
  path: string,
  stored: Stored,
  target: TrainDocument,
  weights: NamedValues,
  given: Given,
  options: FreshDataOptions,
): Promise<{ readonly scaled: Stored; readonly notes: readonly string[] }> {
  if (stored.kind === "cross-layer" || !stored.dictionaries.some(({ unscaled }) => unscaled)) {
    return { scaled: stored, notes: [] };
  }
  const source = await activationSource(target, weights);
  const notes: string[] = [];
  const dictionaries = [];
  for (const one of stored.dictionaries) {
    if (!one.unscaled) {
      dictionaries.push(one);
      continue;
    }
    // Refused before anything is measured where it does not fit.
    const { bySite } = placeStored(path, { kind: "dictionaries", dictionaries: [one] }, target, { given });
    const [name] = Object.keys(bySite) as [string];
    const [point] = rowPoints(source.network, name, source.batch) as [{ name: string; width: number }];
    const rows = (await sampleRows(source, [point], SAMPLE, keyFromSeed(0), options))[name]!;
    const scale = meanLengthScale({ data: rows.data as Float32Array, rows: rows.shape[0]!, width: point.width });
    notes.push(
      `the files do not say by what activations at ${name} were multiplied; on this network's data a mean length of √${point.width} takes ${significant(scale, 4)}`,
    );
    dictionaries.push(scaledBy(one, scale));
  }
  return { scaled: { kind: "dictionaries", dictionaries }, notes };
}

/** What was found of each site beside what its file says. */
export interface FoundBesideClaims {
  readonly site: string;
  readonly found: Omit<DictionaryMeasures, "firing">;
  readonly agreement: Agreement;
}

/** Measures dictionaries on the network's data and holds them against what their files claim. */
export async function besideClaims(
  { document, weights }: Subject,
  components: NamedValues,
  claims: Readonly<Record<string, Claims>>,
  options: FreshDataOptions,
): Promise<readonly FoundBesideClaims[]> {
  const decomposition = methodNamed(document.method).open(document, weights, components);
  const measured = await measuresOf(decomposition, document.target, options);
  return Object.entries(measured).map(([site, { firing, ...found }]) => ({
    site,
    found,
    agreement: agreement(claims[site] ?? {}, { ...found, firing }),
  }));
}

async function measuresOf(
  decomposition: Decomposition,
  { target: name, settings }: TrainDocument,
  options: FreshDataOptions,
): Promise<Readonly<Record<string, DictionaryMeasures>>> {
  const target = targetNamed(name);
  const tables = await target.tables?.(settings);
  const batch = (size: number): ReturnType<typeof target.batch> => target.batch("data", settings, size);
  const data = await FreshData.open(decomposition, { batch, ...(tables && { tables }) }, options);
  try {
    return await dictionaryMeasures(data);
  } finally {
    await data.dispose();
  }
}

/** A line for each claim, and the strongest latents. */
export function besideClaimsText(
  format: string,
  found: readonly FoundBesideClaims[],
  notes: readonly string[],
): string {
  const words = { l0: "L0", explainedVariance: "explained variance" } as const;
  const lines = found.flatMap(({ site, found: own, agreement: { numbers, firingCorrelation } }) => {
    const claims = numbers.map(
      ({ what, claimed, found: x }) =>
        `${words[what]} ${significant(x, 4)}, the file claims ${significant(claimed, 4)}`,
    );
    if (firingCorrelation !== undefined) {
      claims.push(
        `latents fire as often as the file claims with a rank correlation of ${significant(firingCorrelation, 3)}`,
      );
    }
    if (claims.length === 0) {
      const explained =
        own.explainedVariance === undefined ? "" : `, explained variance ${significant(own.explainedVariance, 4)}`;
      claims.push(`L0 ${significant(own.l0, 4)}${explained}; the file claims nothing`);
    }
    return [`${site}: ${claims.join("; ")}; ${own.silent} latents on in none of ${own.rows} rows`];
  });
  const top = found.flatMap(({ found: own }) =>
    own.top.map(({ address, activation, example, position, token }) => [
      address,
      significant(activation, 4),
      `example ${example}, position ${position}${token === undefined ? "" : `, token ${token}`}`,
    ]),
  );
  return [`read as ${format}`, ...notes, ...lines, "", table(["strongest", "activation", "where"], top)].join("\n");
}

/** The format where none is asked for. */
const USUAL = { dictionaries: "saelens", "cross-layer": "circuit-tracer-clt" } as const;

/**
 * Writes a decomposition's dictionaries; several in a format whose folder holds one are written into a folder each, called after their points.
 *
 * @returns the files, relative to the folder
 */
export async function exportDictionaries(
  name: string,
  { document, weights }: Subject,
  decomposition: Decomposition,
  { out, format: asked }: { readonly out: string; readonly format?: string },
): Promise<{ readonly format: string; readonly files: readonly string[] }> {
  const model = targetNamed(document.target.target).title(document.target.settings);
  const origin = { model, network: digestOfTensors(weights) };
  const claims = await measuresOf(decomposition, document.target, {});
  const stored = storedOf(name, decomposition, origin, claims);
  const format = asked ?? USUAL[stored.kind];
  const { files: write } = dictionaryFormatNamed(format);
  const isOne = stored.kind === "cross-layer" || stored.dictionaries.length === 1 || format === "circuit-tracer";
  const folders: [string, StoredFiles][] = [];
  if (isOne) folders.push(["", await write(stored)]);
  else {
    for (const one of stored.dictionaries) {
      folders.push([one.writes!, await write({ kind: "dictionaries", dictionaries: [one] })]);
    }
  }
  const written: string[] = [];
  for (const [folder, files] of folders) {
    for (const [file, content] of Object.entries(files)) {
      const path = join(out, folder, file);
      await mkdir(dirname(path), { recursive: true });
      await writeAtomic(path, content);
      written.push(join(folder, file));
    }
  }
  return { format, files: written };
}

/** What is told of an export. */
export function exportText(name: string, step: number, out: string, files: readonly string[]): string {
  return `${name} at step ${step}: ${files.map((file) => shownPath(resolve(out, file))).join(", ")}`;
}
