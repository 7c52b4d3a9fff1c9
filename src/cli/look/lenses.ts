/** Lenses and the attribution of logits, for `mechanist look`. */
import { resolve } from "node:path";
import { writeAtomic } from "../../file/node-atomic.ts";
import { writeSafetensors } from "../../file/safetensors.ts";
import { directLogitAttribution } from "../../instrument/direct-logit-attribution.ts";
import { lensReadings, logitLens, OUTPUT } from "../../instrument/lens.ts";
import { tunedLens } from "../../instrument/tuned-lens.ts";
import { MechanistError } from "../../error.ts";
import { countOf } from "../../intervention/examples.ts";
import { foldIn } from "../../tensor/index.ts";
import { significant } from "../format.ts";
import { wholeNumber } from "../options.ts";
import type { Instrument } from "./instruments.ts";
import { examplesOf, promptOf, type Subject, tokenOf } from "./subject.ts";

const number = (x: number): string => significant(x, 3);

export const logitLensInstrument: Instrument = {
  summary: "what the unembedding makes of the stream before each block",
  takes: "a prompt, or the run's data",
  look: async (subject) => {
    const { runnable, key, signal, text } = subject;
    const examples = await examplesOf(subject);
    const table = await logitLens(runnable, examples, foldIn(key, "shuffled"), { signal });
    const readings = promptOf(subject) && (await lensReadings(runnable, examples));
    const last = examples.x.shape[1]! - 1;
    const reads = (point: string): string => {
      const reading = readings?.find((r) => r.point === point && r.position === last);
      return reading === undefined
        ? ""
        : `${JSON.stringify(text(reading.tokens[0]!))} ${number(reading.probabilities[0]!)}`;
    };
    const rows = table.rows.map((row) => [
      row.point,
      number(row.divergence),
      number(row.agreement),
      number(row.shuffled.divergence),
      number(row.shuffled.agreement),
      ...(readings === undefined ? [] : [reads(row.point)]),
    ]);
    const own = readings === undefined ? [] : [[OUTPUT, "0", "1", "0", "1", reads(OUTPUT)]];
    return {
      found: { ...table, ...(readings && { readings }) },
      head: [
        "point",
        "nats",
        "agrees",
        "shuffled nats",
        "shuffled agrees",
        ...(readings === undefined ? [] : ["reads last"]),
      ],
      rows: [...rows, ...own],
    };
  },
};

export const tunedLensInstrument: Instrument = {
  summary: "the same through an affine map learned at each point",
  takes: "the run's data; --steps, --out <file.safetensors> for the maps",
  look: async (subject) => {
    const { runnable, key, signal, terminal, options } = subject;
    const [train, test] = [await examplesOf(subject, "train", true), await examplesOf(subject, "test", true)];
    const steps = options.steps === undefined ? {} : { steps: wholeNumber("--steps", options.steps, 1, 1e7) };
    const { translators, ...table } = await tunedLens(
      runnable,
      { train, test, key, ...steps },
      { signal, onProgress: (progress) => terminal.progress(progress) },
    );
    if (options.out !== undefined) await writeAtomic(resolve(options.out), writeSafetensors(translators));
    return {
      found: { ...table, ...(options.out !== undefined && { file: options.out }) },
      head: ["point", "nats", "agrees", "logit lens", "agrees", "shuffled nats", "agrees"],
      rows: table.rows.map(({ point, divergence, agreement, logitLens: plain, shuffled }) => [
        point,
        ...[divergence, agreement, plain.divergence, plain.agreement, shuffled.divergence, shuffled.agreement].map(
          number,
        ),
      ]),
      notes: [`trained on ${table.trainedOn.toLocaleString("en-US")} positions`],
    };
  },
};

/** The token asked for, of each example; else the one that the network finds likeliest. */
export async function answersOf(
  subject: Subject,
  examples: Awaited<ReturnType<typeof examplesOf>>,
): Promise<{ readonly answer: number[]; readonly against?: number[] }> {
  const { options, runnable } = subject;
  const n = countOf(examples);
  const all = (option: "answer" | "against", given: string): number[] => {
    const token = tokenOf(subject, option, given);
    return Array.from({ length: n }, () => token);
  };
  const against = options.against === undefined ? {} : { against: all("against", options.against) };
  if (options.answer !== undefined) return { answer: all("answer", options.answer), ...against };
  const { output } = await runnable.run(examples.x);
  const vocab = output.shape.at(-1)!;
  if (runnable.network.input.vocab === undefined || vocab !== runnable.network.input.vocab) {
    throw new MechanistError(
      "BadArgument",
      `look: expected a network with logits of tokens, got ${subject.opened.title}`,
    );
  }
  const pos = output.data.length / vocab / n;
  const answer = Array.from({ length: n }, (_, i) => {
    const start = ((i + 1) * pos - 1) * vocab;
    let best = 0;
    for (let t = 1; t < vocab; t++) if (output.data[start + t]! > output.data[start + best]!) best = t;
    return best;
  });
  return { answer, ...against };
}

/** How many parts are printed; `--json` has all. */
const SHOWN = 20;

export const attribution: Instrument = {
  summary: "a logit as the exact sum of what was written into the stream",
  takes: "a prompt, or the run's data; --answer and --against <token>",
  look: async (subject) => {
    const { runnable, key, signal, text } = subject;
    const examples = await examplesOf(subject);
    const question = await answersOf(subject, examples);
    const found = await directLogitAttribution(runnable, examples, question, key, { signal });
    const rows = [...found.rows].sort((a, b) => Math.abs(b.mean) - Math.abs(a.mean)).slice(0, SHOWN);
    const one = countOf(examples) === 1;
    const asked = one ? JSON.stringify(text(question.answer[0]!)) : "the answer";
    const other = question.against === undefined ? "" : ` rather than ${JSON.stringify(text(question.against[0]!))}`;
    return {
      found: { ...found, answer: question.answer },
      head: ["part", "logits", "random direction"],
      rows: rows.map(({ writer, mean, null: size }) => [writer, number(mean), number(size)]),
      notes: [
        `${rows.length} of ${found.rows.length} parts, of the logit of ${asked}${other}: in all ${number(found.logit.reduce((a, b) => a + b, 0) / found.n)}, off by at most ${significant(found.largestError, 2)}`,
        `the last norm: ${found.norm}`,
      ],
    };
  },
};
