import { describe, expect, test } from "vitest";
import type { MeasureResult, Scoreboard, SubjectRow } from "../../evidence/referee/scoreboard.ts";
import { type Report, readReport } from "./report.ts";
import { scoreboardPage } from "./scoreboard-page.ts";

const UNITS = {
  measure: "magnitude" as const,
  granularity: [{ site: "hook_hidden", components: 20, rank: 1 }],
  components: 20,
  units: 20,
  size: 1.5,
  bits: 17,
  coverage: 0.98,
  seconds: 2,
  executed: 9,
  skipped: 1,
};

const subjects: readonly SubjectRow[] = [
  { ...UNITS, name: "tms-spd", method: "spd", seed: 0, digest: "a".repeat(64), cost: { steps: 20_000, seconds: 180 } },
  { ...UNITS, name: "tms <sae>", method: "sae", seed: 1, digest: "b".repeat(64) },
  { ...UNITS, name: "tms-spd, random", control: "random", of: "tms-spd" },
];

const measure: MeasureResult = {
  id: "sufficiency/zero/own/units",
  measure: "sufficiency",
  ablation: "zero",
  ranking: "own",
  axis: "units",
  title: "Sufficiency",
  formula: "area under divergence / chance",
  source: "here",
  unit: "of chance",
  reduction: "mean over prompts",
  better: "lower",
  establishes: "that what is kept is enough",
  doesNotEstablish: "that it is needed",
  scores: subjects.map(({ name }, i) => ({
    subject: name,
    value: 0.1 + i / 4,
    interval: [0.05 + i / 4, 0.16 + i / 4] as const,
    band: 0.08,
    n: 512,
  })),
  differences: [
    {
      a: "tms-spd",
      b: "tms <sae>",
      difference: -0.25,
      interval: [-0.3, -0.2],
      p: 0.001,
      holm: 0.001,
      beyondSeeds: null,
      decided: false,
      because: "coverage",
    },
  ],
  ranks: [
    { subject: "tms-spd", rank: 1, tied: true },
    { subject: "tms <sae>", rank: 1, tied: true },
  ],
  minimumDetectable: 0.04,
  discrimination: [],
  tellsControlsApart: false,
  promptsNeeded: 2048,
};

const board: Scoreboard = {
  schema: 1,
  network: { title: "tms 5-2", digest: "c".repeat(64), unit: "squared error" },
  protocol: {
    seed: 0,
    prompts: 512,
    rows: 512,
    referencePrompts: 512,
    ablations: ["zero"],
    rankings: ["own"],
    measures: ["sufficiency"],
    ladder: [0, 1, 2, 4],
    matchedSize: 1,
    precisionBits: 8,
    chance: 0.05,
    wantedPrecision: 0.02,
    resamples: 1000,
  },
  subjects,
  measures: [measure],
  curves: subjects.map(({ name }, i) => ({
    subject: name,
    measure: "sufficiency",
    ablation: "zero",
    ranking: "own",
    points: [0, 1, 2, 4, 20].map((size) => ({
      size,
      bits: size === 20 ? null : size * 12,
      divergence: 0.05 / (1 + size * (3 - i)),
      ...(size === 2 && { natural: true }),
    })),
  })),
  known: [{ subject: "tms-spd", mmcs: 0.999, ml2r: 0.98 }],
  seeds: [],
  edits: [{ subject: "tms-spd", address: "linear1:3", onTarget: 0.01, offTarget: 0.0001, active: 20, inactive: 400 }],
  notes: [{ subject: "tms <sae>", measure: "sufficiency", text: "its inactive units carry nothing" }],
  gaps: [{ what: "tms <sae>, oracle", why: "truth unknown & not looked for" }],
  seconds: 6,
};

const report: Report = {
  schema: 1,
  scoreboard: board,
  commands: { "tms-spd": "mechanist train tms\nmechanist decompose tms --method spd" },
  command: "mechanist judge tms-spd sae --report out.html",
  version: "0.1.0",
};

describe("a referee's report", () => {
  const html = scoreboardPage(report);

  test("has every number in it, and no address outside itself", () => {
    expect(readReport(html, "out.html")).toEqual(report);
    expect(html).not.toMatch(/https?:|src=|@import|url\(/);
    expect(html).not.toContain("tms <sae>");
    expect(html).toContain("mechanist decompose tms --method spd\nmechanist judge tms-spd sae --report out.html");
  });

  test("says bits before units, on every table that has both: units of different rank are not equal", () => {
    const heads = [...html.matchAll(/<thead>(.*?)<\/thead>/g)].map((match) => match[1]!);
    const both = heads.filter((head) => head.includes("bits a row") && head.includes("active a row"));
    expect(both).toHaveLength(3);
    for (const head of both) expect(head.indexOf("bits a row")).toBeLessThan(head.indexOf("active a row"));
  });

  test("puts nothing in order that was not decided, and says which measure tells nothing", () => {
    expect(html).toContain("they speak of different parts of the network");
    expect(html.match(/>1=</g)).toHaveLength(2);
    expect(html).toContain("cannot tell an oracle");
    expect(html).toContain("truth unknown &amp; not looked for");
    expect(html).toContain("its inactive units carry nothing");
  });

  test("draws a point for every place on an axis, with the method's own size marked", () => {
    const figures = html.split("<figure>").slice(1);
    expect(figures[0]!.match(/<circle/g)).toHaveLength(15);
    expect(figures[1]!.match(/<circle/g)).toHaveLength(12 + 2);
    expect(figures[0]!.match(/class="natural"/g)).toHaveLength(3);
  });

  test("is all there without pairs, seeds, curves or anything known", () => {
    const bare = scoreboardPage({
      ...report,
      scoreboard: {
        ...board,
        measures: [{ ...measure, differences: [], minimumDetectable: null }],
        curves: [],
        known: [],
        gaps: [],
      },
    });
    expect(bare).toContain("Nothing is known of this network");
    expect(bare).toContain("Nothing that was asked for is missing");
    expect(bare).not.toContain("NaN");
  });

  test("is read again only if it is one, of a version that is known", () => {
    const saying = (text: string): unknown => {
      try {
        return readReport(text, "x.html");
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(saying("<p>")).toBe("x.html: expected a report that judge --report wrote, got a file without its data");
    expect(saying(html.replace('"subjects":[', '"objects":['))).toMatch("got other data");
    expect(saying(html.replace('{"schema":1,"scoreboard"', '{"schema":2,"scoreboard"'))).toMatch(
      "expected schema 1, got 2",
    );
    expect(saying(html.slice(0, html.indexOf('id="data">') + 50) + "</script>")).toMatch("got other data");
  });
});
