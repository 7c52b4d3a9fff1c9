/** `mechanist list`: what there is to train or to compile, the ways to take it apart, and named settings. */
import { z } from "zod";
import { METHODS } from "../decomposition/methods.ts";
import { COMPILE_SETTINGS } from "../network/compiled/compile-program.ts";
import { COMPILED } from "../network/compiled/programs.ts";
import { named, type Preset, type SettingsSchema } from "../settings.ts";
import type { Success } from "../training/target.ts";
import { resolveTarget, TARGETS } from "../training/targets.ts";
import { table } from "./format.ts";
import type { Terminal } from "./terminal.ts";

const LISTS: Readonly<Record<string, (terminal: Terminal) => void>> = {
  targets: listTargets,
  methods: listMethods,
  programs: listPrograms,
  presets: listPresets,
};

export async function listCommand(what: string, terminal: Terminal): Promise<void> {
  named("list", what, LISTS)(terminal);
}

function listTargets(terminal: Terminal): void {
  const targets = Object.entries(TARGETS).map(([name, { summary, schema, success }]) => ({
    name,
    summary,
    success,
    settings: settingsOf(schema),
  }));
  listSettings("targets", targets, terminal);
}

function listMethods(terminal: Terminal): void {
  const methods = Object.entries(METHODS).map(([name, { summary, schema }]) => ({
    name,
    summary,
    settings: settingsOf(schema),
  }));
  listSettings("methods", methods, terminal);
}

function listPrograms(terminal: Terminal): void {
  const programs = Object.entries(COMPILED).map(([name, { summary, vocabulary }]) => ({ name, summary, vocabulary }));
  const settings = settingsOf(COMPILE_SETTINGS);
  terminal.document("list", { programs, settings });
  const rows = programs.map(({ name, summary, vocabulary }) => [name, vocabulary.join(" "), summary]);
  terminal.print(`${table(["program", "vocabulary", "computes"], rows)}\n`);
  printSettings("each of them", settings, terminal);
}

interface Listed {
  readonly name: string;
  readonly summary: string;
  readonly success?: readonly Success[];
  readonly settings: readonly Setting[];
}

function listSettings(what: string, listed: readonly Listed[], terminal: Terminal): void {
  terminal.document("list", { [what]: listed });
  for (const { name, summary, success = [], settings } of listed) {
    printSettings(`${name}: ${summary}`, settings, terminal);
    const measured = success.map(({ metric, meaning }) => [`  ${metric}`, meaning]);
    if (measured.length > 0) terminal.print(`${table(["  measured", "meaning"], measured)}\n`);
  }
}

function printSettings(title: string, settings: readonly Setting[], terminal: Terminal): void {
  const rows = settings.map(({ key, kind, choices, description, ...rest }) => {
    const meaning = choices === undefined ? description : `${description} (${choices.join(", ")})`;
    return [`  ${key}`, kind, rest.default === undefined ? "by preset" : String(rest.default) || '""', meaning];
  });
  terminal.print(`${title}\n\n${table(["  setting", "kind", "default", "meaning"], rows)}\n`);
}

interface Setting {
  readonly key: string;
  readonly kind: "number" | "integer" | "boolean" | "string" | "object" | "choice";
  readonly choices?: readonly string[];
  readonly default?: unknown;
  readonly description: string;
}

interface SettingSchema {
  readonly type?: Exclude<Setting["kind"], "choice">;
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly description?: string;
}

function settingsOf(schema: SettingsSchema): Setting[] {
  const { properties = {} } = z.toJSONSchema(schema, { io: "input" }) as { properties?: Record<string, SettingSchema> };
  return Object.entries(properties).map(([key, s]) => ({
    key,
    ...(s.enum === undefined ? { kind: s.type ?? "number" } : { kind: "choice" as const, choices: s.enum }),
    ...(s.default !== undefined && { default: s.default }),
    description: s.description ?? "",
  }));
}

function listPresets(terminal: Terminal): void {
  const of = (
    kind: string,
    owner: string,
    presets: Readonly<Record<string, Preset>>,
  ): (Preset & Record<string, unknown>)[] =>
    Object.entries(presets).map(([name, preset]) => ({ [kind]: owner, name, ...preset }));
  // Those of a method depend on the network; shown are those for each target as it is unless told otherwise.
  const presets = [
    ...Object.entries(TARGETS).flatMap(([name, { presets: own }]) => of("target", name, own)),
    ...Object.entries(METHODS).flatMap(([name, method]) =>
      Object.keys(TARGETS)
        .filter((target) => TARGETS[target]!.presets.default !== undefined)
        .map((target) => resolveTarget(target))
        .filter((target) => method.objection(target) === undefined)
        .flatMap((target) => of("method", name, method.presets(target))),
    ),
  ];
  terminal.document("list", { presets });
  const rows = presets.map((p) => [String(p.target ?? p.method), String(p.name), p.summary, p.source]);
  terminal.print(table(["for", "preset", "summary", "source"], rows));
}
