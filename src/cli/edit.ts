/** `mechanist edit`: components taken away, scaled, kept alone or given another write vector, and what that does on and off target. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import {
  type Edit,
  type EditEffects,
  editedWeights,
  editEffects,
  type MeasuredDivergence,
  NEAR,
  planned,
  vectorsOf,
} from "../circuit/index.ts";
import { parseAddress } from "../decomposition/address.ts";
import { MechanistError } from "../error.ts";
import { parseJson } from "../file/json.ts";
import { folderOf, told, writeNetwork } from "./edited-network.ts";
import { shownPath, significant, table } from "./format.ts";
import { interruptible } from "./interrupt.ts";
import { expectNewFolder } from "./new-folder.ts";
import { openRankOne, type OpenedDecomposition } from "./open-decomposition.ts";
import { decimal, type DeviceOptions, placementFrom, wholeNumber } from "./options.ts";
import type { Terminal } from "./terminal.ts";
import { trainingData } from "./training-data.ts";

export interface EditOptions extends DeviceOptions {
  readonly ablate?: readonly string[];
  readonly keep?: readonly string[];
  readonly scale?: readonly string[];
  readonly replace?: readonly string[];
  readonly onlyWhereImportant?: boolean;
  readonly threshold: string;
  readonly strengths: string;
  readonly positions: string;
  readonly seed: string;
  readonly out?: string;
  readonly network?: string;
}

export async function editCommand(given: string, options: EditOptions, terminal: Terminal): Promise<void> {
  const placement = placementFrom(options);
  const positions = wholeNumber("--positions", options.positions, 1, 1e9);
  const settings = {
    firesAbove: decimal("--threshold", options.threshold, 0, 1),
    onlyWhereImportant: options.onlyWhereImportant ?? false,
    strengths: options.strengths.split(",").map((text) => decimal("--strengths", text, -1e6, 1e6)),
  };
  if (settings.onlyWhereImportant && options.out !== undefined) {
    throw new MechanistError(
      "BadArgument",
      "edit: expected --out or --only-where-important, got both; weights know no where",
    );
  }
  if (options.network !== undefined && options.out === undefined) {
    throw new MechanistError("BadArgument", "--network: expected --out with it, got none");
  }
  if (options.out !== undefined) await expectNewFolder(options.out);
  const seed = wholeNumber("--seed", options.seed, 0, Number.MAX_SAFE_INTEGER);
  const { opened, edits, effects, folder } = await interruptible(terminal, async ({ signal }) => {
    terminal.working(`opening ${given}`);
    const found = await openRankOne(given, "edit");
    const asked = await editsFrom(found, options);
    const plan = planned(found.decomposition, asked);
    // Refused before the work rather than after it.
    const weights = options.out === undefined ? undefined : editedWeights(found.decomposition, plan);
    const from = options.out === undefined ? undefined : await folderOf(found, options.network, terminal, signal);
    const measured = await editEffects(found.decomposition, plan, await trainingData(found, positions, seed), {
      ...placement,
      ...settings,
      signal,
      onProgress: (done, all) => terminal.working(`editing ${given}: ${done} of ${all} batches`),
    });
    if (weights !== undefined) {
      const changed = Object.keys(plan);
      await writeNetwork(found, { edits: asked, weights, changed, ...(from && { from }) }, options.out!, signal);
    }
    return { opened: found, edits: asked, effects: measured, folder: from };
  });
  terminal.clear();
  const { run, step } = opened;
  const out =
    options.out === undefined
      ? {}
      : { out: resolve(options.out), format: folder === undefined ? "mechanist" : "huggingface" };
  terminal.document("edit", { run: run.name, path: run.path, step, edits: edits.map(told), ...effects, ...out });
  terminal.print(described(opened, edits, effects));
  if (options.out !== undefined) terminal.print(`\n${shownPath(resolve(options.out))}: the edited network`);
}

/** Edits as the command line has them. */
async function editsFrom(opened: OpenedDecomposition, options: EditOptions): Promise<Edit[]> {
  const { ablate = [], keep = [], scale = [], replace = [] } = options;
  const edits: Edit[] = [
    ...ablate.map((address): Edit => ({ kind: "scale", address, by: 0 })),
    ...scale.map((text): Edit => {
      const [address, by] = pairOf("--scale", text);
      return { kind: "scale", address, by: decimal("--scale", by, -1e6, 1e6) };
    }),
    ...(await Promise.all(
      replace.map(async (text): Promise<Edit> => {
        const [address, from] = pairOf("--replace", text);
        return { kind: "replace", address, write: await writeVector(opened, from) };
      }),
    )),
    ...(keep.length === 0 ? [] : [{ kind: "keep", addresses: keep } as const]),
  ];
  if (edits.length > 0) return edits;
  throw new MechanistError("BadArgument", "edit: expected --ablate, --scale, --replace or --keep, got none");
}

function pairOf(option: string, text: string): [string, string] {
  const at = text.indexOf("=");
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new MechanistError("BadArgument", `${option}: expected address=value, got ${text}`);
}

/** The write vector of another component, or the numbers in a JSON file. */
async function writeVector({ decomposition }: OpenedDecomposition, from: string): Promise<ArrayLike<number>> {
  if (!from.startsWith("@")) {
    const { site, component } = parseAddress(from);
    if (component === "remainder") {
      throw new MechanistError("BadArgument", `--replace: expected a component or @file, got ${from}`);
    }
    if (!decomposition.sites.some(({ name }) => name === site)) {
      const known = decomposition.sites.map(({ name }) => name).join(", ");
      throw new MechanistError("UnknownName", `--replace: expected a site among ${known}, got ${site}`);
    }
    return vectorsOf(decomposition, site, component).U;
  }
  const path = from.slice(1);
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new MechanistError("MissingFile", `${path}: expected a JSON list of numbers, got none`, {}, { cause });
  });
  const list = parseJson(bytes, path);
  if (Array.isArray(list) && list.every((value) => typeof value === "number")) return list as number[];
  throw new MechanistError("BadFile", `${path}: expected a JSON list of numbers, got something else`);
}

function described({ run, step, title }: OpenedDecomposition, edits: readonly Edit[], effects: EditEffects): string {
  const { unit, firesAbove, onlyWhereImportant } = effects;
  const cell = (measured: MeasuredDivergence | null): string => {
    if (measured === null || measured.mean === null) return "–";
    const { mean, interval } = measured;
    const spread = interval === null ? "" : ` [${significant(interval[0], 2)}, ${significant(interval[1], 2)}]`;
    return `${significant(mean, 3)}${spread}`;
  };
  const rows = effects.effects.map(({ strength, onTarget, offTarget, surrounding }) => [
    String(strength),
    cell(onTarget),
    cell(offTarget),
    ...(surrounding === null ? [] : [cell(surrounding)]),
  ]);
  const near = effects.effects[0]!.surrounding === null ? [] : [`within ${NEAR} of one`];
  const { onTarget, offTarget } = effects.effects[0]!;
  return [
    `${run.name}, step ${step}, of ${title}`,
    ...edits.map(sentence),
    "",
    table(["strength", "where it fires", "elsewhere", ...near], rows),
    "",
    `divergence of the edited network from its own predictions, ${unit}, mean and 95 % bootstrap interval over examples; fires: importance above ${firesAbove}, ` +
      `${onTarget.n} positions, elsewhere ${offTarget.n}${onlyWhereImportant ? "; edited only where it fires" : ""}`,
  ].join("\n");
}

function sentence(edit: Edit): string {
  if (edit.kind === "keep") return `keeps only ${edit.addresses.join(", ")}`;
  if (edit.kind === "replace") return `${edit.address} writes something else`;
  return edit.by === 0 ? `without ${edit.address}` : `${edit.address} times ${edit.by}`;
}
