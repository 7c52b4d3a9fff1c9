/** What each element-by-element operation does to numbers, in float64. */
import { erf } from "./erf.ts";

/** Operations on one number. */
export const UNARY = {
  neg: (x: number) => -x,
  abs: Math.abs,
  sign: Math.sign,
  floor: Math.floor,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  reciprocal: (x: number) => 1 / x,
  erf,
  tanh: Math.tanh,
  sigmoid: (x: number) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))),
  relu: (x: number) => (x > 0 || Number.isNaN(x) ? x : 0),
  sin: Math.sin,
  cos: Math.cos,
  not: (x: number) => (x ? 0 : 1),
} as const;

/** Operations on two numbers. */
export const BINARY = {
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number) => a * b,
  div: (a: number, b: number) => a / b,
  pow: (a: number, b: number) => a ** b,
  maximum: (a: number, b: number) => Math.max(a, b),
  minimum: (a: number, b: number) => Math.min(a, b),
  less: (a: number, b: number) => Number(a < b),
  lessEqual: (a: number, b: number) => Number(a <= b),
  equal: (a: number, b: number) => Number(a === b),
  and: (a: number, b: number) => Number(a !== 0 && b !== 0),
  or: (a: number, b: number) => Number(a !== 0 || b !== 0),
} as const;

export type UnaryName = keyof typeof UNARY;
export type BinaryName = keyof typeof BINARY;
