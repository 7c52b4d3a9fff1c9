/** Where the reader is, as state. The URL is its only store. */
import { DEFAULT_VIEW, formatRoute, parseRoute, type Route, type RunView } from "../model/route.ts";

/** Browsers refuse many history entries in a short time; a slider makes one for each pixel. */
const ADJUST_EVERY = 120; // ms

class Router {
  route = $state.raw<Route>(parseRoute(location.hash));
  #waiting: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    const read = (): void => {
      clearTimeout(this.#waiting);
      this.#waiting = undefined;
      this.route = parseRoute(location.hash);
    };
    addEventListener("popstate", read);
    addEventListener("hashchange", read);
  }

  /** How the run is looked at; the defaults where no run is. */
  get view(): RunView {
    return this.route.screen === "run" ? this.route.view : DEFAULT_VIEW;
  }

  /** Goes somewhere: the reader can come back. */
  open(route: Route): void {
    this.#write();
    this.route = route;
    history.pushState(null, "", formatRoute(route));
  }

  /** Changes how the run is looked at, as a step that can be gone back from. */
  push(change: ViewChange): void {
    if (this.route.screen === "run") this.open({ ...this.route, view: changed(this.route.view, change) });
  }

  /** Changes how the run is looked at, in place: for sliders and for pointing. */
  adjust(change: ViewChange): void {
    if (this.route.screen !== "run") return;
    this.route = { ...this.route, view: changed(this.route.view, change) };
    this.#waiting ??= setTimeout(() => this.#write(), ADJUST_EVERY);
  }

  #write(): void {
    if (this.#waiting === undefined) return;
    clearTimeout(this.#waiting);
    this.#waiting = undefined;
    history.replaceState(null, "", formatRoute(this.route));
  }
}

/** New values; `undefined` takes an optional one away. */
export type ViewChange = { readonly [K in keyof RunView]?: RunView[K] | undefined };

function changed(view: RunView, change: ViewChange): RunView {
  const next = Object.entries({ ...view, ...change }).filter(([, value]) => value !== undefined);
  return { ...DEFAULT_VIEW, ...(Object.fromEntries(next) as Partial<RunView>) };
}

export const router: Router = new Router();
