/** Labels from the command line, by a server in this process that speaks the protocol; no other is ever asked. */
import { spawn } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tokenRun } from "../token-run.ts";
import { BIN, command, type Ended } from "./command.ts";

let dir: string;
let server: ReturnType<typeof serve>;
let url: string;
let prompts: string[] = [];
/** What the next answers are; afterwards `answerTo`. */
let failures: number[] = [];

/** Labels everything alike, and says of every line that the label applies to it. */
function answerTo(prompt: string): string {
  const lines = prompt.match(/^\d+\. /gm)!.length;
  if (prompt.includes('"label"')) return '{"reasoning": "seen", "label": "some words"}';
  if (prompt.includes('"choice"')) return '{"choice": 1}';
  return JSON.stringify({ answers: Array.from({ length: lines }, () => true) });
}

beforeAll(async () => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "mechanist-")));
  const app = new Hono();
  app.post("/v1/chat/completions", async (c) => {
    const { messages } = await c.req.json<{ messages: { content: string }[] }>();
    const status = failures.shift();
    if (status !== undefined) return c.text("not now", status as 429, { "retry-after": "0" });
    prompts.push(messages[0]!.content);
    const content = answerTo(messages[0]!.content);
    return c.json({ choices: [{ message: { content } }], usage: { prompt_tokens: 100, completion_tokens: 10 } });
  });
  server = await new Promise((resolve) => {
    const made = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, () => resolve(made));
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  await tokenRun(join(dir, "runs", "words"));
  const ended = await command(dir, "harvest", "words", "--positions", "4000", "--threshold", "0.5", "--window", "4");
  expect(ended.status).toBe(0);
});
afterAll(() => {
  server.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Runs `mechanist label` with the endpoint's variables, or without them. */
function label(environment: Readonly<Record<string, string>>, ...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [BIN, "label", "words", ...args], {
    cwd: dir,
    env: { PATH: process.env.PATH, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve) => child.on("close", (status, signal) => resolve({ status, signal, stdout, stderr })));
}
const here = (): Record<string, string> => ({
  MECHANIST_LABEL_URL: url,
  MECHANIST_LABEL_MODEL: "stub",
  MECHANIST_LABEL_KEY: "secret",
});
const file = (): string => join(dir, "runs", "words", "labels", "stub.jsonl");
const linesIn = (): { address: string; label: string }[] =>
  readFileSync(file(), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { address: string; label: string });

const DOCUMENTED = new Set(
  [...readFileSync("docs/json.md", "utf8").matchAll(/`([\w.]+)`/g)].flatMap((match) => match[1]!.split(".")),
);
function fieldsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(fieldsOf);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) => [key, ...fieldsOf(part)]);
}

describe("label", () => {
  test("asks nobody unless it is told whom", async () => {
    const { status, stderr } = await label({});
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(
        /^mechanist: label: expected MECHANIST_LABEL_URL to be .*, got none; nothing is sent anywhere without it\n$/,
      ),
    ]);
    const shown = await label({}, "--show");
    expect(shown.stdout).toMatch(/Say what one component fires on\. It fires at [\d.e+-]+ % of all positions\./);
    expect(prompts).toEqual([]);
  });

  test("labels, scores with chance beside it, and tallies", async () => {
    failures = [429, 503];
    const { status, stdout, stderr } = await label(here(), "--limit", "3", "--trials", "2", "--json");
    expect([status, stderr]).toEqual([0, ""]);
    const document = JSON.parse(stdout) as {
      labels: { address: string; label: string; usage: { calls: number } }[];
      scores: Record<string, { chance: number; mean: number }>;
      usage: { calls: number; promptTokens: number };
    };
    expect(fieldsOf(document).filter((field) => !DOCUMENTED.has(field))).toEqual([]);
    expect(document).toMatchObject({ command: "label", model: "stub", labelled: 3, trials: 2 });
    expect(document.labels.map((one) => one.label)).toEqual(["some words", "some words", "some words"]);
    // Whoever says yes to everything is right about half.
    expect(document.scores.detection).toMatchObject({ chance: 0.5, mean: 0.5 });
    expect(document.scores.intruder).toMatchObject({ chance: 0.2 });
    expect(document.usage.calls).toBe(prompts.length + 2);
    expect(document.usage.promptTokens).toBe(prompts.length * 100);
    expect(new Set(linesIn().map(({ address }) => address))).toEqual(
      new Set(document.labels.map(({ address }) => address)),
    );
    expect(readFileSync(file(), "utf8")).not.toContain("secret");
  });

  test("goes on where it stopped, and past half a line; asks for nothing twice", async () => {
    appendFileSync(file(), '{"identity": "half');
    prompts = [];
    const { status, stdout } = await label(here(), "--limit", "4", "--trials", "2", "--resume");
    expect(status).toBe(0);
    expect(linesIn().length).toBe(4);
    expect(prompts.filter((prompt) => prompt.includes('"label"')).length).toBe(1);
    expect(stdout).toMatch(/^score +mean +95 % over components +chance +components +answers +unanswered$/m);
    expect(stdout).toMatch(/^intruder .* 0\.20 /m);
    expect(stdout).toMatch(/^4 of \d+ components that fired; \d+ calls, /m);
  });

  test("labels of other settings are not mixed in", async () => {
    const { status, stderr } = await label(here(), "--limit", "4", "--trials", "3", "--resume");
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(
        /expected labels of this harvest and these settings, got others; without --resume they are replaced\n$/,
      ),
    ]);
  });

  test("a refused key ends it in one line, with what was done kept", async () => {
    failures = [401, 401, 401, 401];
    const { status, stderr } = await label(here(), "--limit", "5", "--trials", "2", "--resume");
    failures = [];
    expect(status).toBe(2);
    expect(stderr).toMatch(/expected a key in MECHANIST_LABEL_KEY, got one that was refused \(401\)\n$/);
    expect(stderr).toMatch(/^mechanist: 4 of 5 components are labelled; --resume goes on\n/);
    expect(linesIn().length).toBe(4);
  });
});
