import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { RowFiles } from "../../file/node-row-files.ts";
import { resolveTarget, train } from "../../training/targets.ts";
import { rowTables } from "./disk-store.ts";
import { activationSource } from "./method.ts";
import { memoryTables } from "./store.ts";

const folder = await mkdtemp(join(tmpdir(), "mechanist-rows-"));
afterAll(() => rm(folder, { recursive: true, force: true }));
const target = resolveTarget("superposition", { set: { features: 12, dimensions: 6 } });
const source = await activationSource(target, (await train(target)).weights);
const points = [{ name: "hook_hidden", width: 6 }];
const one = { threads: 1 };
const [ROWS, FILES] = [6000, 3];
const mostInMemory = (ROWS * 6) / FILES;

test("rows from disk are those from memory, in the same order, pool after pool", async () => {
  const disk = new RowFiles(join(folder, "rows"));
  const onDisk = await rowTables(source, points, ROWS, [5, 6], { ...one, disk, mostInMemory });
  const inMemory = await memoryTables(source, points, ROWS, [5, 6], one);
  expect(onDisk.rows).toBe(ROWS / FILES);
  for (const pool of [0, 1]) {
    const whole = Array.from((await inMemory.table(pool)).hook_hidden!.data);
    const parts: number[] = [];
    for (let file = 0; file < FILES; file++) {
      parts.push(...(await onDisk.table(pool * FILES + file)).hook_hidden!.data);
    }
    expect(parts).toEqual(whole);
  }
  await Promise.all([onDisk.dispose(), inMemory.dispose()]);
  expect(await readdir(folder)).toEqual([]);
});

test("without a disk, more rows than fit are refused with how many do", async () => {
  await expect(async () => rowTables(source, points, ROWS, [5, 6], { ...one, mostInMemory })).rejects.toThrow(
    "storeRows: expected at most 2000 rows 6 wide without a disk, got 6000",
  );
});
