import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import * as files from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { values } from "../engine/values.ts";
import { MechanistError } from "../error.ts";
import { type Files, writeAtomic } from "../file/node-atomic.ts";
import { Checkpoints } from "./checkpoints.ts";
import { canonicalJson, digestOf } from "./digest.ts";
import { environment } from "./environment.ts";
import { type NewRun, RunFolder } from "./folder.ts";
import { parseMetrics } from "./metrics.ts";
import { effectiveStatus, processStart } from "./process.ts";
import { findRun, isRunName, newRunPath, runNames } from "./runs.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mechanist-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const newRun: NewRun = {
  kind: "train",
  document: { target: "tms", preset: "default", settings: { features: 5, identity: false } },
  environment: environment("cpu", undefined),
};
const tensors = { W: values("feature hidden", [2, 1], [1, 2]) };
const fine = (): void => undefined;

/** The real file operations, except that writing breaks off half-way with an error. */
function failing(code: string): Files {
  return {
    ...files,
    open: async (...args: Parameters<Files["open"]>) => {
      const handle = await files.open(...args);
      if (args[1] !== "w") return handle;
      const half = async (content: Uint8Array | string): Promise<void> => {
        await handle.write(content.slice(0, content.length / 2) as string);
        throw Object.assign(new Error(code), { code });
      };
      return new Proxy(handle, {
        get: (target, key) => {
          const value: unknown = key === "writeFile" ? half : Reflect.get(target, key);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    },
  };
}

describe("atomic writes", () => {
  test("replace the whole content", async () => {
    const path = join(dir, "a");
    await writeAtomic(path, "old and long");
    await writeAtomic(path, "new");
    expect(readFileSync(path, "utf8")).toBe("new");
    expect(readdirSync(dir)).toEqual(["a"]);
  });

  test("a full disk keeps what was there and leaves no temporary file", async () => {
    const path = join(dir, "a");
    await writeAtomic(path, "old");
    await expect(writeAtomic(path, "new and long", failing("ENOSPC"))).rejects.toMatchObject({
      code: "DiskFailure",
      message: `${path}: expected to write, got ENOSPC: no space is left on the disk`,
    });
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(dir)).toEqual(["a"]);
  });

  test("a folder that has gone is a failure of the disk", async () => {
    await expect(writeAtomic(join(dir, "gone", "a"), "x")).rejects.toMatchObject({ code: "DiskFailure" });
  });
});

describe("digest", () => {
  test("does not depend on the order of keys, and depends on all else", () => {
    expect(canonicalJson({ b: [1, { d: 2, c: "x" }], a: null })).toBe('{"a":null,"b":[1,{"c":"x","d":2}]}');
    expect(digestOf({ a: 1, b: 2 })).toBe(digestOf({ b: 2, a: 1 }));
    expect(digestOf({ a: 1 })).not.toBe(digestOf({ a: 2 }));
    // sha256 of the two bytes {}
    expect(digestOf({})).toBe("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
  });
});

describe("run folder", () => {
  test("is written and read", async () => {
    const run = await RunFolder.create(join(dir, "r"), newRun);
    await run.update({ status: "finished", result: { loss: 0.5 } });
    const read = await RunFolder.open(join(dir, "r"));
    expect(read.record).toEqual(run.record);
    expect(read.record).toMatchObject({ schema: 1, name: "r", status: "finished", pid: process.pid });
  });

  test("the settings' digest is that of the document", async () => {
    const run = await RunFolder.create(join(dir, "r"), newRun);
    expect(run.record.digest).toBe(digestOf(newRun.document));
  });

  test("needs a folder of its own", async () => {
    writeFileSync(join(dir, "mine"), "");
    await expect(RunFolder.create(dir, newRun)).rejects.toMatchObject({ code: "BadArgument" });
    expect(readdirSync(dir)).toEqual(["mine"]);
  });

  test.each([
    ["missing", undefined, "MissingFile", /expected a run folder with run\.json, got none/],
    ["half-written", '{"schema": 1, "ki', "BadFile", /run\.json: expected JSON, got something half-written/],
    ["of a newer schema", '{"schema": 2}', "NewerSchema", /expected schema 1, got 2; it needs a newer version/],
    ["of something else", '{"name": "x"}', "BadFile", /run\.json: /],
    ["null", "null", "BadFile", /run\.json: /],
  ])("refuses a record that is %s", async (_, text, code, message) => {
    if (text !== undefined) writeFileSync(join(dir, "run.json"), text);
    await expect(RunFolder.open(dir)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test("a run whose process is gone was interrupted", async () => {
    const { record } = await RunFolder.create(join(dir, "r"), newRun);
    expect(effectiveStatus(record)).toBe("running");
    expect(effectiveStatus({ ...record, pid: 2 ** 22 + 1 })).toBe("interrupted");
    if (record.pidStarted !== "") {
      expect(effectiveStatus({ ...record, pidStarted: "another process of that number" })).toBe("interrupted");
    }
    expect(effectiveStatus({ ...record, status: "failed", pid: 2 ** 22 + 1 })).toBe("failed");
  });

  test("is taken over from a dead process, not from a living one", async () => {
    const run = await RunFolder.create(join(dir, "r"), newRun);
    const file = join(run.path, "run.json");
    const parent = { pid: process.ppid, pidStarted: processStart(process.ppid) };
    writeFileSync(file, JSON.stringify({ ...run.record, ...parent }));
    await expect((await RunFolder.open(run.path)).takeOver(newRun.environment)).rejects.toMatchObject({
      code: "Refused",
    });
    writeFileSync(file, JSON.stringify({ ...run.record, pid: 2 ** 22 + 1, error: { code: "X", message: "y" } }));
    writeFileSync(join(run.path, `.run.json.1.tmp`), "half");
    const taken = await RunFolder.open(run.path);
    await taken.takeOver(newRun.environment);
    expect(taken.record).toMatchObject({ pid: process.pid, status: "running" });
    expect(taken.record.error).toBeUndefined();
    expect(readdirSync(run.path)).toEqual(["run.json"]);
  });
});

describe("checkpoints", () => {
  test("are listed, saved and loaded", async () => {
    const checkpoints = new Checkpoints(dir, "d1");
    expect(await checkpoints.steps()).toEqual([]);
    for (const step of [1000, 20, 1_000_000]) await checkpoints.save({ step, tensors });
    writeFileSync(join(dir, "checkpoints", "notes.txt"), "");
    expect(await checkpoints.steps()).toEqual([20, 1000, 1_000_000]);
    expect(await checkpoints.load(20)).toEqual({ step: 20, tensors });
    expect((await checkpoints.latest(fine)).step).toBe(1_000_000);
    await expect(checkpoints.load(7)).rejects.toMatchObject({ code: "MissingFile" });
  });

  test("a truncated one is refused when the latest is asked for, and passed over when going on", async () => {
    const checkpoints = new Checkpoints(dir, "d1");
    for (const step of [10, 20, 30]) await checkpoints.save({ step, tensors });
    truncateSync(checkpoints.pathOf(30), 60);
    await expect(checkpoints.latest(fine)).rejects.toMatchObject({ code: "BadFile" });
    const warnings: string[] = [];
    const wrongShapes = ({ step }: { step: number }): void => {
      if (step === 20) throw new MechanistError("BadFile", "W: wrong shape");
    };
    expect((await checkpoints.lastGood(wrongShapes, (why) => warnings.push(why)))?.step).toBe(10);
    expect(warnings).toEqual([
      expect.stringMatching(/step-000030\.safetensors: truncated: .*; going back to the checkpoint before it/),
      "W: wrong shape; going back to the checkpoint before it",
    ]);
    expect(await checkpoints.steps()).toEqual([10]);
  });

  test("a full disk keeps the last good one", async () => {
    await new Checkpoints(dir, "d1").save({ step: 10, tensors });
    const full = new Checkpoints(dir, "d1", failing("ENOSPC"));
    await expect(full.save({ step: 20, tensors })).rejects.toMatchObject({ code: "DiskFailure" });
    expect(readdirSync(join(dir, "checkpoints"))).toEqual(["step-000010.safetensors"]);
    expect((await full.latest(fine)).step).toBe(10);
  });

  test("one of another run is refused", async () => {
    await new Checkpoints(dir, "d1").save({ step: 10, tensors });
    await expect(new Checkpoints(dir, "d2").load(10)).rejects.toThrow(
      "expected a checkpoint of this run, got one of another",
    );
  });

  test("a renamed one is refused", async () => {
    const checkpoints = new Checkpoints(dir, "d1");
    await checkpoints.save({ step: 10, tensors });
    await files.rename(checkpoints.pathOf(10), checkpoints.pathOf(11));
    await expect(checkpoints.load(11)).rejects.toThrow("expected step 11, got 10");
  });
});

describe("metrics", () => {
  const row = (step: number): { step: number; stage: string; loss: number } => ({
    step,
    stage: "train",
    loss: 1 / step,
  });

  test("resuming takes back later rows and a half-written line", async () => {
    const run = await RunFolder.create(join(dir, "r"), newRun);
    const log = await run.metricsLog(0);
    for (const step of [1, 2, 3]) await log.append(row(step));
    await log.sync();
    await log.close();
    writeFileSync(run.metricsPath, '{"step": 4, "st', { flag: "a" });
    const resumed = await run.metricsLog(2);
    await resumed.append(row(3));
    await resumed.close();
    const { rows, whole } = parseMetrics(readFileSync(run.metricsPath));
    expect(rows.map((r) => r.row)).toEqual([row(1), row(2), row(3)]);
    expect(rows.at(-1)!.end).toBe(readFileSync(run.metricsPath).length);
    expect(whole).toBe(true);
  });

  test("a line that is no row ends the reading", () => {
    const text = '{"step":1,"stage":"train"}\nnull\n{"step":2,"stage":"train"}\n';
    const { rows, whole } = parseMetrics(new TextEncoder().encode(text), 100);
    expect(rows).toEqual([{ row: { step: 1, stage: "train" }, end: 127 }]);
    expect(whole).toBe(false);
  });
});

describe("runs", () => {
  test("names are taken once", async () => {
    expect(await newRunPath("a", dir)).toBe(join(dir, "a"));
    expect(await newRunPath("a", dir)).toBe(join(dir, "a-2"));
    expect(await newRunPath("a", dir)).toBe(join(dir, "a-3"));
  });

  test("are found by path and by name; a missing one names the nearest", async () => {
    await RunFolder.create(join(dir, "tms-5-2"), newRun);
    await files.mkdir(join(dir, "empty"));
    expect(await runNames(dir)).toEqual(["tms-5-2"]);
    expect((await findRun("tms-5-2", dir)).path).toBe(join(dir, "tms-5-2"));
    expect((await findRun(join(dir, "tms-5-2"), "elsewhere")).name).toBe("tms-5-2");
    await expect(findRun("tms-52", dir)).rejects.toThrow(`tms-52: expected ${join(dir, "tms-5-2")}, got none`);
    await expect(findRun("empty", dir)).rejects.toMatchObject({ code: "MissingFile" });
    expect(existsSync(join(dir, "tms-52"))).toBe(false);
  });

  test.each([".", "..", ".hidden", "a/b", "a\\b", "a\nb", "a\0", "", "x".repeat(201)])(
    "%j is no run's name",
    (name) => {
      expect(isRunName(name)).toBe(false);
    },
  );
  test.each(["tms-5-2", "Größe 3", "a..b", "x"])("%j is a run's name", (name) => {
    expect(isRunName(name)).toBe(true);
  });
});
