/**
 * From hidden space to the plane of the page. Two dimensions are drawn as they are, three are turned by an angle that the reader
 * sets, more are seen along the two directions in which the target's feature vectors vary most (principal axes, not centred:
 * the origin means "no feature").
 */

export interface Projection {
  /** `axis hidden`, 2 × hidden, orthonormal rows. */
  readonly axes: readonly [Float64Array, Float64Array];
  /** What the reader must know to read the picture. */
  readonly label: string;
  /** Share of the squared length of the target's feature vectors that lies in this plane, in [0, 1]. */
  readonly share: number;
}

/**
 * How to draw a hidden space.
 *
 * @param W      the target's feature vectors, `feature hidden`
 * @param turn   degrees, for three dimensions
 */
export function projectionOf(W: ArrayLike<number>, features: number, hidden: number, turn: number): Projection {
  if (hidden === 1) return { axes: [Float64Array.of(1), Float64Array.of(0)], label: "drawn along a line", share: 1 };
  if (hidden === 2) {
    return { axes: [Float64Array.of(1, 0), Float64Array.of(0, 1)], label: "drawn as they are", share: 1 };
  }
  if (hidden === 3) {
    const [yaw, pitch] = [(turn * Math.PI) / 180, Math.PI / 7];
    const axes: [Float64Array, Float64Array] = [
      Float64Array.of(Math.cos(yaw), 0, Math.sin(yaw)),
      Float64Array.of(Math.sin(yaw) * Math.sin(pitch), Math.cos(pitch), -Math.cos(yaw) * Math.sin(pitch)),
    ];
    return { axes, label: `seen from ${turn}°`, share: shareIn(W, features, hidden, axes) };
  }
  const axes = principalAxes(W, features, hidden);
  const share = shareIn(W, features, hidden, axes);
  const percent = Math.round(share * 100);
  return {
    axes,
    label: `seen along the first two principal axes of these vectors, which hold ${percent} % of their squared length`,
    share,
  };
}

/** Vectors `row hidden` as points in the plane, `row 2`. */
export function project(vectors: ArrayLike<number>, rows: number, { axes }: Projection): Float64Array {
  const hidden = axes[0].length;
  const out = new Float64Array(rows * 2);
  for (let r = 0; r < rows; r++) {
    for (let a = 0; a < 2; a++) {
      let sum = 0;
      for (let h = 0; h < hidden; h++) sum += vectors[r * hidden + h]! * axes[a]![h]!;
      out[r * 2 + a] = sum;
    }
  }
  return out;
}

/** The two directions of largest squared projection, by orthogonal iteration from a fixed start, so always the same. */
export function principalAxes(W: ArrayLike<number>, features: number, hidden: number): [Float64Array, Float64Array] {
  const start = (phase: number): Float64Array =>
    Float64Array.from({ length: hidden }, (_, h) => Math.cos(h * phase + phase));
  let pair: [Float64Array, Float64Array] = orthonormal(start(1), start(2.3));
  const rounds = 300;
  for (let i = 0; i < rounds; i++) {
    const next = orthonormal(timesGram(W, features, hidden, pair[0]), timesGram(W, features, hidden, pair[1]));
    const moved = next.reduce((sum, axis, a) => sum + axis.reduce((s, x, h) => s + (x - pair[a]![h]!) ** 2, 0), 0);
    pair = next;
    if (moved < 1e-20) break;
  }
  return [facing(pair[0]), facing(pair[1])];
}

/** WᵀW v without making WᵀW. */
function timesGram(W: ArrayLike<number>, features: number, hidden: number, v: Float64Array): Float64Array {
  const out = new Float64Array(hidden);
  for (let f = 0; f < features; f++) {
    let along = 0;
    for (let h = 0; h < hidden; h++) along += W[f * hidden + h]! * v[h]!;
    for (let h = 0; h < hidden; h++) out[h]! += W[f * hidden + h]! * along;
  }
  return out;
}

function orthonormal(a: Float64Array, b: Float64Array): [Float64Array, Float64Array] {
  const first = unit(a, 0);
  const overlap = first.reduce((sum, x, h) => sum + x * b[h]!, 0);
  return [
    first,
    unit(
      b.map((x, h) => x - overlap * first[h]!),
      1,
    ),
  ];
}

/** A vector of length 1; for a vector of length 0, one of the coordinate axes. */
function unit(v: Float64Array, fallback: number): Float64Array {
  const length = Math.hypot(...v);
  return length > 1e-150 ? v.map((x) => x / length) : v.map((_, h) => (h === fallback ? 1 : 0));
}

/** The sign that makes the largest entry positive, so that the picture does not flip from one checkpoint to the next. */
function facing(v: Float64Array): Float64Array {
  const largest = v.reduce((best, x) => (Math.abs(x) > Math.abs(best) + 1e-12 ? x : best), 0);
  return largest < 0 ? v.map((x) => -x) : v;
}

function shareIn(W: ArrayLike<number>, features: number, hidden: number, axes: Projection["axes"]): number {
  let [inside, all] = [0, 0];
  for (let f = 0; f < features; f++) {
    for (const axis of axes) {
      let along = 0;
      for (let h = 0; h < hidden; h++) along += W[f * hidden + h]! * axis[h]!;
      inside += along * along;
    }
    for (let h = 0; h < hidden; h++) all += W[f * hidden + h]! ** 2;
  }
  return all === 0 ? 1 : inside / all;
}
