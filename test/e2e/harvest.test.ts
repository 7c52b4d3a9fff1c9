/** What components fire on, as the page shows it: of a small language model that was harvested, and of one that was not. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { command } from "../cli/command.ts";
import { tokenRun } from "../token-run.ts";
import { overflow, Workplace } from "./browser.ts";
import { judgedFixture } from "./fixture.ts";

let place: Workplace;

beforeAll(async () => {
  place = await Workplace.open();
  const path = join(place.runs, "words");
  await tokenRun(path);
  const { status } = await command(place.runs, "harvest", path, "--positions", "4000", "--threshold", "0.05");
  expect(status).toBe(0);
  judgedFixture(place.runs, "not-yet");
});

afterAll(async () => {
  await place?.close();
});

describe("a harvest", () => {
  test("lists components by site, and opens one of them", async () => {
    const page = await place.visit("#/run/words");
    await page.getByRole("heading", { name: "What components fire on" }).waitFor();
    const rows = page.getByRole("row").filter({ has: page.getByRole("button", { name: /^blocks\.0\.mlp\.W_/ }) });
    await rows.nth(1).waitFor();
    const densities = (await rows.locator("td:nth-of-type(1)").allInnerTexts()).map(Number);
    expect(densities).toEqual(densities.toSorted((a, b) => b - a));

    await page.getByRole("button", { name: /blocks\.0\.mlp\.W_out.*fire/ }).click();
    const list = page.getByRole("table").first();
    await expect.poll(async () => (await list.innerText()).includes("W_in")).toBe(false);
    const last = list.getByRole("button").last();
    const address = await last.innerText();
    await last.click();
    const card = page.getByRole("article", { name: address });
    await card.getByText(/^fires at/).waitFor();
    await page.waitForURL((url) => url.hash.includes(`at=${address}`));
    // The token that it fires on is marked, on a ground that is not the paper's.
    const focus = card.locator(".focus").first();
    expect(await focus.evaluate((word) => getComputedStyle(word).backgroundColor)).toMatch(/^rgb\(/);
    expect(await card.getByRole("table").count()).toBeGreaterThan(0);
  });

  test("is opened at the component that the address names, and follows those it fires with", async () => {
    const first = await place.visit("#/run/words");
    const partner = first.getByRole("article").locator("button").first();
    await partner.waitFor();
    const other = await partner.innerText();
    const page = await place.visit(`#/run/words?at=${other}`);
    await page
      .getByRole("article", { name: other })
      .getByText(/^fires at/)
      .waitFor();
  });

  test("that is not there is said, with the command that makes it", async () => {
    const page = await place.visit("#/run/not-yet");
    await page.getByText("mechanist harvest not-yet").waitFor();
  });

  test("fits a narrow window", async () => {
    const page = await place.visit("#/run/words", { viewport: { width: 390, height: 800 } });
    await page
      .getByRole("article")
      .getByText(/^fires at/)
      .waitFor();
    expect(await overflow(page)).toBeLessThanOrEqual(0);
  });

  test("has not made the page complain", () => {
    expect(place.complaints).toEqual([]);
  });
});
