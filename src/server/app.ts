/** The server: runs as JSON and bytes under `/api`, the page for everything else. It reads run folders and writes nothing. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { serveStatic } from "@hono/node-server/serve-static";
import { Hono } from "hono";
import { MechanistError } from "../error.ts";
import { answerError } from "./answer-error.ts";
import { ownPageOnly, securityHeaders, withToken } from "./guard.ts";
import { runRoutes } from "./run-routes.ts";

export interface AppOptions {
  /** The folder of run folders. */
  readonly runs: string;
  /** The folder of the built page. */
  readonly page: string;
  /** Needed for whatever changes something. */
  readonly token: string;
  /** The port that is listened on, once it is known. */
  readonly port: () => number;
  /** Stops a run of this process; false when it does not carry that run out. */
  readonly stop?: (name: string) => boolean;
}

/** The server as a function from request to response. */
export function createApp(options: AppOptions): Hono {
  const app = new Hono();
  app.use(securityHeaders());
  app.use(ownPageOnly(options.port));
  app.post("*", withToken(options.token));
  app.route("/api/runs", runRoutes(options));
  app.all("/api/*", (context) => {
    throw new MechanistError(
      "UnknownName",
      `${context.req.method} ${context.req.path}: expected an address below /api/runs`,
    );
  });
  for (const path of ["/", "/index.html"]) app.get(path, (context) => context.html(pageWithToken(options)));
  app.get(
    "*",
    serveStatic({ root: options.page, onFound: (_, context) => context.header("cache-control", "no-cache") }),
  );
  app.notFound((context) => {
    const error = new MechanistError(
      "MissingFile",
      `${context.req.path}: expected an address of the page, got another`,
    );
    return answerError(error, context);
  });
  app.onError(answerError);
  return app;
}

/** The page, told the token: only a page from this server can read it. */
function pageWithToken({ page, token }: AppOptions): string {
  const path = join(page, "index.html");
  if (!existsSync(path)) {
    throw new MechanistError("MissingFile", `page: expected it built in ${page}, got nothing; npm run build makes it`);
  }
  return readFileSync(path, "utf8").replace("<head>", `<head>\n    <meta name="mechanist-token" content="${token}" />`);
}
