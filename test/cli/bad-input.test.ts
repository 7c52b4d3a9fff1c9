import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { values } from "../../src/engine/values.ts";
import { readSafetensors, writeSafetensors } from "../../src/file/safetensors.ts";
import {
  BIN,
  command,
  emptyFolder,
  type Ended,
  metricsOf,
  SMALL_SPD,
  SMALL_TRAINING,
  startProgram,
} from "./command.ts";

/** A folder with a network `net` and its decomposition `parts`, copied for each test that spoils it. */
let good: string;
beforeAll(async () => {
  good = realpathSync(mkdtempSync(join(tmpdir(), "mechanist-")));
  await command(good, ...SMALL_TRAINING, "--out", "net");
  await command(good, "decompose", "net", ...SMALL_SPD, "--out", "parts");
});
afterAll(() => rmSync(good, { recursive: true }));

function spoiltCopy(): string {
  const dir = emptyFolder();
  cpSync(good, dir, { recursive: true });
  return dir;
}

/** One line on standard error, nothing on standard output, and the exit status. */
function expectRefusal({ status, stdout, stderr }: Ended, exit: number, message: string | RegExp): void {
  expect(stderr).toMatch(/^mechanist: .*\n$/);
  expect(stderr.slice("mechanist: ".length, -1)).toMatch(message);
  expect([status, stdout]).toEqual([exit, ""]);
}

function recordOf(run: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(run, "run.json"), "utf8")) as Record<string, unknown>;
}

function lastCheckpoint(run: string): string {
  return join(run, "checkpoints", readdirSync(join(run, "checkpoints")).sort().at(-1)!);
}

/** No temporary file anywhere below. */
function expectTidy(dir: string): void {
  expect(readdirSync(dir, { recursive: true }).filter((name) => String(name).endsWith(".tmp"))).toEqual([]);
}

describe("what was asked for: exit 2", () => {
  test.each([
    ["an unknown command", ["trian"], "unknown command 'trian' (Did you mean train?)"],
    ["an unknown option", ["train", "tms", "--stpes", "3"], "unknown option '--stpes' (Did you mean --steps?)"],
    ["a missing argument", ["train"], "missing required argument 'target'"],
    ["an option without its value", ["train", "tms", "--steps"], "option '--steps <n>' argument missing"],
    ["an unknown target", ["train", "tsm"], "target: expected tms, got tsm"],
    ["an unknown preset", ["train", "tms", "--preset", "tms-5-3"], "tms preset: expected tms-5-2, got tms-5-3"],
    ["an unknown key", ["train", "tms", "--set", "featuers=3"], "tms settings: expected features, got featuers"],
    ["a key without a value", ["train", "tms", "--set", "features"], "--set: expected key=value, got features"],
    [
      "a value of the wrong kind",
      ["train", "tms", "--set", "features=many"],
      'tms features: expected number, got "many"',
    ],
    [
      "a value that is none of the choices",
      ["train", "tms", "--set", "bias=unifrom"],
      "tms bias: expected uniform, got unifrom",
    ],
    ["a value out of range", ["train", "tms", "--set", "features=1"], /^tms features: .*2.*, got 1$/],
    ["steps out of range", ["train", "tms", "--steps", "0"], /^tms steps: .*, got 0$/],
    ["a seed that is none", ["train", "tms", "--seed", "-1"], /^tms seed: .*, got -1$/],
    ["an unknown device", ["train", "tms", "--device", "coda"], "device: expected cuda, got coda"],
    [
      "threads out of range",
      ["train", "tms", "--threads", "0"],
      "--threads: expected a whole number from 1 to 1024, got 0",
    ],
    ["an unknown method", ["decompose", "net", "--method", "spdd"], "method: expected spd, got spdd"],
    ["an unknown preset of a method", ["decompose", "net", "--preset", "quik"], "spd preset: expected quick, got quik"],
    [
      "an unknown key of a method",
      ["decompose", "net", "--set", "component=3"],
      "spd settings: expected components, got component",
    ],
    [
      "a site that is not there",
      ["decompose", "net", "--set", "sites=linear3", "--out", "new"],
      "site: expected linear1, got linear3",
    ],
    [
      "settings that contradict one another",
      ["decompose", "net", "--set", "persistentScope=pool", "--out", "new"],
      "persistentScope: expected persistentRecon or mergedRecon above 0 for a pool of adversaries, got 0 of both",
    ],
    ["a decomposition taken apart", ["decompose", "parts"], /^parts: expected a train run, got a decomposition/],
    ["a network judged", ["judge", "net"], "net: expected a decomposition, got a train run"],
    [
      "a folder that is taken",
      ["train", "tms", "--out", "net"],
      "net: expected a new or empty folder, got one with files in it",
    ],
    ["an unknown list", ["list", "preset"], "list: expected presets, got preset"],
    [
      "a port that is none",
      ["open", ".", "--port", "http"],
      "--port: expected a whole number from 0 to 65535, got http",
    ],
    [
      "a resume with other settings",
      ["train", "tms", "--out", "net", "--resume", "--steps", "61"],
      "--resume: net: expected steps 60 as it was started, got 61",
    ],
  ])("%s", async (_, args, message) => {
    const before = readdirSync(good, { recursive: true });
    expectRefusal(
      await command(good, ...args),
      2,
      typeof message === "string" ? new RegExp(`^${escaped(message)}$`) : message,
    );
    // A seed or steps that are refused leave no folder behind.
    expect(readdirSync(good, { recursive: true })).toEqual(before);
  });

  test("a device that this machine lacks", async () => {
    const dir = emptyFolder();
    const ended = await command(dir, ...SMALL_TRAINING, "--device", "coreml", "--out", "net");
    expectRefusal(ended, 2, /^device coreml: this machine cannot run it \(.*\); use --device cpu$/);
    expect(recordOf(join(dir, "net"))).toMatchObject({ status: "failed", error: { code: "Unavailable" } });
  });

  test("with --json the error is the one document", async () => {
    const { status, stdout, stderr } = await command(emptyFolder(), "train", "tsm", "--json");
    expect(status).toBe(2);
    expect(JSON.parse(stdout)).toEqual({
      schema: 1,
      error: {
        code: "UnknownName",
        message: "target: expected tms, got tsm",
        details: { name: "tsm", nearest: "tms" },
      },
    });
    expect(stderr).toBe("mechanist: target: expected tms, got tsm\n");
  });

  test("with --debug the stack follows", async () => {
    const { stderr } = await command(emptyFolder(), "train", "tsm", "--debug");
    expect(stderr).toMatch(/^mechanist: target: expected tms, got tsm\nMechanistError: .*\n {4}at /);
  });
});

describe("what a path holds: exit 3", () => {
  test("a missing run names the nearest there is", async () => {
    const dir = emptyFolder();
    expectRefusal(await command(dir, "judge", "tms-5-2-spd"), 3, /^tms-5-2-spd: expected a run folder, got none$/);
    mkdirSync(join(dir, "runs"));
    cpSync(join(good, "parts"), join(dir, "runs", "tms-5-2-spd"), { recursive: true });
    expectRefusal(await command(dir, "judge", "tms-5-2-sp"), 3, /^tms-5-2-sp: expected runs.tms-5-2-spd, got none$/);
    expectRefusal(await command(dir, "decompose", "nothing-like-it"), 3, /expected a run folder, got none$/);
  });

  test("a folder without a run", async () => {
    const dir = emptyFolder();
    mkdirSync(join(dir, "empty"));
    expectRefusal(await command(dir, "judge", "empty"), 3, /^empty: expected a run folder with run\.json, got none$/);
    expectRefusal(await command(dir, "open", "nowhere"), 3, /^nowhere: expected a folder of runs, got none/);
  });

  test("a half-written record", async () => {
    const dir = spoiltCopy();
    truncateSync(join(dir, "parts", "run.json"), 100);
    expectRefusal(await command(dir, "judge", "parts"), 3, /run\.json: expected JSON, got something half-written$/);
  });

  test("a record of a newer schema", async () => {
    const dir = spoiltCopy();
    writeFileSync(
      join(dir, "parts", "run.json"),
      JSON.stringify({ ...recordOf(join(dir, "parts")), schema: 2, news: true }),
    );
    expectRefusal(
      await command(dir, "judge", "parts"),
      3,
      /run\.json: expected schema 1, got 2; it needs a newer version/,
    );
  });

  test("a record with settings that nobody knows", async () => {
    const dir = spoiltCopy();
    const text = readFileSync(join(dir, "parts", "run.json"), "utf8");
    writeFileSync(join(dir, "parts", "run.json"), text.replace('"gateWidth"', '"gateWidht"'));
    expectRefusal(await command(dir, "judge", "parts"), 3, /parts: spd settings: expected gateWidth, got gateWidht$/);
  });

  test("a truncated checkpoint: the judge refuses, and resuming goes back to the one before, to the same bits", async () => {
    const dir = spoiltCopy();
    const whole = readFileSync(lastCheckpoint(join(dir, "parts")));
    truncateSync(lastCheckpoint(join(dir, "parts")), 1000);
    expectRefusal(await command(dir, "judge", "parts"), 3, /step-000030\.safetensors: truncated: expected/);
    // As it would be had the process died while the disk wrote.
    writeFileSync(
      join(dir, "parts", "run.json"),
      JSON.stringify({ ...recordOf(join(dir, "parts")), status: "stopped" }),
    );
    const { status, stderr } = await command(dir, "decompose", "net", "--out", "parts", "--resume");
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /^mechanist: .*step-000030\.safetensors: truncated: .*; going back to the checkpoint before it\n$/,
    );
    expect(readFileSync(lastCheckpoint(join(dir, "parts"))).equals(whole)).toBe(true);
  });

  test.each([
    ["the components' shapes", "linear1.V", "parts", ["judge", "parts"], /linear1\.(V|U|gate\.\w+): expected .* got /],
    [
      "the optimiser's shape",
      "adamw.m/linear1.V",
      "parts",
      ["judge", "parts"],
      /adamw\.m\/linear1\.V: expected f32 "d_in C" of \d+×\d+, got f32 of 1$/,
    ],
    [
      "the network's shapes",
      "W",
      "net",
      ["decompose", "net", "--out", "new"],
      /W: expected f32 "feature hidden" of 5×2, got f32 of 1$/,
    ],
  ])("wrong: %s", async (_, name, run, args, message) => {
    const dir = spoiltCopy();
    const path = lastCheckpoint(join(dir, run));
    const { tensors, metadata } = readSafetensors(readFileSync(path));
    const wrong = { ...tensors, [name]: values("odd", [1], [0]) };
    writeFileSync(path, writeSafetensors(wrong, metadata));
    expectRefusal(await command(dir, ...args), 3, message);
    expect(existsSync(join(dir, "new"))).toBe(false);
  });

  test("a network with a NaN is refused with its first index, before a folder is made", async () => {
    const dir = spoiltCopy();
    const path = lastCheckpoint(join(dir, "net"));
    const { tensors, metadata } = readSafetensors(readFileSync(path));
    const data = Float32Array.from(tensors.W!.data);
    data[5] = Number.NaN;
    writeFileSync(path, writeSafetensors({ ...tensors, W: { ...tensors.W!, data } }, metadata));
    expectRefusal(
      await command(dir, "decompose", "net", "--out", "new"),
      3,
      /step-000060\.safetensors: W: expected finite numbers, got NaN first at feature 2, hidden 1$/,
    );
    expect(existsSync(join(dir, "new"))).toBe(false);
  });

  test("a missing tensor, a missing network, a checkpoint that is something else", async () => {
    const dir = spoiltCopy();
    const path = lastCheckpoint(join(dir, "parts"));
    const { tensors, metadata } = readSafetensors(readFileSync(path));
    const { "linear2.U": _, ...rest } = tensors;
    writeFileSync(path, writeSafetensors(rest, metadata));
    expectRefusal(await command(dir, "judge", "parts"), 3, /expected linear2\.U, got none$/);
    writeFileSync(path, "not tensors at all");
    expectRefusal(await command(dir, "judge", "parts"), 3, /step-000030\.safetensors: expected/);
    rmSync(join(dir, "parts", "target.safetensors"));
    expectRefusal(
      await command(dir, "judge", "parts"),
      3,
      /target\.safetensors: expected the network's weights, got none$/,
    );
    rmSync(join(dir, "net", "checkpoints"), { recursive: true });
    expectRefusal(await command(dir, "decompose", "net"), 3, /checkpoints: expected a checkpoint, got none$/);
  });

  test("a training that has not ended", async () => {
    const dir = spoiltCopy();
    writeFileSync(
      join(dir, "net", "run.json"),
      JSON.stringify({ ...recordOf(join(dir, "net")), status: "running", pid: 2 ** 22 + 1 }),
    );
    expectRefusal(
      await command(dir, "decompose", "net"),
      3,
      /expected a finished training, got one that is interrupted/,
    );
  });

  test.each([
    ["missing", undefined, /^spd\.yaml: expected a YAML file of settings, got none$/],
    ["not YAML", "a: [", /^spd\.yaml: expected YAML, got /],
    ["a list", "- 1", /^spd\.yaml: expected a table of numbers/],
  ])("a configuration that is %s", async (_, text, message) => {
    const dir = spoiltCopy();
    if (text !== undefined) writeFileSync(join(dir, "spd.yaml"), text);
    expectRefusal(await command(dir, "decompose", "net", "--config", "spd.yaml"), 3, message);
  });

  test.skipIf(process.platform === "win32")("a disk that takes no more keeps the last good checkpoint", async () => {
    const dir = emptyFolder();
    // Files of at most 16 KiB: metrics.jsonl reaches that some hundred steps in.
    const script = `ulimit -f 16; exec "${process.execPath}" "${BIN}" train tms --steps 500 --set batch=8 --out net`;
    const ended = await startProgram(dir, "bash", ["-c", script]).ended;
    expectRefusal(
      ended,
      3,
      /metrics\.jsonl: expected to write, got EFBIG: the file would be larger than allowed here$/,
    );
    expect(recordOf(join(dir, "net"))).toMatchObject({ status: "failed", error: { code: "DiskFailure" } });
    expectTidy(dir);
    readSafetensors(readFileSync(lastCheckpoint(join(dir, "net"))));
    const resumed = await command(dir, "train", "tms", "--out", "net", "--resume");
    expect([resumed.status, resumed.stderr]).toEqual([0, ""]);
    const whole = await command(dir, "train", "tms", "--steps", "500", "--set", "batch=8", "--out", "whole");
    expect(whole.status).toBe(0);
    expect(metricsOf(join(dir, "net"))).toEqual(metricsOf(join(dir, "whole")));
    const last = "checkpoints/step-000500.safetensors";
    expect(readFileSync(join(dir, "net", last)).equals(readFileSync(join(dir, "whole", last)))).toBe(true);
  });

  test.skipIf(process.platform === "win32")(
    "a disk that takes no checkpoint at all leaves nothing half-written",
    async () => {
      const dir = emptyFolder();
      const script = `ulimit -f 8; exec "${process.execPath}" "${BIN}" train tms --set features=200 --set hidden=20 --set batch=8 --steps 40 --out net`;
      expectRefusal(
        await startProgram(dir, "bash", ["-c", script]).ended,
        3,
        /step-000001\.safetensors: expected to write, got EFBIG/,
      );
      expectTidy(dir);
      expect(readdirSync(join(dir, "net", "checkpoints"))).toEqual([]);
    },
  );
});

describe("numbers that are none: exit 4", () => {
  test("a learning rate that is too large: the first index and step, the last good checkpoint kept", async () => {
    const dir = emptyFolder();
    const ended = await command(
      dir,
      "train",
      "tms",
      "--set",
      "learningRate=1e4",
      "--set",
      "batch=64",
      "--steps",
      "100",
      "--out",
      "net",
    );
    expectRefusal(
      ended,
      4,
      /^train: step \d+: [\w./]+: expected finite numbers, got (NaN|-?Infinity) first at \w+ \d+/,
    );
    expect(recordOf(join(dir, "net"))).toMatchObject({ status: "failed", error: { code: "NotFinite" } });
    for (const name of readdirSync(join(dir, "net", "checkpoints"))) {
      const { tensors } = readSafetensors(readFileSync(join(dir, "net", "checkpoints", name)));
      for (const tensor of Object.values(tensors)) expect([...tensor.data].every(Number.isFinite)).toBe(true);
    }
  });

  test("the same in a decomposition", async () => {
    const dir = spoiltCopy();
    const ended = await command(
      dir,
      "decompose",
      "net",
      "--set",
      "learningRate=1e30",
      "--steps",
      "20",
      "--set",
      "components=6",
      "--out",
      "new",
    );
    expectRefusal(ended, 4, /^decompose: step \d+: [\w.]+: expected finite numbers, got (NaN|-?Infinity) first at /);
    expect(recordOf(join(dir, "new"))).toMatchObject({ status: "failed", error: { code: "NotFinite" } });
  });
});

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
