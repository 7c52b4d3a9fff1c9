/** The matrix of methods and anomalies as tables: one of all methods, each anomaly where it is expected, and one for each network. */
import { ANOMALIES, type AnomalyName } from "../src/evidence/anomalies/index.ts";
import { meanOfNumbers } from "../src/intervention/bootstrap.ts";
import type { Found, MatrixRow, Measured } from "./anomaly-matrix.ts";
import { METHODS_ASKED, NETWORKS } from "./anomaly-networks.ts";

/** Where each anomaly is expected of dictionaries, or can be looked for; and beside some a network where it is not. */
const EXPECTED: readonly (readonly [anomaly: AnomalyName, ...networks: string[]])[] = [
  ["shrinkage", "shrinkage", "default", "tms"],
  ["splitting", "splitting"],
  ["absorption", "absorption", "absorption, control"],
  ["hedging", "hedging", "hedging, control", "hedging, 2 units"],
  ["composition", "animals", "animals, control"],
  ["circles", "circles"],
  ["deadAndDense", "default", "tms"],
  ["darkMatter", "default", "tms"],
  ["seedInconsistency", "default", "tms", "layers"],
  ["onlyClustering", "default"],
  ["usefulness", "default", "tms"],
  ["spread", "tms", "layers"],
  ["randomNetwork", "tms", "layers"],
];

const ALL = Object.keys(ANOMALIES) as AnomalyName[];
const short = (x: number): string => (Math.abs(x) < 5e-4 ? "0" : String(Number(x.toPrecision(2))));
const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
const head = (cells: readonly string[]): string => `\n${line(cells)}\n${line(cells.map(() => "---"))}`;

/** At the place whose features are known; else at the first. */
function measuredIn({ measures, places }: MatrixRow, anomaly: AnomalyName): Measured | undefined {
  const all = measures[anomaly] ?? {};
  const known = places.find(({ found }) => found !== undefined) ?? places[0];
  return all[known?.name ?? ""] ?? Object.values(all)[0];
}

const foundIn = ({ places }: MatrixRow): Found | undefined => places.find(({ found }) => found)?.found;

interface Cell {
  readonly text: string;
  readonly why?: string;
}

/** `present k/n`, the mean value and, in brackets, its control's. */
function cellOf(rows: readonly MatrixRow[], anomaly: AnomalyName): Cell {
  if (rows.length === 0) return { text: "", why: "not run" };
  if (rows[0]!.failed !== undefined) return { text: "–", why: rows[0]!.failed };
  const all = rows.flatMap((row) => measuredIn(row, anomaly) ?? []);
  const ok = all.flatMap((one) => ("missing" in one ? [] : [one]));
  const missing = all.flatMap((one) => ("missing" in one ? [one.missing] : []));
  if (ok.length === 0) return { text: "–", why: [...new Set(missing)].join("; ") || "not measured" };
  const present = ok.filter((one) => one.present).length;
  const controls = ok.flatMap(({ control }) => (control === null ? [] : [control]));
  const control = controls.length === 0 ? "" : ` (${short(meanOfNumbers(controls))})`;
  const word = present === 0 ? "absent" : "present";
  const count = present === 0 ? ok.length : present;
  // How much there is to speak of: nearly nothing may be left over, and be linear in the value.
  const left = ok.flatMap(({ details }) => (anomaly === "darkMatter" ? [Number(details.unexplained)] : []));
  const of = left.length === 0 ? "" : ` of ${short(meanOfNumbers(left))}`;
  const text = `${word} ${count}/${rows.length}: ${short(meanOfNumbers(ok.map(({ value }) => value)))}${control}${of}`;
  return { text, ...(missing.length > 0 && { why: `${missing.length} of ${rows.length}: ${missing[0]}` }) };
}

function foundText(rows: readonly MatrixRow[]): string {
  const all = rows.flatMap((row) => foundIn(row) ?? []);
  if (all.length === 0) return "";
  const mean = (of: (one: Found) => number): string => short(meanOfNumbers(all.map(of)));
  return `${mean(({ directions }) => directions)} of ${all[0]!.features}; ${mean(({ mmcs }) => mmcs)} (${mean(({ mmcsByChance }) => mmcsByChance)})`;
}

/** Whether fewer than half of the features were found: then nothing can be said to be free of what features suffer. */
function lost(rows: readonly MatrixRow[]): boolean {
  const all = rows.flatMap((row) => foundIn(row) ?? []);
  return all.length > 0 && meanOfNumbers(all.map(({ directions, features }) => directions / features)) < 0.5;
}

export function printTables(rows: readonly MatrixRow[], networks: readonly string[]): void {
  const of = (network: string, method: string): MatrixRow[] =>
    rows.filter((row) => row.network === network && row.method === method);
  const notes: string[] = [];
  const noted = ({ text, why }: Cell): string => {
    if (why === undefined || why === "not run") return text === "" ? "not run" : text;
    if (!notes.includes(why)) notes.push(why);
    return `${text} [${notes.indexOf(why) + 1}]`;
  };
  const methods = METHODS_ASKED.filter((method) => rows.some((row) => row.method === method && !row.failed));
  console.log(head(["anomaly", "on", ...methods]));
  const looked = EXPECTED.flatMap(([anomaly, ...where]) =>
    where
      .filter((network) => rows.some((row) => row.network === network))
      .map((network) => [anomaly, network] as const),
  );
  for (const [anomaly, network] of looked) {
    const cells = methods.map((method) => {
      const own = of(network, method);
      return `${noted(cellOf(own, anomaly))}${lost(own) ? " †" : ""}`;
    });
    console.log(line([ANOMALIES[anomaly].title, network, ...cells]));
  }
  for (const network of new Set(looked.map(([, one]) => one))) {
    console.log(
      line(["features found; MMCS (chance)", network, ...methods.map((method) => foundText(of(network, method)))]),
    );
  }
  for (const network of networks) {
    const own = rows.filter((row) => row.network === network && !row.failed);
    const shown = ALL.filter((anomaly) => own.some((row) => "value" in (measuredIn(row, anomaly) ?? {})));
    if (own.length === 0) continue;
    const { about } = NETWORKS[network]!;
    console.log(`\n**${network}**: ${about}`);
    const seen = METHODS_ASKED.filter((method) => of(network, method).length > 0);
    console.log(head(["method, settings", "found; MMCS (chance)", "target-CI error; MMCS of parts; alive", ...shown]));
    for (const method of seen) {
      const its = of(network, method);
      const settings = Object.entries(its[0]!.settings).map(([key, value]) => `${key} ${value}`);
      const verdict = its.flatMap(({ targetCiError, mmcsOfParts, aliveOnProbe }) =>
        targetCiError === undefined ? [] : [`${targetCiError}; ${short(mmcsOfParts ?? NaN)}; ${aliveOnProbe}`],
      );
      const cells = shown.map((anomaly) => noted(cellOf(its, anomaly)));
      console.log(line([[method, ...settings].join(", "), foundText(its), verdict.join(" · "), ...cells]));
    }
  }
  console.log(`\n† fewer than half of the features found\n`);
  notes.forEach((note, i) => console.log(`[${i + 1}] ${note}`));
}
