/** Marks of a value axis: few, round, and written alike. */

export interface Tick {
  readonly value: number;
  readonly text: string;
  /** Present where `text` is a power of ten. */
  readonly power?: number;
}

/** Powers of ten over two decades or more, 1-2-5 steps below. */
export function logTicks([low, high]: readonly [number, number]): Tick[] {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const powers = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  if (powers.length >= 2) {
    const every = Math.ceil(powers.length / 4);
    const chosen = powers.filter((_, i) => (powers.length - 1 - i) % every === 0);
    const plain = chosen.every((power) => power >= -2 && power <= 3);
    return chosen.map((power) =>
      plain ? asPlain(10 ** power) : { value: 10 ** power, text: String(power).replace("-", "−"), power },
    );
  }
  const steps = [first - 2, first - 1, first, first + 1]
    .flatMap((power) => [1, 2, 5].map((digit) => Number(`${digit}e${power}`)))
    .filter((value) => value >= low && value <= high);
  const every = Math.ceil(steps.length / 4);
  return steps.filter((_, i) => i % every === 0).map(asPlain);
}

/** Round values of a linear scale. */
export function linearTicks(scale: { ticks(count: number): number[] }): Tick[] {
  return scale.ticks(3).map(asPlain);
}

function asPlain(value: number): Tick {
  const size = Math.abs(value);
  const text =
    size !== 0 && (size < 1e-3 || size >= 1e5)
      ? value.toExponential(0).replace("e+", "e")
      : String(Number(value.toPrecision(3)));
  return { value, text: text.replaceAll("-", "−") };
}
