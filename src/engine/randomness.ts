/**
 * The numbers behind a program's `uniform` inputs. They depend on the run's key and the input's name alone: not on the
 * device, the thread count, or what else the program holds.
 */
import type { Key } from "../tensor/random.ts";
import { foldIn } from "../tensor/random.ts";
import { fillUniform } from "../tensor/stream.ts";

/** Fills `out` with the draws of the uniform input called `name` under `key`. */
export function drawUniform(key: Key, name: string, out: Float32Array): Float32Array {
  return fillUniform(foldIn(key, name), out);
}
