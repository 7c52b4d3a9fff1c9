/**
 * The bulk stream `mix32`: many uniform draws from one key, about ten times as fast as threefry in JavaScript.
 *
 * Draw `i` is a hash of `i` and the key: a counter-based stream, so any part of it can be made anywhere and in any
 * order. The hash is a bijection of 32 bits (three multiply-xorshift rounds after the "triple32" family of
 * Wellons's hash-prospector) with the key's words entering before the first and the second round, so that two keys
 * give different permutations of the counter and not shifted copies of one sequence.
 *
 * Limits: a key serves 2³² draws at most; it is no cipher. Keys themselves always come from threefry, which spreads any difference
 * over both words: two keys that share the first word and differ in the top bits of the second alone would be linked
 * (correlations up to 0.013, measured).
 */
import type { Key } from "./random.ts";

/** Fills `out` with draws `start, start + 1, …` of the key's stream: U[0, 1), 24 random bits each. */
export function fillUniform(key: Key, out: Float32Array, start = 0): Float32Array {
  const k0 = key[0] | 0;
  const k1 = key[1] | 0;
  for (let i = 0; i < out.length; i++) {
    let x = Math.imul(i + start, 0x9e3779b9) ^ k0;
    x = Math.imul(x ^ (x >>> 17), 0xed5ad4bb);
    x = (x + k1) | 0;
    x = Math.imul(x ^ (x >>> 11), 0xac4c1b51);
    x = Math.imul(x ^ (x >>> 15), 0x31848bab);
    out[i] = ((x ^ (x >>> 14)) >>> 8) * 5.9604644775390625e-8; // 2⁻²⁴
  }
  return out;
}
