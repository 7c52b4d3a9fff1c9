/**
 * Questions to a harvest, answered by DuckDB over its Parquet files. It reads that folder and nothing else, and loads no extension: what it
 * needs is built in.
 */
import type { DuckDBConnection, DuckDBInstance, DuckDBValue } from "@duckdb/node-api";
import { MechanistError } from "../error.ts";
import { named } from "../settings.ts";
import type { HarvestDocument } from "./document.ts";
import type { HarvestFolder } from "./node-folder.ts";

const TABLES = ["components", "examples", "background", "tokens", "pairs"] as const;

/** One answer, by column. Lists are arrays. */
export type Answer = Readonly<Record<string, unknown>>;

/** A harvest with its tables as views of their names. */
export class HarvestQuery {
  readonly document: HarvestDocument;
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;

  private constructor(document: HarvestDocument, instance: DuckDBInstance, connection: DuckDBConnection) {
    this.document = document;
    this.#instance = instance;
    this.#connection = connection;
  }

  /** @throws `MissingFile` where there is no harvest; `BadFile` where its tables cannot be read */
  static async open(folder: HarvestFolder): Promise<HarvestQuery> {
    const document = await folder.expectDocument();
    const { DuckDBInstance } = await import("@duckdb/node-api");
    const instance = await DuckDBInstance.create(":memory:", { threads: "2" });
    const connection = await instance.connect();
    const query = new HarvestQuery(document, instance, connection);
    try {
      await connection.run(`SET allowed_directories = [${quoted(folder.path)}]`);
      await connection.run("SET enable_external_access = false");
      await connection.run("SET lock_configuration = true");
      for (const table of TABLES) {
        const file = folder.tablePath(table);
        await connection.run(`CREATE VIEW ${table} AS SELECT * FROM read_parquet(${quoted(file)})`);
      }
    } catch (cause) {
      query.close();
      const [reason] = String((cause as Error).message).split("\n");
      throw new MechanistError("BadFile", `${folder.path}: expected tables of a harvest, got ${reason}`, {}, { cause });
    }
    return query;
  }

  /** The rows of an answer; `parameters` stand for `$1`, `$2` and so on. */
  async rows(sql: string, parameters: readonly (string | number)[] = []): Promise<Answer[]> {
    const reader = await this.#connection.runAndReadAll(sql, [...parameters] as DuckDBValue[]);
    return reader
      .getRowObjectsJS()
      .map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)])));
  }

  close(): void {
    this.#connection.closeSync();
    this.#instance.closeSync();
  }
}

/** Opens a harvest, asks, and closes it. */
export async function askHarvest<T>(folder: HarvestFolder, ask: (query: HarvestQuery) => Promise<T>): Promise<T> {
  const query = await HarvestQuery.open(folder);
  try {
    return await ask(query);
  } finally {
    query.close();
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Counts come as 64-bit whole numbers; all of ours are exact as numbers. */
function plain(value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}

/** What lists of components are ordered by, largest first. */
const ORDERS = {
  density: "density DESC",
  importance: "meanImportance DESC",
  activation: "meanAbsActivation DESC NULLS LAST",
  partners: "partners DESC",
  address: "component",
} as const;

export interface ListOptions {
  readonly site?: string;
  /** A key of `ORDERS`. */
  readonly sort: string;
  readonly limit: number;
}

/** How much an input says of a component that fires on it: what it is of all firings, times how much likelier it makes one. */
const TELLING = "pTokenGivenFires * pmi";
/** Inputs that stand for a component in a list. */
const FEW = 3;

/**
 * The components that fired, each with the inputs that tell most of it (`telling`), and how many there are beyond those listed.
 *
 * @throws `UnknownName` for a site or an order that is not there
 */
export async function listComponents(
  query: HarvestQuery,
  { site, sort, limit }: ListOptions,
): Promise<{ readonly rows: Answer[]; readonly fired: number; readonly components: number }> {
  const order = named("order", sort, ORDERS);
  if (site !== undefined) {
    const sites = await query.rows("SELECT DISTINCT site FROM components");
    named("site", site, Object.fromEntries(sites.map((row) => [String(row.site), true])));
  }
  const where = site === undefined ? "true" : "site = $1";
  const given = site === undefined ? [] : [site];
  const [count] = await query.rows(
    `SELECT count(*) AS components, count(*) FILTER (firings > 0) AS fired FROM components WHERE ${where}`,
    given,
  );
  const rows = await query.rows(
    `WITH listed AS (SELECT * FROM components WHERE ${where} AND firings > 0 ORDER BY ${order}, component LIMIT ${limit}),
     placed AS (
       SELECT component, text, row_number() OVER (PARTITION BY component ORDER BY ${TELLING} DESC, token) AS place
       FROM tokens WHERE kind = 'input' AND pmi > 0 AND component IN (SELECT component FROM listed)),
     told AS (SELECT component, list(text ORDER BY place) AS telling FROM placed WHERE place <= ${FEW} GROUP BY component)
     SELECT listed.*, coalesce(telling, []) AS telling FROM listed LEFT JOIN told USING (component) ORDER BY ${order}, component`,
    given,
  );
  return { rows, fired: Number(count!.fired), components: Number(count!.components) };
}

/** One place where components are. */
export interface HarvestedSite {
  readonly site: string;
  readonly components: number;
  /** The density of each that fired, largest first. */
  readonly densities: readonly number[];
}

/** The sites of a harvest, in the order of the network. */
export async function harvestedSites(query: HarvestQuery): Promise<HarvestedSite[]> {
  const rows = await query.rows(
    `SELECT site, count(*) AS components, list(density ORDER BY density DESC) FILTER (firings > 0) AS densities
     FROM components GROUP BY site ORDER BY min(component)`,
  );
  return rows.map((row) => ({
    site: String(row.site),
    components: Number(row.components),
    densities: (row.densities as number[] | null) ?? [],
  }));
}

/** Everything that a harvest says of one component. */
export interface ComponentCard {
  readonly component: Answer;
  /** A uniform sample of its firings, of highest importance first, and the firings of highest importance. */
  readonly sample: readonly Answer[];
  readonly top: readonly Answer[];
  /** By P(token|fires), and by what stands out; of outputs also what is missing. */
  readonly input: { readonly common: readonly Answer[]; readonly telling: readonly Answer[] };
  readonly output: {
    readonly common: readonly Answer[];
    readonly telling: readonly Answer[];
    readonly missing: readonly Answer[];
  };
  /** Components that fire with it, by Jaccard. */
  readonly partners: readonly Answer[];
}

/**
 * The card of one component.
 *
 * @param limit rows of each list
 * @throws `UnknownName` with the nearest address there is
 */
export async function componentCard(query: HarvestQuery, address: string, limit: number): Promise<ComponentCard> {
  const [component] = await query.rows("SELECT * FROM components WHERE address = $1", [address]);
  if (component === undefined) {
    const all = await query.rows("SELECT address FROM components");
    named("component", address, Object.fromEntries(all.map((row) => [String(row.address), true])));
  }
  const c = Number(component!.component);
  const examples = (kind: string): Promise<Answer[]> =>
    query.rows("SELECT * FROM examples WHERE component = $1 AND kind = $2 ORDER BY rank", [c, kind]);
  const tokens = (kind: string, order: string, where = "true"): Promise<Answer[]> =>
    query.rows(
      `SELECT * FROM tokens WHERE component = $1 AND kind = $2 AND ${where} ORDER BY ${order}, token LIMIT ${limit}`,
      [c, kind],
    );
  return {
    component: component!,
    sample: await examples("sample"),
    top: (await examples("top")).slice(0, limit),
    input: {
      common: await tokens("input", "together DESC"),
      telling: await tokens("input", `${TELLING} DESC`, "pmi > 0"),
    },
    output: {
      common: await tokens("output", "together DESC"),
      telling: await tokens("output", `${TELLING} DESC`, "pmi > 0"),
      missing: await tokens("output", "-pmi * total DESC", "pmi < 0"),
    },
    partners: await query.rows(
      `SELECT other, address, together, firings, pOtherGivenThis, pThisGivenOther, jaccard, pmi FROM (
         SELECT b AS other, addressB AS address, together, firingsB AS firings,
                pBGivenA AS pOtherGivenThis, pAGivenB AS pThisGivenOther, jaccard, pmi FROM pairs WHERE a = $1
         UNION ALL
         SELECT a, addressA, together, firingsA, pAGivenB, pBGivenA, jaccard, pmi FROM pairs WHERE b = $1
       ) ORDER BY jaccard DESC, other LIMIT ${limit}`,
      [c],
    ),
  };
}
