/**
 * What colours mean, the same everywhere: a green for importance from 0 to 1, red through paper to blue for sign, grey for plain
 * amounts, and one colour a feature. Every colour has a number in a read-out or a label beside it.
 */
import { interpolateViridis } from "d3-scale-chromatic";

export type Scheme = "light" | "dark";
export type Scale = "importance" | "sign" | "amount";
type Rgb = readonly [number, number, number];

/** Stops from the low end of a scale to the high end. */
const STOPS: Record<Scheme, Record<Scale, readonly Rgb[]>> = {
  light: {
    importance: [
      [244, 247, 243],
      [187, 222, 190],
      [92, 170, 110],
      [23, 112, 62],
      [4, 66, 34],
    ],
    sign: [
      [140, 22, 38],
      [206, 96, 80],
      [243, 196, 175],
      [247, 247, 245],
      [176, 208, 228],
      [78, 146, 194],
      [20, 74, 136],
    ],
    amount: [
      [247, 247, 245],
      [205, 207, 210],
      [142, 146, 153],
      [78, 82, 90],
      [27, 29, 34],
    ],
  },
  dark: {
    importance: [
      [28, 33, 31],
      [22, 66, 43],
      [33, 117, 69],
      [84, 178, 112],
      [186, 240, 196],
    ],
    sign: [
      [255, 158, 138],
      [214, 84, 74],
      [110, 44, 44],
      [33, 36, 41],
      [33, 66, 104],
      [66, 130, 198],
      [158, 208, 255],
    ],
    amount: [
      [30, 33, 37],
      [70, 75, 82],
      [124, 130, 139],
      [184, 189, 196],
      [240, 241, 243],
    ],
  },
};

/** What is drawn where there is no number: a cross goes over it. */
const NOTHING: Record<Scheme, Rgb> = { light: [226, 226, 222], dark: [58, 62, 68] };

/** Odd, so that the middle of a scale has a colour of its own. */
const SHADES = 257;

/** The colours of a scale, as red, green, blue in turn. */
export function colourTable(scale: Scale, scheme: Scheme): Uint8ClampedArray {
  const stops = STOPS[scheme][scale];
  const table = new Uint8ClampedArray(SHADES * 3);
  for (let i = 0; i < SHADES; i++) {
    const place = (i / (SHADES - 1)) * (stops.length - 1);
    const from = Math.min(Math.floor(place), stops.length - 2);
    for (let channel = 0; channel < 3; channel++) {
      const [a, b] = [stops[from]![channel]!, stops[from + 1]![channel]!];
      table[i * 3 + channel] = a + (b - a) * (place - from);
    }
  }
  return table;
}

/**
 * Colours of numbers, four bytes each.
 *
 * @param low,high the ends of the scale; what lies beyond has the colour of the end
 */
export function coloured(
  values: ArrayLike<number>,
  [low, high]: readonly [number, number],
  scale: Scale,
  scheme: Scheme,
): Uint8ClampedArray<ArrayBuffer> {
  const table = colourTable(scale, scheme);
  const out = new Uint8ClampedArray(values.length * 4);
  const span = high - low || 1;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const at = Math.round(Math.min(1, Math.max(0, (value - low) / span)) * (SHADES - 1)) * 3;
    const colour = Number.isNaN(value) ? NOTHING[scheme] : [table[at]!, table[at + 1]!, table[at + 2]!];
    out.set(colour, i * 4);
    out[i * 4 + 3] = 255;
  }
  return out;
}

/** The ground of a word that matters so much, from 0 to 1, and ink that can be read on it. */
export function importanceColour(
  importance: number,
  scheme: Scheme,
): { readonly ground: string; readonly ink: string } {
  if (importance <= 0) return { ground: "none", ink: "inherit" };
  const table = colourTable("importance", scheme);
  const at = Math.round(Math.min(1, importance) * (SHADES - 1)) * 3;
  const [r, g, b] = [table[at]!, table[at + 1]!, table[at + 2]!];
  // Relative luminance, with the weights of ITU-R BT.709.
  const bright = (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255 > 0.5;
  return { ground: `rgb(${r} ${g} ${b})`, ink: bright ? "#10130f" : "#f7f9f6" };
}

/** A CSS gradient of a scale, for its key. */
export function gradientOf(scale: Scale, scheme: Scheme): string {
  return `linear-gradient(to right, ${STOPS[scheme][scale].map((rgb) => `rgb(${rgb.join(" ")})`).join(", ")})`;
}

/** The colour of feature `i` of `n`: viridis, without the end that would vanish on the paper. */
export function featureColour(i: number, n: number, scheme: Scheme): string {
  const place = n > 1 ? i / (n - 1) : 0.5;
  const [from, to] = scheme === "light" ? [0.04, 0.84] : [0.3, 1];
  return interpolateViridis(from + (to - from) * place);
}
