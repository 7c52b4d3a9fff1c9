/** Numbers as people read them. Minus signs are minus signs, and digits line up. */

/** Three significant digits, in the shortest plain form: `0.993`, `12`, `3.1e-7`. */
export function formatNumber(value: number | undefined | null): string {
  if (value === undefined || value === null) return "–";
  if (Number.isNaN(value)) return "not a number";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3) return minus(value.toExponential(1).replace("e+", "e"));
  if (Number.isInteger(value)) return formatCount(value);
  return minus(value.toPrecision(size >= 1000 ? 4 : 3));
}

/** A fixed number of decimals, for columns. */
export function formatFixed(value: number, digits: number): string {
  if (Number.isNaN(value)) return "×";
  const text = value.toFixed(digits);
  return minus(Number(text) === 0 ? text.replace("-", "") : text);
}

/** The same with a sign in front, for changes; what rounds to 0 has none. */
export function formatChange(value: number, digits: number): string {
  const text = formatFixed(value, digits);
  return value > 0 && Number(text) !== 0 ? `+${text}` : text;
}

/** Whole numbers with thin groups: `10,000`. */
export function formatCount(value: number): string {
  return minus(
    Math.round(value)
      .toString()
      .replace(/\B(?=(\d{3})+$)/g, ","),
  );
}

/** About how long: `8 s`, `3 min`, `2 h`. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "–";
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

/** `layerwiseRecon` as `layerwise recon`. */
export function spaced(name: string): string {
  return name.replace(/([a-z\d])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`);
}

function minus(text: string): string {
  return text.replaceAll("-", "−");
}
