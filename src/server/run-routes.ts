/** `/api/runs`: the runs of a folder, read from their files, whichever process writes them. */
import { readFile, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { type Context, Hono } from "hono";
import { MechanistError } from "../error.ts";
import { RunFolder } from "../run/folder.ts";
import { parseMetrics } from "../run/metrics.ts";
import { isRunName, runNames } from "../run/runs.ts";
import { lastRow, readFrom } from "../run/tail.ts";
import type { AppOptions } from "./app.ts";
import { harvestRoutes } from "./harvest-routes.ts";
import { live } from "./live.ts";
import { runEvents } from "./run-events.ts";

/** The routes below `/api/runs`. */
export function runRoutes({ runs, stop }: AppOptions): Hono {
  const app = new Hono();
  const found = (context: Context): Promise<RunFolder> => runNamed(runs, context.req.param("name")!);

  app.get("/", async (context) => context.json(await listRuns(runs)));

  app.get("/:name", async (context) => {
    const run = await found(context);
    return context.json({ ...live(run.record), checkpoints: await run.checkpoints.steps() });
  });

  app.get("/:name/metrics", async (context) => {
    const run = await found(context);
    if (context.req.query("once") === undefined) return runEvents(context, run);
    const bytes = await readFrom(run.metricsPath, 0);
    const end = parseMetrics(bytes).rows.at(-1)?.end ?? 0;
    return context.body(bytes.slice(0, end), 200, { "content-type": "application/jsonl", "cache-control": "no-store" });
  });

  app.get("/:name/checkpoints/:step", async (context) => {
    const run = await found(context);
    const step = context.req.param("step");
    if (!/^\d{1,15}$/.test(step))
      throw new MechanistError("BadArgument", `step: expected a whole number, got ${step.slice(0, 40)}`);
    return tensorFile(context, run.checkpoints.pathOf(Number(step)), runs);
  });

  app.get("/:name/target", async (context) => tensorFile(context, (await found(context)).targetPath, runs));

  app.route("/:name/harvest", harvestRoutes(found));

  app.post("/:name/stop", async (context) => {
    const run = await found(context);
    if (stop?.(run.name) !== true) {
      throw new MechanistError("Refused", `${run.name}: expected a run of this process, got one of another or none`);
    }
    return context.json({ name: run.name, stopping: true });
  });
  return app;
}

/** @throws `MissingFile` for whatever is not a run folder inside the served folder, by links too */
async function runNamed(runs: string, name: string): Promise<RunFolder> {
  const missing = new MechanistError(
    "MissingFile",
    `${name.slice(0, 200)}: expected the name of a run, got something else`,
  );
  if (!isRunName(name)) throw missing;
  if (!(await isInside(join(runs, name), runs))) throw missing;
  return RunFolder.open(join(runs, name));
}

async function isInside(path: string, folder: string): Promise<boolean> {
  try {
    return (await realpath(path)).startsWith((await realpath(folder)) + sep);
  } catch {
    return false;
  }
}

/** Runs that can be read, newest first. One that cannot is left to `mechanist judge` to explain. */
async function listRuns(runs: string): Promise<unknown[]> {
  const records = await Promise.all(
    (await runNames(runs)).map(async (name) => {
      const run = await runNamed(runs, name).catch((error: unknown) => {
        if (error instanceof MechanistError) return undefined;
        throw error;
      });
      return run && { ...live(run.record), metrics: (await lastRow(run.metricsPath)) ?? null };
    }),
  );
  return records.filter((record) => record !== undefined).sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
}

/** A safetensors file. A run of the same name may be made anew, so the browser asks each time whether it is still the same. */
async function tensorFile(context: Context, path: string, runs: string): Promise<Response> {
  const about = (await isInside(path, runs)) ? await stat(path).catch(() => undefined) : undefined;
  if (about === undefined) throw new MechanistError("MissingFile", `${context.req.path}: expected a file, got none`);
  const tag = `"${about.mtimeMs}-${about.size}-${about.ino}"`;
  const headers = { etag: tag, "cache-control": "no-cache", "content-type": "application/octet-stream" };
  if (context.req.header("if-none-match") === tag) return context.body(null, 304, headers);
  return context.body(await readFile(path), 200, headers);
}
