import { expect, test } from "vitest";
import { command, emptyFolder, SMALL_SPD, SMALL_TRAINING } from "./command.ts";

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
