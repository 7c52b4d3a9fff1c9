/** How far a run is, or several are, on one line. */
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

/** One of several runs: how far it is, or what it does. */
export interface RunningOne {
  readonly name: string;
  readonly doing: Progress | string;
}

/** Runs of which several go on at once. */
export interface Many {
  readonly finished: number;
  readonly total: number;
  readonly running: readonly RunningOne[];
}

/** The line: how many are finished, and how far each is that runs; cut at the terminal's width, so that what matters is first. */
export function manyLine({ finished, total, running }: Many, columns = 80): string {
  const each = running.map(({ name, doing }) => {
    if (typeof doing === "string") return `${name} ${doing}`;
    const share = `${Math.floor((100 * doing.step) / Math.max(1, doing.steps))} %`;
    return doing.stage === "decompose" ? `${name} ${share}` : `${name} ${doing.stage} ${share}`;
  });
  const line = [`${finished} of ${total} finished`, leftOfMany({ finished, total, running }), ...each];
  return line
    .filter((part) => part !== "")
    .join("  ")
    .slice(0, Math.max(20, columns - 1));
}

/** What is left at the speed of now, while all that run take steps of the same kind; those that wait will take as many. */
function leftOfMany({ finished, total, running }: Many): string {
  const now = running.map(({ doing }) => doing).filter((doing) => typeof doing !== "string");
  const [first] = now;
  if (first === undefined || now.length < running.length) return "";
  if (now.some(({ stage, steps }) => stage !== first.stage || steps !== first.steps)) return "";
  const speed = now.reduce((sum, { stepsPerSecond }) => sum + stepsPerSecond, 0);
  const steps =
    now.reduce((sum, { step }) => sum + first.steps - step, 0) + (total - finished - running.length) * first.steps;
  return speed > 0 && first.stage === "decompose" ? `${duration(steps / speed)} left` : "";
}

function bar(fraction: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, fraction)) * BAR_CELLS * 8);
  const filled = "█".repeat(eighths >> 3) + EIGHTHS[eighths & 7]!;
  return `▕${filled.padEnd(BAR_CELLS)}▏`;
}
