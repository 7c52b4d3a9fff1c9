/** Tensors and settings out of a dictionary's files, each held against the others: what contradicts is refused with both numbers. */
import type { z } from "zod";
import { expectFinite, type Values } from "../../../engine/values.ts";
import { MechanistError } from "../../../error.ts";
import type { ByteSource, SourceFolder } from "../../../file/bytes.ts";
import { describeJson, isTable, parseJson, quoted } from "../../../file/json.ts";
import { openNpz } from "../../../file/npz.ts";
import { openSafetensors } from "../../../file/open-safetensors.ts";
import type { OpenTensors } from "../../../file/open-tensors.ts";
import { axisNames } from "../../../tensor/axes.ts";
import { transposed } from "./folding.ts";

/** Settings of a dictionary are a few kilobytes; their records of training may be more. */
const LONGEST_SETTINGS = 10_000_000;

/** The sizes that a dictionary's tensors agree on, by axis, with what said so first. */
export type Sizes = Map<string, { readonly size: number; readonly said: string }>;

/** Tensors of one file, read as f32 and held against sizes that are known. */
export class SizedTensors {
  readonly #open: OpenTensors;
  readonly #where: string;
  readonly #sizes: Sizes;
  readonly #read = new Set<string>();

  constructor(open: OpenTensors, where: string, sizes: Sizes) {
    this.#open = open;
    this.#where = where;
    this.#sizes = sizes;
  }

  has(name: string): boolean {
    return this.#open.tensors.has(name);
  }

  /** The first of some names that there is. */
  oneOf(...names: readonly string[]): string {
    return names.find((name) => this.has(name)) ?? names[0]!;
  }

  /**
   * A tensor of finite numbers.
   *
   * @throws `BadFile` where there is none, its sizes are others than known, or a number is none
   */
  async read(name: string, axes: string): Promise<Values> {
    const where = `${this.#where}: ${quoted(name)}`;
    const x = await this.#open.readTensor(name, { axes });
    this.#read.add(name);
    if (x.dtype !== "f32") throw new MechanistError("BadFile", `${where}: expected floats, got ${x.dtype}`);
    axisNames(axes).forEach((axis, i) => expectSize(where, this.#sizes, axis, x.shape[i]!, name));
    try {
      expectFinite(where, x);
    } catch (cause) {
      throw cause instanceof MechanistError ? new MechanistError("BadFile", cause.message, cause.details) : cause;
    }
    return x;
  }

  /** One number, as a tensor without axes or with one entry. */
  async number(name: string): Promise<number> {
    const shape = this.#open.tensors.get(name)?.shape ?? [];
    const x = await this.#open.readTensor(name, { axes: shape.map((_, i) => `axis${i}`).join(" ") });
    this.#read.add(name);
    if (x.data.length === 1 && Number.isFinite(x.data[0])) return x.data[0]!;
    const got = x.data.length === 1 ? x.data[0] : `${x.data.length}`;
    throw new MechanistError("BadFile", `${this.#where}: ${quoted(name)}: expected one number, got ${got}`);
  }

  /** The same matrix with its axes the other way round: `axes` are those of the answer. */
  async readTransposed(name: string, axes: string): Promise<Values> {
    const stored = axisNames(axes).slice().reverse().join(" ");
    return transposed(await this.read(name, stored), axes);
  }

  /**
   * Refuses tensors that nobody asked for: what they do to the function would be lost.
   *
   * @param ignored ones that change nothing
   */
  expectNoMore(what: string, ignored: readonly string[] = []): void {
    const other = [...this.#open.tensors.keys()].find((name) => !this.#read.has(name) && !ignored.includes(name));
    if (other === undefined) return;
    const known = [...this.#read].map(quoted).join(", ");
    throw new MechanistError(
      "BadFile",
      `${this.#where}: expected the tensors of ${what} (${known}), got ${quoted(other)} too`,
    );
  }
}

/** Keeps the size of an axis, or refuses one that differs from what was said. */
export function expectSize(where: string, sizes: Sizes, axis: string, size: number, said: string): void {
  const known = sizes.get(axis);
  if (known === undefined) {
    if (size > 0) sizes.set(axis, { size, said });
    else throw new MechanistError("BadFile", `${where}: ${axis}: expected at least 1, got ${size}`);
    return;
  }
  if (known.size === size) return;
  throw new MechanistError(
    "BadFile",
    `${where}: expected ${axis} ${known.size}, as ${quoted(known.said)} has it, got ${size}`,
    { axis, expected: known.size, got: size },
  );
}

/**
 * Thresholds that are none of less than 0. Where everything not above a threshold is cut off, and what is left passes a ReLU, one below 0 does what 0
 * does; where nothing else cuts off, it lets through negative latents, which are refused.
 */
export function nonNegative(where: string, threshold: Values, behindRelu: boolean): Values {
  const at = threshold.data.findIndex((value) => value < 0);
  if (at < 0) return threshold;
  if (behindRelu) return { ...threshold, data: Float32Array.from(threshold.data, (value) => Math.max(0, value)) };
  throw new MechanistError(
    "BadFile",
    `${where}: threshold: expected at least 0, for latents below 0 are none here, got ${threshold.data[at]} at ${at}`,
  );
}

/** Opens a file of tensors, by what it is called. @throws `MissingFile` */
async function openTensors(folder: SourceFolder, file: string): Promise<OpenTensors> {
  const source = await openFile(folder, file);
  return file.endsWith(".npz") ? openNpz(source) : openSafetensors(source);
}

/** Opens the tensors of a file, works with them, and closes it. */
export async function withTensors<T>(
  folder: SourceFolder,
  file: string,
  sizes: Sizes,
  work: (tensors: SizedTensors, where: string) => Promise<T>,
): Promise<T> {
  const open = await openTensors(folder, file);
  const where = `${folder.name}/${file}`;
  try {
    return await work(new SizedTensors(open, where, sizes), where);
  } finally {
    await open.close();
  }
}

async function openFile(folder: SourceFolder, file: string): Promise<ByteSource> {
  const source = await folder.open(file);
  if (source === undefined) throw new MechanistError("MissingFile", `${folder.name}: expected ${file}, got none`);
  return source;
}

/** Whether a folder has a file. */
export async function hasFile(folder: SourceFolder, file: string): Promise<boolean> {
  const source = await folder.open(file);
  await source?.close();
  return source !== undefined;
}

async function readSettingsFile(folder: SourceFolder, file: string): Promise<Uint8Array> {
  const source = await openFile(folder, file);
  try {
    if (source.size > LONGEST_SETTINGS) {
      throw new MechanistError(
        "BadFile",
        `${source.name}: expected at most ${LONGEST_SETTINGS} bytes of settings, got ${source.size}`,
      );
    }
    return await source.read(0, source.size);
  } finally {
    await source.close();
  }
}

/** A JSON object in a folder. @throws `MissingFile` or `BadFile` */
export async function readJson(folder: SourceFolder, file: string): Promise<Record<string, unknown>> {
  const where = `${folder.name}/${file}`;
  return expectTable(where, parseJson(await readSettingsFile(folder, file), where));
}

/** A table in YAML. @throws `MissingFile` or `BadFile` */
export async function readYamlTable(folder: SourceFolder, file: string): Promise<Record<string, unknown>> {
  const where = `${folder.name}/${file}`;
  const bytes = await readSettingsFile(folder, file);
  const { parse } = await import("yaml");
  let content: unknown;
  try {
    content = parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes), { logLevel: "error" });
  } catch (cause) {
    const [reason] = String((cause as Error).message).split("\n");
    throw new MechanistError("BadFile", `${where}: expected YAML, got ${reason}`, {}, { cause });
  }
  return expectTable(where, content);
}

function expectTable(where: string, content: unknown): Record<string, unknown> {
  if (isTable(content)) return content;
  throw new MechanistError("BadFile", `${where}: expected a table of settings, got ${describeJson(content)}`);
}

/** Settings as a schema has them. @throws `BadFile` with the first that is something else */
export function settingsIn<S extends z.ZodType>(
  where: string,
  schema: S,
  content: Record<string, unknown>,
): z.infer<S> {
  const result = schema.safeParse(content);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const key = issue.path.join(".");
  const found = issue.path.reduce<unknown>((at, part) => (isTable(at) ? at[String(part)] : undefined), content);
  const wanted =
    issue.code === "invalid_type"
      ? `a value of type ${issue.expected}`
      : issue.code === "invalid_value"
        ? `one of ${issue.values.map(String).join(", ")}`
        : issue.message.toLowerCase();
  throw new MechanistError("BadFile", `${where}: ${key}: expected ${wanted}, got ${describeJson(found)}`, { key });
}
