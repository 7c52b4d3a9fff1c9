/** Dictionaries go out in the files of others and come back as they were; what does not fit is refused in one line. */
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { command, documentOf } from "./command.ts";

const SMALL = ["--threads", "1", "--steps", "60", "--set", "C=12"];

let dir = "";
beforeAll(async () => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "mechanist-")));
  await command(dir, ...["train", "superposition", "--out", "net", "--set", "features=8", "--set", "dimensions=4"]);
  await command(dir, ...["train", "superposition", "--out", "other", "--set", "features=8", "--set", "dimensions=5"]);
  const sizes = ["features=8", "width=8", "neurons=6", "layers=2"].flatMap((set) => ["--set", set]);
  await command(dir, "train", "resid-mlp", "--out", "mlp", "--steps", "50", ...sizes);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const DOCUMENTED = new Set(
  [...readFileSync("docs/json.md", "utf8").matchAll(/`([\w.]+)`/g)].flatMap((m) => m[1]!.split(".")),
);

interface Imported {
  readonly format: string;
  readonly notes: readonly string[];
  readonly dictionaries: readonly {
    readonly found: { readonly l0: number; readonly explainedVariance: number; readonly top: readonly unknown[] };
    readonly agreement: {
      readonly numbers: readonly { readonly claimed: number; readonly found: number }[];
      readonly firingCorrelation?: number;
    };
  }[];
}

const CASES: readonly (readonly [string, string, readonly string[], string])[] = [
  ["net", "sae", [], "saelens"],
  ["net", "gated", [], "dictionary_learning"],
  ["net", "topk", ["--set", "k=2"], "saelens"],
  ["net", "topk", ["--set", "k=2"], "dictionary_learning"],
  ["net", "jumprelu", [], "gemma-scope-2"],
  ["mlp", "transcoder", ["--preset", "jumprelu"], "circuit-tracer"],
  ["mlp", "skip-transcoder", ["--preset", "sae"], "saelens"],
  ["mlp", "clt", [], "circuit-tracer-clt"],
];

describe.each(CASES)("%s by %s", (network, method, more, format) => {
  test(`goes out as ${format} ${more.join(" ")} and comes back as it was`, { timeout: 60_000 }, async () => {
    const name = `${method}-${format}`;
    const made = await command(
      dir,
      "decompose",
      network,
      "--method",
      method,
      ...SMALL,
      ...more,
      "--out",
      name,
      "--json",
    );
    expect([made.status, made.stderr]).toEqual([0, ""]);
    const out = await command(dir, "export", name, "--format", format, "--out", `${name}-out`, "--json");
    expect([out.status, out.stderr]).toEqual([0, ""]);
    const exported = documentOf(out) as unknown as { readonly files: readonly string[] };
    expect(Object.keys(exported).filter((key) => !DOCUMENTED.has(key) && key !== "schema")).toEqual([]);
    // Two transcoders in a format for one are two folders.
    const folders = [...new Set(exported.files.map((file) => file.split("/").slice(0, -1).join("/")))];
    const found: unknown[] = [];
    for (const [i, folder] of folders.entries()) {
      const [from, back] = [join(`${name}-out`, folder), `${name}-back-${i}`];
      const again = await command(dir, "decompose", network, "--from", from, "--out", back, "--threads", "1", "--json");
      expect([again.status, again.stderr]).toEqual([0, ""]);
      found.push(documentOf(again));
    }
    const before = documentOf(made) as unknown as { readonly sites: Readonly<Record<string, { readonly l0: number }>> };
    const after = found as {
      readonly sites: typeof before.sites;
      readonly imported: Imported;
      readonly document: object;
    }[];
    const sites = Object.assign({}, ...after.map((one) => one.sites)) as typeof before.sites;
    expect(Object.keys(sites)).toEqual(Object.keys(before.sites));
    for (const [site, { l0 }] of Object.entries(before.sites)) expect(sites[site]!.l0).toBeCloseTo(l0, 2);
    for (const { imported, document } of after) {
      expect(document).toMatchObject({ preset: "imported" });
      expect(imported.format).toBe(format);
      expect(imported.notes).toEqual([]);
      for (const { agreement, found: own } of imported.dictionaries) {
        expect(own.top.length).toBeGreaterThan(0);
        const claims = format === "saelens" || format === "dictionary_learning" ? 2 : 0;
        expect(agreement.numbers).toHaveLength(claims);
        for (const { claimed, found: x } of agreement.numbers) expect(x).toBeCloseTo(claimed, 3);
        if (format === "saelens") expect(agreement.firingCorrelation).toBeGreaterThan(0.99);
      }
    }
  });
});

describe("a dictionary that does not fit", () => {
  const spoilt = (name: string, change: (cfg: Record<string, unknown> & { metadata: object }) => object): string => {
    cpSync(join(dir, "sae-saelens-out"), join(dir, name), { recursive: true });
    const path = join(dir, name, "cfg.json");
    const cfg = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown> & { metadata: object };
    writeFileSync(path, JSON.stringify(change(cfg)));
    return name;
  };
  const unnamed = (cfg: { metadata: object }): object => ({ ...cfg, metadata: { sae_lens_version: "6.0.0" } });
  const refusals: readonly (readonly [string, () => readonly string[], number, RegExp])[] = [
    [
      "is of another network",
      () => ["other", "--from", "sae-saelens-out"],
      3,
      /^sae-saelens-out: expected a dictionary of this network, whose weights have the digest [0-9a-f]{12}…, got one of [0-9a-f]{12}…$/,
    ],
    [
      "is of a network of another name",
      () => [
        "net",
        "--from",
        spoilt("gemma", (cfg) => ({
          ...cfg,
          metadata: { ...cfg.metadata, network_sha256: null, model_name: "gemma-2-2b" },
        })),
      ],
      3,
      /^gemma: expected a dictionary of superposition-8-4, got one of gemma-2-2b; --set model=… says that it is the same network$/,
    ],
    [
      "has another width",
      () => [
        "other",
        "--from",
        spoilt("wide", (cfg) => ({ ...cfg, metadata: { sae_lens_version: "6.0.0", hook_name: "hook_hidden" } })),
      ],
      3,
      /^wide: expected d_in 5, the width of hook_hidden, got 4$/,
    ],
    [
      "is of another point",
      () => [
        "net",
        "--from",
        spoilt("elsewhere", (cfg) => ({
          ...cfg,
          metadata: { ...cfg.metadata, hook_name: "blocks.3.hook_resid_post" },
        })),
      ],
      3,
      /^elsewhere: hook point: expected .*hook_hidden.*, got blocks\.3\.hook_resid_post$/,
    ],
    ["says no point", () => ["net", "--from", spoilt("nowhere", unnamed)], 2, /^nowhere: expected --set point=…, /],
    [
      "contradicts itself",
      () => ["net", "--from", spoilt("bent", (cfg) => ({ ...cfg, d_sae: 13 }))],
      3,
      /^bent.sae_weights\.safetensors: W_enc: expected C 13, as cfg\.json has it, got 12$/,
    ],
    [
      "has latents of another method",
      () => ["net", "--from", "sae-saelens-out", "--method", "topk"],
      2,
      /^--from: expected components of topk, got ones of sae$/,
    ],
    [
      "is asked to be trained on",
      () => ["net", "--from", "sae-saelens-out", "--steps", "3"],
      2,
      /^--from: expected neither --resume nor settings but point, reads, writes, model, which the folder has, got some$/,
    ],
    [
      "is a pickle",
      () => {
        cpSync(join(dir, "gated-dictionary_learning-out"), join(dir, "pickle"), { recursive: true });
        renameSync(join(dir, "pickle", "ae.safetensors"), join(dir, "pickle", "ae.pt"));
        return ["net", "--from", "pickle"];
      },
      3,
      /^pickle.ae\.pt: expected safetensors, got a pickle, which is not read here; in Python: import torch; .*"ae\.safetensors"\)$/,
    ],
    [
      "is in no format",
      () => ["net", "--from", "net"],
      3,
      /^net: expected a dictionary's file, one of sae_weights\.safetensors, .*, got none$/,
    ],
  ];

  test.each(refusals)("since it %s", async (_, args, status, message) => {
    const ended = await command(dir, "decompose", ...args(), "--out", "new", "--threads", "1");
    expect(ended.stderr.replace(/^mechanist: /, "").trimEnd()).toMatch(message);
    expect([ended.status, ended.stdout]).toEqual([status, ""]);
    expect(readdirSync(dir)).not.toContain("new");
  });

  test("is taken where the user says what its files do not", { timeout: 60_000 }, async () => {
    const more = ["--set", "point=hook_hidden", "--threads", "1", "--out", "said"];
    const ended = await command(dir, "decompose", "net", "--from", "nowhere", ...more);
    expect([ended.status, ended.stderr]).toEqual([0, ""]);
    expect(ended.stdout).toMatch(/^read as saelens\nhook_hidden: L0 .*, the file claims .*; latents fire as often/);
    const lost = spoilt("lost", (cfg) => ({ ...cfg, normalize_activations: "expected_average_only_in" }));
    const scaled = await command(dir, "decompose", "net", "--from", lost, "--threads", "1", "--out", "scaled");
    expect(scaled.stdout).toMatch(/\nthe files do not say by what activations at hook_hidden were multiplied; /);
  });

  test("has no way to be said in a format", async () => {
    for (const [run, format, message] of [
      ["sae-saelens", "sparsify", "export sparsify: expected topk, got relu"],
      [
        "sae-saelens",
        "circuit-tracer",
        "export circuit-tracer: expected transcoders with relu or jumprelu, got a dictionary of one point",
      ],
      [
        "clt-circuit-tracer-clt",
        "saelens",
        "export saelens: expected dictionaries or transcoders, got a cross-layer one",
      ],
      ["sae-saelens", "sealens", "format: expected saelens, got sealens"],
    ] as const) {
      const { stderr, status } = await command(dir, "export", run, "--format", format, "--out", "refused");
      expect(stderr).toBe(`mechanist: ${message}\n`);
      expect(status).toBeGreaterThan(1);
    }
  });
});
