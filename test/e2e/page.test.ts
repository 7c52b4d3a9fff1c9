/** The page as a reader meets it: what it draws, what it says, where it keeps what the reader has chosen. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { colours, overflow, Workplace } from "./browser.ts";
import { decomposeFixture, judgedFixture, trainFixture } from "./fixture.ts";

let place: Workplace;
let slots: readonly number[];

beforeAll(async () => {
  place = await Workplace.open();
  ({ slots } = decomposeFixture(place.runs, { name: "solved" }));
  decomposeFixture(place.runs, { name: "with-identity", identity: true, C: 8 });
  decomposeFixture(place.runs, { name: "broken", status: "failed", until: 40 });
  trainFixture(place.runs, "heads");
  judgedFixture(place.runs, "heads-spd");
});

afterAll(async () => {
  await place?.close();
});

describe("runs", () => {
  test("are listed with status, method and last numbers, and one opens", async () => {
    const page = await place.visit("#/");
    const row = page.getByRole("row", { name: /solved/ });
    await row.waitFor();
    expect(await row.innerText()).toMatch(/finished[\s\S]*TMS 5-2, taken apart by SPD[\s\S]*10,000/);
    expect(await page.getByRole("row", { name: /broken/ }).innerText()).toMatch(/failed/);
    await page.getByRole("img", { name: "loss of solved" }).waitFor();
    await page.getByRole("link", { name: "solved" }).click();
    await page.getByRole("heading", { name: "solved", level: 1 }).waitFor();
    expect(page.url()).toMatch(/#\/run\/solved$/);
    expect(await page.title()).toBe("solved · Mechanist");
  });

  test("none yet is said in a sentence", async () => {
    const empty = await Workplace.open();
    const page = await empty.visit("");
    await page.getByText("There are no runs yet.").waitFor();
    await empty.close();
    expect(empty.complaints).toEqual([]);
  });
});

describe("a run", () => {
  test("draws its history, and reads it out for all charts at once", async () => {
    const page = await place.visit("#/run/solved");
    const chart = page.getByRole("img", { name: /^stochastic recon:/ });
    await chart.waitFor();
    expect((await chart.locator("path.over").getAttribute("d"))!.length).toBeGreaterThan(500);
    await chart.hover();
    const at = Number((await page.getByText(/^at step [\d,]+$/).innerText()).replace(/\D/g, ""));
    expect(at).toBeGreaterThan(3000);
    expect(at).toBeLessThan(7000);
    expect(await page.locator("svg line.hover").count()).toBe(5);
  });

  test("has the identity in its importances when it is solved", async () => {
    const page = await place.visit("#/run/solved");
    for (const site of ["linear1", "linear2"]) {
      await page.getByRole("application", { name: `causal importance at ${site}` }).waitFor();
      const rows = await colours(page, `causal importance at ${site}`);
      expect([rows.length, rows[0]!.length]).toEqual([5, 20]);
      // Light scheme: importance 1 is dark green, 0 nearly paper.
      rows.forEach((row, i) => row.forEach(([red], j) => expect(red! < 40).toBe(i === j)));
    }
  });

  test("says what its numbers establish and what they do not", async () => {
    const page = await place.visit("#/run/solved");
    const mmcs = page.getByRole("button", { name: /^MMCS/ });
    await mmcs.focus();
    await page.getByText(/Establishes: for every feature .* Leaves open: that components are few/).waitFor();
    expect(await mmcs.innerText()).toMatch(/1\.000/);
    expect(await page.getByRole("button", { name: /^target-CI error/ }).innerText()).toMatch(/0[\s\S]*✓/);
  });

  test("draws each component, greys the dead, and shows target, sum and remainder", async () => {
    const page = await place.visit("#/run/solved");
    const live = page.getByRole("article", { name: `linear1:${slots[2]}, feature 2: largest importance 1.00` });
    await live.waitFor();
    expect(await page.getByRole("article", { name: /linear1:\d+, dead/ }).count()).toBe(15);
    for (const part of ["target", "sum", "remainder"]) {
      await page.getByRole("article", { name: `linear1, ${part}, norm` }).waitFor();
    }
  });

  test("draws a site within the hidden space as matrices", async () => {
    const page = await place.visit("#/run/with-identity");
    const target = await page
      .getByRole("application", { name: "identity: target" })
      .waitFor()
      .then(() => colours(page, "identity: target"));
    expect(target.map((row) => row.map(([red, , blue]) => blue! - red! > 80))).toEqual([
      [true, false],
      [false, true],
    ]);
  });

  test("of a network without features shows the verdict on its outputs, the gate and what is wrong", async () => {
    const page = await place.visit("#/run/heads-spd");
    const verdict = page.getByRole("region", { name: "verdict" });
    await verdict.waitFor();
    const text = await verdict.innerText();
    expect(text).toMatch(/✕ Does not pass \(divergence under attack at most 0\.5\): divergence 0\.75/);
    expect(text).toMatch(/blocks\.0\.attn\.W_Q: all on: 2 of 2 matter; raise importanceMinimality/);
    expect(text).not.toMatch(/MMCS|target-CI error/);
    await page.getByRole("button", { name: /^adversarial/ }).focus();
    await page.getByText(/divergence in nats a position, 20 steps of sign-PGD/).waitFor();
    await page.getByRole("application", { name: "blocks.0.attn.W_Q.V, d_in C" }).waitFor();
  });

  test("of a network without a picture of its own shows what was measured, and its weights", async () => {
    const page = await place.visit("#/run/heads");
    const measured = page.getByRole("region", { name: "Measured after training" });
    await measured.waitFor();
    expect(await measured.innerText()).toMatch(
      /prefixMatching\s+0\.625\s+attention to what followed, of 1; chance 0\.05/,
    );
    const map = page.getByRole("application", { name: "embed.W_E, vocab d_model" });
    await map.waitFor();
    const shown = await colours(page, "embed.W_E, vocab d_model");
    expect(shown.length).toBe(4);
    expect(shown[0]!.length).toBe(3);
    // Below 0 it is red, above blue.
    expect(shown[0]![0]![0]).toBeGreaterThan(shown[0]![0]![2]!);
    expect(shown[3]![2]![2]).toBeGreaterThan(shown[3]![2]![0]!);
    expect(await page.getByText("adamw").count()).toBe(0);
  });

  test("that failed says why", async () => {
    const page = await place.visit("#/run/broken");
    await page.getByText("expected a finite loss, got NaN").waitFor();
  });

  test("that does not exist, and an address that leads nowhere, are said in sentences", async () => {
    const page = await place.visit("#/run/solvd");
    await page.getByText("This run could not be read.").waitFor();
    await page.goto(`${place.server.url}#/nonsense`);
    await page.getByText("There is nothing here.").waitFor();
  });
});

describe("looks", () => {
  test("follow the system, unless the reader chooses", async () => {
    const page = await place.visit("#/run/solved", { colorScheme: "dark" });
    const paper = (): Promise<string> =>
      page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    expect(await paper()).toBe("rgb(19, 21, 24)");
    await page.getByRole("application", { name: "causal importance at linear1" }).waitFor();
    const dark = await colours(page, "causal importance at linear1");
    await page.emulateMedia({ colorScheme: "light" });
    expect(await paper()).toBe("rgb(250, 250, 248)");
    const light = await colours(page, "causal importance at linear1");
    expect(light[0]![1]![0]! - dark[0]![1]![0]!).toBeGreaterThan(100);
    // From the system's to light to dark, and kept over a reload.
    await page.keyboard.press("t");
    await page.keyboard.press("t");
    expect(await paper()).toBe("rgb(19, 21, 24)");
    await page.reload();
    expect(await paper()).toBe("rgb(19, 21, 24)");
  });

  test.each([360, 768, 1080, 1920])("nothing is wider than a window of %i pixels", async (width) => {
    for (const hash of ["#/", "#/run/solved?all=linear1&off=linear1:0-19", "#/run/with-identity"]) {
      const page = await place.visit(hash, { viewport: { width, height: 800 } });
      await page.getByRole("heading", { level: 1 }).waitFor();
      if (hash !== "#/") await page.getByRole("heading", { name: "What the network answers" }).waitFor();
      expect(await overflow(page)).toBeLessThanOrEqual(0);
      await page.context().close();
    }
  });

  test("every control has a name, and every id is its own", async () => {
    const page = await place.visit("#/run/with-identity");
    await page.getByRole("heading", { name: "What the network answers" }).waitFor();
    const faults = await page.evaluate(() => {
      const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
      const twice = ids.filter((id, i) => ids.indexOf(id) !== i);
      const controls = [...document.querySelectorAll<HTMLElement>("button, a, input, [tabindex]")];
      const nameless = controls.filter((control) => {
        const label = control instanceof HTMLInputElement ? control.labels?.[0]?.textContent : control.textContent;
        return !(control.getAttribute("aria-label") ?? label)?.trim();
      });
      return [...twice, ...nameless.map(({ outerHTML }) => outerHTML)];
    });
    expect(faults).toEqual([]);
  });

  test("the first screen takes at most 120 kB of script", () => {
    const assets = join(import.meta.dirname, "../../dist/ui/assets");
    const scripts = readdirSync(assets).filter((name) => name.endsWith(".js"));
    const bytes = scripts.map((name) => gzipSync(readFileSync(join(assets, name))).length);
    expect(bytes.reduce((a, b) => a + b, 0)).toBeLessThan(120_000);
    expect(readdirSync(assets).filter((name) => name.endsWith(".wasm"))).toEqual([]);
  });
});

test("no page had an error, a warning or a request to elsewhere", () => {
  expect(place.complaints).toEqual([]);
});
