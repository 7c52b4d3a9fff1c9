/**
 * `npm run fuzz -- [--json] [--cases n] [--seed n] [--parser name]…`: every parser of what strangers wrote, on a hundred thousand spoilt
 * inputs in all. A fault ends it with the smallest input that shows it.
 */
import { parseArgs } from "node:util";
import { type Outcome, tryParser } from "../test/fuzz/check.ts";
import { PARSERS } from "../test/fuzz/parsers.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    cases: { type: "string", default: "100000" },
    seed: { type: "string", default: String(Math.trunc(Date.now() / 1000)) },
    parser: { type: "string", multiple: true, default: Object.keys(PARSERS) },
  },
});

const each = Math.ceil(Number(values.cases) / values.parser.length);
const results: (Outcome & { readonly parser: string; readonly seconds: number })[] = [];
for (const name of values.parser) {
  const parser = PARSERS[name];
  if (parser === undefined) throw new Error(`expected a parser among ${Object.keys(PARSERS).join(", ")}, got ${name}`);
  const began = performance.now();
  const outcome = await tryParser(name, parser, each, Number(values.seed));
  const result = { parser: name, ...outcome, seconds: (performance.now() - began) / 1000 };
  results.push(result);
  if (!values.json) console.log(line(result));
}
if (values.json) console.log(JSON.stringify({ schema: 1, seed: Number(values.seed), results }));
else console.log(`no fault in ${each * results.length} cases, seed ${values.seed}`);

function line({ parser, cases, accepted, slowestMs, mostBytes, seconds }: (typeof results)[number]): string {
  return [
    parser.padEnd(24),
    `${cases} cases`.padStart(14),
    `${((100 * accepted) / cases).toFixed(0)} % accepted`.padStart(16),
    `slowest ${slowestMs.toFixed(0)} ms`.padStart(18),
    `${(mostBytes / 2 ** 10).toFixed(0)} KiB at most`.padStart(20),
    `${seconds.toFixed(0)} s`.padStart(8),
  ].join("");
}
