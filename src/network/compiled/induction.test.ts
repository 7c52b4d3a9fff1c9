import { expect, test } from "vitest";
import { compile, interpret, type NamedValues, type Values } from "../../engine/index.ts";
import { foldIn, input, type Key, keyFromSeed, randomBits } from "../../tensor/index.ts";
import { weightInputs } from "../network.ts";
import { handCodedInduction, type HandCodedInduction } from "./induction.ts";

const [V, T] = [8, 16];

/** Random sequences whose last token has occurred before, once, and not at position 0; with the token that came after it. */
function sequences(count: number, key: Key): { tokens: number[][]; next: number[] } {
  const [tokens, next]: [number[][], number[]] = [[], []];
  for (let i = 0; tokens.length < count; i++) {
    const bits = randomBits(foldIn(key, i), T + 1);
    const row = Array.from({ length: T }, (_, t) => bits[t]! % V);
    const last = row[T - 1]!;
    const at = 1 + (bits[T]! % (T - 2));
    const once = row.map((token, t) => (t < T - 1 && token === last ? (token + 1) % V : token));
    once[at] = last;
    tokens.push(once);
    next.push(once[at + 1]!);
  }
  return { tokens, next };
}

function feeds(tokens: number[][], { weights }: HandCodedInduction): NamedValues {
  const data = Int32Array.from(tokens.flat());
  return { ...weights, tokens: { axes: "batch pos", shape: [tokens.length, T], dtype: "i32", data } };
}

const program = ({ network }: HandCodedInduction, batch: number): { logits: ReturnType<typeof network.forward> } => ({
  logits: network.forward(weightInputs(network.weights), input("tokens", "batch pos", { batch, pos: T }, "i32")),
});

/** Mean cross entropy at the last position, in nats, and the share of right answers. */
function score(logits: Values, next: readonly number[]): { loss: number; accuracy: number } {
  let [loss, right] = [0, 0];
  next.forEach((want, b) => {
    const row = Array.from(logits.data.subarray((b * T + T - 1) * V, (b * T + T) * V));
    loss += Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - row[want]!;
    right += Number(row.indexOf(Math.max(...row)) === want);
  });
  return { loss: loss / next.length, accuracy: right / next.length };
}

test("the token after the last one's earlier occurrence has the gain as its logit, the others 0", async () => {
  const induction = handCodedInduction({ beta: 100 });
  const { tokens, next } = sequences(2000, keyFromSeed(1));
  const executable = await compile(program(induction, tokens.length), { threads: 1 });
  const { logits } = await executable.run(feeds(tokens, induction));
  await executable.dispose();
  const { loss, accuracy } = score(logits, next);
  expect(accuracy).toBe(1);
  // One logit of 8 and seven of 0.
  expect(loss).toBeCloseTo(Math.log(1 + 7 * Math.exp(-8)), 6);
  // Sequences of others get it right as often as chance has it: 7 in 8 times wrong by 8.
  const shuffled = score(logits, [...next.slice(1), next[0]!]);
  expect(shuffled.loss).toBeGreaterThan(6.5);
  expect(shuffled.loss).toBeLessThan(7.5);
});

test("attention is as sharp as beta", () => {
  const { tokens, next } = sequences(12, keyFromSeed(2));
  const losses = [0, 1, 5, 20].map((beta) => {
    const induction = handCodedInduction({ beta });
    return score(interpret(program(induction, tokens.length), feeds(tokens, induction)).logits, next).loss;
  });
  expect(losses).toEqual(losses.toSorted((a, b) => b - a));
  expect(losses[3]).toBeLessThan(0.01);
});

test("has 52 edges, 7 of them true", () => {
  const { edges, trueEdges } = handCodedInduction({ beta: 1 });
  const names = edges.map(({ from, to, into }) => `${from} ${to} ${into}`);
  expect(new Set(names).size).toBe(52);
  // Three heads' q, k, v of the embedding; three heads' of that and three heads before; the logits of all seven.
  expect(edges.length).toBe(3 * 3 + 3 * 3 * 4 + 7);
  expect(trueEdges.map(({ from, to, into }) => `${from} ${to} ${into}`)).toEqual([
    "embed blocks.0.attn:0 q",
    "embed blocks.0.attn:0 k",
    "embed blocks.0.attn:0 v",
    "embed blocks.1.attn:0 q",
    "blocks.0.attn:0 blocks.1.attn:0 k",
    "embed blocks.1.attn:0 v",
    "blocks.1.attn:0 unembed in",
  ]);
  for (const edge of trueEdges) expect(edges).toContainEqual(edge);
});

test("the other heads are there, and nothing reads what they write", () => {
  const induction = handCodedInduction({ beta: 5 });
  const { weights } = induction;
  const { tokens } = sequences(8, keyFromSeed(3));
  const whole = interpret(program(induction, tokens.length), feeds(tokens, induction)).logits;
  const head = (x: Values, index: number): Float32Array => {
    const size = x.data.length / 3;
    return x.data.slice(index * size, (index + 1) * size) as Float32Array;
  };
  const without: Record<string, Values> = { ...weights };
  for (const layer of [0, 1]) {
    const W = weights[`blocks.${layer}.attn.W_O`]!;
    expect(head(W, 1).some((x) => x !== 0)).toBe(true);
    expect(head(W, 2).every((x) => x === 0)).toBe(true);
    const size = W.data.length / 3;
    without[`blocks.${layer}.attn.W_O`] = {
      ...W,
      data: W.data.map((x: number, i: number) => (i < size ? x : 0)) as Float32Array,
    };
  }
  const bare = interpret(program(induction, tokens.length), { ...feeds(tokens, induction), ...without }).logits;
  // What the second head of layer 0 writes is seen by the second of layer 1 only.
  expect(bare.data).toEqual(whole.data);
});

test("a beta that is no number is refused", () => {
  expect(() => handCodedInduction({ beta: Number.NaN })).toThrow(/expected a beta of at least 0, got NaN/);
});
