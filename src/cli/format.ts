/** Numbers, paths and tables as text. */
import { relative } from "node:path";

/** A path as somebody in this folder would write it. */
export function shownPath(path: string): string {
  return relative(process.cwd(), path) || ".";
}

/** A number in at most `digits` significant digits, as people write it: `0.0123`, `4,096`, `1.2e-7`, `–` for none. */
export function significant(value: number | null | undefined, digits: number): string {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-3) return value.toExponential(digits - 1).replace(/\.?0*e/, "e");
  if (size >= 10 ** digits) return Math.round(value).toLocaleString("en-US");
  return value.toPrecision(digits).includes("e") ? String(Math.round(value)) : value.toPrecision(digits);
}

/** Bytes as `0.05 GiB`. */
export function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
}

/** Seconds as `4 s`, `3 min 20 s` or `2 h 5 min`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** A table in plain text; numbers, and what looks like them, lie to the right of their column. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => (row[i] ?? "").length)));
  const numeric = head.map((_, i) => rows.length > 0 && rows.every((row) => /^[-–∞\d]/.test(row[i] ?? "–")));
  const line = (row: readonly string[]): string =>
    widths.map((width, i) => (numeric[i] ? (row[i] ?? "").padStart(width) : (row[i] ?? "").padEnd(width))).join("  ");
  return all.map((row) => line(row).trimEnd()).join("\n");
}
