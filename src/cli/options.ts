/** Options as the user gives them, made into what the library takes. */
import { readFile } from "node:fs/promises";
import { freemem } from "node:os";
import { type Device, DEVICES, defaultDevice } from "../engine/device.ts";
import { MechanistError } from "../error.ts";
import { named } from "../settings.ts";
import type { CommonOptions } from "./main.ts";

/** Where to compute. */
export interface DeviceOptions extends CommonOptions {
  readonly device?: string;
  readonly threads?: string;
  readonly memory?: string;
}

/** What a run is made with. */
export interface RunOptions extends DeviceOptions {
  readonly preset?: string;
  readonly set?: readonly string[];
  readonly steps?: string;
  readonly seed?: string;
  readonly out?: string;
  readonly resume?: boolean;
}

export interface Placement {
  readonly device: Device;
  readonly threads?: number;
  /** Bytes. */
  readonly memoryLimit?: number;
}

/** Bytes that this process may still take: what a container leaves it, or what is free. */
export const availableMemory = (): number => process.availableMemory?.() ?? freemem();

/** The device and threads asked for; those of `before` where nothing is asked. */
export function placementFrom(
  { device, threads, memory }: DeviceOptions,
  before?: { readonly device: string; readonly threads: number | null },
): Placement {
  const here = Object.fromEntries(DEVICES.filter((name) => name !== "wasm").map((name) => [name, name]));
  const wanted = device ?? before?.device ?? defaultDevice();
  const count = threads === undefined ? (before?.threads ?? undefined) : wholeNumber("--threads", threads, 1, 1024);
  const limit = memory === undefined ? undefined : wholeNumber("--memory", memory, 1, 2 ** 30) * 2 ** 20;
  return {
    device: named("device", wanted, here),
    ...(count !== undefined && { threads: count }),
    ...(limit !== undefined && { memoryLimit: limit }),
  };
}

/** A whole number within bounds. */
export function wholeNumber(option: string, text: string, low: number, high: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < low || value > high) {
    throw new MechanistError("BadArgument", `${option}: expected a whole number from ${low} to ${high}, got ${text}`);
  }
  return value;
}

/** A number within bounds. */
export function decimal(option: string, text: string, low: number, high: number): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= low && value <= high)) {
    const bounds = high === Infinity ? `of at least ${low}` : `from ${low} to ${high}`;
    throw new MechanistError("BadArgument", `${option}: expected a number ${bounds}, got ${text}`);
  }
  return value;
}

/**
 * The settings given by `--set`, `--steps` and `--seed`, as text; the schema reads them. Of `key=@path` the value is what the file holds.
 *
 * @throws `MissingFile`; `BadFile` when it is not text in UTF-8
 */
export async function settingsGiven({ set = [], steps, seed }: RunOptions): Promise<Record<string, string>> {
  const given: Record<string, string> = {};
  for (const pair of set) {
    const at = pair.indexOf("=");
    if (at < 1) throw new MechanistError("BadArgument", `--set: expected key=value, got ${pair}`);
    const value = pair.slice(at + 1).trim();
    given[pair.slice(0, at).trim()] = value.startsWith("@") ? await readText(value.slice(1)) : value;
  }
  if (steps !== undefined) given.steps = steps;
  if (seed !== undefined) given.seed = seed;
  return given;
}

/** Bytes; a text is held in memory, as letters and as tokens. */
const LONGEST_TEXT = 2 ** 26;

async function readText(path: string): Promise<string> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new MechanistError("MissingFile", `${path}: expected a text, got no file that can be read`, {}, { cause });
  });
  if (bytes.length > LONGEST_TEXT) {
    throw new MechanistError("BadFile", `${path}: expected at most ${LONGEST_TEXT} bytes of text, got ${bytes.length}`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new MechanistError("BadFile", `${path}: expected text in UTF-8, got other bytes`, {}, { cause });
  }
}

/** Settings in a file, with the preset they start from. */
export interface Config {
  readonly preset?: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

/**
 * Reads a YAML file.
 *
 * @param what says what it should have been, in an error
 * @throws `MissingFile`; `BadFile` when it is not YAML
 */
export async function readYaml(path: string, what: string): Promise<unknown> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new MechanistError("MissingFile", `${path}: expected ${what}, got none`, {}, { cause });
  });
  const { parse } = await import("yaml");
  try {
    return parse(text);
  } catch (cause) {
    const [reason] = String((cause as Error).message).split("\n");
    throw new MechanistError("BadFile", `${path}: expected YAML, got ${reason}`, {}, { cause });
  }
}

/**
 * Reads a YAML file of settings, one a line, with `preset` among them if need be.
 *
 * @throws `MissingFile`; `BadFile` when it is not YAML or not a table of plain values
 */
export async function readConfig(path: string): Promise<Config> {
  const content = await readYaml(path, "a YAML file of settings");
  if (content === null) return { settings: {} };
  const plain = (value: unknown): boolean => ["number", "string", "boolean"].includes(typeof value);
  if (typeof content !== "object" || Array.isArray(content) || !Object.values(content).every(plain)) {
    throw new MechanistError(
      "BadFile",
      `${path}: expected a table of numbers, texts and truth values, got something else`,
    );
  }
  const { preset, ...settings } = content as Record<string, unknown>;
  return { ...(preset !== undefined && { preset: String(preset) }), settings };
}
