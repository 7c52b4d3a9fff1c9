/**
 * Keys: counter-based, splittable randomness (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
 *
 * A key is never used up: `split` and `foldIn` make new ones, and a draw is a pure function of its key. Keys, words and
 * uniform draws agree bit for bit with JAX's `threefry2x32` in its partitionable form (the default since JAX 0.5).
 */

/** A threefry key: two unsigned 32-bit words. */
export type Key = readonly [number, number];

const ROTATIONS = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;

/** The threefry-2x32 block cipher with 20 rounds: two words of counter to two words of noise. */
export function threefry2x32(key: Key, counter: Key): Key {
  const schedule = [key[0] | 0, key[1] | 0, (key[0] ^ key[1] ^ 0x1bd11bda) | 0];
  let x0 = (counter[0] + schedule[0]!) | 0;
  let x1 = (counter[1] + schedule[1]!) | 0;
  for (let group = 0; group < 5; group++) {
    for (const r of ROTATIONS[group % 2]!) {
      x0 = (x0 + x1) | 0;
      x1 = (x1 << r) | (x1 >>> (32 - r));
      x1 ^= x0;
    }
    x0 = (x0 + schedule[(group + 1) % 3]!) | 0;
    x1 = (x1 + schedule[(group + 2) % 3]! + group + 1) | 0;
  }
  return [x0 >>> 0, x1 >>> 0];
}

/** The key of a seed, a whole number from 0 to 2⁵³. */
export function keyFromSeed(seed: number): Key {
  return [Math.floor(seed / 2 ** 32) >>> 0, seed >>> 0];
}

/** `count` independent keys from one. */
export function split(key: Key, count = 2): Key[] {
  return Array.from({ length: count }, (_, i) => threefry2x32(key, [0, i]));
}

/** A key for a whole number, a step for instance, or for a name. */
export function foldIn(key: Key, data: number | string): Key {
  return threefry2x32(key, [0, typeof data === "number" ? data >>> 0 : hashName(data)]);
}

/** FNV-1a of a name's UTF-16 code units. */
function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** `count` independent 32-bit words: JAX's `random.bits`. */
export function randomBits(key: Key, count: number): Uint32Array {
  const bits = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const [a, b] = threefry2x32(key, [0, i]);
    bits[i] = a ^ b;
  }
  return bits;
}

/** `count` draws from U[0, 1) with 23 random bits each: JAX's `random.uniform` in float32. */
export function randomUniform(key: Key, count: number): Float32Array {
  return Float32Array.from(randomBits(key, count), (bits) => (bits >>> 9) * 2 ** -23);
}

/**
 * `count` draws from the standard normal distribution, by Box and Muller's transform in float64 of threefry words.
 * For weights at the start of training; not JAX's numbers, whose transform differs.
 */
export function randomNormal(key: Key, count: number): Float32Array {
  const bits = randomBits(key, 2 * count);
  return Float32Array.from({ length: count }, (_, i) => {
    const radius = Math.sqrt(-2 * Math.log((bits[2 * i]! + 1) * 2 ** -32));
    return radius * Math.cos(2 * Math.PI * bits[2 * i + 1]! * 2 ** -32);
  });
}

/** The whole numbers below `count` in a random order. */
export function randomPermutation(key: Key, count: number): number[] {
  const bits = randomBits(key, count);
  return Array.from({ length: count }, (_, i) => i).sort((a, b) => bits[a]! - bits[b]! || a - b);
}
