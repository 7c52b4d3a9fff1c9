/** Instruments on activations as rows, for `mechanist look`: probes, erasure, similarities, what units respond to. */
import { activationRows, type ActivationRows, pickedRows, rowCount } from "../../instrument/activations.ts";
import { activatingExamples } from "../../instrument/activating-examples.ts";
import { anisotropy } from "../../instrument/anisotropy.ts";
import { canonicalSimilarity } from "../../instrument/canonical-correlation.ts";
import { erased, leastSquaresErasure } from "../../instrument/concept-erasure.ts";
import { descriptionLengthProbe } from "../../instrument/description-length-probe.ts";
import type { Finding } from "../../instrument/finding.ts";
import { kernelAlignment } from "../../instrument/kernel-alignment.ts";
import { type LabelOf, probe, probeAt } from "../../instrument/probe.ts";
import { representationalSimilarity } from "../../instrument/representational-similarity.ts";
import type { Similarity } from "../../instrument/similarity.ts";
import { MechanistError } from "../../error.ts";
import type { Examples } from "../../intervention/index.ts";
import { foldIn } from "../../tensor/index.ts";
import { significant } from "../format.ts";
import { wholeNumber } from "../options.ts";
import type { Instrument } from "./instruments.ts";
import { examplesOf, pointOf, type Subject, vectorPoints } from "./subject.ts";

const number = (x: number | null): string => significant(x, 3);

/** So many of the commonest tokens are labels. */
const LABELS = 16;

/** What probes are asked to read where nobody says: the token before, or whether a feature is there. */
function labelOf(
  subject: Subject,
  { x }: Examples,
): { readonly label: LabelOf; readonly type?: LabelOf; readonly classes: number; readonly what: string } {
  const width = x.shape[1]!;
  if (x.dtype !== "i32") {
    const features = x.shape.at(-1)!;
    const feature =
      subject.options.unit === undefined ? 0 : wholeNumber("--unit", subject.options.unit, 0, features - 1);
    const perExample = x.data.length / x.shape[0]!;
    const label: LabelOf = ({ example, position }) =>
      x.data[example * perExample + position * features + feature]! > 0 ? 1 : 0;
    return { label, classes: 2, what: `whether feature ${feature} is above 0` };
  }
  const counts = new Map<number, number>();
  for (const token of x.data) counts.set(token, (counts.get(token) ?? 0) + 1);
  const common = [...counts]
    .sort((a, b) => b[1] - a[1] || a[0] - b[0])
    .slice(0, LABELS)
    .map(([token]) => token);
  const place = new Map(common.map((token, i) => [token, i]));
  return {
    label: ({ example, position }) => (position === 0 ? undefined : place.get(x.data[example * width + position - 1]!)),
    type: ({ example, position }) => x.data[example * width + position]!,
    classes: common.length,
    what: `the token before, where it is one of the ${common.length} commonest`,
  };
}

const probing: Instrument = {
  summary: "what a linear probe reads off a point, beside control tasks and shuffled weights",
  takes: "the run's data; --point, --unit (the feature that is read, of a network of features)",
  look: async (subject) => {
    const { runnable, key, signal } = subject;
    const examples = await examplesOf(subject, "look", true);
    const { what, ...labels } = labelOf(subject, examples);
    const found = await probeAt(runnable, examples, { point: pointOf(subject), ...labels, key }, { signal });
    return {
      found: { ...found, label: what },
      head: ["point", "accuracy", "control", "selectivity", "majority", "shuffled weights"],
      rows: [
        [
          found.point,
          ...[found.accuracy, found.control, found.selectivity, found.majority, found.shuffled].map(number),
        ],
      ],
      notes: [`reads ${what}; trained on ${found.trainRows.toLocaleString("en-US")} rows`],
    };
  },
};

/** The rows of a point that have a label. */
async function labelled(subject: Subject): Promise<{
  readonly rows: ActivationRows;
  readonly data: { readonly x: ReturnType<typeof pickedRows>; readonly labels: number[]; readonly classes: number };
  readonly types: number[] | undefined;
  readonly what: string;
}> {
  const examples = await examplesOf(subject, "look", true);
  const { what, label, type, classes } = labelOf(subject, examples);
  const rows = await activationRows(subject.runnable, examples, pointOf(subject), { signal: subject.signal });
  const place = (row: number): { example: number; position: number } => ({
    example: rows.example[row]!,
    position: rows.position[row]!,
  });
  const kept = Array.from(rows.example.keys()).filter((row) => label(place(row)) !== undefined);
  if (kept.length < 10)
    throw new MechanistError("BadArgument", `look: expected at least 10 labelled rows, got ${kept.length}`);
  const data = { x: pickedRows(rows, kept), labels: kept.map((row) => label(place(row))!), classes };
  return { rows, data, types: type && kept.map((row) => type(place(row))!), what };
}

const descriptionLength: Instrument = {
  summary: "how many bits it takes to send labels to somebody who has the activations",
  takes: "as probe",
  look: async (subject) => {
    const { rows, data, types, what } = await labelled(subject);
    const found = await descriptionLengthProbe(
      data,
      { key: subject.key, ...(types && { types }) },
      { signal: subject.signal },
    );
    return {
      found: { ...found, point: rows.point, label: what },
      head: ["labels", "bits", "uniform", "compression"],
      rows: [
        ["own", number(found.bits), number(found.uniformBits), number(found.compression)],
        ...(found.control === null
          ? []
          : [
              [
                "control task",
                number(found.control.bits),
                number(found.control.uniformBits),
                number(found.control.compression),
              ],
            ]),
      ],
      notes: [`at ${rows.point}; labels are ${what}`],
    };
  },
};

const erasure: Instrument = {
  summary: "a concept erased from a point in closed form: what a linear probe reads before and after",
  takes: "as probe",
  look: async (subject) => {
    const { rows, data, what } = await labelled(subject);
    const { mean: _, P: __, ...found } = leastSquaresErasure(data);
    const options = { kind: "ridge", key: subject.key } as const;
    const before = await probe(data, options);
    const after = await probe({ ...data, x: erased(leastSquaresErasure(data), data.x) }, options);
    return {
      found: {
        ...found,
        point: rows.point,
        label: what,
        accuracy: { before: before.accuracy, after: after.accuracy, majority: before.majority },
      },
      head: ["", "before", "after", "majority"],
      rows: [
        ["probe's accuracy", number(before.accuracy), number(after.accuracy), number(before.majority)],
        ["largest covariance", number(found.covariance.before), number(found.covariance.after), "–"],
      ],
      notes: [`at ${rows.point}, ${found.rank} of ${rows.columns} dimensions; labels are ${what}`],
    };
  },
};

/** Rows that similarities are made on: all pairs of them, twenty times over. */
const SIMILARITY_ROWS = 400;

const similarity: Instrument = {
  summary: "CKA, SVCCA and RSA between a point and the others, each beside its noise",
  takes: "the run's data; --point",
  look: async (subject) => {
    const { runnable, signal, key } = subject;
    const examples = await examplesOf(subject, "look", true);
    const first = async (point: string): Promise<ReturnType<typeof pickedRows>> => {
      const rows = await activationRows(runnable, examples, point, { signal });
      return pickedRows(
        rows,
        Array.from({ length: Math.min(rowCount(rows), SIMILARITY_ROWS) }, (_, i) => i),
      );
    };
    const own = pointOf(subject);
    const reference = await first(own);
    const compared: Record<string, unknown>[] = [];
    const lines: string[][] = [];
    let finding: Finding | undefined;
    for (const point of vectorPoints(subject)) {
      const rows = await first(point);
      if (rowCount(rows) !== rowCount(reference)) continue;
      const { debiased } = kernelAlignment(reference, rows, key);
      const rsa = representationalSimilarity(reference, rows, key);
      // Where rows are fewer than dimensions, canonical correlations are all 1.
      const enough = rowCount(rows) > rows.columns + reference.columns;
      const svcca = enough ? canonicalSimilarity(reference, rows, key).svcca : undefined;
      finding = debiased;
      const short = ({ value, null: none, nullDeviation }: Similarity): Record<string, number> => ({
        value,
        null: none,
        nullDeviation,
      });
      compared.push({
        point,
        debiasedCka: short(debiased),
        rsa: short(rsa),
        svcca: svcca === undefined ? null : short(svcca),
      });
      const pair = (one: Similarity | undefined): string[] =>
        one === undefined ? ["–", "–"] : [number(one.value), `${number(one.null)} ± ${number(one.nullDeviation)}`];
      lines.push([point, ...pair(debiased), ...pair(svcca), ...pair(rsa)]);
    }
    if (finding === undefined)
      throw new MechanistError("BadArgument", `look: expected a point with as many rows as ${own}, got none`);
    const { n, counted, nullDescription, doesNotEstablish } = finding;
    return {
      found: { point: own, compared, n, counted, nullDescription, doesNotEstablish },
      head: ["point", "debiased CKA", "by chance", "SVCCA", "by chance", "RSA", "by chance"],
      rows: lines,
      notes: [`each beside ${own}`],
    };
  },
};

const pointingAlike: Instrument = {
  summary: "how much activations all point the same way",
  takes: "a prompt, or the run's data",
  look: async (subject) => {
    const examples = await examplesOf(subject);
    const found: { readonly point: string; readonly measured: ReturnType<typeof anisotropy> }[] = [];
    for (const point of vectorPoints(subject)) {
      found.push({
        point,
        measured: anisotropy(await activationRows(subject.runnable, examples, point, { signal: subject.signal })),
      });
    }
    const { n, counted, nullDescription, doesNotEstablish } = found[0]!.measured;
    const points = found.map(({ point, measured: { meanCosine, centredCosine, predicted } }) => ({
      point,
      meanCosine,
      centredCosine,
      predicted,
    }));
    return {
      found: { points, n, counted, nullDescription, doesNotEstablish },
      head: ["point", "mean cosine", "a common mean makes", "less the mean"],
      rows: points.map((one) => [one.point, number(one.meanCosine), number(one.predicted), number(one.centredCosine)]),
    };
  },
};

const responding: Instrument = {
  summary: "what a unit responds to, by quantile and not only at the top",
  takes: "a prompt, or the run's data; --point, --unit",
  look: async (subject) => {
    const { runnable, key, signal, text, options } = subject;
    const examples = await examplesOf(subject);
    const unit = options.unit === undefined ? 0 : wholeNumber("--unit", options.unit, 0, 2 ** 31);
    const found = await activatingExamples(
      runnable,
      examples,
      { point: pointOf(subject), unit, key: foldIn(key, "draws") },
      { signal },
    );
    const width = examples.x.shape[1]!;
    const shown = (example: number, position: number): string =>
      examples.x.dtype === "i32"
        ? JSON.stringify(text(examples.x.data[example * width + position]!))
        : `row ${example}`;
    return {
      found: { ...found, unit },
      head: ["quantiles", "from", "to", "at"],
      rows: found.bands.map((band) => [
        `${band.from} to ${band.to}`,
        number(band.lowest),
        number(band.highest),
        band.responses.map(({ example, position }) => shown(example, position)).join(" "),
      ]),
      notes: [
        `${found.point}, unit ${unit}: the largest is ${number(found.reach)} deviations above the mean; random directions' are ${number(found.randomReach.mean)} ± ${number(found.randomReach.deviation)}`,
        ...(found.sameToken === null
          ? []
          : [
              `of its top twenty, ${number(found.sameToken.value)} have one token; of random directions', ${number(found.sameToken.null)}`,
            ]),
      ],
    };
  },
};

export const activationInstruments: Readonly<Record<string, Instrument>> = {
  probe: probing,
  "description-length": descriptionLength,
  erasure,
  similarity,
  anisotropy: pointingAlike,
  examples: responding,
};
