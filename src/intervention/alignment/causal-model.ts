/**
 * Causal models: what somebody believes a network computes, as variables that are functions of one another (Geiger et al. 2021, "Causal
 * abstractions of neural networks"). A model is run on inputs, with some of its variables set to something else if wanted; what comes
 * out is what the network should say when the corresponding part of it is set likewise.
 */
import { MechanistError } from "../../error.ts";
import { named } from "../../settings.ts";
import { foldIn, type Key, randomUniform } from "../../tensor/index.ts";

/** A variable: what it is made of, and how. */
export interface Variable {
  readonly parents: readonly string[];
  /** @param values of the parents, in their order */
  readonly of: (...values: never[]) => unknown;
}

/** Values by name of input or variable. */
export type Setting = Readonly<Record<string, unknown>>;

/** Variables between inputs and an output, without circles. */
export class CausalModel {
  readonly inputs: readonly string[];
  readonly variables: Readonly<Record<string, Variable>>;
  readonly output: string;
  /** Every variable after its parents. */
  readonly #order: readonly string[];

  /** @throws `UnknownName` for a parent that nothing is called; `BadArgument` for a circle */
  constructor(inputs: readonly string[], variables: Readonly<Record<string, Variable>>, output: string) {
    this.inputs = inputs;
    this.variables = variables;
    this.output = output;
    const known = Object.fromEntries([...inputs, ...Object.keys(variables)].map((name) => [name, name]));
    for (const { parents } of Object.values(variables)) for (const p of parents) named("causal variable", p, known);
    named("causal variable", output, variables);
    this.#order = this.#sorted();
  }

  /**
   * Every variable's value.
   *
   * @param given what the inputs are
   * @param fixed variables that are held at a value, whatever their parents say
   */
  run(given: Setting, fixed: Setting = {}): Setting {
    for (const name of Object.keys(fixed)) named("causal variable", name, this.variables);
    const values: Record<string, unknown> = {};
    for (const name of this.inputs) {
      if (!(name in given))
        throw new MechanistError("BadArgument", `causal model: expected a value for ${name}, got none`);
      values[name] = given[name];
    }
    for (const name of this.#order) {
      const { parents, of } = this.variables[name]!;
      values[name] = name in fixed ? fixed[name] : of(...(parents.map((parent) => values[parent]) as never[]));
    }
    return values;
  }

  /**
   * An interchange intervention: the output for `base` with some variables as they are for other inputs.
   *
   * @param sources for each variable to exchange, the inputs that it takes its value from
   */
  interchange(base: Setting, sources: Readonly<Record<string, Setting>>): unknown {
    const fixed = Object.entries(sources).map(([name, source]) => [name, this.run(source)[name]]);
    return this.run(base, Object.fromEntries(fixed))[this.output];
  }

  #sorted(): string[] {
    const order: string[] = [];
    const visit = (name: string, path: readonly string[]): void => {
      if (path.includes(name)) {
        throw new MechanistError("BadArgument", `causal model: expected no circle, got ${[...path, name].join(" → ")}`);
      }
      if (this.inputs.includes(name) || order.includes(name)) return;
      for (const parent of this.variables[name]!.parents) visit(parent, [...path, name]);
      order.push(name);
    };
    for (const name of Object.keys(this.variables)) visit(name, []);
    return order;
  }
}

/** A base and a source, with what the model says of the base once a variable is exchanged. */
export interface Counterfactual {
  readonly base: Setting;
  readonly source: Setting;
  readonly output: unknown;
}

/** Pairs drawn from examples with replacement, each with its counterfactual output. */
export function counterfactuals(
  model: CausalModel,
  examples: readonly Setting[],
  { variable, count, key }: { readonly variable: string; readonly count: number; readonly key: Key },
): Counterfactual[] {
  if (examples.length === 0) throw new MechanistError("BadArgument", "counterfactuals: expected examples, got none");
  const pick = (side: string): Setting[] =>
    Array.from(randomUniform(foldIn(key, side), count), (u) => examples[Math.floor(u * examples.length)]!);
  const sources = pick("source");
  return pick("base").map((base, i) => {
    const source = sources[i]!;
    return { base, source, output: model.interchange(base, { [variable]: source }) };
  });
}
