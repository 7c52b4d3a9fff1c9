/** What the server tells the page. */
import type { DecomposeRecord, RunRecord, TrainRecord } from "../../run/document.ts";
import type { HarvestCard, HarvestList, Order } from "./harvest.ts";

/** How a run is now: as written, or interrupted when its process is gone without having said so. */
export type LiveStatus = RunRecord["status"] | "interrupted";

export type MetricsRow = Readonly<Record<string, unknown>> & { readonly step: number };

/** A record with the status that the run really has. */
export type LiveRecord = Live<TrainRecord> | Live<DecomposeRecord>;

type Live<R extends RunRecord> = Omit<R, "status"> & { readonly status: LiveStatus };

/** A run in the list, with its last row. */
export type ListedRun = LiveRecord & { readonly metrics: MetricsRow | null };

/** One run, with the steps of its checkpoints, ascending. */
export type DescribedRun = LiveRecord & { readonly checkpoints: readonly number[] };

/** An error as the server says it. */
class ServerError extends Error {
  readonly code: string;
  readonly details: unknown;

  constructor(code: string, message: string, details?: unknown) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

const path = (...parts: (string | number)[]): string => `./api/${parts.map(encodeURIComponent).join("/")}`;

export const metricsPath = (name: string): string => path("runs", name, "metrics");

export async function fetchRuns(signal?: AbortSignal): Promise<ListedRun[]> {
  return (await get(path("runs"), signal)).json() as Promise<ListedRun[]>;
}

export async function fetchRun(name: string, signal?: AbortSignal): Promise<DescribedRun> {
  return (await get(path("runs", name), signal)).json() as Promise<DescribedRun>;
}

/** The rows so far, without waiting for more. */
export async function fetchMetrics(name: string, signal?: AbortSignal): Promise<MetricsRow[]> {
  const text = await (await get(`${metricsPath(name)}?once`, signal)).text();
  return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as MetricsRow]));
}

export async function fetchCheckpoint(name: string, step: number, signal?: AbortSignal): Promise<Uint8Array> {
  return bytes(await get(path("runs", name, "checkpoints", step), signal));
}

export async function fetchTarget(name: string, signal?: AbortSignal): Promise<Uint8Array> {
  return bytes(await get(path("runs", name, "target"), signal));
}

/** Components that fired, of all sites unless one is named. */
export async function fetchHarvest(
  name: string,
  { site, sort, limit }: { readonly site: string | undefined; readonly sort: Order; readonly limit: number },
  signal?: AbortSignal,
): Promise<HarvestList> {
  const query = new URLSearchParams({ sort, limit: String(limit), ...(site !== undefined && { site }) });
  return (await get(`${path("runs", name, "harvest")}?${query.toString()}`, signal)).json() as Promise<HarvestList>;
}

export async function fetchHarvestCard(name: string, address: string, signal?: AbortSignal): Promise<HarvestCard> {
  return (await get(path("runs", name, "harvest", address), signal)).json() as Promise<HarvestCard>;
}

/** Asks the server to stop a run that it carries out itself. */
export async function stopRun(name: string): Promise<void> {
  const token = document.querySelector<HTMLMetaElement>('meta[name="mechanist-token"]')?.content ?? "";
  await get(path("runs", name, "stop"), undefined, { method: "POST", headers: { "x-mechanist-token": token } });
}

/** Whether this page may change anything. */
export function mayStop(): boolean {
  return (document.querySelector<HTMLMetaElement>('meta[name="mechanist-token"]')?.content ?? "") !== "";
}

async function get(url: string, signal?: AbortSignal, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { ...init, ...(signal && { signal }) });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ServerError("Unreachable", "the server does not answer; it may have been stopped");
  }
  if (response.ok) return response;
  const said = (await response.json().catch(() => undefined)) as
    { code?: string; message?: string; details?: unknown } | undefined;
  throw new ServerError(
    said?.code ?? "Internal",
    said?.message ?? `${url}: the server answered ${response.status}`,
    said?.details,
  );
}

const bytes = async (response: Response): Promise<Uint8Array> => new Uint8Array(await response.arrayBuffer());
