import { defineConfig } from "vitest/config";
import { chromiumProject } from "./test/browser/project.ts";

export default defineConfig({
  test: {
    reporters: ["default", "./scripts/totals-reporter.js"],
    projects: [
      {
        test: {
          name: "node",
          include: ["src/**/*.test.ts", "test/**/*.test.ts"],
          exclude: ["test/e2e/**", "test/cli/**", "test/package.test.ts", "**/*.browser.test.ts"],
        },
      },
      chromiumProject,
      {
        // Each of these starts real commands, which use all the cores there are: one file after another.
        test: {
          name: "cli",
          include: ["test/cli/**/*.test.ts", "test/package.test.ts"],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          globalSetup: ["scripts/build-once.js"],
        },
      },
      {
        // The page in a real browser, served by the real server.
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          globalSetup: ["scripts/build-once.js"],
        },
      },
    ],
  },
});
