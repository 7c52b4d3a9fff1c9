/** The endpoint's protocol, against a server in this process that speaks it; nothing else is ever called. */
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ask, type ChatEndpoint, endpointFrom } from "./chat.ts";
import { chatLabeller, objectIn } from "./chat-labeller.ts";
import type { Shown } from "./labeller.ts";
import { labelPrompt, shownText } from "./prompts.ts";

type Reply = { readonly status?: number; readonly body: unknown; readonly headers?: Record<string, string> } | "hang";
let server: ReturnType<typeof serve>;
let url: string;
let replies: Reply[] = [];
let asked: {
  readonly authorization: string | undefined;
  readonly body: { model: string; messages: { content: string }[] };
}[] = [];
const said = (content: string | null): Reply => ({
  body: { choices: [{ message: { role: "assistant", content } }], usage: { prompt_tokens: 7, completion_tokens: 3 } },
});

beforeAll(async () => {
  const app = new Hono();
  app.post("/v1/chat/completions", async (c) => {
    asked.push({ authorization: c.req.header("authorization"), body: await c.req.json() });
    const reply = replies.length > 1 ? replies.shift()! : replies[0]!;
    if (reply === "hang") await new Promise((resolve) => setTimeout(resolve, 400));
    if (reply === "hang") return c.text("late");
    const body = typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body);
    return c.body(body, (reply.status ?? 200) as 200, reply.headers ?? {});
  });
  server = await new Promise((resolve) => {
    const made = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, () => resolve(made));
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
});
afterAll(() => void server.close());
afterEach(() => {
  asked = [];
});

const endpoint = (): ChatEndpoint => ({ url, key: "secret", model: "stub" });
const QUICK = { waits: [1, 1], patience: 200 };

describe("an answer", () => {
  test("is asked for with the model and the key, and counts what it cost", async () => {
    replies = [said("hello")];
    expect(await ask(endpoint(), "hi")).toEqual({
      text: "hello",
      usage: { calls: 1, promptTokens: 7, completionTokens: 3 },
    });
    expect(asked).toEqual([
      {
        authorization: "Bearer secret",
        body: { model: "stub", temperature: 0, messages: [{ role: "user", content: "hi" }] },
      },
    ]);
  });

  test("without a key no header is sent; a whole address is taken as it is", async () => {
    replies = [said("x")];
    await ask({ url: `${url}/chat/completions`, model: "stub" }, "hi");
    expect(asked[0]!.authorization).toBeUndefined();
  });

  test.each([
    ["429", { status: 429, body: "slow down", headers: { "retry-after": "0" } } as Reply],
    ["503", { status: 503, body: "later" } as Reply],
    ["something that is no completion", { body: "<html>" } as Reply],
    ["nothing for too long", "hang" as Reply],
  ])("is asked for again after %s", async (_, bad) => {
    replies = [bad, said("at last")];
    expect(await ask(endpoint(), "hi", undefined, QUICK)).toMatchObject({ text: "at last", usage: { calls: 2 } });
  });

  test("Retry-After is heeded", async () => {
    replies = [{ status: 429, body: "", headers: { "retry-after": "0.3" } }, said("x")];
    const began = performance.now();
    await ask(endpoint(), "hi", undefined, QUICK);
    expect(performance.now() - began).toBeGreaterThan(280);
  });
});

describe("no answer", () => {
  test.each([
    [{ status: 429, body: "" } as Reply, "Unavailable", /expected an answer in 3 tries, got status 429$/, 3],
    [{ body: "{}" } as Reply, "Unavailable", /in 3 tries, got something that is no chat completion$/, 3],
    [
      { status: 401, body: "bad key" } as Reply,
      "Unavailable",
      /expected a key in MECHANIST_LABEL_KEY, got one that was refused \(401\)$/,
      1,
    ],
    [
      { status: 404, body: "no such\nmodel" } as Reply,
      "BadArgument",
      /expected an answer, got status 404: no such model$/,
      1,
    ],
  ])("%j", async (reply, code, message, calls) => {
    replies = [reply];
    const error = await ask(endpoint(), "hi", undefined, QUICK).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(asked.length).toBe(calls);
    expect(String((error as Error).message)).not.toContain("secret");
  });

  test("from a port where nobody listens", async () => {
    await expect(ask({ url: "http://127.0.0.1:9", model: "x" }, "hi", undefined, QUICK)).rejects.toMatchObject({
      code: "Unavailable",
      message: expect.stringMatching(
        /^label endpoint 127\.0\.0\.1:9: expected an answer in 3 tries, got no connection/,
      ),
    });
  });

  test("when it is cancelled, waiting or being answered", async () => {
    replies = [{ status: 429, body: "", headers: { "retry-after": "60" } }];
    const controller = new AbortController();
    const waiting = ask(endpoint(), "hi", controller.signal);
    setTimeout(() => controller.abort(), 100);
    await expect(waiting).rejects.toMatchObject({ code: "Cancelled" });
  });
});

test("the endpoint is what the environment says, and nothing without it", () => {
  const all = { MECHANIST_LABEL_URL: "http://x/v1", MECHANIST_LABEL_MODEL: "m", MECHANIST_LABEL_KEY: " k " };
  expect(endpointFrom(all)).toEqual({ url: "http://x/v1", model: "m", key: "k" });
  expect(endpointFrom({ ...all, MECHANIST_LABEL_KEY: "" })).toEqual({ url: "http://x/v1", model: "m" });
  expect(() => endpointFrom({})).toThrow(
    "label: expected MECHANIST_LABEL_URL to be an address that ends in /v1, got none",
  );
  expect(() => endpointFrom({ MECHANIST_LABEL_URL: "http://x" })).toThrow("expected MECHANIST_LABEL_MODEL");
  expect(() => endpointFrom({ ...all, MECHANIST_LABEL_URL: "file:///etc" })).toThrow(
    "to be an http address, got file:///etc",
  );
});

describe("a model as a labeller", () => {
  const items: Shown[] = [1, 2, 3].map((i) => ({
    tokens: ["a", String(i)],
    fires: [false, true],
    importances: [0, 0.5],
  }));
  const how = { kind: "tokens", separator: " " } as const;
  const labeller = (): ReturnType<typeof chatLabeller> => chatLabeller(endpoint(), QUICK);

  test("finds the answer among other words", async () => {
    replies = [said('Sure! ```json\n{"answers": [true, false, true]}\n``` Hope that helps.')];
    expect((await labeller().detect("x", items, how)).value).toEqual([true, false, true]);
    replies = [said('{"choice": 2}')];
    expect((await labeller().intruder(items, how)).value).toBe(1);
    replies = [said('{"reasoning": "r", "label": " numbers "}')];
    expect(
      (await labeller().label({ ...how, address: "s:0", density: 0.1, examples: items, input: [], output: [] })).value,
    ).toEqual({
      reasoning: "r",
      label: "numbers",
    });
  });

  test.each([
    ["too few", '{"answers": [true]}'],
    ["another kind", '{"answers": ["yes", "no", "no"]}'],
    ["no object", "I cannot say"],
    ["nothing", null],
  ])("asks again after %s, and in the end has no answer", async (_, content) => {
    replies = [said(content), said('{"answers": [false, false, false]}')];
    expect(await labeller().fuzz("x", items, how)).toEqual({
      value: [false, false, false],
      usage: { calls: 2, promptTokens: 14, completionTokens: 6 },
    });
    replies = [said(content)];
    expect((await labeller().fuzz("x", items, how)).value).toBeUndefined();
  });

  test("a choice beyond the lines is none", async () => {
    replies = [said('{"choice": 4}')];
    expect((await labeller().intruder(items, how)).value).toBeUndefined();
  });

  test("an object in a text is the last whole one", () => {
    expect(objectIn('{"a": {"b": 1}} and {"c": [2]}')).toEqual({ c: [2] });
    expect(objectIn("{ broken")).toBeUndefined();
    expect(objectIn("")).toBeUndefined();
  });
});

test("prompts mark what fires only where the question does not ask for it", () => {
  const item: Shown = { tokens: ["a", "cat\n"], fires: [false, true], importances: [0, 0.25] };
  const how = { separator: " " };
  expect(shownText(item, how, "none")).toBe("a cat\\n");
  expect(shownText(item, how, "marks")).toBe("a <<cat\\n>>");
  expect(shownText(item, how, "importances")).toBe("a <<cat\\n|0.25>>");
  const prompt = labelPrompt({
    ...how,
    kind: "tokens",
    address: "blocks.0.mlp.W_in:3",
    density: 0.0123,
    examples: [item],
    input: [{ text: "cat", p: 0.5, lift: 3 }],
    output: [],
  });
  expect(prompt).toContain('"cat"  50.0 % of firings, 3.0 times the base rate');
  expect(prompt).toContain("It fires at 1.2 % of all positions.");
  expect(prompt).not.toContain("expects next");
  // The address would give away where a component is, which is no evidence of what it does.
  expect(prompt).not.toContain("blocks.0");
});
