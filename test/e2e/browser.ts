/** A browser, a server and a folder of runs, for looking at the page as a reader does. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { type Listening, listen, type ListenOptions } from "../../src/server/listen.ts";
import { chromiumLaunchOptions } from "../browser/chromium.ts";

export class Workplace {
  readonly runs: string;
  readonly server: Listening;
  readonly #browser: Browser;
  /** What no page may do: errors in its console, exceptions, requests to anywhere else. */
  readonly complaints: string[] = [];

  private constructor(runs: string, server: Listening, browser: Browser) {
    this.runs = runs;
    this.server = server;
    this.#browser = browser;
  }

  static async open(options: Pick<ListenOptions, "stop"> = {}): Promise<Workplace> {
    const runs = mkdtempSync(join(tmpdir(), "mechanist-e2e-"));
    const page = join(import.meta.dirname, "../../dist/ui");
    const server = await listen({ runs, page, port: 0, ...options });
    return new Workplace(runs, server, await chromium.launch({ ...(await chromiumLaunchOptions()), headless: true }));
  }

  /** A page at a hash, in a browser profile of its own. */
  async visit(hash: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.#browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    page.on("console", (message) => {
      // A browser says every answer of 400 and above in its console, also those that the page expects and puts in words.
      const expected = message.text().startsWith("Failed to load resource");
      if (["error", "warning"].includes(message.type()) && !expected) this.complaints.push(message.text());
    });
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("request", (request) => {
      const { origin, protocol } = new URL(request.url());
      if (protocol.startsWith("http") && origin !== new URL(this.server.url).origin)
        this.complaints.push(request.url());
    });
    await page.goto(this.server.url + hash);
    return page;
  }

  async close(): Promise<void> {
    await this.#browser.close();
    await this.server.close();
    rmSync(this.runs, { recursive: true, force: true });
  }
}

/** The colours of a heatmap, as rows of `[red, green, blue]`. */
export async function colours(page: Page, name: string): Promise<number[][][]> {
  return page.getByRole("application", { name }).evaluate((map) => {
    const canvas = map.querySelector("canvas")!;
    const { width, height } = canvas;
    // A copy: the browser would slow the page's own canvas down once somebody reads from it.
    const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, width, height);
    return Array.from({ length: height }, (_, y) =>
      Array.from({ length: width }, (__, x) => [...data.slice((y * width + x) * 4, (y * width + x) * 4 + 3)]),
    );
  });
}

/** Whether anything is wider than the window. */
export async function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
}
