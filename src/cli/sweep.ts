/** `mechanist sweep`: one setting at several values, with the front of what is used against what is lost. */
import { join } from "node:path";
import { resolveMethod } from "../decomposition/methods.ts";
import { MechanistError } from "../error.ts";
import { writeAtomic } from "../file/node-atomic.ts";
import { type FrontPoint, frontFigure } from "../report/front-figure.ts";
import { findRun } from "../run/runs.ts";
import { trainDocumentOf } from "./documents.ts";
import { shownPath, significant, table } from "./format.ts";
import { interruptible } from "./interrupt.ts";
import { decomposeMany, exitAsFailed, failedOnes, type ManyOptions } from "./many.ts";
import { settingsGiven } from "./options.ts";
import type { Terminal } from "./terminal.ts";

export interface SweepOptions extends ManyOptions {
  /** `key=value,value,…`; absent: importance minimality at five values around the preset's. */
  readonly over?: string;
}

/** Factors of the usual sweep: five points from a tenth to ten times. */
const USUAL = [0.1, 10 ** -0.5, 1, 10 ** 0.5, 10];

export async function sweepCommand(given: string, options: SweepOptions, terminal: Terminal): Promise<void> {
  const { key, values } = options.over === undefined ? await usual(given, options) : asked(options.over);
  const { made, points } = await interruptible(terminal, async ({ signal }) => {
    const members = values.map((value) => ({ value, name: `${key}-${value}`, set: [`${key}=${value}`] }));
    const decomposed = await decomposeMany(given, "sweep", members, options, terminal, signal);
    const { path: folder, finished } = decomposed;
    const found = finished.map(({ member, run }) =>
      pointOf(member.value, (run.record.result ?? {}) as Record<string, unknown>),
    );
    const content = { schema: 1, key, points: found, ...failedOnes(decomposed) };
    await writeAtomic(join(folder, "sweep.json"), `${JSON.stringify(content, undefined, 2)}\n`);
    await writeAtomic(join(folder, "front.svg"), frontFigure({ title: `${key} of ${given}`, key, points: found }));
    return { made: decomposed, points: found };
  });
  const { path, failed } = made;
  terminal.document("sweep", { path, key, points, ...failedOnes(made) });
  terminal.print(
    [
      `${key}  (${shownPath(path)})`,
      "",
      table(
        [key, "L0", "CI masks", "stochastic", "adversarial", "no masks"],
        points.map(({ value, l0, ciMasked, stochastic, adversarial, unmasked }) => [
          value,
          ...[l0, ciMasked, stochastic, adversarial, unmasked].map((x) => significant(x, 3)),
        ]),
      ),
      ...(failed.length === 0 ? [] : ["", ...failed.map(({ member, error }) => `${member.name}: ${error.message}`)]),
      "",
      `front: ${shownPath(join(path, "front.svg"))}`,
    ].join("\n"),
  );
  exitAsFailed(made);
}

function pointOf(value: string, result: Readonly<Record<string, unknown>>): FrontPoint {
  const number = (name: string): number => Number(result[name] ?? Number.NaN);
  return {
    value,
    l0: number("l0"),
    ciMasked: number("ciMaskedRecon"),
    stochastic: number("stochasticRecon"),
    adversarial: number("adversarialRecon"),
    unmasked: number("unmaskedRecon"),
  };
}

function asked(over: string): { readonly key: string; readonly values: readonly string[] } {
  const at = over.indexOf("=");
  const values = over
    .slice(at + 1)
    .split(",")
    .map((value) => value.trim())
    .filter((value) => value !== "");
  if (at < 1 || values.length < 2 || new Set(values).size < values.length)
    throw new MechanistError("BadArgument", `--over: expected key=value,value with different values, got ${over}`);
  return { key: over.slice(0, at).trim(), values };
}

async function usual(
  given: string,
  options: SweepOptions,
): Promise<{ readonly key: string; readonly values: readonly string[] }> {
  const target = await trainDocumentOf(await findRun(given));
  const preset = options.preset === undefined ? {} : { preset: options.preset };
  const { settings } = resolveMethod(options.method, { target, ...preset, set: await settingsGiven(options) });
  const middle = Number((settings as Readonly<Record<string, unknown>>).importanceMinimality ?? Number.NaN);
  if (!(middle > 0))
    throw new MechanistError("BadArgument", `--over: expected key=value,value for ${options.method}, got none`);
  return {
    key: "importanceMinimality",
    values: USUAL.map((factor) => String(Number((middle * factor).toPrecision(3)))),
  };
}
