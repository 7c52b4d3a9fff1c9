/**
 * Who may ask. The server listens on 127.0.0.1 alone; a page of somebody else's in the same browser could still reach it, so each
 * request must name this server as its host, come from its own page if it comes from a page, and show the token to change anything.
 */
import { timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { MechanistError } from "../error.ts";

/** The header that carries the token. */
const TOKEN_HEADER = "x-mechanist-token";

/** Refuses hosts and origins other than this server's own. Without the first, a name that a stranger points here would do. */
export function ownPageOnly(port: () => number): MiddlewareHandler {
  return async (context, next) => {
    const hosts = [`127.0.0.1:${port()}`, `localhost:${port()}`];
    const host = context.req.header("host") ?? "none";
    if (!hosts.includes(host))
      throw new MechanistError("Refused", `host: expected ${hosts[0]}, got ${host.slice(0, 100)}`);
    const origin = context.req.header("origin");
    if (origin !== undefined && !hosts.some((own) => origin === `http://${own}`)) {
      throw new MechanistError("Refused", `origin: expected http://${hosts[0]}, got ${origin.slice(0, 100)}`);
    }
    await next();
  };
}

/** Refuses who does not have the token. */
export function withToken(token: string): MiddlewareHandler {
  return async (context, next) => {
    const given = Buffer.from(context.req.header(TOKEN_HEADER) ?? "");
    const wanted = Buffer.from(token);
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
      throw new MechanistError(
        "Refused",
        `token: expected this server's own in ${TOKEN_HEADER}, got ${given.length ? "another" : "none"}`,
      );
    }
    await next();
  };
}

/** What each answer tells the browser: nothing from elsewhere, nothing to elsewhere, and room for threads in WebAssembly. */
export function securityHeaders(): MiddlewareHandler {
  const policy = [
    "default-src 'self'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "img-src 'self' data: blob:",
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
  return async (context, next) => {
    await next();
    context.header("content-security-policy", policy);
    context.header("cross-origin-opener-policy", "same-origin");
    context.header("cross-origin-embedder-policy", "require-corp");
    context.header("cross-origin-resource-policy", "same-origin");
    context.header("referrer-policy", "no-referrer");
    context.header("x-content-type-options", "nosniff");
  };
}
