/** What is out of the network, as the URL says it. */
import { inOrder } from "../model/address-list.ts";
import type { SiteParts } from "../model/laboratory.ts";
import { router } from "./router.svelte.ts";

class Bench {
  #out = $derived(new Set(router.view.off));

  isOut(address: string): boolean {
    return this.#out.has(address);
  }

  get out(): readonly string[] {
    return router.view.off;
  }

  /** Takes a component out, or puts it back. */
  toggle(address: string): void {
    const { off } = router.view;
    const next = this.isOut(address) ? off.filter((other) => other !== address) : inOrder([...off, address]);
    router.push({ off: next, at: address });
  }

  /** Takes out every component that is dead at the checkpoint on show. */
  takeDeadOut(sites: readonly SiteParts[]): void {
    const dead = sites.flatMap(({ name, components }) =>
      components.flatMap(({ alive }, c) => (alive ? [] : [`${name}:${c}`])),
    );
    router.push({ off: inOrder([...router.view.off, ...dead]) });
  }

  reset(): void {
    if (router.view.off.length > 0) router.push({ off: [] });
  }
}

export const bench: Bench = new Bench();
