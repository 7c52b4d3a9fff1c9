/**
 * An OpenAI-compatible chat endpoint: one POST for one answer, tried again where trying helps. It is used only where its address is set, and its
 * key is sent to that address and written nowhere.
 */
import { z } from "zod";
import { MechanistError } from "../error.ts";
import { NO_USAGE, type Usage } from "./labeller.ts";

/** Where to ask, from the environment's variables. */
export interface ChatEndpoint {
  readonly url: string;
  readonly key?: string;
  readonly model: string;
}

const VARIABLES = {
  url: "MECHANIST_LABEL_URL",
  key: "MECHANIST_LABEL_KEY",
  model: "MECHANIST_LABEL_MODEL",
} as const;

/**
 * The endpoint that the environment names.
 *
 * @throws `BadArgument` where it names none, or one that is no http address
 */
export function endpointFrom(environment: Readonly<Record<string, string | undefined>>): ChatEndpoint {
  const { url, key, model } = VARIABLES;
  const value = (name: string): string => (environment[name] ?? "").trim();
  for (const name of [url, model]) {
    if (value(name) !== "") continue;
    const example = name === url ? "an address that ends in /v1" : "the name of a model";
    throw new MechanistError(
      "BadArgument",
      `label: expected ${name} to be ${example}, got none; nothing is sent anywhere without it`,
    );
  }
  if (!/^https?:\/\/[^\s/]/.test(value(url))) {
    throw new MechanistError(
      "BadArgument",
      `label: expected ${url} to be an http address, got ${value(url).slice(0, 80)}`,
    );
  }
  return { url: value(url), model: value(model), ...(value(key) !== "" && { key: value(key) }) };
}

export interface ChatOptions {
  /** Milliseconds before each further try; a server's `Retry-After` goes before them. */
  readonly waits?: readonly number[];
  /** Milliseconds that an answer may take. */
  readonly patience?: number;
}

const WAITS = [1000, 2000, 4000, 8000, 16_000];
const PATIENCE = 120_000;
/** A server that asks for more than this is not waited for. */
const LONGEST_WAIT = 120_000;

const completion = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string().nullable() }) })).min(1),
  usage: z.object({ prompt_tokens: z.number(), completion_tokens: z.number() }).partial().optional(),
});

/** One answer: its text, and what it cost with all tries. */
export interface ChatAnswer {
  readonly text: string;
  readonly usage: Usage;
}

/**
 * Asks once.
 *
 * @throws `Unavailable` where the key is refused, or the endpoint does not answer in as many tries; `BadArgument` where it refuses the question;
 *         `Cancelled`
 */
export async function ask(
  endpoint: ChatEndpoint,
  prompt: string,
  signal?: AbortSignal,
  { waits = WAITS, patience = PATIENCE }: ChatOptions = {},
): Promise<ChatAnswer> {
  let calls = 0;
  for (let attempt = 0; ; attempt++) {
    if (signal?.aborted) throw cancelled();
    calls++;
    const outcome = await attempted(endpoint, prompt, patience, signal);
    if ("text" in outcome) return { ...outcome, usage: { ...outcome.usage, calls } };
    if (attempt === waits.length) {
      throw new MechanistError(
        "Unavailable",
        `${where(endpoint)}: expected an answer in ${calls} tries, got ${outcome.reason}`,
      );
    }
    await rest(Math.min(LONGEST_WAIT, outcome.wait ?? waits[attempt]!), signal);
  }
}

/** Why to try again, and when, where the server says. */
interface TryAgain {
  readonly reason: string;
  readonly wait?: number;
}

async function attempted(
  endpoint: ChatEndpoint,
  prompt: string,
  patience: number,
  signal: AbortSignal | undefined,
): Promise<ChatAnswer | TryAgain> {
  const { url, key, model } = endpoint;
  const timeout = AbortSignal.timeout(patience);
  let response: Response;
  let text: string;
  try {
    response = await fetch(url.endsWith("/chat/completions") ? url : `${url.replace(/\/+$/, "")}/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", ...(key !== undefined && { authorization: `Bearer ${key}` }) },
      body: JSON.stringify({ model, messages: [{ role: "user", content: prompt }], temperature: 0 }),
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    text = await response.text();
  } catch (cause) {
    if (signal?.aborted) throw cancelled();
    if (timeout.aborted) return { reason: `none within ${patience / 1000} s` };
    return {
      reason: `no connection (${String((cause as { cause?: { code?: string } }).cause?.code ?? (cause as Error).message)})`,
    };
  }
  const { status } = response;
  if (status === 401 || status === 403) {
    const got = key === undefined ? "none" : "one that was refused";
    throw new MechanistError(
      "Unavailable",
      `${where(endpoint)}: expected a key in ${VARIABLES.key}, got ${got} (${status})`,
      { status },
    );
  }
  if (status === 408 || status === 409 || status === 429 || status >= 500) {
    const after = Number(response.headers.get("retry-after") ?? Number.NaN);
    return { reason: `status ${status}`, ...(Number.isFinite(after) && { wait: after * 1000 }) };
  }
  if (status !== 200) {
    const said = text.replaceAll(/\s+/g, " ").slice(0, 200);
    throw new MechanistError("BadArgument", `${where(endpoint)}: expected an answer, got status ${status}: ${said}`, {
      status,
    });
  }
  const parsed = completion.safeParse(jsonOf(text));
  if (!parsed.success) return { reason: "something that is no chat completion" };
  const { choices, usage } = parsed.data;
  return {
    text: choices[0]!.message.content ?? "",
    usage: {
      ...NO_USAGE,
      promptTokens: usage?.prompt_tokens ?? 0,
      completionTokens: usage?.completion_tokens ?? 0,
    },
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const where = ({ url }: ChatEndpoint): string => `label endpoint ${new URL(url).host}`;
const cancelled = (): MechanistError => new MechanistError("Cancelled", "label: stopped");

async function rest(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, milliseconds);
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
    signal?.addEventListener("abort", done, { once: true });
  });
  if (signal?.aborted) throw cancelled();
}
