/** What a reader does with the page: takes components out, moves by keys, goes back, sends a link, watches a run. */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { colours, Workplace } from "./browser.ts";
import { addCheckpoint, addRows, decomposeFixture, writeCheckpoint, writeRecord } from "./fixture.ts";
import { solvedTms } from "./solved-tms.ts";

let place: Workplace;
let slots: readonly number[];
const stopped: string[] = [];

beforeAll(async () => {
  place = await Workplace.open({ stop: (name) => stopped.push(name) > 0 });
  ({ slots } = decomposeFixture(place.runs, { name: "solved" }));
});

afterAll(async () => {
  await place?.close();
});

const told = (page: Page): Promise<string> =>
  page
    .getByRole("status")
    .filter({ hasText: /taken out|Without/ })
    .innerText();
const hash = (page: Page): string => new URL(page.url()).hash;

async function opened(query = ""): Promise<Page> {
  const page = await place.visit(`#/run/solved${query}`);
  await page.getByRole("heading", { name: "What the network answers" }).waitFor();
  return page;
}

describe("taking components out", () => {
  test("changes the answers at once, and the URL; going back puts it back", async () => {
    const page = await opened();
    expect(await told(page)).toMatch(/^Nothing is taken out/);
    const before = await colours(page, "after: outputs");
    await page.getByRole("switch", { name: `linear2:${slots[3]}, feature 3` }).click();
    await page
      .getByText(/input 3 changes most: output 3 goes from 0\.66 to 0\.0\d/)
      .first()
      .waitFor();
    const after = await colours(page, "after: outputs");
    expect(after[3]![3]![0]! - before[3]![3]![0]!).toBeGreaterThan(150);
    expect(after[1]![1]).toEqual(before[1]![1]);
    expect(hash(page)).toContain(`off=linear2:${slots[3]}`);
    await page.goBack();
    await page.getByText("Nothing is taken out").waitFor();
    expect(hash(page)).not.toContain("off=");
  });

  test("all the dead at once changes nothing, and reset puts everything back", async () => {
    const page = await opened();
    await page.getByRole("button", { name: "all dead ones out" }).click();
    await page
      .getByText(/Without these 30, no answer moves by more than \d\.\de−\d/)
      .first()
      .waitFor();
    await page.getByRole("button", { name: "reset" }).click();
    await page.getByText("Nothing is taken out").waitFor();
  });

  test("the remainder is a component, too", async () => {
    const page = await opened();
    await page.getByRole("switch", { name: "linear1:remainder" }).click();
    await page
      .getByText(/^Without this one/)
      .first()
      .waitFor();
    expect(hash(page)).toContain("off=linear1:remainder");
  });
});

describe("the URL", () => {
  test("holds what is out, what is pointed at, the checkpoint and the smoothing: a reload shows the same", async () => {
    const query = `?step=7000&off=linear1:0-2,linear1:5&at=linear1:5&input=2&smooth=0.5&all=linear2`;
    const page = await opened(query);
    const check = async (): Promise<void> => {
      await page.getByText(/^step 7,000 of 10,000$/).waitFor();
      expect(await page.getByRole("slider", { name: "smoothing" }).inputValue()).toBe("0.5");
      expect(await page.getByRole("switch", { name: /^linear1:5,/ }).getAttribute("aria-checked")).toBe("false");
      expect(await page.getByRole("switch", { name: /^linear1:4,/ }).getAttribute("aria-checked")).toBe("true");
      await page.getByText(/^input 2, component linear1:5/).waitFor();
      expect(hash(page)).toBe(`#/run/solved${query}`);
    };
    await check();
    await page.reload();
    await check();
  });

  test("leaves out what is as it would be anyway", async () => {
    const page = await opened();
    expect(hash(page)).toBe("#/run/solved");
    await page.getByRole("slider", { name: "checkpoint" }).press("Home");
    await expect.poll(() => hash(page)).toBe("#/run/solved?step=0");
    await page.getByRole("button", { name: "latest" }).click();
    await expect.poll(() => hash(page)).toBe("#/run/solved");
  });
});

describe("keys", () => {
  test("j and k point, x and the space bar take out, Escape clears", async () => {
    const page = await opened();
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    await expect.poll(() => hash(page)).toContain(`at=linear1:${slots[1]}`);
    await page.keyboard.press("x");
    await page
      .getByText(/input 1 changes most/)
      .first()
      .waitFor();
    await page.keyboard.press("Space");
    await page.getByText("Nothing is taken out").waitFor();
    await page.keyboard.press("k");
    await expect.poll(() => hash(page)).toContain(`at=linear1:${slots[0]}`);
    await page.keyboard.press("Escape");
    await expect.poll(() => hash(page)).toBe("#/run/solved");
    await page.keyboard.press("d");
    await expect.poll(() => hash(page)).toContain("off=");
    await page.keyboard.press("r");
    await expect.poll(() => hash(page)).toBe("#/run/solved");
  });

  test("arrows move from cell to cell with a read-out", async () => {
    const page = await opened();
    await page.getByRole("application", { name: "causal importance at linear1" }).focus();
    await page.keyboard.press("ArrowRight");
    await page.getByText(`input 0, component linear1:${slots[0]}: 1`).waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowRight");
    await page.getByText(`input 1, component linear1:${slots[1]}: 1`).waitFor();
    await expect.poll(() => hash(page)).toContain(`at=linear1:${slots[1]}&input=1`);
  });

  test("brackets go from checkpoint to checkpoint", async () => {
    const page = await opened();
    await page.keyboard.press("[");
    await page.getByText(/^step 9,000 of/).waitFor();
    await page.keyboard.press("[");
    await page.getByText(/^step 8,000 of/).waitFor();
    await page.keyboard.press("]");
    await expect.poll(() => hash(page)).toBe("#/run/solved?step=9000");
    await page.keyboard.press("l");
    await page.getByText(/^step 10,000 of 10,000$/).waitFor();
  });

  test("? lists them all, and Escape closes the list", async () => {
    const page = await opened();
    await page.keyboard.press("?");
    const dialog = page.getByRole("dialog", { name: "Keys" });
    await dialog.waitFor();
    expect(await dialog.innerText()).toContain("take all dead components out");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
  });
});

describe("a run that goes on", () => {
  test("is seen whole by who comes late, grows, and is seen to end", async () => {
    const { path } = decomposeFixture(place.runs, { name: "live", status: "running", until: 4000 });
    const page = await place.visit("#/run/live");
    await page.getByText("step 4,000 of 10,000").first().waitFor();
    const chart = page.getByRole("img", { name: /^loss:.*at step 4,000/ });
    await chart.waitFor();
    addRows(path, 4000, 5000);
    addCheckpoint(path, 5000);
    await page.getByRole("img", { name: /^loss:.*at step 5,000/ }).waitFor();
    await expect
      .poll(() => page.getByRole("slider", { name: "checkpoint" }).getAttribute("aria-valuetext"))
      .toBe("step 5,000");
    const late = await place.visit("#/run/live");
    await late.getByRole("img", { name: /^loss:.*at step 5,000/ }).waitFor();
    expect(await late.getByText("finished").count()).toBe(0);
    writeRecord(path, { name: "live", status: "finished" });
    await late.getByText("✓ finished").waitFor();
  });

  test("is resumed: what lies after its start is forgotten", async () => {
    const { path } = decomposeFixture(place.runs, { name: "resumed", status: "running", until: 3000 });
    const page = await place.visit("#/run/resumed");
    await page.getByRole("img", { name: /^loss:.*at step 3,000/ }).waitFor();
    const metrics = join(path, "metrics.jsonl");
    const rows = readFileSync(metrics, "utf8").split("\n");
    writeFileSync(metrics, `${rows.slice(0, 50).join("\n")}\n`);
    await page.getByRole("img", { name: /^loss:.*at step 1,000/ }).waitFor();
    appendFileSync(metrics, `${JSON.stringify({ step: 1020, stage: "decompose", loss: 0.5 })}\n`);
    await page.getByRole("img", { name: /^loss:.* 0\.500 at step 1,020/ }).waitFor();
  });

  test("is stopped from the page, with the server's token", async () => {
    decomposeFixture(place.runs, { name: "to-stop", status: "running", until: 1000 });
    const page = await place.visit("#/run/to-stop");
    await page.getByRole("button", { name: "stop" }).click();
    await expect.poll(() => stopped).toEqual(["to-stop"]);
  });

  test("without a checkpoint says that it waits for one", async () => {
    decomposeFixture(place.runs, { name: "young", status: "running", until: 0 });
    const { path } = decomposeFixture(place.runs, { name: "younger", status: "running", until: -1 });
    const page = await place.visit("#/run/younger");
    await page.getByText("Waiting for the first checkpoint.").waitFor();
    addCheckpoint(path, 1000);
    await page.getByRole("heading", { name: "What the network answers" }).waitFor();
  });
});

describe("checkpoints that are not good", () => {
  test("a truncated one is said in a sentence, and the others are still there", async () => {
    const { path } = decomposeFixture(place.runs, { name: "torn" });
    const file = join(path, "checkpoints", "step-010000.safetensors");
    writeFileSync(file, readFileSync(file).subarray(0, -100));
    const page = await place.visit("#/run/torn");
    await page.getByText("This checkpoint could not be drawn.").waitFor();
    await page.getByText(/truncated: expected \d+ bytes of numbers/).waitFor();
    await page.keyboard.press("[");
    await page.getByRole("heading", { name: "What the network answers" }).waitFor();
  });

  test("numbers that are none are crossed out", async () => {
    const { path } = decomposeFixture(place.runs, { name: "not-numbers" });
    const { components } = solvedTms({ features: 5, C: 20 });
    components["linear1.gate.b_out"]!.data[slots[0]!] = Number.NaN;
    writeCheckpoint(path, 10_000, components);
    const page = await place.visit("#/run/not-numbers");
    const map = page.getByRole("application", { name: "causal importance at linear1" });
    await map.waitFor();
    await expect.poll(() => map.locator("path.missing").count()).toBe(5);
  });
});

test("no page had an error, a warning or a request to elsewhere", () => {
  expect(place.complaints).toEqual([]);
});
