/**
 * Slots: how many subcomponents each site has, and which of them are in use. A component that was pruned is zeros; it keeps its place, so that
 * addresses stay what they were, but the program that trains the others is made without it.
 */
import { type NamedValues, type Values, values } from "../../../engine/index.ts";
import { MechanistError } from "../../../error.ts";
import type { Network, Site } from "../../../network/network.ts";
import { fitsPattern, namesLike } from "../../../network/site-patterns.ts";
import { axisNames, sizeOf } from "../../../tensor/index.ts";
import type { Slots } from "../importance/importance.ts";
import type { ParameterSettings } from "../settings.ts";

/**
 * How many slots settings ask for at each site.
 *
 * @throws `BadArgument` for an entry of `componentsAt` that is none
 */
export function slotsAskedFor({ sites }: Network, { components, componentsAt }: ParameterSettings): Slots[] {
  const entries = entriesOf(componentsAt);
  return sites.map((site) => {
    const last = entries.findLast(({ pattern }) => fitsPattern(pattern, site.name));
    return { site, C: last?.C ?? components };
  });
}

/**
 * Refuses entries of `componentsAt` that say nothing about any site of a network.
 *
 * @throws `UnknownName` with the nearest site
 */
export function expectPatterns({ sites, furtherSites = [] }: Network, componentsAt: string): void {
  const names = [...sites, ...furtherSites].map(({ name }) => name);
  for (const { pattern } of entriesOf(componentsAt)) namesLike("componentsAt", pattern, names);
}

interface Entry {
  readonly pattern: string;
  readonly C: number;
}

function entriesOf(text: string): Entry[] {
  return text === "" ? [] : text.split(",").map((entry) => entryOf(entry.trim()));
}

function entryOf(text: string): Entry {
  const [pattern, count, ...rest] = text.split("=");
  const C = Number(count);
  if (pattern === "" || count === undefined || rest.length > 0 || !Number.isInteger(C) || C < 1 || C > 100_000)
    throw new MechanistError("BadArgument", `componentsAt: expected site=slots from 1 to 100000, got ${text}`);
  return { pattern: pattern!, C };
}

/** For each site, the slots whose components are not all zeros; at least one. */
export function slotsInUse(
  slots: readonly Slots[],
  components: NamedValues,
): Readonly<Record<string, readonly number[]>> {
  return Object.fromEntries(
    slots.map(({ site, C }) => {
      // Tied sites have the same slots: what one of them uses is in use at both.
      const names = [site.name, ...(site.tiedTo === undefined ? [] : [site.tiedTo])];
      const isUsed = (c: number): boolean => names.some((name) => isAnything(components, name, c));
      const used = Array.from({ length: C }, (_, c) => c).filter(isUsed);
      return [site.name, used.length > 0 ? used : [0]];
    }),
  );
}

/** Whether any number of a component is not 0. */
function isAnything(components: NamedValues, site: string, c: number): boolean {
  const [V, U] = [components[`${site}.V`]!, components[`${site}.U`]!];
  const [C, dOut] = U.shape as [number, number];
  for (let i = c; i < V.data.length; i += C) if (V.data[i] !== 0) return true;
  for (let j = c * dOut; j < (c + 1) * dOut; j++) if (U.data[j] !== 0) return true;
  return false;
}

/** Tensors, whatever they are of components, with the given slots alone. */
export function withSlots(
  tensors: NamedValues,
  sites: readonly Site[],
  used: Readonly<Record<string, readonly number[]>>,
): NamedValues {
  return mapSlots(tensors, sites, (tensor, site, { C, inner }) => {
    const kept = used[site]!;
    if (kept.length === C) return tensor;
    return gathered(tensor, kept, C, inner);
  });
}

/** The way back: the slots that are not given are zeros. */
export function inAllSlots(
  tensors: NamedValues,
  slots: readonly Slots[],
  used: Readonly<Record<string, readonly number[]>>,
): NamedValues {
  return mapSlots(
    tensors,
    slots.map(({ site }) => site),
    (tensor, name, { inner }) => {
      const { C } = slots.find(({ site }) => site.name === name)!;
      const kept = used[name]!;
      if (kept.length === C) return tensor;
      const place = new Map(kept.map((slot, i) => [slot, i]));
      const places = Array.from({ length: C }, (_, c) => place.get(c));
      return gathered(tensor, places, kept.length, inner);
    },
  );
}

/** A tensor along `C`: at each place what the given slot has, or zeros. */
function gathered(tensor: Values, from: readonly (number | undefined)[], C: number, inner: number): Values {
  const outer = tensor.data.length / (C * inner);
  const data = new Float32Array(outer * from.length * inner);
  for (let o = 0; o < outer; o++)
    from.forEach((slot, i) => {
      if (slot === undefined) return;
      const start = (o * C + slot) * inner;
      data.set(tensor.data.subarray(start, start + inner) as Float32Array, (o * from.length + i) * inner);
    });
  const shape = axisNames(tensor.axes).map((axis, i) => (axis === "C" ? from.length : tensor.shape[i]!));
  return values(tensor.axes, shape, data);
}

/** Changes every tensor that has slots. An optimiser's `adamw.m/linear1.V` belongs to the site of `linear1.V`. */
function mapSlots(
  tensors: NamedValues,
  sites: readonly Site[],
  change: (tensor: Values, site: string, along: { readonly C: number; readonly inner: number }) => Values,
): NamedValues {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => {
      const axis = axisNames(tensor.axes).indexOf("C");
      const own = name.slice(name.indexOf("/") + 1);
      const site = sites.find((s) => own === s.name || own.startsWith(`${s.name}.`));
      if (axis < 0 || site === undefined) return [name, tensor];
      const along = { C: tensor.shape[axis]!, inner: sizeOf(tensor.shape.slice(axis + 1)) };
      return [name, change(tensor, site.name, along)];
    }),
  );
}
