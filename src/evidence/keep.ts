/** Components kept whole or taken out, the same on every input: masks that are inputs of a program, so that one program answers many questions. */
import type { Decomposition, Masks } from "../decomposition/decomposition.ts";
import { type NamedValues, scalarValue, values } from "../engine/index.ts";
import { input, type Tensor } from "../tensor/index.ts";

const nameOf = (site: string): string => `keep/${site}`;
const remainderOf = (site: string): string => `keep/${site}/remainder`;

const countAt = ({ components }: Decomposition, site: string): number =>
  components.filter((component) => component.site === site).length;

/** Masks and what is kept of each remainder, as inputs of a program. */
export function keepInputs(decomposition: Decomposition): {
  readonly masks: Masks;
  readonly remainder: Readonly<Record<string, Tensor>>;
} {
  const each = <T>(f: (site: string) => T): Record<string, T> =>
    Object.fromEntries(decomposition.sites.map(({ name }) => [name, f(name)]));
  return {
    // One number a component stands for all inputs.
    masks: each((site) => input(nameOf(site), "C", { C: countAt(decomposition, site) }) as Tensor as Tensor<"C batch">),
    remainder: each((site) => input(remainderOf(site), "", {})),
  };
}

/** Numbers for them. */
export function keepFeeds(
  decomposition: Decomposition,
  kept: (site: string, component: number) => boolean,
  remainder: boolean,
): NamedValues {
  return Object.fromEntries(
    decomposition.sites.flatMap(({ name }) => {
      const C = countAt(decomposition, name);
      const mask = Float32Array.from({ length: C }, (_, c) => Number(kept(name, c)));
      return [
        [nameOf(name), values("C", [C], mask)],
        [remainderOf(name), scalarValue(Number(remainder))],
      ];
    }),
  );
}
