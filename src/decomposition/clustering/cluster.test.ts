import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { compile } from "../../engine/index.ts";
import { TARGETS } from "../../training/targets.ts";
import { foldIn, keyFromSeed, slice, type Tensor, transpose, uniform } from "../../tensor/index.ts";
import type { Decomposition } from "../decomposition.ts";
import { cluster, type ClusterOptions, type ClusterState } from "./cluster.ts";
import { clustersText, parseClusters, resultOf } from "./document.ts";
import { firingsOf } from "./firings.ts";
import { ClusterFolder, type ClusterIdentity } from "./node-folder.ts";
import { sampleFirings, type SampleSubject } from "./sample.ts";
import { clusterSettings, samplerFrom } from "./settings.ts";

/** Importances that are the inputs: six of them, of which the last is never much; two sites of three. */
const FEATURES = 6;
const batch = (size: number): Tensor<"batch C"> => uniform("data", "batch C", { batch: size, C: FEATURES });
const network = TARGETS.tms!.network({ features: 5, hidden: 2, identity: false, steps: 1, seed: 0 });
const info = (site: string, c: number): Decomposition["components"][0] => ({
  address: `${site}:${c}`,
  site,
  rank: 1,
  bits: 32,
});
const decomposition: Decomposition = {
  network,
  sites: [],
  components: ["a", "b"].flatMap((site) => [0, 1, 2].map((c) => info(site, c))),
  remainder: [],
  values: {},
  tensors: {},
  measure: "importance",
  carried: () => ({}),
  activity: (x) => {
    const rows = transpose(x as Tensor<"batch C">, "C batch");
    return { a: slice(rows, "C", 0, 3), b: slice(rows, "C", 3, 6) };
  },
  masked: (x) => x,
};
const subject: SampleSubject = { decomposition, batch };
const key = keyFromSeed(7);

async function stopped(options: ClusterOptions, settings = small): Promise<ClusterState | undefined> {
  const controller = new AbortController();
  let last: ClusterState | undefined;
  try {
    await cluster(subject, settings, {
      ...options,
      signal: controller.signal,
      onState: (state) => {
        last = state;
        controller.abort();
      },
    });
  } catch {
    return last;
  }
  return undefined;
}

const small = clusterSettings.parse({ threshold: 0.7, positions: 2500, ensemble: 2, alpha: 0.5 });

describe("sampling", () => {
  test("finds the positions where importances exceed the threshold, over batches and their ends", async () => {
    const firings = await sampleFirings(subject, { positions: 2500, threshold: 0.7, key });
    const program = await compile({ x: batch(1024) });
    const wanted: number[][] = Array.from({ length: FEATURES }, () => []);
    for (let i = 0; i < 3; i++) {
      const { x } = await program.run({}, foldIn(key, i));
      x.data.forEach((value, at) => {
        const position = 1024 * i + Math.floor(at / FEATURES);
        if (value > 0.7 && position < 2500) wanted[at % FEATURES]!.push(position);
      });
    }
    await program.dispose();
    expect(firings.positions).toBe(2500);
    expect(wanted.map((_, c) => [...firingsOf(firings, c)])).toEqual(wanted);
    expect(firings.components).toEqual(["a:0", "a:1", "a:2", "b:0", "b:1", "b:2"]);
  });

  test("is refused where memory does not suffice, and where nothing fires", async () => {
    await expect(cluster(subject, small, { memory: 90_000 })).rejects.toThrow(
      "cluster: expected 1 MiB of memory, got 0 MiB; fewer positions or a higher threshold need less, the sampler greedy least",
    );
    await expect(cluster(subject, { ...small, threshold: 0.99999999 })).rejects.toThrow(
      "cluster: expected components with an importance above 0.99999999 at some of 2500 positions, got none",
    );
    let told = 0;
    await cluster(subject, small, { onMemory: (bytes) => (told = bytes) });
    // About 0.3 of 15,000 numbers fire.
    expect(told).toBeGreaterThan(16 * 4000);
    expect(told).toBeLessThan(16 * 5000 + 9 * 2500 + 512 * 6);
  });

  test("samplers are read with their numbers", () => {
    expect(samplerFrom("greedy")).toEqual({ name: "greedy" });
    expect(samplerFrom("mcmc=0.5")).toEqual({ name: "mcmc", number: 0.5 });
    expect(samplerFrom("range")).toEqual({ name: "range", number: 0.05 });
    expect(() => samplerFrom("rang")).toThrow("sampler: expected range, got rang");
    expect(() => samplerFrom("range=-1")).toThrow("sampler range: expected a number above 0, got -1");
    expect(() => samplerFrom("chain=1")).toThrow("sampler chain: expected no number, got 1");
  });
});

describe("a clustering in a folder", () => {
  const identity: ClusterIdentity = {
    subject: { digest: "d", step: 3 },
    settings: small,
    components: decomposition.components.map(({ address }) => address),
  };
  const folderOf = (): { folder: ClusterFolder; dir: string } => {
    const dir = mkdtempSync(join(tmpdir(), "mechanist-"));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    return { folder: new ClusterFolder(dir), dir };
  };

  test("wherever it is stopped, it goes on to the same end from what the folder holds", async () => {
    const whole = await cluster(subject, small);
    const { dir } = folderOf();
    let stops = 0;
    for (let state: ClusterState | undefined; ; stops++) {
      // Another process would know nothing but the files.
      const folder = new ClusterFolder(dir);
      const resume = await folder.load(identity);
      state = await stopped({ ...(resume && { resume }) });
      if (state === undefined) {
        expect(resume).toEqual(whole);
        break;
      }
      await folder.save(identity, state);
      expect(stops).toBeLessThan(40);
    }
    expect(stops).toBeGreaterThan(3);
  });

  test("keeps firings only as long as it is unfinished; holds its history and what came of it", async () => {
    const { folder, dir } = folderOf();
    const states: string[][] = [];
    const state = await cluster(subject, small, {
      onState: async (reached) => {
        await folder.save(identity, reached);
        states.push(readdirSync(dir).sort());
      },
    });
    expect(states[0]).toEqual(["clusters-firings.safetensors", "clusters.json"]);
    expect(readdirSync(dir)).toEqual(["clusters.json"]);
    const stored = (await folder.stored())!;
    expect(stored).toMatchObject({ finished: true, settings: small, subject: { digest: "d", step: 3 } });
    expect(stored.state).toEqual(state);
    expect(await folder.load(identity)).toEqual(state);
    const text = JSON.parse(readFileSync(folder.path, "utf8")) as { result: unknown };
    const result = resultOf(identity.components, state, small);
    expect(text.result).toEqual(JSON.parse(JSON.stringify(result)));
    expect(result.clusters.flatMap(({ members }) => members).sort()).toEqual([...identity.components]);
    expect(result.clusters.reduce((sum, { rank }) => sum + rank, 0)).toBe(6);
  });

  test("of other settings, another step or another number of components is none of ours; a larger ensemble goes on", async () => {
    const { folder } = folderOf();
    await folder.save(identity, await cluster(subject, small));
    expect(await folder.load({ ...identity, settings: { ...small, alpha: 2 } })).toBeUndefined();
    expect(await folder.load({ ...identity, subject: { digest: "d", step: 4 } })).toBeUndefined();
    expect((await folder.load({ ...identity, settings: { ...small, ensemble: 1 } }))!.members).toHaveLength(1);
    const more = { ...small, ensemble: 3 };
    const resume = (await folder.load({ ...identity, settings: more }))!;
    expect(await cluster(subject, more, { resume })).toEqual(await cluster(subject, more));
  });

  test("a wrong file is refused in a line", async () => {
    const { folder } = folderOf();
    const good = clustersText(identity.subject, small, identity.components, await cluster(subject, small));
    const broken = (change: (file: { members: { pairs: number[][] }[]; schema: number }) => void): string => {
      const file = JSON.parse(good) as Parameters<typeof change>[0];
      change(file);
      return JSON.stringify(file);
    };
    const said = (text: string): string => {
      try {
        parseClusters(text, "c.json");
        return "nothing";
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(said(good)).toBe("nothing");
    expect(said(good.slice(0, 50))).toBe("c.json: expected JSON, got something half-written");
    expect(said(broken((file) => (file.schema = 2)))).toMatch(/^c\.json: expected schema 1, got 2;/);
    expect(said(broken((file) => file.members[0]!.pairs.pop()))).toBe("c.json: expected 5 merges, got 4");
    expect(said(broken((file) => (file.members[0]!.pairs[1] = file.members[0]!.pairs[0]!)))).toMatch(
      /^c.json: merge 1: expected two clusters, got \d, \d$/,
    );
    writeFileSync(folder.path, "{}");
    await expect(folder.load(identity)).rejects.toThrow(/clusters\.json: schema: /);
  });
});
