/** Listening, on 127.0.0.1 alone. */
import { randomBytes } from "node:crypto";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { MechanistError } from "../error.ts";
import { type AppOptions, createApp } from "./app.ts";

/** Where the page is unless told. */
export const DEFAULT_PORT = 4747;
const PORTS_TRIED = 50;

export interface Listening {
  /** `http://127.0.0.1:4747/` */
  readonly url: string;
  readonly port: number;
  readonly token: string;
  close(): Promise<void>;
}

export interface ListenOptions extends Pick<AppOptions, "runs" | "page" | "stop"> {
  /** The first port tried; 0 takes any. */
  readonly port?: number;
}

/**
 * Serves runs and the page, on the given port or the next free one.
 *
 * @throws `Unavailable` when none of the next fifty is free
 */
export async function listen({ port = DEFAULT_PORT, ...rest }: ListenOptions): Promise<Listening> {
  const token = randomBytes(24).toString("base64url");
  let taken = port;
  const app = createApp({ ...rest, token, port: () => taken });
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  for (let tried = 0; ; tried++) {
    if (await bind(server, port + tried)) break;
    if (tried + 1 === PORTS_TRIED || port + tried === 65_535) {
      throw new MechanistError("Unavailable", `port: expected a free one from ${port} to ${port + tried}, got none`, {
        port,
      });
    }
  }
  taken = (server.address() as AddressInfo).port;
  return {
    url: `http://127.0.0.1:${taken}/`,
    port: taken,
    token,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // Streams of events would otherwise keep it open.
        server.closeAllConnections();
      }),
  };
}

/** False when the port is taken. */
function bind(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      server.off("listening", listening);
      if (error.code === "EADDRINUSE") resolve(false);
      else
        reject(
          new MechanistError(
            "Unavailable",
            `port ${port}: expected to listen, got ${error.code}`,
            { port },
            { cause: error },
          ),
        );
    };
    const listening = (): void => {
      server.off("error", failed);
      resolve(true);
    };
    server.once("error", failed).once("listening", listening).listen(port, "127.0.0.1");
  });
}
