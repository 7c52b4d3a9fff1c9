/**
 * The header of NumPy's `.npy`: the magic number, a version, a length, and a Python dictionary that is matched, never executed.
 *
 * Source: NumPy, `numpy.lib.format`, "Format Version 1.0" to "3.0".
 */
import { MechanistError } from "../error.ts";
import { sizeOf } from "../tensor/axes.ts";
import { ELEMENT_BYTES, type StoredType } from "./stored-numbers.ts";

export interface NpyHeader {
  readonly type: StoredType;
  readonly shape: readonly number[];
  /** The first axis moves fastest, as in Fortran, instead of the last. */
  readonly fortran: boolean;
  /** Bytes before the numbers. */
  readonly length: number;
}

const MAGIC = "\x93NUMPY";
/** The bytes that say how long the header is, and then some: version 1 has two of them, later ones four. */
export const NPY_START = 12;
/** NumPy itself reads none above 10,000. */
const LONGEST = 65_536;

const TYPES: Readonly<Record<string, StoredType>> = {
  "<f2": "F16",
  "<f4": "F32",
  "<f8": "F64",
  "<i4": "I32",
  "<i8": "I64",
  "|u1": "U8",
  "|b1": "BOOL",
};

/**
 * How many bytes the header takes, itself and what is before it.
 *
 * @param start the first `NPY_START` bytes, or all where there are fewer
 * @throws `BadFile`
 */
export function npyHeaderLength(start: Uint8Array, where: string): number {
  const bad = (what: string): MechanistError => new MechanistError("BadFile", `${where}: ${what}`);
  if (start.length < NPY_START || !MAGIC.split("").every((c, i) => start[i] === c.charCodeAt(0))) {
    throw bad("expected a NumPy array, got something else");
  }
  const [major, minor] = [start[6]!, start[7]!];
  if (major < 1 || major > 3 || minor !== 0) throw bad(`expected version 1.0, 2.0 or 3.0, got ${major}.${minor}`);
  const view = new DataView(start.buffer, start.byteOffset, NPY_START);
  const length = major === 1 ? 10 + view.getUint16(8, true) : 12 + view.getUint32(8, true);
  if (length > LONGEST) throw bad(`expected a header of at most ${LONGEST} bytes, got ${length}`);
  return length;
}

const FIELD = String.raw`'(?:descr|fortran_order|shape)'\s*:\s*(?:'[^']*'|True|False|\([\d\s,]*\))`;
const DICTIONARY = new RegExp(String.raw`^\{\s*${FIELD}(?:\s*,\s*${FIELD}){2}\s*,?\s*\}\s*$`);

/**
 * Reads the header.
 *
 * @param bytes `npyHeaderLength` of them
 * @param size of the header and the numbers, in bytes
 * @throws `BadFile`; for objects, which are pickles, with the way to save numbers instead
 */
export function parseNpyHeader(bytes: Uint8Array, size: number, where: string): NpyHeader {
  const bad = (what: string): MechanistError => new MechanistError("BadFile", `${where}: ${what}`);
  const text = new TextDecoder().decode(bytes.subarray(bytes[6] === 1 ? 10 : 12));
  const shown = JSON.stringify(text.trim().slice(0, 80));
  if (!DICTIONARY.test(text)) throw bad(`expected one array of numbers, got ${shown}`);
  const field = (name: string, value: string): string => {
    const found = [...text.matchAll(new RegExp(`'${name}'\\s*:\\s*${value}`, "g"))];
    if (found.length !== 1) throw bad(`expected ${name} once, got ${shown}`);
    return found[0]![1]!;
  };
  const descr = field("descr", "'([^']*)'");
  if (descr.includes("O")) {
    throw bad(
      "expected numbers, got Python objects, which are pickles and never loaded: save np.asarray(x, dtype=np.float32) instead",
    );
  }
  const type = Object.hasOwn(TYPES, descr) ? TYPES[descr]! : undefined;
  if (type === undefined) {
    throw bad(`expected a type among ${Object.keys(TYPES).join(", ")}, got ${JSON.stringify(descr.slice(0, 40))}`);
  }
  const shape = field("shape", String.raw`\(([\d\s,]*)\)`)
    .split(",")
    .map((axis) => axis.trim())
    .filter((axis, i, axes) => axis !== "" || i < axes.length - 1)
    .map((axis) => (axis === "" ? NaN : Number(axis)));
  if (!shape.every((axis) => Number.isSafeInteger(axis))) throw bad(`expected a shape, got ${shown}`);
  const wanted = sizeOf(shape) * ELEMENT_BYTES[type];
  const length = bytes.length;
  if (size - length !== wanted) {
    const sizes = shape.join("×").slice(0, 60) || "one number";
    throw bad(`expected ${wanted} bytes for ${descr} of ${sizes}, got ${size - length}`);
  }
  return { type, shape, fortran: field("fortran_order", "(True|False)") === "True", length };
}
