/** `mechanist open`: a folder of runs, or one run, in the page. Runs of other processes are followed as they go. */
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { MechanistError } from "../error.ts";
import { RUNS, runNames } from "../run/runs.ts";
import { aborted, interruptible } from "./interrupt.ts";
import type { CommonOptions, Host } from "./main.ts";
import { pageOf, serve } from "./serve.ts";
import type { Terminal } from "./terminal.ts";

export interface OpenOptions extends CommonOptions {
  readonly port?: string;
}

export async function openCommand(
  dir: string | undefined,
  options: OpenOptions,
  terminal: Terminal,
  host: Host,
): Promise<void> {
  const given = resolve(dir ?? RUNS);
  if (!existsSync(given)) {
    throw new MechanistError(
      "MissingFile",
      `${dir ?? RUNS}: expected a folder of runs, got none; mechanist start makes one`,
    );
  }
  const single = existsSync(join(given, "run.json"));
  const runs = single ? dirname(given) : given;
  await interruptible(terminal, async ({ signal }) => {
    const server = await serve({ runs, port: options.port }, terminal, host);
    const url = single ? pageOf(server, basename(given)) : server.url;
    terminal.document("open", { url, port: server.port, path: given, runs: await runNames(runs) });
    terminal.print(`${url}  stays up until Ctrl-C`);
    await aborted(signal);
    await server.close();
  });
}
