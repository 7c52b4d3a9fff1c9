/** The referee's board as tables: what each subject is, what each measure says, and what has to be known to read it. */
import {
  type ControlKind,
  KNOWN_COLUMNS,
  type MeasureResult,
  type Scoreboard,
  type SubjectRow,
} from "../evidence/referee/scoreboard.ts";
import { duration, significant, table } from "./format.ts";

/** Everything that fits a terminal; all numbers are in the JSON. */
export function scoreboardTables(board: Scoreboard): string {
  const { network, protocol } = board;
  const { prompts, rows, chance, matchedSize } = protocol;
  return [
    `${network.title}: ${prompts} prompts, ${rows} rows; 1 is chance, ${significant(chance, 3)} ${network.unit}; matched at ${significant(matchedSize, 3)} units a row`,
    "",
    subjectTable(board),
    "",
    measureTable(board),
    "",
    ...knownTable(board),
    "± half the 95 % interval over prompts; # rank where it is decided, = tied; better is ↓ lower, ↑ higher; * cannot tell controls apart",
    `${board.measures.length} measures were made: --report draws them all, --json has them`,
    ...warnings(board),
  ].join("\n");
}

const isMethod = ({ control }: SubjectRow): boolean => control === undefined;

/** Controls of one subject have its numbers, but for who is active. */
function subjectTable({ subjects }: Scoreboard): string {
  const shown = subjects.filter(({ of }) => of === undefined);
  const hidden = subjects.length - shown.length;
  const rows = subjectRows(shown);
  return hidden > 0 ? `${rows}\nand ${hidden} controls of these: by damage, random, permuted` : rows;
}

function subjectRows(subjects: readonly SubjectRow[]): string {
  return table(
    ["subject", "bits a row", "active a row", "units", "coverage", "made in", "judged in", "done", "skipped"],
    subjects.map((one) => [
      one.name,
      significant(one.bits, 4),
      significant(one.size, 3),
      significant(one.units, 4),
      significant(one.coverage, 3),
      cost(one),
      duration(one.seconds),
      String(one.executed),
      String(one.skipped),
    ]),
  );
}

function cost({ cost }: SubjectRow): string {
  if (cost === undefined) return "";
  const { steps, seconds, flops } = cost;
  return [
    steps === undefined ? "" : `${steps.toLocaleString("en-US")} steps`,
    seconds === undefined ? "" : duration(seconds),
    flops === undefined ? "" : `${flops.toExponential(1)} FLOP`,
  ]
    .filter((part) => part !== "")
    .join(", ");
}

/** What a terminal shows, of each measure in the form that is asked of every family. */
const COLUMNS: readonly (readonly [string, string])[] = [
  ["sufficiency/zero/own/bits", "enough, bits"],
  ["sufficiency/zero/own/units", "enough, units"],
  ["necessity/zero/own/active", "needed"],
  ["robustness/adversarial/matched", "attacked, matched"],
  ["robustness/adversarial/natural", "attacked"],
  ["remainder/lost", "left over"],
  ["edits/specificity", "edits"],
];

/** A row a method, then what the controls score, from the least to the most. */
function measureTable({ subjects, measures }: Scoreboard): string {
  const methods = subjects.filter(isMethod);
  const columns = COLUMNS.flatMap(([id, title]) => {
    const measure = measures.find((one) => one.id === id);
    return measure === undefined ? [] : [{ title, measure }];
  });
  const controls = Object.entries(CONTROL_NAMES).flatMap(([control, title]) => {
    const names = subjects.filter((one) => one.control === control).map(({ name }) => name);
    return names.length === 0 ? [] : [[title, ...columns.map(({ measure }) => rangeCell(measure, names))]];
  });
  return table(
    ["", ...columns.map(({ title, measure }) => `${title} ${markOf(measure)}`)],
    [
      ...methods.map(({ name }) => [
        name,
        ...columns.map(({ measure }) => scoreCell(measure, name, methods.length > 1)),
      ]),
      ...controls,
    ],
  );
}

/** Methods and yardsticks of the network beside what is known of its mechanisms; nothing where nothing is. */
function knownTable({ known, subjects }: Scoreboard): string[] {
  const shown = known.filter(({ subject }) => subjects.some(({ name, of }) => name === subject && of === undefined));
  const columns = KNOWN_COLUMNS.filter(([, of]) => shown.some((row) => of(row) !== undefined));
  if (columns.length === 0) return [];
  const rows = shown.map((row) => [
    row.subject,
    ...columns.map(([, of]) => {
      const value = of(row);
      return value === undefined ? "–" : significant(value, 3);
    }),
  ]);
  return [table(["of what is known", ...columns.map(([title]) => title)], rows), ""];
}

const CONTROL_NAMES: Readonly<Record<ControlKind, string>> = {
  oracle: "(oracle)",
  "oracle ranking": "(by damage)",
  random: "(random)",
  permuted: "(permuted)",
  "random directions": "(random directions)",
};

/** Which way is better, and whether the measure tells controls apart. */
function markOf({ better, tellsControlsApart }: MeasureResult): string {
  return `${better === "lower" ? "↓" : "↑"}${tellsControlsApart === false ? "*" : ""}`;
}

/** What float32 rounds is nothing. */
const shown = (value: number, digits: number): string => significant(Math.abs(value) < 1e-5 ? 0 : value, digits);

function scoreCell({ scores, ranks }: MeasureResult, subject: string, ranked: boolean): string {
  const score = scores.find((one) => one.subject === subject);
  if (score === undefined) return "–";
  const half = (score.interval[1] - score.interval[0]) / 2;
  const place = ranks.find((one) => one.subject === subject);
  const rank = ranked && place ? ` #${place.rank}${place.tied ? "=" : ""}` : "";
  return `${shown(score.value, 3)} ±${shown(half, 1)}${rank}`;
}

/** What controls score, from the least to the most. */
function rangeCell({ scores }: MeasureResult, subjects: readonly string[]): string {
  const values = scores.filter(({ subject }) => subjects.includes(subject)).map(({ value }) => value);
  if (values.length === 0) return "–";
  const [least, most] = [Math.min(...values), Math.max(...values)].map((x) => shown(x, 2));
  return least === most ? least! : `${least}–${most}`;
}

function warnings({ measures, notes, gaps, protocol, subjects, seeds }: Scoreboard): string[] {
  const blind = measures.filter(({ tellsControlsApart }) => tellsControlsApart === false).map(({ id }) => id);
  const few = measures.filter(({ promptsNeeded }) => promptsNeeded !== null);
  const worst = few.reduce((a, b) => ((b.promptsNeeded ?? 0) > (a?.promptsNeeded ?? 0) ? b : a), few[0]);
  const methods = new Set(subjects.filter(isMethod).map(({ name }) => name));
  const own = notes.filter(({ subject }) => methods.has(subject));
  return [
    ...(blind.length > 0
      ? ["", `cannot tell an oracle from what is random or permuted here: ${blind.join(", ")}`]
      : []),
    ...(worst
      ? [
          "",
          `${few.length} of ${measures.length} measures are less sure than ±${protocol.wantedPrecision}: ${worst.id} needs ${worst.promptsNeeded!.toLocaleString("en-US")} prompts, not ${protocol.prompts.toLocaleString("en-US")}`,
        ]
      : []),
    ...(seeds.length === 0 && methods.size > 1
      ? ["", "seeds of one document were not given: whether a difference outlives another seed is not known"]
      : []),
    ...(own.length > 0 ? ["", ...own.map(({ subject, measure, text }) => `${subject}, ${measure}: ${text}`)] : []),
    ...(gaps.length > 0 ? ["", ...gaps.map(({ what, why }) => `missing: ${what} (${why})`)] : []),
  ];
}
