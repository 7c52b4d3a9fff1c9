/** The numbers of a run: what the judge said when it ended, or what a checkpoint shows so far. */
import { PASS } from "../../evidence/mechanisms.ts";
import { formatCount } from "./format.ts";
import type { Analysis } from "./laboratory.ts";

export interface VerdictNumbers {
  readonly numbers: Readonly<Record<string, number | undefined>>;
  /** Whether a number is as a solved run has it; absent where nothing is asked of it. */
  readonly passes: Readonly<Record<string, boolean | undefined>>;
  /** What divergences are measured in, where it is not squared error. */
  readonly unit?: string;
  /** Whether what is asked holds; absent while the run goes on, and where nothing is asked. */
  readonly passed?: boolean;
  /** What is asked, and what of it was missed. */
  readonly gate?: { readonly text: string; readonly missed: readonly string[] };
  /** Troubles, a sentence each. */
  readonly warnings?: readonly string[];
  /** Where the numbers come from, as a sentence. */
  readonly source: string;
}

/** The judge's numbers, from the result of a finished run; absent when it has none. */
export function judged(result: Readonly<Record<string, unknown>> | undefined): VerdictNumbers | undefined {
  const verdict = (isTable(result?.verdict) ? result.verdict : result) ?? {};
  const numbers = Object.fromEntries(
    Object.entries(verdict).flatMap(([name, value]) => (typeof value === "number" ? [[name, value]] : [])),
  );
  if (numbers.targetCiError === undefined && numbers.stochasticRecon === undefined) return undefined;
  const sites = isTable(verdict.sites) ? Object.values(verdict.sites).filter(isTable) : [];
  return {
    numbers,
    passes: passes(numbers, sites as unknown as readonly SiteNumbers[]),
    ...(typeof verdict.passed === "boolean" && { passed: verdict.passed }),
    ...(verdict.unit === "nats" && { unit: "nats" }),
    ...(isTable(verdict.gate) && { gate: verdict.gate as unknown as NonNullable<VerdictNumbers["gate"]> }),
    ...(Array.isArray(verdict.warnings) && { warnings: verdict.warnings.filter(isTable).map(sentence) }),
    source:
      numbers.targetCiError === undefined
        ? "Judged when the run ended, on fresh data."
        : "Judged when the run ended: importances on the one-hot probe, reconstruction on fresh data.",
  };
}

/** What there was cause to warn of while a run went on, a sentence each. */
export function warnedOf(result: Readonly<Record<string, unknown>> | undefined): readonly string[] {
  return Array.isArray(result?.warned)
    ? result.warned.filter(isTable).map((warning) => `step ${String(warning.step)}: ${sentence(warning)}`)
    : [];
}

function sentence({ site, name, cause, knob }: Readonly<Record<string, unknown>>): string {
  return `${site === undefined ? "" : `${site}: `}${name}: ${cause}; ${knob}`;
}

/** What a checkpoint shows by itself; reconstruction takes data, and is left to the judge. */
export function soFar({ sites }: Analysis, step: number): VerdictNumbers {
  const total = (f: (site: Analysis["sites"][number]) => number): number =>
    sites.reduce((sum, site) => sum + f(site), 0);
  const matched = sites.filter(({ mmcs }) => mmcs !== undefined);
  const mean = (f: (site: Analysis["sites"][number]) => number): number | undefined =>
    matched.length === 0 ? undefined : matched.reduce((sum, site) => sum + f(site), 0) / matched.length;
  const entries = total(({ delta }) => delta.length);
  const alive = sites.map(({ components }) => components.filter((component) => component.alive).length);
  const numbers = {
    targetCiError: total(({ targetCiError }) => targetCiError),
    mmcs: mean(({ mmcs }) => mmcs!),
    ml2r: mean(({ ml2r }) => ml2r!),
    alive: alive.reduce((a, b) => a + b, 0),
    expectedAlive: total(({ expectedAlive }) => expectedAlive),
    faithfulness: total(({ delta }) => delta.reduce((sum, x) => sum + x * x, 0)) / entries,
  };
  return {
    numbers,
    passes: passes(
      numbers,
      sites.map((site, i) => ({ ...site, alive: alive[i]! })),
    ),
    source: `Computed here from the checkpoint of step ${formatCount(step)}; L0 and reconstruction are measured when the run ends.`,
  };
}

interface SiteNumbers {
  readonly mmcs?: number;
  readonly ml2r?: number;
  readonly alive?: number;
  readonly expectedAlive?: number;
}

function passes(numbers: VerdictNumbers["numbers"], sites: readonly SiteNumbers[]): VerdictNumbers["passes"] {
  const { targetCiError, mmcs, ml2r, alive } = numbers;
  return {
    ...(targetCiError !== undefined && { targetCiError: targetCiError === 0 }),
    ...(mmcs !== undefined && { mmcs: sites.every((site) => site.mmcs === undefined || site.mmcs >= PASS.mmcs) }),
    ...(ml2r !== undefined && {
      ml2r: sites.every((site) => site.ml2r === undefined || (site.ml2r >= PASS.ml2r[0] && site.ml2r <= PASS.ml2r[1])),
    }),
    ...(alive !== undefined && { alive: sites.every((site) => site.alive === site.expectedAlive) }),
  };
}

const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
