import { describe, expect, test } from "vitest";
import type { Progress } from "../training/loop.ts";
import { duration, significant, table } from "./format.ts";
import { manyLine, progressLine } from "./progress-line.ts";
import { Terminal } from "./terminal.ts";

/** Streams that remember. */
function streams(isTTY: boolean): { out: string[]; err: string[]; pair: ConstructorParameters<typeof Terminal>[1] } {
  const [out, err]: [string[], string[]] = [[], []];
  const stream = (into: string[]): NodeJS.WriteStream =>
    ({ isTTY, columns: 80, write: (text: string) => into.push(text) > 0 }) as unknown as NodeJS.WriteStream;
  return { out, err, pair: { out: stream(out), err: stream(err) } };
}

const progress: Progress = {
  stage: "train",
  step: 50,
  steps: 200,
  stepsPerSecond: 30,
  metrics: { faithfulness: 1, loss: 0.01234 },
};

describe("progress", () => {
  test("says stage, share, speed, loss and what is left", () => {
    // 50 of 200: a quarter of 24 cells; 150 steps at 30 a second: 5 s
    expect(progressLine(progress, 100)).toBe(
      "train      ▕██████                  ▏  50/200  30.0 steps/s  loss 0.0123  5 s left",
    );
  });

  test("is never wider than the terminal", () => {
    for (const columns of [20, 40, 80])
      expect(progressLine(progress, columns).length).toBeLessThanOrEqual(Math.max(20, columns - 1));
  });

  test("of several runs is how many are finished, what is left, and how far each is", () => {
    const doing = { ...progress, stage: "decompose" };
    const running = [
      { name: "seed-1", doing },
      { name: "seed-2", doing: { ...doing, step: 31, stepsPerSecond: 10 } },
    ];
    // 150 and 169 steps of these and 200 of one that waits, at 40 a second: 13 s
    const line = "1 of 4 finished  13 s left  seed-1 25 %  seed-2 15 %";
    expect(manyLine({ finished: 1, total: 4, running }, 80)).toBe(line);
    expect(manyLine({ finished: 1, total: 4, running }, 40)).toBe(line.slice(0, 39));
    const [first] = running;
    const others = [
      first!,
      { name: "seed-2", doing: "judging" },
      { name: "seed-3", doing: { ...progress, stage: "warm up" } },
    ];
    expect(manyLine({ finished: 1, total: 4, running: others }, 80)).toBe(
      "1 of 4 finished  seed-1 25 %  seed-2 judging  seed-3 warm up 25 %",
    );
  });

  test("is drawn on standard error, at most ten times a second, and taken away before anything else is said", () => {
    const { out, err, pair } = streams(true);
    const terminal = new Terminal(false, pair);
    for (let i = 0; i < 100; i++) terminal.progress(progress);
    expect(err).toHaveLength(1);
    terminal.progress({ ...progress, step: 200 });
    expect(err).toHaveLength(2);
    terminal.print("done");
    expect([err.at(-1), out]).toEqual(["\r\u001b[2K", ["done\n"]]);
  });

  test("is for people: where nobody watches, nothing is drawn", () => {
    const { out, err, pair } = streams(false);
    const terminal = new Terminal(false, pair);
    terminal.progress(progress);
    terminal.remark("for who watches");
    expect([out, err]).toEqual([[], []]);
    terminal.note("for everybody");
    expect(err).toEqual(["mechanist: for everybody\n"]);
  });
});

describe("results", () => {
  test("with --json one document and nothing else; NaN is null", () => {
    const { out, pair } = streams(true);
    const terminal = new Terminal(true, pair);
    terminal.print("for people");
    terminal.document("train", { loss: Number.NaN, steps: 3 });
    expect(JSON.parse(out.join(""))).toEqual({ schema: 1, command: "train", loss: null, steps: 3 });
  });

  test("without it no document", () => {
    const { out, pair } = streams(true);
    new Terminal(false, pair).document("train", {});
    expect(out).toEqual([]);
  });
});

describe("numbers as text", () => {
  test.each([
    [0, "0"],
    [0.0123456, "0.0123"],
    [1.5, "1.50"],
    [999, "999"],
    [4096, "4,096"],
    [1e-7, "1e-7"],
    [1.234e-5, "1.23e-5"],
    [-2.5, "-2.50"],
    [Number.NaN, "–"],
    [Infinity, "∞"],
    [undefined, "–"],
  ])("%s is %s", (value, text) => expect(significant(value, 3)).toBe(text));

  test.each([
    [3.4, "3 s"],
    [200, "3 min 20 s"],
    [7500, "2 h 5 min"],
  ])("%s seconds are %s", (seconds, text) => expect(duration(seconds)).toBe(text));

  test("columns of numbers lie to the right", () => {
    expect(
      table(
        ["site", "count"],
        [
          ["linear1", "5"],
          ["x", "12"],
        ],
      ),
    ).toBe("site     count\nlinear1      5\nx           12");
  });
});
