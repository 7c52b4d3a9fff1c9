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

const LISTS: Readonly<Record<string, (terminal: Terminal, name?: string) => void>> = {
  targets: listTargets,
  methods: listMethods,
  programs: listPrograms,
  presets: listPresets,
};

/** @param name of one of them, whose settings are wanted */
export async function listCommand(what: string, name: string | undefined, terminal: Terminal): Promise<void> {
  named("list", what, LISTS)(terminal, name);
}

function listTargets(terminal: Terminal, name?: string): void {
  const targets = chosen("target", TARGETS, name).map(([target, { summary, schema, success }]) => ({
    name: target,
    summary,
    success,
    settings: settingsOf(schema),
  }));
  listSettings("targets", targets, terminal, name !== undefined);
}

function listMethods(terminal: Terminal, name?: string): void {
  const methods = chosen("method", METHODS, name).map(([method, { summary, schema }]) => ({
    name: method,
    summary,
    settings: settingsOf(schema),
  }));
  listSettings("methods", methods, terminal, name !== undefined);
}

/** All of a table's entries, or the one that is asked for. */
function chosen<T>(what: string, all: Readonly<Record<string, T>>, name?: string): [string, T][] {
  return name === undefined ? Object.entries(all) : [[name, named(what, name, all)]];
}

function listPrograms(terminal: Terminal, wanted?: string): void {
  const programs = chosen("program", COMPILED, wanted).map(([name, { summary, vocabulary }]) => ({
    name,
    summary,
    vocabulary,
  }));
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

function listSettings(what: string, listed: readonly Listed[], terminal: Terminal, whole: boolean): void {
  terminal.document("list", { [what]: listed });
  if (!whole) {
    terminal.print(
      table(
        [what.slice(0, -1), "what it is"],
        listed.map(({ name, summary }) => [name, summary]),
      ),
    );
    terminal.print(
      `\nmechanist list ${what} <name> has the settings of one, mechanist list presets <name> its presets`,
    );
    return;
  }
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

function listPresets(terminal: Terminal, wanted?: string): void {
  if (wanted !== undefined) named("target or method", wanted, { ...TARGETS, ...METHODS });
  const isWanted = ([name]: readonly [string, unknown]): boolean => wanted === undefined || name === wanted;
  const of = (
    kind: string,
    owner: string,
    presets: Readonly<Record<string, Preset>>,
  ): (Preset & Record<string, unknown>)[] =>
    Object.entries(presets).map(([name, preset]) => ({ [kind]: owner, name, ...preset }));
  // Those of a method depend on the network; shown are those for each target as it is unless told otherwise.
  const presets = [
    ...Object.entries(TARGETS)
      .filter(isWanted)
      .flatMap(([name, { presets: own }]) => of("target", name, own)),
    ...Object.entries(METHODS)
      .filter(isWanted)
      .flatMap(([name, method]) =>
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
