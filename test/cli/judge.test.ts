/** `mechanist judge` with several runs: one board for decompositions of one network. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { Scoreboard } from "../../src/evidence/referee/scoreboard.ts";
import { command, documentOf, SMALL_SPD, SMALL_TRAINING } from "./command.ts";

const dir = mkdtempSync(join(tmpdir(), "mechanist-judge-"));
beforeAll(async () => {
  await command(dir, ...SMALL_TRAINING, "--out", "net");
  await command(dir, "decompose", "net", ...SMALL_SPD, "--out", "parts");
  await command(dir, "decompose", "net", "--method", "neurons", "--out", "neurons");
  await command(dir, ...SMALL_TRAINING, "--seed", "1", "--out", "other-net");
  await command(dir, "decompose", "other-net", "--method", "neurons", "--out", "other");
  return () => rmSync(dir, { recursive: true, force: true });
}, 600_000);

test("runs of one network stand on one board, with what cannot be opened as a gap", async () => {
  const asked = ["--measures", "sufficiency,remainder", "--prompts", "64", "--seed", "3"];
  const { status, stdout, stderr } = await command(dir, "judge", "parts", "neurons", "nothing", ...asked, "--json");
  expect([status, stderr.trim()]).toEqual([0, "mechanist: nothing: expected a run folder, got none"]);
  const { runs, scoreboard } = documentOf({ stdout }) as unknown as { runs: unknown[]; scoreboard: Scoreboard };
  expect(runs).toHaveLength(2);
  expect(scoreboard.protocol).toMatchObject({ seed: 3, prompts: 64, measures: ["sufficiency", "remainder"] });
  expect(scoreboard.gaps).toEqual([{ what: "nothing", why: "nothing: expected a run folder, got none" }]);
  const methods = scoreboard.subjects.filter(({ control }) => control === undefined);
  expect(methods.map(({ name, method }) => [name, method])).toEqual([
    ["parts", "spd"],
    ["neurons", "neurons"],
  ]);
  expect(new Set(scoreboard.subjects.map(({ control }) => control))).toContain("oracle");
  expect(scoreboard.measures.map(({ id }) => id)).toContain("sufficiency/resample/own/bits");
}, 240_000);

test("the board is a table, too, and says how many prompts it would take", async () => {
  const asked = ["--measures", "sufficiency", "--prompts", "64", "--precision", "0.0001"];
  const { stdout } = await command(dir, "judge", "parts", "neurons", ...asked);
  expect(stdout).toMatch(/enough, bits ↓ +enough, units ↓\nparts .* ±.*\nneurons .* ±.*\n\(oracle\) /);
  expect(stdout).toMatch(/less sure than ±0\.0001: sufficiency\/\S+ needs [\d,]+ prompts, not 64/);
}, 240_000);

test("runs of two networks are not compared, and unknown measures not made", async () => {
  const refused = await command(dir, "judge", "neurons", "other");
  expect([refused.status, refused.stdout]).toEqual([2, ""]);
  expect(refused.stderr).toMatch(
    /^mechanist: judge: expected runs of one network, got neurons of .* and other of .*\n$/,
  );
  const unknown = await command(dir, "judge", "neurons", "--measures", "sufficency");
  expect([unknown.status, unknown.stderr]).toEqual([
    2,
    expect.stringContaining("expected sufficiency, got sufficency"),
  ]);
}, 240_000);

test("a report is a page of its own, and a card counts over reports", async () => {
  const asked = ["--measures", "sufficiency,robustness", "--prompts", "64", "--report", "board.html"];
  const { stdout } = await command(dir, "judge", "parts", "neurons", ...asked);
  expect(stdout).toMatch(/board\.html\n$/);
  const html = readFileSync(join(dir, "board.html"), "utf8");
  expect(html).toContain(
    "mechanist judge parts neurons --measures sufficiency,robustness --prompts 64 --report board.html",
  );
  expect(html).toMatch(/mechanist train tms .*--out/);
  const card = documentOf(await command(dir, "card", "board.html", "--json"));
  expect(card.families).toMatchObject([
    { family: "neurons", networks: { tried: 1 } },
    { family: "spd", networks: { tried: 1 } },
  ]);
  const { status, stderr } = await command(dir, "card", "other.html");
  expect([status, stderr]).toEqual([
    3,
    "mechanist: other.html: expected a report that judge --report wrote, got no file\n",
  ]);
}, 240_000);
