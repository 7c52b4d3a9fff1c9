/** The page, served for a command. */
import { fileURLToPath } from "node:url";
import { DEFAULT_PORT, listen, type Listening, type ListenOptions } from "../server/listen.ts";
import type { Host } from "./main.ts";
import { wholeNumber } from "./options.ts";
import type { Terminal } from "./terminal.ts";

/** Serves the page, and says so when it is on another port than the one asked for. */
export async function serve(
  options: Pick<ListenOptions, "runs" | "stop"> & { readonly port?: string | undefined },
  terminal: Terminal,
  { preparePage }: Host,
): Promise<Listening> {
  const port = options.port === undefined ? DEFAULT_PORT : wholeNumber("--port", options.port, 0, 65_535);
  await preparePage?.();
  const page = fileURLToPath(new URL("../ui", import.meta.url));
  const server = await listen({ ...options, page, port });
  if (port !== 0 && server.port !== port) terminal.note(`port ${port} is busy; using ${server.port}`);
  return server;
}

/** The address of a run's own page. */
export function pageOf({ url }: Listening, run: string): string {
  return `${url}#/run/${encodeURIComponent(run)}`;
}
