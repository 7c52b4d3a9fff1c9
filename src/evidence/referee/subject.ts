/** Who is judged: a decomposition under a name, or a yardstick made of one. */
import type { Decomposition, Masks } from "../../decomposition/decomposition.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { ControlKind, SubjectRow } from "./scoreboard.ts";

export interface Subject extends Pick<SubjectRow, "name" | "method" | "seed" | "digest" | "cost"> {
  readonly decomposition: Decomposition;
  /** What a control is; absent for a method. */
  readonly control?: ControlKind;
  /** The method that it is made of; absent for methods and for controls of the network itself. */
  readonly of?: Subject;
  /** Equal for those that differ in nothing but their seed; absent where nobody knows. */
  readonly seedGroup?: string;
  /** Whether its units are put in order by what their removal does, instead of what it says itself. */
  readonly byDamage?: boolean;
}

/** What a subject's components are, where something else is said of how much each matters. */
export function componentsOf({ decomposition, control, of }: Subject): Decomposition {
  return of !== undefined && (control === "random" || control === "permuted") ? of.decomposition : decomposition;
}

/** The same components, with something else said of how much each matters, and nothing of how strongly it acts. */
export function credited(
  decomposition: Decomposition,
  activity: (x: Tensor) => Masks,
  strength?: (x: Tensor) => Masks,
): Decomposition {
  const { network, sites, components, remainder, values, tensors, measure } = decomposition;
  return {
    ...{ network, sites, components, remainder, values, tensors, measure, activity },
    ...(strength && { activations: strength }),
    carried: (x) => decomposition.carried(x),
    masked: (x, masks, options) => decomposition.masked(x, masks, options),
  };
}
