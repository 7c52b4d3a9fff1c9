import { expect, test } from "vitest";
import { jobsFrom, type ManyOptions } from "./many.ts";

const options: ManyOptions = { method: "spd" };

// Half of the cores, of two both, and never more than there are runs.
test.each([
  [{}, 8, 1, 1],
  [{}, 8, 2, 2],
  [{}, 8, 3, 2],
  [{}, 8, 4, 2],
  [{}, 8, 16, 8],
  [{}, 3, 16, 3],
  // Cores are shared by threads.
  [{ threads: "4" }, 8, 16, 2],
  [{ threads: "4" }, 8, 2, 1],
  // One accelerator is one.
  [{ device: "cuda" }, 8, 16, 1],
  // Who asks for more gets it, but for processes with nothing to do.
  [{ jobs: "6" }, 8, 2, 6],
  [{ jobs: "6" }, 4, 2, 4],
  [{ jobs: "2", device: "cuda" }, 8, 2, 2],
])("%j of %i runs on %i cores: %i at a time", (given, runs, cores, jobs) => {
  expect(jobsFrom({ ...options, ...given }, runs, cores)).toBe(jobs);
});
