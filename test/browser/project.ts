/** The Vitest project whose tests run in Chromium: what engines do there cannot be told from Node. */
import { playwright } from "@vitest/browser-playwright";
import type { TestProjectConfiguration } from "vitest/config";
import { chromiumLaunchOptions } from "./chromium.ts";

export const chromiumProject: TestProjectConfiguration = async () => ({
  // ONNX Runtime finds its WebAssembly beside itself, so it must stay where it is; the rest is named to be bundled once, at the start.
  optimizeDeps: { exclude: ["onnxruntime-web"], include: ["fast-check", "pbf"] },
  test: {
    name: "chromium",
    include: ["test/browser/**/*.browser.test.ts"],
    testTimeout: 60_000,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({ launchOptions: await chromiumLaunchOptions() }),
      instances: [{ browser: "chromium" }],
    },
  },
});
