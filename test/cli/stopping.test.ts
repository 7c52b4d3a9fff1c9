import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import {
  BIN,
  command,
  documentOf,
  emptyFolder,
  metricsOf,
  SMALL_TRAINING,
  startCommand,
  startProgram,
  until,
} from "./command.ts";

const TRAINING = ["train", "tms", "--steps", "2000", "--set", "batch=512"];
const SPD = ["--steps", "200", "--set", "batch=256", "--set", "components=8", "--set", "warmupSteps=20"];

function expectSameBits(dir: string, run: string, other: string): void {
  const files = (name: string): string[] => readdirSync(join(dir, name, "checkpoints")).sort();
  expect(files(run)).toEqual(files(other));
  expect(metricsOf(join(dir, run))).toEqual(metricsOf(join(dir, other)));
  for (const file of files(run).map((name) => join("checkpoints", name))) {
    expect(readFileSync(join(dir, run, file)).equals(readFileSync(join(dir, other, file))), file).toBe(true);
  }
}

function statusOf(dir: string, run: string): string {
  return (JSON.parse(readFileSync(join(dir, run, "run.json"), "utf8")) as { status: string }).status;
}

/** Kills the command again and again, each time a little later, and resumes it until it ends. */
async function killUntilDone(dir: string, args: readonly string[]): Promise<number> {
  let kills = 0;
  // From before anything is loaded to well inside the run, whatever the speed of the machine; random within each step of the way.
  for (let delay = 20; ; delay *= 1.25) {
    const running = startCommand(dir, ...args, "--resume");
    const timer = setTimeout(() => running.child.kill("SIGKILL"), delay * (1 + Math.random() / 4));
    const { status, signal, stderr } = await running.ended;
    clearTimeout(timer);
    if (signal === "SIGKILL") kills += 1;
    else {
      expect(status).toBe(0);
      expect(stderr).toMatch(/^(mechanist: nothing to resume yet; .* begins\n)?$/);
      return kills;
    }
  }
}

describe("kill -9, then --resume", () => {
  test("a training ends with the bits of one that was left alone", async () => {
    const dir = emptyFolder();
    await command(dir, ...TRAINING, "--out", "whole");
    expect(await killUntilDone(dir, [...TRAINING, "--out", "killed"])).toBeGreaterThan(2);
    expectSameBits(dir, "killed", "whole");
    expect(statusOf(dir, "killed")).toBe("finished");
  });

  test("so does a decomposition, and its verdict is the same", async () => {
    const dir = emptyFolder();
    await command(dir, "train", "tms", "--steps", "60", "--set", "batch=64", "--out", "net");
    const whole = documentOf(await command(dir, "decompose", "net", ...SPD, "--out", "whole", "--json"));
    expect(await killUntilDone(dir, ["decompose", "net", ...SPD, "--out", "killed"])).toBeGreaterThan(2);
    expectSameBits(dir, "killed", "whole");
    const again = documentOf(await command(dir, "decompose", "killed", "--resume", "--json"));
    for (const key of ["mmcs", "ml2r", "targetCiError", "adversarialRecon", "sites"])
      expect(again[key]).toEqual(whole[key]);
    expect(readFileSync(join(dir, "killed", "target.safetensors"))).toEqual(
      readFileSync(join(dir, "whole", "target.safetensors")),
    );
  });
});

describe("Ctrl-C", () => {
  test("once stops cleanly with a checkpoint, and the run goes on from there by its name", async () => {
    const dir = emptyFolder();
    await command(dir, ...TRAINING, "--out", join("runs", "whole"));
    const running = startCommand(dir, ...TRAINING);
    const checkpoints = join(dir, "runs", "tms-5-2", "checkpoints");
    await until(() => existsSync(checkpoints) && readdirSync(checkpoints).length > 2, "a checkpoint");
    running.child.kill("SIGINT");
    const { status, stdout, stderr } = await running.ended;
    expect([status, stdout]).toEqual([130, ""]);
    expect(stderr).toMatch(/^mechanist: train: stopped at step \d+ of 2000\n$/);
    expect(statusOf(dir, join("runs", "tms-5-2"))).toBe("stopped");
    const step = Number(/step (\d+)/.exec(stderr)![1]);
    expect(readdirSync(checkpoints)).toContain(`step-${String(step).padStart(6, "0")}.safetensors`);
    const resumed = await command(dir, "train", "tms", "--resume", "--json");
    expect([resumed.status, documentOf(resumed).run]).toEqual([0, "tms-5-2"]);
    const last = (run: string): Buffer =>
      readFileSync(join(dir, "runs", run, "checkpoints", "step-002000.safetensors"));
    expect(last("tms-5-2").equals(last("whole"))).toBe(true);
  });

  /** Runs work that would take a minute, stopped as the command line stops it. */
  const SLOW = `
    import { interruptible } from ${JSON.stringify(new URL("../dist/cli/interrupt.js", pathToFileURL(BIN)).href)};
    import { Terminal } from ${JSON.stringify(new URL("../dist/cli/terminal.js", pathToFileURL(BIN)).href)};
    const timer = setTimeout(() => {}, 60_000);
    await interruptible(new Terminal(false), async ({ signal }) => {
      console.log("ready");
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      console.log("stopping");
      await new Promise((resolve) => setTimeout(resolve, process.argv[1] === "slow" ? 50_000 : 600));
      clearTimeout(timer);
      console.log("stopped");
    });`;
  const start = (speed: string): ReturnType<typeof startProgram> =>
    startProgram(emptyFolder(), process.execPath, ["--input-type=module", "-e", SLOW, speed]);

  test("twice stops at once", async () => {
    const running = start("slow");
    await until(() => running.stdout().includes("ready"), "the start");
    running.child.kill("SIGINT");
    await until(() => running.stdout().includes("stopping"), "the first signal");
    await new Promise((resolve) => setTimeout(resolve, 400));
    running.child.kill("SIGINT");
    const { status, stdout } = await running.ended;
    expect([status, stdout]).toEqual([130, "ready\nstopping\n"]);
  });

  test("once by hand is twice under npm, which passes it on, and still stops cleanly", async () => {
    const running = start("quick");
    await until(() => running.stdout().includes("ready"), "the start");
    running.child.kill("SIGINT");
    running.child.kill("SIGINT");
    const { status, stdout } = await running.ended;
    expect([status, stdout]).toEqual([0, "ready\nstopping\nstopped\n"]);
  });
});

test("where there is nothing to resume, the run begins, and says so", async () => {
  const dir = emptyFolder();
  const { status, stderr } = await command(dir, ...SMALL_TRAINING, "--resume");
  expect([status, stderr]).toEqual([0, "mechanist: nothing to resume yet; a run that trains tms begins\n"]);
  expect(readdirSync(join(dir, "runs"))).toEqual(["tms-5-2"]);
});

describe("start", () => {
  test("a run that is stopped from the page stops, and the page stays until Ctrl-C", async () => {
    const dir = emptyFolder();
    const running = startCommand(dir, "start", "--port", "0");
    await until(() => running.stdout().includes("taking it apart"), "the decomposition");
    const url = /http:\S+\//.exec(running.stdout())![0];
    const token = /name="mechanist-token" content="([^"]+)"/.exec(await (await fetch(url)).text())![1]!;
    const stop = `${url}api/runs/tms-5-2-spd/stop`;
    expect((await fetch(stop, { method: "POST" })).status).toBe(403);
    expect((await fetch(stop, { method: "POST", headers: { "x-mechanist-token": token } })).status).toBe(200);
    await until(() => running.stdout().includes("stays up until Ctrl-C"), "the end");
    expect(statusOf(dir, join("runs", "tms-5-2-spd"))).toBe("stopped");
    expect((await fetch(url)).status).toBe(200);
    running.child.kill("SIGINT");
    expect((await running.ended).status).toBe(0);
  });

  test("Ctrl-C while it works stops it, the run and the page", async () => {
    const dir = emptyFolder();
    const running = startCommand(dir, "start", "--port", "0");
    await until(() => running.stdout().includes("taking it apart"), "the decomposition");
    running.child.kill("SIGINT");
    const { status, stderr } = await running.ended;
    expect([status, statusOf(dir, join("runs", "tms-5-2-spd"))]).toEqual([130, "stopped"]);
    expect(stderr).toMatch(/^mechanist: .*: stopped at step \d+ of \d+\n$/);
  });
});

test("a run that another process writes is left alone", async () => {
  const dir = emptyFolder();
  const first = startCommand(dir, "train", "tms", "--steps", "100000", "--out", "net");
  await until(() => existsSync(join(dir, "net", "metrics.jsonl")), "the run");
  const second = await command(dir, "train", "tms", "--out", "net", "--resume");
  first.child.kill("SIGINT");
  await first.ended;
  expect(second.status).toBe(2);
  expect(second.stderr).toMatch(/^mechanist: .*net: process \d+ is writing this run\n$/);
});
