/** Random programs of the little language, for laws about all of them. */
import fc from "fast-check";
import {
  aggregate,
  type Categorical,
  type Category,
  everywhere,
  indices,
  map,
  mapToNumber,
  type Numerical,
  type Program,
  select,
  selectorWidth,
  type Sequence,
  sequenceMap,
  tokens,
} from "../../src/network/compiled/language.ts";

interface Instruction {
  readonly kind: number;
  /** Which earlier sequences it takes. */
  readonly first: number;
  readonly second: number;
  /** Which function. */
  readonly salt: number;
}

const small = fc.nat({ max: 1000 });

/** What a random program is made of. */
export const instructions: fc.Arbitrary<Instruction[]> = fc.array(
  fc.record({ kind: small, first: small, second: small, salt: small }),
  { minLength: 1, maxLength: 8 },
);

/** A whole number below `below` that depends on everything given. */
function mixed(below: number, salt: number, ...given: readonly Category[]): number {
  let hash = salt;
  for (const c of given.join("|")) hash = Math.imul(hash ^ c.codePointAt(0)!, 0x01000193) >>> 0;
  return (hash >>> 7) % below;
}

/** The program of some instructions, each of which makes one more sequence; the last is the output. */
export function programOf(list: readonly Instruction[]): Program {
  const categorical: Categorical[] = [tokens, indices];
  const numerical: Numerical[] = [];
  let output: Sequence = tokens;
  // The newest are taken most often, so that much depends on much.
  const pick = <T>(pool: readonly T[], which: number): T => pool.at(-1 - (which % Math.min(pool.length, 3)))!;
  list.forEach(({ kind, first, second, salt }, i) => {
    const [a, b] = [pick(categorical, first), pick(categorical, second)];
    const x = numerical.length > 0 ? pick(numerical, first) : undefined;
    const label = `s${i}`;
    const selector = select(a, b, (key, query) => mixed(2, salt, key, query) === 1);
    const makers: (() => Sequence)[] = [
      () => map(label, a, (value) => mixed(3, salt, value)),
      () => mapToNumber(label, a, (value) => mixed(4, salt, value) - 1),
      () => sequenceMap(label, a, b, (p, q) => mixed(3, salt, p, q)),
      () => selectorWidth(label, selector),
      () =>
        aggregate(
          label,
          select(indices, indices, (key, query) => key === query - 1 - (salt % 2)),
          a,
          `none of ${i}`,
        ),
      ...(x === undefined
        ? []
        : [
            () => aggregate(label, selector, x),
            () => aggregate(label, everywhere, x),
            () => map(label, x, (value) => value > salt / 1000),
            () => mapToNumber(label, x, (value) => (value < 0 ? -value : 1)),
          ]),
    ];
    output = makers[kind % makers.length]!();
    if (output.kind === "numerical") numerical.push(output);
    else categorical.push(output);
  });
  return { vocabulary: ["a", "b"], length: 3, output };
}
