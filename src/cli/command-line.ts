/** The command lines that make a run again, from its document. */
import { type DecomposeDocument, methodNamed, resolveMethod } from "../decomposition/methods.ts";
import type { TrainDocument } from "../training/target.ts";
import { resolveTarget, targetNamed } from "../training/targets.ts";

/** How a decomposition is made: the network's training first, then what takes it apart. Networks that were not trained here have a folder's name there. */
export function commandLines(document: DecomposeDocument, network: string): string {
  const trained = Object.keys(targetNamed(document.target.target).presets).length > 0;
  const first = trained ? trainLine(document.target, network) : `mechanist import <folder> --out ${quoted(network)}`;
  return `${first}\n${decomposeLine(document, network)}`;
}

function trainLine({ target, preset, settings }: TrainDocument, out: string): string {
  const usual = resolveTarget(target, { preset }).settings;
  return ["mechanist train", target, ...chosen(preset), ...changed(settings, usual), "--out", quoted(out)].join(" ");
}

function decomposeLine(document: DecomposeDocument, network: string): string {
  const { method, preset, settings, target } = document;
  const known = preset in methodNamed(method).presets(target);
  const usual = known ? resolveMethod(method, { target, preset }).settings : {};
  const parts = ["mechanist decompose", quoted(network), "--method", method, ...chosen(preset)];
  return [...parts, ...changed(settings, usual)].join(" ");
}

const chosen = (preset: string): string[] => (preset === "default" ? [] : ["--preset", quoted(preset)]);

/** Settings that are not the preset's. */
function changed(settings: Readonly<Record<string, unknown>>, usual: Readonly<Record<string, unknown>>): string[] {
  const text = (value: unknown): string => (typeof value === "object" ? JSON.stringify(value) : String(value));
  return Object.entries(settings)
    .filter(([key, value]) => text(value) !== text(usual[key]))
    .flatMap(([key, value]) => ["--set", quoted(`${key}=${text(value)}`)]);
}

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
