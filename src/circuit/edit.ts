/**
 * Acting on components: a change of what they write. A component `V_c U_c` of a matrix W is scaled, taken away or given another write vector
 * by adding `V_c (U'_c - U_c)` to W, while the remainder `W - VU` stays what it is. It is never worked out anew from the changed matrix: a
 * remainder made of W and new components would take the edit back.
 */
import { type Address, formatAddress, parseAddress } from "../decomposition/address.ts";
import { fromRows, innerActivation, ownProduct, siteRows } from "../decomposition/parameter/subcomponents.ts";
import type { NamedValues } from "../engine/index.ts";
import { interpret, values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import type { Hooks } from "../network/network.ts";
import { add, cast, einsum, greater, input, mul, sub, type Tensor } from "../tensor/index.ts";
import { componentCount, type RankOneDecomposition, siteOf, vectorsOf } from "./subject.ts";

/** One thing to do to a component, or to a site. */
export type Edit =
  /** Times a number: 0 ablates, 1 does nothing, 2 doubles. */
  | { readonly kind: "scale"; readonly address: string; readonly by: number }
  /** Another write vector, `d_out`. */
  | { readonly kind: "replace"; readonly address: string; readonly write: ArrayLike<number> }
  /** Of each site that is named nothing else is kept: neither other components nor the remainder. */
  | { readonly kind: "keep"; readonly addresses: readonly string[] };

/** What edits come to at one site. */
export interface SiteEdit {
  /** What is added to what each component writes, `C d_out`. */
  readonly change: NamedValues[string];
  /** The components that are changed; where only some are kept, those. */
  readonly components: readonly number[];
  /** Whether the remainder goes as well. */
  readonly dropsRemainder: boolean;
}

export type EditPlan = Readonly<Record<string, SiteEdit>>;

/** Takes a component away. */
export const ablate = (address: string): Edit => ({ kind: "scale", address, by: 0 });

/**
 * What edits come to, site by site.
 *
 * @throws `BadArgument` for a component that is named twice, a position, a write vector of another length, a number that is not finite
 */
export function planned(subject: RankOneDecomposition, edits: readonly Edit[]): EditPlan {
  const plan: Record<string, { change: Float32Array; components: number[]; kept: boolean }> = {};
  const at = (site: string): (typeof plan)[string] => {
    const { dOut } = siteOf(subject, site);
    plan[site] ??= { change: new Float32Array(componentCount(subject, site) * dOut), components: [], kept: false };
    return plan[site];
  };
  for (const edit of edits) {
    if (edit.kind === "keep") keepOnly(subject, edit.addresses, at);
    else changeOne(subject, edit, at);
  }
  return Object.fromEntries(
    Object.entries(plan).map(([site, { change, components, kept }]) => {
      const shape = [componentCount(subject, site), siteOf(subject, site).dOut];
      return [site, { change: values("C d_out", shape, change), components, dropsRemainder: kept }];
    }),
  );
}

type SiteAt = (site: string) => { readonly change: Float32Array; readonly components: number[]; kept: boolean };

function changeOne(subject: RankOneDecomposition, edit: Exclude<Edit, { kind: "keep" }>, at: SiteAt): void {
  const { site, component } = componentOf(edit.address);
  const { U } = vectorsOf(subject, siteOf(subject, site).name, component);
  const { change, components } = at(site);
  if (components.includes(component)) {
    throw new MechanistError("BadArgument", `edit: expected one edit of ${edit.address}, got two`);
  }
  components.push(component);
  const written = edit.kind === "replace" ? edit.write : U.map((u) => u * edit.by);
  if (written.length !== U.length) {
    const wanted = `a write vector of ${U.length} numbers`;
    throw new MechanistError("BadArgument", `edit ${edit.address}: expected ${wanted}, got ${written.length}`);
  }
  for (let o = 0; o < U.length; o++) {
    if (!Number.isFinite(written[o])) {
      throw new MechanistError("BadArgument", `edit ${edit.address}: expected finite numbers, got ${written[o]}`);
    }
    change[component * U.length + o] = written[o]! - U[o]!;
  }
}

function keepOnly(subject: RankOneDecomposition, addresses: readonly string[], at: SiteAt): void {
  for (const address of addresses) {
    const { site, component } = componentOf(address);
    const { dOut } = siteOf(subject, site);
    vectorsOf(subject, site, component);
    const edit = at(site);
    if (!edit.kept && edit.components.length > 0) {
      throw new MechanistError("BadArgument", `edit: expected one edit of ${site}, got another beside keep only`);
    }
    if (!edit.kept) edit.change.set(subject.values[`${site}.U`]!.data.map((u) => -u));
    edit.kept = true;
    edit.components.push(component);
    edit.change.fill(0, component * dOut, (component + 1) * dOut);
  }
}

/** The component that an address names; edits are of the function, not of one call of it. */
function componentOf(text: string): Address & { readonly component: number } {
  const address = parseAddress(text);
  const { site, component, position } = address;
  if (component === "remainder") {
    throw new MechanistError("BadArgument", `edit: expected a component of ${site}, got its remainder`);
  }
  if (position !== undefined) {
    const whole = formatAddress({ site, component });
    throw new MechanistError("BadArgument", `edit: expected a component at every position, ${whole}, got ${text}`);
  }
  return { ...address, component };
}

/**
 * Hooks under which a network runs as edited, on its own weights and the change. The changes are inputs called `edit/<site>`, `C d_out`.
 *
 * @param strength how much of the change is made: 1 as asked, 0 nothing, 2 twice
 * @param where    importances `C batch` by site, and what one must exceed for the change to be made there; absent, it is made everywhere
 */
export function editHooks(
  { sites, tensors }: RankOneDecomposition,
  plan: EditPlan,
  strength: Tensor<"">,
  where?: { readonly importances: Readonly<Record<string, Tensor<"C batch">>>; readonly above: number },
): Hooks {
  return {
    matmul: (site, activation, W) => {
      const edit = plan[site.name];
      if (edit === undefined || !sites.some(({ name }) => name === site.name)) return undefined;
      const V = tensors[`${site.name}.V`] as Tensor<"d_in C">;
      const U = tensors[`${site.name}.U`] as Tensor<"C d_out">;
      const rows = siteRows(activation);
      const inner = innerActivation(rows, { V, U });
      const [C, d_out] = edit.change.shape as [number, number];
      const change = input(`edit/${site.name}`, "C d_out", { C, d_out });
      const important = where && cast(greater(where.importances[site.name]!, where.above), "f32");
      const acting = important === undefined ? inner : mul(inner, important);
      const own = ownProduct(rows, W);
      let added = einsum("C batch, C d_out -> batch d_out", acting, change);
      if (edit.dropsRemainder) {
        const whole = einsum("C batch, C d_out -> batch d_out", inner, U);
        added = add(added, sub(whole, own));
      }
      return fromRows(add(own, mul(added, strength)), activation);
    },
  };
}

/** The numbers of the changes, for programs made with `editHooks`. */
export function editFeeds(plan: EditPlan): NamedValues {
  return Object.fromEntries(Object.entries(plan).map(([site, { change }]) => [`edit/${site}`, change]));
}

/**
 * The network's own weights with the edits made for good, under their own names.
 *
 * @throws `Refused` where a site's matrix is no weight of its own, or is used by another site too: the edit would change more than was asked
 */
export function editedWeights(subject: RankOneDecomposition, plan: EditPlan): NamedValues {
  const { network, values: given } = subject;
  const before = Object.fromEntries(network.weights.map(({ name }) => [name, given[name]!]));
  const after: Record<string, NamedValues[string]> = { ...before };
  const matrices = matricesOf(subject, before);
  const wanted: Record<string, Float64Array> = {};
  for (const [site, edit] of Object.entries(plan)) {
    const { dIn, dOut } = siteOf(subject, site);
    const weight = before[site];
    if (weight === undefined || weight.data.length !== dIn * dOut) {
      const why = "the network makes its matrix of others";
      throw new MechanistError("Refused", `edit: expected a weight called ${site} to change, got none; ${why}`);
    }
    wanted[site] = editedMatrix(subject, site, edit, matrices[site]!);
    after[site] = { ...weight, data: Float32Array.from(wanted[site]) };
  }
  expectOnlyThose(subject, matrices, matricesOf(subject, after), wanted);
  return after;
}

/** `W + V · change`; where only some are kept, the sum of those. */
function editedMatrix(
  subject: RankOneDecomposition,
  site: string,
  { change, dropsRemainder }: SiteEdit,
  W: Float64Array,
): Float64Array {
  const { dIn, dOut } = siteOf(subject, site);
  const [V, U] = [subject.values[`${site}.V`]!.data, subject.values[`${site}.U`]!.data];
  const C = componentCount(subject, site);
  const matrix = dropsRemainder ? new Float64Array(dIn * dOut) : Float64Array.from(W);
  for (let c = 0; c < C; c++) {
    for (let o = 0; o < dOut; o++) {
      const write = change.data[c * dOut + o]! + (dropsRemainder ? U[c * dOut + o]! : 0);
      if (write === 0) continue;
      for (let i = 0; i < dIn; i++) matrix[i * dOut + o]! += V[i * C + c]! * write;
    }
  }
  return matrix;
}

function matricesOf(
  { network, tensors, sites }: RankOneDecomposition,
  weights: NamedValues,
): Record<string, Float64Array> {
  const outputs = Object.fromEntries(sites.map(({ name }) => [name, network.matrix(tensors, name) as Tensor]));
  const found = interpret(outputs, weights);
  return Object.fromEntries(Object.entries(found).map(([name, { data }]) => [name, Float64Array.from(data)]));
}

function expectOnlyThose(
  { sites }: RankOneDecomposition,
  before: Readonly<Record<string, Float64Array>>,
  after: Readonly<Record<string, Float64Array>>,
  wanted: Readonly<Record<string, Float64Array>>,
): void {
  for (const { name } of sites) {
    const should = wanted[name] ?? before[name]!;
    if (after[name]!.every((value, i) => Math.abs(value - should[i]!) <= 1e-6 * Math.max(1, Math.abs(should[i]!))))
      continue;
    const edited = Object.keys(wanted).join(", ");
    throw new MechanistError(
      "Refused",
      `edit: expected ${name} to have a weight of its own, got one shared with ${edited}`,
    );
  }
}
