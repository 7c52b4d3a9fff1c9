import { expect, test } from "vitest";
import type { CardRun, ParadigmCard, Prediction } from "../../evidence/referee/card.ts";
import { cardPage } from "./card-page.ts";

const predictions = (held: boolean | null): Prediction[] =>
  (["enough", "needed", "indifferent", "complete"] as const).map((name) => ({
    name,
    value: held === null ? null : 0.01,
    held,
    byConstruction: name === "indifferent",
  }));
const run = (subject: string, held: boolean | null): CardRun => ({
  subject,
  bits: 31,
  size: 1.5,
  predictions: predictions(held),
  beatsChance: held,
  holds: held,
  edits: { worked: 1, made: 4 },
});
const card: ParadigmCard = {
  schema: 1,
  networks: [
    { title: "tms 5-2", digest: "a" },
    { title: "<other>", digest: "b" },
  ],
  families: [
    {
      family: "spd",
      cells: [{ network: "tms 5-2", digest: "a", runs: [run("s0", true), run("s 1", false)] }],
      predictions: { held: 3, made: 6, byConstruction: 2 },
      networks: { held: 0, tried: 1 },
      edits: { worked: 2, made: 8 },
    },
    {
      family: "topk",
      cells: [{ network: "<other>", digest: "b", runs: [run("t0", null)] }],
      predictions: { held: 0, made: 0, byConstruction: 0 },
      networks: { held: 0, tried: 0 },
      edits: { worked: 1, made: 4 },
    },
  ],
};

test("every count leads to the runs behind it, on the same page", () => {
  const html = cardPage(card, {
    commands: { s0: "mechanist decompose <x>" },
    command: "mechanist card a.html",
    version: "0",
  });
  const links = [...html.matchAll(/href="#([^"]+)"/g)].map((match) => match[1]!);
  const places = new Set([...html.matchAll(/<section id="([^"]+)"/g)].map((match) => match[1]));
  expect(places.size).toBe(3);
  expect(links.filter((link) => !places.has(link))).toEqual([]);
  expect(new Set(links)).toEqual(places);
  expect(html).toContain("3 of 6");
  expect(html).toContain("2 by construction");
  expect(html).toContain("not tried");
  expect(html).toContain("31 bits, 1.5 units active a row");
  expect(html).toContain("not measured");
  expect(html).toContain("mechanist decompose &lt;x&gt;");
  expect(html).not.toMatch(/https?:|<other>/);
});
