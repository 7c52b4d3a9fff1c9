/** `/api/runs/<name>/harvest`: what a harvest says of the components of a run. */
import { type Context, Hono } from "hono";
import { MechanistError } from "../error.ts";
import { HarvestFolder } from "../harvest/node-folder.ts";
import { askHarvest, componentCard, harvestedSites, type HarvestQuery, listComponents } from "../harvest/node-query.ts";
import { MOST_LISTED } from "../harvest/shown.ts";
import type { RunFolder } from "../run/folder.ts";

/** Components of one answer, unless another number is asked for. */
const LISTED = 100;
/** Rows of each list on a component's card. */
const ROWS = 12;

/** @param found the run that a request names */
export function harvestRoutes(found: (context: Context) => Promise<RunFolder>): Hono {
  const app = new Hono();
  const asked = async <T>(context: Context, ask: (query: HarvestQuery) => Promise<T>): Promise<T> =>
    askHarvest(new HarvestFolder((await found(context)).path), ask);

  app.get("/", async (context) => {
    const { site, sort = "density", limit = String(LISTED) } = context.req.query();
    if (!/^\d{1,5}$/.test(limit) || Number(limit) > MOST_LISTED)
      throw new MechanistError("BadArgument", `limit: expected at most ${MOST_LISTED}, got ${limit.slice(0, 40)}`);
    const answer = await asked(context, async (query) => {
      const { n, step, l0, kind, separator, settings } = query.document;
      const sites = await harvestedSites(query);
      const list = await listComponents(query, { sort, limit: Number(limit), ...(site && { site }) });
      return { n, step, l0, kind, separator, threshold: settings.threshold, sites, ...list };
    });
    return context.json(answer);
  });

  app.get("/:address", async (context) => {
    const address = context.req.param("address");
    return context.json(await asked(context, (query) => componentCard(query, address, ROWS)));
  });
  return app;
}
