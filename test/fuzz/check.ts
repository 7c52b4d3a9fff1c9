/** What every parser owes its caller, whatever the bytes. */
import fc from "fast-check";
import { MechanistError } from "../../src/error.ts";
import type { Parser } from "./parsers.ts";

export interface Outcome {
  readonly cases: number;
  readonly accepted: number;
  readonly refused: number;
  readonly slowestMs: number;
  /** Bytes of arrays that a case took at most. */
  readonly mostBytes: number;
}

/** Bytes of arrays for each byte of input: one byte may become a number of four, copied once or twice. */
const MEMORY_RATIO = 64;
/** What takes longer hangs, for all that its caller can tell. Others share the machine, so this is far above what is ever seen. */
const LONGEST_MS = 5000;
/** Memory for a chunk, whatever the input. */
const FIXED_BYTES = 4 * 2 ** 20;

/**
 * Tries a parser. It may give something or refuse with one line; it must give the same whatever lies around its bytes, take no more
 * than a moment, and no more memory than a fixed multiple of its input.
 *
 * @throws with the smallest input found that breaks this, and the seed
 */
export async function tryParser(
  name: string,
  { input, parse, memoryRatio = MEMORY_RATIO }: Parser,
  cases: number,
  seed: number,
): Promise<Outcome> {
  let [accepted, refused, slowestMs, mostBytes] = [0, 0, 0, 0];
  const attempt = async (bytes: Uint8Array): Promise<string> => {
    try {
      const parsed = await parse(bytes);
      accepted++;
      return `gives ${shown(parsed)}`;
    } catch (error) {
      refused++;
      if (!(error instanceof MechanistError)) throw error;
      if (error.code === "Internal" || /\n/.test(error.message) || error.message.length > 2000) {
        throw new Error(`expected one line, got ${error.code}: ${error.message}`, { cause: error });
      }
      return `refuses: ${error.message}`;
    }
  };
  await fc
    .assert(
      fc.asyncProperty(input, async (bytes) => {
        const memory = process.memoryUsage().arrayBuffers;
        const began = performance.now();
        const first = await attempt(surrounded(bytes, 0x00));
        const [ms, taken] = [performance.now() - began, process.memoryUsage().arrayBuffers - memory];
        slowestMs = Math.max(slowestMs, ms);
        mostBytes = Math.max(mostBytes, taken);
        if (ms > LONGEST_MS) throw new Error(`expected an answer in ${LONGEST_MS} ms, got one in ${ms}`);
        if (taken > FIXED_BYTES + memoryRatio * bytes.length) {
          throw new Error(`expected at most ${memoryRatio} times ${bytes.length} bytes, got ${taken}`);
        }
        const second = await attempt(surrounded(bytes, 0xff));
        if (first !== second) throw new Error(`reads outside its buffer: ${first} and ${second}`);
      }),
      { numRuns: cases, seed },
    )
    .catch((cause: unknown) => {
      const { message, cause: fault } = cause as Error;
      throw new Error(`${name}: ${(fault as Error | undefined)?.message}; ${message}`, { cause });
    });
  return { cases, accepted: accepted / 2, refused: refused / 2, slowestMs, mostBytes };
}

/** The bytes in the midst of others. */
function surrounded(bytes: Uint8Array, other: number): Uint8Array {
  const [before, after] = [24, 40];
  const all = new Uint8Array(before + bytes.length + after).fill(other);
  all.set(bytes, before);
  return all.subarray(before, before + bytes.length);
}

function shown(value: unknown): string {
  return (
    JSON.stringify(value, (_, part: unknown) => {
      if (ArrayBuffer.isView(part)) return [...(part as Uint8Array)].map(String).join();
      return part instanceof Map ? [...part] : part;
    }) ?? "nothing"
  );
}
