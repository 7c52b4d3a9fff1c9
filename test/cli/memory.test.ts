import { expect, test } from "vitest";
import { command, documentOf, emptyFolder, SMALL_SPD, SMALL_TRAINING } from "./command.ts";

test("steps that need more memory than they may take are refused in one line before any is taken", async () => {
  const dir = emptyFolder();
  await command(dir, ...SMALL_TRAINING, "--out", "net");
  const large = [...SMALL_SPD, "--set", "batch=4096", "--memory", "1", "--out", "large"];
  const { status, stdout, stderr } = await command(dir, "decompose", "net", ...large);
  expect(stderr).toMatch(
    /^mechanist: memory: expected steps that need at most 0\.000977 GiB, got some that need about 0\.\d+ GiB\n$/,
  );
  expect([status, stdout]).toEqual([2, ""]);
});

test("what is too much for several runs at a time is made one after another, or refused where somebody asked for several", async () => {
  const dir = emptyFolder();
  await command(dir, ...SMALL_TRAINING, "--out", "net");
  const one = ["decompose", "net", ...SMALL_SPD, "--set", "batch=4096"];
  const { memoryBytes } = documentOf(await command(dir, ...one, "--out", "one", "--json"));
  // Enough for one, too little for two.
  const memory = String(Math.round((1.5 * Number(memoryBytes)) / 2 ** 20));
  const seeds = [...one, "--seeds", "2", "--memory", memory];
  const asked = await command(dir, ...seeds, "--jobs", "2", "--out", "asked");
  expect([asked.status, asked.stdout]).toEqual([2, ""]);
  expect(asked.stderr).toMatch(
    /^mechanist: all 2 failed, the first: memory: expected .* at most .* GiB, got .*; fewer --jobs leave each more$/m,
  );
  const left = await command(dir, ...seeds, "--out", "left", "--json");
  expect([left.status, left.stderr]).toEqual([0, ""]);
  expect(documentOf(left)).toMatchObject({ runs: ["seed-0", "seed-1"] });
});
