/**
 * The self-check: whether a network's hook points hold what their names say, on the user's own network and tokens. A value of the right
 * shape under the wrong name is the field's commonest silent error; here it fails an identity, and the point is refused from then on.
 */
import type { Values } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import type { Network } from "../network.ts";
import { type RunnableNetwork, tokenValues } from "../run.ts";
import { isTransformer, type Transformer } from "../transformer/transformer.ts";
import { type Agreement, readingAgreements, sequenceAgreements } from "./behaviour.ts";
import { identities } from "./identities.ts";

/** One thing that should hold. */
export interface CheckRow {
  /** The point that is held against it; `logits` for the network's output. */
  readonly point: string;
  /** What should hold. */
  readonly identity: string;
  /** The absolute difference where it is worst, compared with what is allowed there. */
  readonly error: number;
  /** What is allowed there. */
  readonly tolerance: number;
  readonly passed: boolean;
}

export interface CheckReport {
  readonly rows: readonly CheckRow[];
  /** How many positions were looked at. */
  readonly positions: number;
  readonly passed: boolean;
  /** The points that failed, and why. */
  readonly refusals: Readonly<Record<string, string>>;
}

/** How far float32 may be off: a part of the sizes of what is added up, and of the largest output where whole runs are compared. */
const TOLERANCES = { identity: 2e-5, agreement: 1e-4 };

/** The most positions of a prompt that are looked at; every point's value is held for each. */
const MOST_POSITIONS = 64;

/**
 * Checks a transformer on a prompt: what each point holds, and what must not change what it computes.
 *
 * @param tokens token ids; of a long prompt the first 64
 * @throws `BadArgument` for an id that is out of range, or a prompt longer than the context
 */
export async function checkTransformer(runnable: RunnableNetwork, tokens: readonly number[]): Promise<CheckReport> {
  const points = await checkPoints(runnable, tokens);
  const kept = tokens.slice(0, MOST_POSITIONS);
  const x = tokenValues([kept]);
  const { output } = await runnable.run(x, { cache: "all" });
  const agreements = [
    ...(await readingAgreements(runnable, x, output)),
    ...(await sequenceAgreements(runnable, kept, (runnable.network as Transformer).config.attention)),
  ];
  return report([...points.rows, ...agreements.map(agreementRow)], kept.length);
}

/** Of these checks those of what each point holds. */
export async function checkPoints(runnable: RunnableNetwork, tokens: readonly number[]): Promise<CheckReport> {
  const { network, weights } = runnable;
  if (!isTransformer(network)) {
    throw new MechanistError("BadArgument", "check: expected a transformer, got another network");
  }
  expectPrompt(network, tokens);
  const kept = tokens.slice(0, MOST_POSITIONS);
  const { output, cache } = await runnable.run(tokenValues([kept]), { cache: "all" });
  const extent = { batch: 1, pos: kept.length };
  const seen = { network, weights, tokens: kept, cache, logits: output.data, extent };
  const rows = identities(seen).map(({ point, says, expected, of }): CheckRow => {
    const held = point in cache ? cache[point]!.data : output.data;
    const { values, sizes } = expected();
    return row(point, says, of?.(held) ?? held, values, (i) => sizes[i]! * TOLERANCES.identity);
  });
  return report(rows, kept.length);
}

/** Checks what holds of every network: that reading, replacing by itself and stopping change nothing. */
export async function checkReading(runnable: RunnableNetwork, x: Values): Promise<CheckReport> {
  const { output } = await runnable.run(x, { cache: "all" });
  const agreements = await readingAgreements(runnable, x, output);
  return report(agreements.map(agreementRow), x.shape[1]!);
}

/** Refuses the points of a network that failed, from now on. */
export function refuseFailed(runnable: RunnableNetwork, { refusals }: CheckReport): void {
  for (const [point, why] of Object.entries(refusals)) {
    if (runnable.network.points.some(({ name }) => name === point)) runnable.refuse(point, why);
  }
}

function expectPrompt({ input }: Network, tokens: readonly number[]): void {
  if (tokens.length === 0) throw new MechanistError("BadArgument", "prompt: expected at least 1 token, got 0");
  if (tokens.length > input.context!) {
    throw new MechanistError("BadArgument", `prompt: expected at most ${input.context} tokens, got ${tokens.length}`);
  }
  const bad = tokens.findIndex((id) => !Number.isInteger(id) || id < 0 || id >= input.vocab!);
  if (bad < 0) return;
  throw new MechanistError(
    "BadArgument",
    `prompt: expected token ids from 0 to ${input.vocab! - 1}, got ${tokens[bad]} at position ${bad}`,
  );
}

function report(rows: readonly CheckRow[], positions: number): CheckReport {
  const failed = rows.filter((one) => !one.passed);
  const refusals: Record<string, string> = {};
  for (const { point, identity, error } of failed) {
    refusals[point] ??= `off by ${error.toPrecision(2)} from ${identity.replace(/^= /, "")}`;
  }
  return { rows, positions, passed: failed.length === 0, refusals };
}

function agreementRow({ point, says, wanted, got }: Agreement): CheckRow {
  let largest = 0;
  for (let i = 0; i < wanted.length; i++) largest = Math.max(largest, Math.abs(wanted[i]!));
  return row(point, says, got, wanted, () => largest * TOLERANCES.agreement);
}

/** The difference at the place where it is the greatest part of what is allowed there. */
function row(
  point: string,
  identity: string,
  got: ArrayLike<number>,
  wanted: ArrayLike<number>,
  allowed: (i: number) => number,
): CheckRow {
  if (got.length !== wanted.length) return { point, identity, error: Infinity, tolerance: 0, passed: false };
  let worst = { error: 0, tolerance: wanted.length > 0 ? allowed(0) : 0, part: 0 };
  for (let i = 0; i < wanted.length; i++) {
    const error = Math.abs(got[i]! - wanted[i]!);
    const tolerance = allowed(i);
    const part = error === 0 ? 0 : error / tolerance;
    // A NaN is worse than any number.
    if (!(part <= worst.part)) worst = { error, tolerance, part: Number.isNaN(part) ? Infinity : part };
  }
  return { point, identity, error: worst.error, tolerance: worst.tolerance, passed: worst.part <= 1 };
}
