import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readSafetensors } from "../../src/file/safetensors.ts";
import { openCompiled } from "../../src/network/compiled/document.ts";
import { command, documentOf, emptyFolder } from "./command.ts";

test("compile writes a network that can be opened, with its circuit", async () => {
  const dir = emptyFolder();
  const args = ["compile", "reverse", "--set", "noise=1", "--set", "rotate=true", "--seed", "5", "--out", "net"];
  const ended = await command(dir, ...args, "--json");
  expect([ended.status, ended.stderr]).toEqual([0, ""]);
  const path = join(dir, "net");
  expect(readdirSync(path).sort()).toEqual(["circuit.safetensors", "model.safetensors", "network.json"]);

  const tensors = (file: string): ReturnType<typeof readSafetensors>["tensors"] =>
    readSafetensors(readFileSync(join(path, file))).tensors;
  const document: unknown = JSON.parse(readFileSync(join(path, "network.json"), "utf8"));
  const opened = openCompiled("network.json", document, tensors("model.safetensors"));
  expect(tensors("circuit.safetensors")).toEqual({ basis: opened.basis });
  const { circuit, outside } = opened;
  expect(documentOf(ended)).toEqual({
    schema: 1,
    command: "compile",
    path,
    program: "reverse",
    settings: { length: 6, vocabulary: "", noise: 1, decoys: 0, rotate: true, seed: 5 },
    circuit: { nodes: circuit.nodes.length, edges: circuit.edges.length },
    outside: { nodes: outside.nodes.length, edges: outside.edges.length },
  });

  const again = await command(dir, ...args);
  expect([again.status, again.stdout]).toEqual([2, ""]);
  expect(again.stderr).toContain("net: expected a new or empty folder, got one with files in it");
});

test("without --out the folder is one of the runs, and people are told what is in it", async () => {
  const dir = emptyFolder();
  const { status, stdout } = await command(dir, "compile", "fraction-previous");
  expect(status).toBe(0);
  expect(stdout).toContain(
    "fraction-previous: layers 2, heads 1, hidden units 1, d_model 11; runs/compiled-fraction-previous",
  );
  expect(stdout).toMatch(/true circuit: 4 parts, 5 edges/);
  expect(stdout).toMatch(/blocks\.1\.attn:0\s+fraction/);
});

test.each([
  ["an unknown program", ["compile", "srot"], 2, "program: expected sort, got srot"],
  ["an unknown setting", ["compile", "sort", "--set", "nose=1"], 2, "sort settings: expected noise, got nose"],
  [
    "a setting out of range",
    ["compile", "sort", "--set", "length=0"],
    2,
    "sort length: expected number to be >=1, got 0",
  ],
])("%s is refused in a line", async (_, args, status, message) => {
  const dir = emptyFolder();
  const ended = await command(dir, ...args);
  expect([ended.status, ended.stderr.trim().split("\n")]).toEqual([status, [`mechanist: ${message}`]]);
  expect(readdirSync(dir)).toEqual([]);
});

test("a folder that cannot be made is an error of the disk", async () => {
  const dir = emptyFolder();
  writeFileSync(join(dir, "file"), "");
  const ended = await command(dir, "compile", "sort", "--out", "file/net");
  expect(ended.status).toBe(3);
  expect(ended.stderr).toContain("expected to write, got ENOTDIR");
});

test("list names every program with its settings", async () => {
  const { stdout } = await command(emptyFolder(), "list", "programs", "--json");
  const { programs, settings } = JSON.parse(stdout) as { programs: { name: string }[]; settings: { key: string }[] };
  expect(programs.map(({ name }) => name)).toContain("shuffle-dyck");
  expect(settings.map(({ key }) => key)).toEqual(["length", "vocabulary", "noise", "decoys", "rotate", "seed"]);
});
