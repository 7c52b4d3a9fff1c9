/** How far a run is, on one line. */
import type { Progress } from "../training/loop.ts";
import { duration, significant } from "./format.ts";

const BAR_CELLS = 24;
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** The line, no longer than the terminal is wide. */
export function progressLine({ stage, step, steps, stepsPerSecond, metrics }: Progress, columns = 80): string {
  const left = stepsPerSecond > 0 ? `${duration((steps - step) / stepsPerSecond)} left` : "";
  const shown = Object.entries(metrics).find(([name]) => name === "loss") ?? Object.entries(metrics)[0];
  const parts = [
    stage.padEnd(9),
    bar(steps > 0 ? step / steps : 1),
    `${step}/${steps}`,
    `${significant(stepsPerSecond, 3)} steps/s`,
    shown === undefined ? "" : `${shown[0]} ${significant(shown[1], 3)}`,
    left,
  ];
  const line = parts.filter((part) => part !== "").join("  ");
  return line.slice(0, Math.max(20, columns - 1));
}

function bar(fraction: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, fraction)) * BAR_CELLS * 8);
  const filled = "█".repeat(eighths >> 3) + EIGHTHS[eighths & 7]!;
  return `▕${filled.padEnd(BAR_CELLS)}▏`;
}
