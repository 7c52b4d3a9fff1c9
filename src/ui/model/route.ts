/**
 * Where the reader is, as text after `#`. The path says what is looked at, the query how; what is as it would be anyway is
 * left out. `#/run/first?step=4000&off=linear1:0-3,linear1:7,linear2:remainder&at=linear1:7`
 */
import { formatAddresses, parseAddresses } from "./address-list.ts";

/** How a run is looked at. */
export interface RunView {
  /** The checkpoint to look at; absent, the latest, also when a newer one appears. */
  readonly step?: number;
  /** Addresses of components taken out of the network, in order. */
  readonly off: readonly string[];
  /** The component pointed at. */
  readonly at?: string;
  /** The probe input pointed at. */
  readonly input?: number;
  /** Weight of the past in smoothed curves, in [0, 1). */
  readonly smooth: number;
  /** Sites whose components are all listed. */
  readonly all: readonly string[];
  /** Degrees by which a three-dimensional hidden space is turned. */
  readonly turn: number;
  /** How components of a hidden space of more than three dimensions are drawn. */
  readonly draw: "bars" | "arrows";
}

export const DEFAULT_VIEW: RunView = { off: [], smooth: 0.8, all: [], turn: 30, draw: "bars" };

export type Route =
  | { readonly screen: "runs" }
  | { readonly screen: "run"; readonly name: string; readonly view: RunView }
  | { readonly screen: "nowhere"; readonly path: string };

/** Reads a hash. What cannot be read in the query is left at its default; an unknown path is said to be unknown. */
export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = split(hash.replace(/^#/, ""), "?");
  if (path === "" || path === "/") return { screen: "runs" };
  const match = /^\/run\/([^/]+)\/?$/.exec(path);
  const name = match && decode(match[1]!);
  if (!name) return { screen: "nowhere", path };
  return { screen: "run", name, view: parseView(new URLSearchParams(query)) };
}

/** Writes a hash, `#` included. */
export function formatRoute(route: Route): string {
  if (route.screen === "runs") return "#/";
  if (route.screen === "nowhere") return `#${route.path}`;
  const query = formatView(route.view);
  return `#/run/${encodeURIComponent(route.name)}${query === "" ? "" : `?${query}`}`;
}

function parseView(query: URLSearchParams): RunView {
  const step = whole(query.get("step"));
  const input = whole(query.get("input"));
  const at = query.get("at") ?? undefined;
  return {
    ...(step !== undefined && { step }),
    off: parseAddresses(query.get("off") ?? ""),
    ...(at !== undefined && parseAddresses(at)[0] === at && { at }),
    ...(input !== undefined && { input }),
    smooth: within(query.get("smooth"), 0, 0.99, DEFAULT_VIEW.smooth),
    all: (query.get("all") ?? "").split(",").filter((site) => /^[A-Za-z_][\w.]*$/.test(site)),
    turn: within(query.get("turn"), -180, 180, DEFAULT_VIEW.turn),
    draw: query.get("draw") === "arrows" ? "arrows" : DEFAULT_VIEW.draw,
  };
}

function formatView(view: RunView): string {
  const parts: [string, string | undefined][] = [
    ["step", view.step?.toString()],
    ["off", formatAddresses(view.off) || undefined],
    ["at", view.at],
    ["input", view.input?.toString()],
    ["smooth", view.smooth === DEFAULT_VIEW.smooth ? undefined : String(view.smooth)],
    ["all", view.all.join(",") || undefined],
    ["turn", view.turn === DEFAULT_VIEW.turn ? undefined : String(view.turn)],
    ["draw", view.draw === DEFAULT_VIEW.draw ? undefined : view.draw],
  ];
  // Site names, colons and commas are all fit for a hash as they are: an address should be readable in the address bar.
  return parts.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`])).join("&");
}

function split(text: string, at: string): [string, string] {
  const i = text.indexOf(at);
  return i < 0 ? [text, ""] : [text.slice(0, i), text.slice(i + 1)];
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function whole(text: string | null): number | undefined {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function within(text: string | null, low: number, high: number, otherwise: number): number {
  const value = text === null || text === "" ? Number.NaN : Number(text);
  return value >= low && value <= high ? value : otherwise;
}
