import { appendFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { type IncomingHttpHeaders, request } from "node:http";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { values } from "../../src/engine/values.ts";
import { environment } from "../../src/run/environment.ts";
import { RunFolder } from "../../src/run/folder.ts";
import { readSafetensors } from "../../src/file/safetensors.ts";
import { listen, type Listening } from "../../src/server/listen.ts";

let dir: string;
let server: Listening;
let run: RunFolder;
const stopped: string[] = [];
const weights = { W: values("feature hidden", [2, 1], [1, 2]) };

beforeAll(async () => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "mechanist-")));
  const [runs, page] = [join(dir, "runs"), join(dir, "page")];
  mkdirSync(page);
  writeFileSync(join(page, "index.html"), "<html><head></head><body>the page</body></html>");
  writeFileSync(join(page, "app.js"), "export {}");
  writeFileSync(join(dir, "secret.json"), "hidden words");
  mkdirSync(join(dir, "outside"));
  writeFileSync(join(dir, "outside", "run.json"), "{}");
  run = await RunFolder.create(join(runs, "first"), {
    kind: "train",
    document: { target: "tms", preset: "default", settings: { features: 5 } },
    environment: environment("cpu", 1),
  });
  await run.checkpoints.save({ step: 10, tensors: weights });
  const log = await run.metricsLog(0);
  for (const step of [1, 2]) await log.append({ step, stage: "train", loss: step });
  await log.close();
  mkdirSync(join(runs, "broken"));
  writeFileSync(join(runs, "broken", "run.json"), "{");
  symlinkSync(join(dir, "outside"), join(runs, "link"));
  symlinkSync(join(dir, "secret.json"), join(run.path, "target.safetensors"));
  server = await listen({ runs, page, port: 0, stop: (name) => stopped.push(name) > 0 && name === "first" });
});
afterAll(async () => {
  await server.close();
  rmSync(dir, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** A request as it goes over the wire: no browser, no tidying of paths. */
function ask(path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ host: "127.0.0.1", port: server.port, path, method, headers }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () =>
        resolve({ status: response.statusCode!, headers: response.headers, text: Buffer.concat(parts).toString() }),
      );
    });
    call.on("error", reject);
    call.end();
  });
}

interface Event {
  readonly event: string;
  readonly data: unknown;
  readonly id?: string;
}

/** Listens to a run until `count` events have come. */
async function listenTo(name: string, count: number, after?: string, meanwhile?: () => void): Promise<Event[]> {
  const abort = new AbortController();
  const response = await fetch(`${server.url}api/runs/${name}/metrics`, {
    signal: abort.signal,
    headers: after === undefined ? {} : { "last-event-id": after },
  });
  expect(response.headers.get("content-type")).toContain("text/event-stream");
  const events: Event[] = [];
  let text = "";
  for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
    text += part;
    const blocks = text.split("\n\n");
    text = blocks.pop()!;
    for (const block of blocks) {
      const field = (key: string): string | undefined => new RegExp(`^${key}: (.*)$`, "m").exec(block)?.[1];
      const [event, data, id] = [field("event"), field("data"), field("id")];
      if (event && data) events.push({ event, data: JSON.parse(data), ...(id !== undefined && { id }) });
      if (events.length === count - 1) meanwhile?.();
    }
    if (events.length >= count) break;
  }
  abort.abort();
  return events;
}

describe("what the server tells", () => {
  test("the runs that can be read, with their last metrics", async () => {
    const { text, headers } = await ask("/api/runs");
    expect(JSON.parse(text)).toEqual([
      { ...run.record, status: "running", metrics: { step: 2, stage: "train", loss: 2 } },
    ]);
    expect(headers["content-type"]).toContain("application/json");
  });

  test("one run", async () => {
    expect(JSON.parse((await ask("/api/runs/first")).text)).toEqual({ ...run.record, checkpoints: [10] });
  });

  test("why a run cannot be read", async () => {
    const { status, text } = await ask("/api/runs/broken");
    expect(status).toBe(422);
    expect(JSON.parse(text)).toMatchObject({
      code: "BadFile",
      message: expect.stringContaining("half-written"),
      details: {},
    });
  });

  test("a checkpoint, once as long as it stays the same", async () => {
    const response = await fetch(`${server.url}api/runs/first/checkpoints/10`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    expect(readSafetensors(bytes).tensors).toEqual(weights);
    const again = await ask("/api/runs/first/checkpoints/10", { "if-none-match": response.headers.get("etag")! });
    expect(again.status).toBe(304);
  });

  test("the metrics so far, whole lines only", async () => {
    appendFileSync(run.metricsPath, '{"step": 3, "st');
    const { text } = await ask("/api/runs/first/metrics?once");
    expect(text).toBe('{"step":1,"stage":"train","loss":1}\n{"step":2,"stage":"train","loss":2}\n');
    await (await run.metricsLog(2)).close();
  });

  test("the page, with the token", async () => {
    const { text, headers } = await ask("/");
    expect(text).toContain(`<meta name="mechanist-token" content="${server.token}" />`);
    expect(text).toContain("the page");
    expect(headers["content-security-policy"]).toMatch(/^default-src 'self'; script-src 'self' 'wasm-unsafe-eval';/);
    expect(headers["cross-origin-opener-policy"]).toBe("same-origin");
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect((await ask("/app.js")).headers["content-type"]).toMatch(/javascript/);
  });
});

describe("events", () => {
  test("the whole history, then what is added, then the new state", async () => {
    const events = await listenTo("first", 5, undefined, () => {
      appendFileSync(run.metricsPath, '{"step":3,"stage":"train","loss":3}\n');
    });
    expect(events.map((e) => e.event)).toEqual(["metrics", "metrics", "checkpoint", "run", "metrics"]);
    expect(events[0]).toEqual({ event: "metrics", id: "36", data: { step: 1, stage: "train", loss: 1 } });
    expect(events[2]!.data).toEqual({ step: 10 });
    expect(events[3]!.data).toMatchObject({ name: "first", status: "running" });
    expect(events[4]).toMatchObject({ id: "108", data: { step: 3 } });
  });

  test("who comes back gets only what it missed", async () => {
    const events = await listenTo("first", 2, "72");
    expect(events[0]).toMatchObject({ event: "metrics", id: "108", data: { step: 3 } });
    expect(events[1]!.event).toBe("checkpoint");
  });

  test.each([
    ["beyond the end", "5000"],
    ["inside a row", "50"],
  ])("who comes back to a place %s starts anew", async (_, id) => {
    const events = await listenTo("first", 2, id);
    expect(events[0]).toEqual({ event: "reset", id: "0", data: {} });
    expect(events[1]).toMatchObject({ event: "metrics", id: "36" });
  });

  test("a run that is resumed takes its rows back", async () => {
    const events = await listenTo("first", 6, undefined, () => void run.metricsLog(1).then((log) => log.close()));
    expect(events.slice(-1)).toEqual([{ event: "reset", id: "0", data: {} }]);
  });
});

describe("what the server refuses", () => {
  test.each([
    ["a foreign host", "/api/runs", { host: "evil.example" }],
    ["a host that only begins like its own", "/api/runs", { host: "127.0.0.1.evil.example" }],
    ["another port's host", "/", { host: "127.0.0.1:1" }],
    ["a foreign origin", "/api/runs", { origin: "https://evil.example" }],
    ["the origin of a sandbox", "/api/runs", { origin: "null" }],
    ["its own origin by another scheme", "/", { origin: "https://127.0.0.1" }],
  ])("%s", async (_, path, headers) => {
    const { status, text } = await ask(path, headers);
    expect(status).toBe(403);
    expect(JSON.parse(text)).toMatchObject({ code: "Refused" });
    expect(text).not.toContain(server.token);
  });

  test("by name, its own host and origin are welcome", async () => {
    const host = `localhost:${server.port}`;
    expect((await ask("/api/runs", { host, origin: `http://${host}` })).status).toBe(200);
  });

  test.each([
    ["/../secret.json"],
    ["/..%2fsecret.json"],
    ["/%2e%2e/secret.json"],
    ["/..\\secret.json"],
    ["//etc/passwd"],
    ["/api/runs/.."],
    ["/api/runs/..%2f..%2fsecret.json"],
    ["/api/runs/%2e%2e%2foutside"],
    ["/api/runs/first%2f..%2f..%2foutside"],
    ["/api/runs/first%00"],
    ["/api/runs/link"],
    ["/api/runs/link/checkpoints/10"],
    ["/api/runs/first/target"],
    ["/api/runs/first/checkpoints/11"],
    ["/api/runs/nobody"],
    ["/api/other"],
    ["/nothing.js"],
  ])("%s is not there", async (path) => {
    const { status, text } = await ask(path);
    expect([400, 404]).toContain(status);
    expect(text).not.toContain("hidden words");
  });

  test.each(["-1", "1e3", "..", "10.safetensors"])("a step of %s", async (step) => {
    expect([400, 404]).toContain((await ask(`/api/runs/first/checkpoints/${step}`)).status);
  });

  test("whatever changes something without the token", async () => {
    for (const headers of [
      {},
      { "x-mechanist-token": "guess" },
      { "x-mechanist-token": "x".repeat(server.token.length) },
    ]) {
      const { status, text } = await ask("/api/runs/first/stop", headers, "POST");
      expect([status, JSON.parse(text).code]).toEqual([403, "Refused"]);
    }
    expect(stopped).toEqual([]);
  });

  test("with the token a run of this process stops, and no other", async () => {
    const headers = { "x-mechanist-token": server.token };
    expect((await ask("/api/runs/first/stop", headers, "POST")).status).toBe(200);
    expect(stopped).toEqual(["first"]);
    expect((await ask("/api/runs/broken/stop", headers, "POST")).status).toBe(422);
    expect((await ask("/api/runs/first", headers, "DELETE")).status).toBe(404);
  });

  test("anybody who is not on this machine", () => {
    expect(server.url).toBe(`http://127.0.0.1:${server.port}/`);
  });
});

describe("ports", () => {
  let holder: Server;
  beforeAll(async () => {
    holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
  });
  afterAll(() => holder.close());

  test("a busy one is passed over", async () => {
    const { port } = holder.address() as { port: number };
    const second = await listen({ runs: dir, page: dir, port });
    expect(second.port).toBeGreaterThan(port);
    expect((await fetch(`${second.url}api/runs`)).status).toBe(200);
    await second.close();
  });
});
