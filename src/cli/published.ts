/** Folders of components as the SPD repository keeps them: `mechanist export` writes one, `mechanist decompose --from` makes a run of one. */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type DecomposeDocument, methodNamed } from "../decomposition/methods.ts";
import { importanceFunction } from "../decomposition/parameter/importance/function.ts";
import { slotsOf } from "../decomposition/parameter/rank-one-decomposition.ts";
import { publishedConfig, settingsOfPublished } from "../decomposition/parameter/published/config.ts";
import { asPublished, fromPublished, modulePath, publishedSlots } from "../decomposition/parameter/published/layout.ts";
import type { ParameterSettings } from "../decomposition/parameter/settings.ts";
import { interpret } from "../engine/index.ts";
import { type NamedValues, values } from "../engine/values.ts";
import { MechanistError } from "../error.ts";
import { writeAtomic } from "../file/node-atomic.ts";
import { pickleRefusal } from "../file/pickle.ts";
import { readSafetensors, writeSafetensors } from "../file/safetensors.ts";
import { type Network, weightInputs, withSites } from "../network/network.ts";
import { findRun } from "../run/runs.ts";
import { settingsFrom } from "../settings.ts";
import type { Checkpoint } from "../training/loop.ts";
import { carriedOf, weightsIn } from "../training/optimise.ts";
import type { TrainDocument } from "../training/target.ts";
import { targetNamed } from "../training/targets.ts";
import { openDecomposition, type Subject } from "./decompose.ts";
import { shownPath } from "./format.ts";
import type { CommonOptions } from "./main.ts";
import { expectNewFolder } from "./new-folder.ts";
import { readYaml } from "./options.ts";
import type { Terminal } from "./terminal.ts";

const CONFIG = "final_config.yaml";
/** The layout of the SPD repository, by the name that `--format` has for it. */
const SPD = "spd";

/** Whether a folder is of that layout. */
export function isPublished(path: string): boolean {
  return existsSync(join(path, CONFIG));
}

export async function exportCommand(
  given: string,
  { out, format }: CommonOptions & { readonly out: string; readonly format?: string },
  terminal: Terminal,
): Promise<void> {
  const run = await findRun(given);
  const { document, weights, check } = await openDecomposition(run);
  const { step, tensors } = await run.checkpoints.latest(check);
  const opened = methodNamed(document.method).open(document, weights, weightsIn(tensors));
  await expectNewFolder(out);
  if (!("importance" in document.settings)) {
    const { exportDictionaries, exportText } = await import("./dictionary-files.ts");
    const name = `${run.name} by ${document.method}`;
    const written = await exportDictionaries(name, { document, weights }, opened, { out, ...(format && { format }) });
    terminal.document("export", { run: run.name, path: resolve(out), step, ...written });
    terminal.print(exportText(run.name, step, out, written.files));
    return;
  }
  if (format !== undefined && format !== SPD) {
    throw new MechanistError("BadArgument", `export: expected --format ${SPD} for ${document.method}, got ${format}`);
  }
  const settings = document.settings as unknown as ParameterSettings;
  const { network, sites } = opened;
  const slots = slotsOf(sites, opened.values);
  const importance = importanceFunction(settings, network);
  const config = publishedConfig(network, slots, settings);
  const state = {
    ...matrices(network, weights),
    ...asPublished(network, slots, importance, opened.values),
  };
  const file = `model_${step}.safetensors`;
  const { stringify } = await import("yaml");
  await mkdir(out, { recursive: true });
  await writeAtomic(join(out, file), writeSafetensors(state, { format: "pt" }));
  await writeAtomic(join(out, CONFIG), stringify(config));
  terminal.document("export", { run: run.name, path: resolve(out), step, format: SPD, files: [CONFIG, file] });
  terminal.print(`${run.name} at step ${step}: ${shownPath(join(out, CONFIG))}, ${shownPath(join(out, file))}`);
}

/** The matrices that were taken apart, as PyTorch's linear layers have them: `d_out d_in`. */
function matrices(network: Network, weights: NamedValues): NamedValues {
  const inputs = weightInputs(network.weights);
  const found = interpret(
    Object.fromEntries(network.sites.map(({ name }) => [name, network.matrix(inputs, name)])),
    weights,
  );
  return Object.fromEntries(
    network.sites.map(({ name, dIn, dOut, indexed }) => {
      const path = `target_model.${modulePath(network, name)}.weight`;
      const { data } = found[name]!;
      // A table is read by rows there, too.
      if (indexed) return [path, values("d_in d_out", [dIn, dOut], Float32Array.from(data))];
      const turned = Float32Array.from(data, (_, i) => data[(i % dIn) * dOut + Math.floor(i / dIn)]!);
      return [path, values("d_out d_in", [dOut, dIn], turned)];
    }),
  );
}

/**
 * A decomposition from a folder of the repository's layout, with a checkpoint that has its components.
 *
 * @throws `MissingFile`; `BadFile` for a pickle, for what does not fit the network, and for components of another network
 */
export async function subjectFromPublished(
  folder: string,
  target: TrainDocument,
  weights: NamedValues,
): Promise<Subject & { readonly checkpoint: Checkpoint }> {
  const path = join(folder, CONFIG);
  const content = await readYaml(path, "the settings of a decomposition");
  const file = await stateIn(folder);
  const { tensors } = readSafetensors(await readFile(file), file);
  const whole = targetNamed(target.target).network(target.settings);
  const slots = publishedSlots(whole, tensors);
  if (slots.length === 0)
    throw new MechanistError("BadFile", `${file}: expected _components.… of the network's sites, got none`);
  const set = settingsOfPublished(content, slots, path);
  const settings = settingsFrom("spd", methodNamed("spd").schema, {}, set) as unknown as ParameterSettings;
  const network = withSites(whole, settings.sites);
  expectSameNetwork(file, matrices(network, weights), tensors);
  const own = fromPublished(network, slots, importanceFunction(settings, network), tensors);
  const document: DecomposeDocument = {
    ...{ method: "spd", preset: "imported", target },
    settings: settings as unknown as DecomposeDocument["settings"],
  };
  methodNamed("spd").check(document);
  return { document, weights, checkpoint: { step: settings.steps, tensors: { ...own, ...carried(own) } } };
}

/** The newest state in a folder. */
async function stateIn(folder: string): Promise<string> {
  const names = await readdir(folder).catch(() => []);
  const stepOf = (name: string): number => Number(/^model_(\d+)\./.exec(name)?.[1] ?? -1);
  const newest = (extension: string): string | undefined =>
    names.filter((name) => name.endsWith(extension)).sort((a, b) => stepOf(b) - stepOf(a))[0];
  const state = newest(".safetensors");
  if (state !== undefined) return join(folder, state);
  const pickle = newest(".pth");
  if (pickle === undefined)
    throw new MechanistError("MissingFile", `${folder}: expected model_<step>.safetensors, got none`);
  throw pickleRefusal(join(folder, pickle), pickle);
}

/** A matrix may differ by this, of its largest number, and be the same. */
const ROUNDING = 1e-4;

function expectSameNetwork(file: string, own: NamedValues, given: NamedValues): void {
  for (const [name, { data, shape }] of Object.entries(own)) {
    const other = given[name];
    if (other === undefined) continue;
    const largest = Array.from(data).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const same =
      other.shape.join("×") === shape.join("×") &&
      data.every((x, i) => Math.abs(x - other.data[i]!) <= ROUNDING * largest);
    if (!same) throw new MechanistError("BadFile", `${file}: ${name}: expected the network's own matrix, got another`);
  }
}

/** What an optimiser would carry that has not taken a step yet. */
function carried(own: NamedValues): NamedValues {
  return Object.fromEntries(
    Object.entries(own).flatMap(([weight, { axes, shape, data }]) =>
      carriedOf(weight)[0]!.map((name) => [name, values(axes, shape, new Float32Array(data.length))]),
    ),
  );
}
