/** A small server on 127.0.0.1 that speaks those routes of the hub that pulling asks for, and misbehaves where a test wants it to. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface HubFile {
  readonly content: Uint8Array;
  /** In large file storage: listed with its sha256, and served from elsewhere. */
  readonly lfs?: boolean;
}

/** How the server misbehaves. */
export interface Faults {
  /** Drops the connection after so many bytes of this file, so many times. */
  drop?: { readonly file: string; readonly after: number; times: number };
  /** Answers this status to every request, or to the first few. */
  status?: { readonly code: number; times: number; readonly header?: string };
  /** Serves other content than is listed. */
  corrupt?: string;
  /** Sends more of this file than is listed. */
  longer?: string;
  /** Does not know ranges. */
  noRanges?: boolean;
  /** Answers `200` and HTML to everything, as a captive portal does. */
  portal?: boolean;
  /** Asks for this token. */
  token?: string;
}

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

export interface HubServer {
  readonly url: string;
  /** What was asked, in order; the storage's requests too, as `storage/…`. */
  readonly requests: Request[];
  readonly faults: Faults;
  /** The requests for a file's content. */
  of(file: string): Request[];
  close(): void;
}

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

const sha256 = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");
const gitBlob = (content: Uint8Array): string =>
  createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");

/** Serves one network, `id`, at one commit, which is `main`. */
export async function hubServer(
  id: string,
  files: Readonly<Record<string, HubFile>>,
  faults: Faults = {},
): Promise<HubServer> {
  const requests: Request[] = [];
  const storage = await listen((request, response) => {
    const file = decodeURIComponent(request.url!.slice(1));
    note(`storage/${file}`, request);
    send(file, request, response);
  });
  const hub = await listen((request, response) => {
    const { pathname, searchParams } = new URL(request.url!, "http://hub");
    note(pathname.slice(1), request);
    if (faults.portal) return void response.writeHead(200, { "Content-Type": "text/html" }).end("<html>");
    if (faults.status && faults.status.times-- > 0) return refuse(response, faults.status.code, faults.status.header);
    if (faults.token && request.headers.authorization !== `Bearer ${faults.token}`)
      return refuse(response, 401, "GatedRepo");
    const known = (rest: string): boolean => pathname === `/api/models/${id}/${rest}`;
    if (known("revision/main") || known(`revision/${COMMIT}`)) {
      return json(response, {
        _id: "1",
        id,
        sha: COMMIT,
        lastModified: "2024-01-01T00:00:00.000Z",
        tags: [],
        siblings: [],
      });
    }
    if (pathname.startsWith(`/api/models/${id}/revision/`)) return refuse(response, 404, "RevisionNotFound");
    if (known(`tree/${COMMIT}`)) return list(response, Number(searchParams.get("cursor") ?? 0));
    const resolve = `/${id}/resolve/${COMMIT}/`;
    const file = decodeURIComponent(pathname.slice(resolve.length));
    if (!pathname.startsWith(resolve) || !Object.hasOwn(files, file)) return refuse(response, 404, "RepoNotFound");
    if (files[file]!.lfs) {
      const linked = {
        "X-Repo-Commit": COMMIT,
        "X-Linked-Size": files[file]!.content.length,
        "X-Linked-Etag": `"${sha256(files[file]!.content)}"`,
      };
      return void response.writeHead(302, { ...linked, Location: `${storage.url}/${encodeURIComponent(file)}` }).end();
    }
    response.setHeader("X-Repo-Commit", COMMIT);
    send(file, request, response);
  });

  function note(path: string, { method = "", headers }: IncomingMessage): void {
    requests.push({ method, path, range: headers.range, authorization: headers.authorization });
  }

  /** Two a page, so that pages are followed. */
  function list(response: ServerResponse, from: number): void {
    const all = Object.entries(files).map(([path, { content, lfs }]) => ({
      type: "file",
      path,
      size: content.length,
      oid: lfs ? gitBlob(new TextEncoder().encode("pointer")) : gitBlob(content),
      ...(lfs && { lfs: { oid: sha256(content), size: content.length, pointerSize: 130 } }),
    }));
    const entries = [{ type: "directory", path: "onnx", size: 0, oid: gitBlob(new Uint8Array()) }, ...all];
    if (from + 2 < entries.length) {
      response.setHeader(
        "Link",
        `<${hub.url}/api/models/${id}/tree/${COMMIT}?recursive=false&expand=false&cursor=${from + 2}>; rel="next"`,
      );
    }
    json(response, entries.slice(from, from + 2));
  }

  function send(file: string, request: IncomingMessage, response: ServerResponse): void {
    let { content } = files[file]!;
    if (faults.corrupt === file) content = content.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
    if (faults.longer === file) content = Buffer.concat([content, content]);
    const from = faults.noRanges ? undefined : /^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1];
    const body = content.subarray(Number(from ?? 0));
    const range =
      from === undefined ? {} : { "Content-Range": `bytes ${from}-${content.length - 1}/${content.length}` };
    response.writeHead(from === undefined ? 200 : 206, {
      ...range,
      "Content-Length": body.length,
      ETag: `"${gitBlob(content)}"`,
    });
    const { drop } = faults;
    if (drop?.file === file && drop.times > 0) {
      drop.times--;
      response.write(body.subarray(0, drop.after), () => setTimeout(() => response.destroy(), 20));
    } else response.end(body);
  }

  const close = (): void => [hub, storage].forEach((server) => server.close());
  onTestFinished(close);
  return {
    url: hub.url,
    requests,
    faults,
    of: (file) => requests.filter(({ path }) => path === `${id}/resolve/${COMMIT}/${file}`),
    close,
  };
}

async function listen(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ url: string; close: () => void }> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

function json(response: ServerResponse, content: unknown): void {
  response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(content));
}

function refuse(response: ServerResponse, status: number, code = ""): void {
  response.writeHead(status, { "Content-Type": "application/json", "X-Error-Code": code }).end('{"error":"no"}');
}
