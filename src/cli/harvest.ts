/** `mechanist harvest`: what the components of a decomposition fire on, counted in one pass and kept in its folder. */
import type { Decomposition } from "../decomposition/decomposition.ts";
import { HARVEST_SCHEMA, type HarvestDocument } from "../harvest/document.ts";
import { exportNeuronpedia } from "../harvest/node-export.ts";
import { HarvestFolder } from "../harvest/node-folder.ts";
import { harvest } from "../harvest/pass.ts";
import { expectRoom, type HarvestPlan, type HarvestSource, mebibytes, planHarvest } from "../harvest/plan.ts";
import { type HarvestSettings, harvestSettings, KEPT } from "../harvest/settings.ts";
import { stimulusKind } from "../harvest/stimuli.ts";
import { tablesOf } from "../harvest/tables.ts";
import { digestOf } from "../run/digest.ts";
import type { RunFolder } from "../run/folder.ts";
import { findRun } from "../run/runs.ts";
import { settingsFrom } from "../settings.ts";
import type { TrainDocument } from "../training/target.ts";
import { duration, shownPath, significant } from "./format.ts";
import { interruptible } from "./interrupt.ts";
import { openLatest } from "./open-decomposition.ts";
import { availableMemory, type DeviceOptions, type Placement, placementFrom, wholeNumber } from "./options.ts";
import type { Terminal } from "./terminal.ts";

export interface HarvestOptions extends DeviceOptions {
  readonly positions?: string;
  readonly threshold?: string;
  readonly examples?: string;
  readonly window?: string;
  readonly seed?: string;
  /** Of `--no-outputs`. */
  readonly outputs: boolean;
  readonly memory: string;
  readonly resume?: boolean;
  readonly export?: string;
}

const MIB = 2 ** 20;

export async function harvestCommand(given: string, options: HarvestOptions, terminal: Terminal): Promise<void> {
  const { positions, threshold, examples, window, seed, outputs } = options;
  const asked = { positions, threshold, examples, window, seed };
  const set = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
  const settings = settingsFrom("harvest", harvestSettings, { ...set, outputs });
  const limit = wholeNumber("--memory", options.memory, 1, 2 ** 24) * MIB;
  const placement = placementFrom(options);
  const run = await findRun(given);
  const opened = await openHarvested(run);
  const folder = new HarvestFolder(run.path);
  const document = await interruptible(terminal, ({ signal }) =>
    finishedOr(folder, { run, ...opened, settings }, options.resume ?? false, terminal, (subject) =>
      harvestInto(folder, subject, { ...placement, limit, signal, resume: options.resume ?? false }, terminal),
    ),
  );
  const exported = options.export === undefined ? undefined : await exportNeuronpedia(folder, run.name, options.export);
  const about = { run: run.name, path: run.path, digest: run.record.digest };
  terminal.document("harvest", { ...document, ...about, ...(exported && { export: exported }) });
  terminal.print(described(run, document));
  if (exported !== undefined) terminal.print(`exported ${exported.features} components to ${shownPath(exported.path)}`);
}

/** A decomposition with the data it is of. */
export interface Harvested {
  readonly decomposition: Decomposition;
  readonly source: HarvestSource;
  /** The step of the checkpoint. */
  readonly step: number;
  readonly target: TrainDocument;
}

/** Opens a run's latest checkpoint, which must be whole, with its target's data. */
export async function openHarvested(run: RunFolder): Promise<Harvested> {
  const { decomposition, document, step, target, settings, source: data } = await openLatest(run);
  const tokens = await target.tokens?.(settings);
  const source = { ...data, tables: data.tables ?? {}, ...(tokens && { tokens }) };
  return { decomposition, source, step, target: document.target };
}

interface Subject extends Harvested {
  readonly run: RunFolder;
  readonly settings: HarvestSettings;
}

/** A finished harvest of the same, where that is enough; else a new one. */
async function finishedOr(
  folder: HarvestFolder,
  subject: Subject,
  resume: boolean,
  terminal: Terminal,
  make: (subject: Subject) => Promise<HarvestDocument>,
): Promise<HarvestDocument> {
  if (resume) {
    const there = await folder.document();
    if (there !== undefined && identityOf(subject) === identityOf({ ...subject, ...there, run: subject.run })) {
      terminal.remark("there is a finished harvest of these settings");
      return there;
    }
  }
  return make(subject);
}

/** Two passes of the same identity count the same. */
function identityOf({ run, step, settings }: Pick<Subject, "run" | "step" | "settings">): string {
  return digestOf({ run: run.record.digest, step, settings });
}

interface Making extends Placement {
  readonly limit: number;
  readonly signal: AbortSignal;
  readonly resume: boolean;
}

async function harvestInto(
  folder: HarvestFolder,
  subject: Subject,
  { limit, signal, resume, ...placement }: Making,
  terminal: Terminal,
): Promise<HarvestDocument> {
  const { decomposition, source, settings, run, step } = subject;
  const plan = planHarvest(decomposition, source, settings, limit);
  expectRoom(plan, { memory: availableMemory(), disk: await folder.freeDisk() });
  terminal.note(announcement(plan, settings, decomposition));
  const identity = identityOf(subject);
  const partial = resume ? await folder.partial(identity) : undefined;
  if (resume && partial === undefined) terminal.note("nothing to resume of these settings; the harvest begins");
  if (partial === undefined) await folder.clear();
  const began = performance.now();
  const tally = await harvest(decomposition, source, settings, plan, {
    ...placement,
    signal,
    spills: folder.spills(),
    ...(partial && { resume: partial }),
    onProgress: (counted) => terminal.working(progress(counted, settings.positions, began)),
    onCheckpoint: (tensors) => folder.savePartial(identity, tensors),
  });
  terminal.working("writing tables");
  const { input } = decomposition.network;
  const total = tally.firings.reduce((a, b) => a + b, 0);
  return folder.write(tablesOf(tally, decomposition.components, source.tokens), {
    schema: HARVEST_SCHEMA,
    run: run.record.digest,
    step,
    settings,
    createdAt: new Date().toISOString(),
    n: tally.n,
    padding: tally.padding,
    components: plan.components,
    fired: tally.firings.filter((count) => count > 0).length,
    l0: total / tally.n,
    kind: stimulusKind(input),
    separator: source.tokens?.separator ?? " ",
    stimuli: plan.stimuli,
    outputs: plan.outputs,
    kept: KEPT,
    planned: plan.total,
    seconds: (performance.now() - began) / 1000,
  });
}

function announcement(
  plan: HarvestPlan,
  { positions, threshold }: HarvestSettings,
  { network }: Decomposition,
): string {
  const what = `${positions.toLocaleString("en-US")} ${network.input.axes === "batch feature" ? "examples" : "positions"}`;
  const outputs = plan.outputs > 0 ? `, ${plan.outputs} output tokens` : "";
  return `harvest of ${what}, ${plan.components} components${outputs}, firing above ${threshold}: at most ${mebibytes(plan.total)} of memory`;
}

function progress(counted: number, positions: number, began: number): string {
  const seconds = (performance.now() - began) / 1000;
  const left = counted > 0 ? `, ${duration((seconds * (positions - counted)) / counted)} left` : "";
  return `harvest  ${counted.toLocaleString("en-US")} of ${positions.toLocaleString("en-US")} positions${left}`;
}

function described(
  run: RunFolder,
  { n, padding, settings, fired, components, l0, seconds, files, kept }: HarvestDocument,
): string {
  const skipped = padding > 0 ? `, ${padding.toLocaleString("en-US")} of padding passed over` : "";
  return [
    `harvested ${run.name} in ${duration(seconds)}: ${n.toLocaleString("en-US")} positions${skipped}  (${shownPath(run.path)})`,
    `  ${fired} of ${components} components fired (importance above ${settings.threshold}); ${significant(l0, 3)} at a position`,
    `  ${Object.entries(files)
      .map(([name, { rows }]) => `${name} ${rows.toLocaleString("en-US")}`)
      .join(", ")} rows`,
    `  kept of each component at most ${kept.tokens} tokens an order and ${kept.partners} partners; mechanist components ${run.name}`,
  ].join("\n");
}
