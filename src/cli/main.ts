/**
 * The command line. This file knows what can be asked for and loads what answers only when it is asked, so that `--help` is quick:
 * nothing but the argument parser is loaded before a command runs.
 */
import { Command, CommanderError } from "commander";
import { MechanistError } from "../error.ts";
import { mechanistVersion } from "../run/environment.ts";
import { tellError } from "./report-error.ts";
import { Terminal } from "./terminal.ts";

/** What surrounds the command. */
export interface Host {
  /** Builds the page where that is still to be done; absent in the package, which holds it built. */
  readonly preparePage?: (() => Promise<void>) | undefined;
}

/** Options that every command has. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly debug?: boolean;
}

/** Runs the command line and sets the process's exit status. */
export async function main(args: readonly string[], host: Host = {}): Promise<void> {
  // A reader that has seen enough, `head` for instance, is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  const flags = { json: args.includes("--json"), debug: args.includes("--debug") };
  try {
    await commands(host).parseAsync(args.length === 0 ? ["--help"] : args, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return;
    process.exitCode = tellError(error instanceof CommanderError ? usageError(error) : error, flags);
  }
}

/** The parser's own complaint in the form our errors have. */
function usageError({ message, code }: CommanderError): MechanistError {
  const sentence = message.replace(/^error: /, "").replaceAll(/\s*\n\s*/g, " ");
  return new MechanistError(code.startsWith("commander.unknown") ? "UnknownName" : "BadArgument", sentence);
}

const JOBS =
  "how many at a time, each a process of one thread unless --threads says more; without it, half of the cores, of two both";

const repeat = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

function commands(host: Host): Command {
  const program = new Command("mechanist")
    .description(
      "Take a trained neural network apart into its mechanisms, and let causal tests say which parts are real.",
    )
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .configureHelp({ helpWidth: 100 })
    .version(mechanistVersion(), "--version", "print the version");

  const command = (usage: string, summary: string): Command =>
    program
      .command(usage)
      .description(summary)
      .option("--json", "print one JSON document on standard output, and nothing else there")
      .option("--debug", "print the stack of an error");
  const settled = (made: Command): Command =>
    made
      .option("--preset <name>", "named settings to start from: mechanist list presets")
      .option("--set <key=value>", "a setting; may be given many times", repeat)
      .option("--steps <n>", "optimiser steps; short for --set steps=n")
      .option("--seed <n>", "random seed; short for --set seed=n")
      .option("--out <dir>", "the run's folder; without it, one in ./runs")
      .option("--resume", "go on with a run that stopped, to the same bits as if it had not; begin it if there is none")
      .option("--memory <MiB>", "the most memory its steps may take; without it, what is free");
  const onDevice = (made: Command): Command =>
    made
      .option("--device <name>", "cpu, cuda, webgpu, coreml or dml")
      .option("--threads <n>", "threads an operation may use; without it, ONNX Runtime decides");

  onDevice(settled(command("train <target>", "train a network whose mechanisms are known"))).action(
    async (target: string, options) => (await import("./train.ts")).trainCommand(target, options, terminal(options)),
  );
  onDevice(settled(command("decompose <run>", "take a trained network apart")))
    .option("--method <name>", "how; mechanist list methods has them", "spd")
    .option("--config <file>", "settings from a YAML file; --set goes before them")
    .option(
      "--from <path>",
      "components made elsewhere instead of training any: of the SPD repository, or a dictionary of SAELens, dictionary_learning, Gemma Scope, circuit-tracer, sparsify, Llama Scope",
    )
    .option("--seeds <n>", "so many decompositions that differ in their seed alone, in one folder, and what they share")
    .option("--jobs <n>", `with --seeds, ${JOBS}`)
    .action(async (run: string, options) =>
      options.seeds === undefined
        ? (await import("./decompose.ts")).decomposeCommand(run, options, terminal(options))
        : (await import("./seeds.ts")).seedsCommand(run, options, terminal(options)),
    );
  onDevice(settled(command("sweep <run>", "decompose at several values of a setting, and draw the front")))
    .option("--method <name>", "how; mechanist list methods has them", "spd")
    .option("--config <file>", "settings from a YAML file; --set goes before them")
    .option(
      "--over <key=a,b,…>",
      "the setting and its values; without it, importanceMinimality at five around the preset's",
    )
    .option("--jobs <n>", JOBS)
    .action(async (run: string, options) => (await import("./sweep.ts")).sweepCommand(run, options, terminal(options)));
  onDevice(command("judge <run...>", "measure decompositions on fresh data, and hold them against known mechanisms"))
    .option("--ladder", "attack for 20, 40, 80, 160 and 320 steps: does the damage settle?")
    .option("--measures <list>", "of the referee's: sufficiency,necessity,robustness,remainder,monotonicity,edits")
    .option("--prompts <n>", "examples that the referee asks about; without it, as many as 4,096 rows have")
    .option("--precision <x>", "half width of intervals that is wanted, as a part of chance; without it, 0.05")
    .option("--seed <n>", "of the referee's prompts and draws")
    .option("--report <file>", "write a page with every figure and its data (.html)")
    .action(async (runs: string[], options) =>
      (await import("./judge.ts")).judgeCommand(runs, options, terminal(options)),
    );
  command("card <report...>", "count what each family was found to do, on all networks that reports are of")
    .option("--out <file>", "write it as a page (.html)")
    .action(async (reports: string[], options) =>
      (await import("./card.ts")).cardCommand(reports, options, terminal(options)),
    );
  onDevice(
    command("anomalies <run...>", "measure the anomalies of dictionary learning; several runs are seeds and sizes"),
  )
    .option("--random <run>", "a decomposition of the network with random weights, by the same method")
    .option(
      "--shift <key=value>",
      "a setting of the target that changes its data, for probes; may be given many times",
      repeat,
    )
    .option("--rows <n>", "positions of the data, or examples where the network has none; without it, 16,384")
    .option("--seed <n>", "of the data and of the controls")
    .action(async (runs: string[], options) =>
      (await import("./anomalies.ts")).anomaliesCommand(runs, options, terminal(options)),
    );
  onDevice(command("harvest <run>", "count what the components of a decomposition fire on, in one pass over its data"))
    .option("--positions <n>", "positions of the data, or examples where the network has none; without it, 200,000")
    .option("--threshold <τ>", "a component fires where its importance is above this; without it, 0.1")
    .option("--examples <k>", "examples of each kind kept for a component; without it, 24")
    .option("--window <k>", "tokens shown on each side of a firing; without it, 16")
    .option("--seed <n>", "of the data and of the examples")
    .option("--no-outputs", "do not count output tokens")
    .option("--memory <MiB>", "the most memory it may take", "2048")
    .option("--export <dir>", "write it as Neuronpedia's feature JSONL, too")
    .option("--resume", "go on with one that stopped, to the same numbers; begin it if there is none")
    .action(async (run: string, options) =>
      (await import("./harvest.ts")).harvestCommand(run, options, terminal(options)),
    );
  command("components <run>", "list the components of a harvest")
    .option("--site <name>", "of one site")
    .option("--sort <order>", "density, importance, activation, partners or address", "density")
    .option("--limit <n>", "how many", "30")
    .action(async (run: string, options) =>
      (await import("./components.ts")).componentsCommand(run, options, terminal(options)),
    );
  command("component <run> <address>", "what a harvest says of one component")
    .option("--limit <n>", "rows of each list", "10")
    .action(async (run: string, address: string, options) =>
      (await import("./components.ts")).componentCommand(run, address, options, terminal(options)),
    );
  command("label <run>", "have a language model say what components fire on, and put what it says to trial")
    .option("--limit <n>", "how many components", "20")
    .option("--site <name>", "of one site")
    .option("--sort <order>", "which first: density, importance, activation, partners or address", "density")
    .option("--trials <n>", "stretches of either kind in detection and fuzzing, and intruders", "5")
    .option("--concurrency <n>", "questions asked at a time", "4")
    .option("--seed <n>", "of the trials", "0")
    .option("--show", "print what would be asked first, and send nothing")
    .option("--resume", "keep the labels there are and go on with the rest")
    .action(async (run: string, options) => (await import("./label.ts")).labelCommand(run, options, terminal(options)));
  onDevice(command("cluster <run>", "put the components of a decomposition together into clusters"))
    .option("--alpha <bits>", "what each rank-one piece costs that is carried along; without it, 1")
    .option("--threshold <τ>", "a component fires where its importance is above this; without it, 0.01")
    .option("--positions <n>", "positions of the data, or examples where the network has none; without it, 16,384")
    .option("--sampler <name>", "greedy, chain, range=0.05, mcmc=0.001 or exp-rank=0.2; without it, greedy")
    .option("--ensemble <n>", "how many clusterings, each of positions of its own; without it, 3")
    .option("--seed <n>", "of positions and samplers")
    .option("--resume", "go on with one that stopped, to the same clusters; begin it if there is none")
    .action(async (run: string, options) =>
      (await import("./cluster.ts")).clusterCommand(run, options, terminal(options)),
    );
  const onInput = (made: Command): Command =>
    onDevice(made)
      .option("--tokens <ids>", "the input as token ids: 1,2,3")
      .option("--prompt <text>", "the input as text, for a network whose tokens are words or letters")
      .option("--features <list>", "the input of a network of features: 0=1,3=0.5; the others are 0");
  onInput(command("attribute <run>", "what acts on what, on one input or over data: a graph of components"))
    .option("--threshold <g>", "components of an importance above this are nodes; without it, 0")
    .option("--top <n>", "edges that are kept, those of the largest influence; without it, 200")
    .option("--outputs <n>", "outputs at a position that are explained; without it, 5")
    .option("--at <position>", "which position's outputs, or whose query; without it, the last")
    .option("--remainder", "keep what components leave over, as a source of its own")
    .option("--calibrate", "remove each source, and hold what edges and nodes said against what happens")
    .option("--out <file>", "write the graph in the JSON of attribution-graph viewers")
    .option("--figure <file>", "draw it: an .svg file")
    .option("--dataset", "instead of one input, what components contribute to one another over data, normalised")
    .option("--to <address>", "with --dataset, to this component or output:3; may be given many times", repeat)
    .option("--targets <n>", "with --dataset, to so many components that matter most; without it, 50")
    .option("--heads", "which components of queries and keys meet in which head, and which heads are alike")
    .option("--layer <n>", "with --heads, of one layer")
    .option("--offsets <list>", "with --heads, how many positions the key is back; without it, 0 to 4 where it matters")
    .option("--rows <n>", "positions of data, or examples where the network has none; without it, 16,384")
    .option("--seed <n>", "of the data")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  mechanist attribute tms-5-2-spd --features 0=1,3=0.5 --calibrate",
        "  mechanist attribute tms-5-2-spd --dataset --rows 4096",
        '  mechanist attribute stories-spd --heads --prompt "the cat saw the"',
      ].join("\n"),
    )
    .action(async (run: string, options) =>
      (await import("./attribute.ts")).attributeCommand(run, options, terminal(options)),
    );
  onInput(command("circuit <run>", "the fewest nodes that keep an answer on one input, against an adversary"))
    .option("--token <token>", "keep the probability of this token; without it, the whole answer")
    .option("--at <position>", "where; without it, at the last position")
    .option("--steps <n>", "optimiser steps; without it, 2,000")
    .option("--minimality <x>", "weight of having few nodes; without it, 0.1")
    .option("--seed <n>", "of what is random")
    .option("--no-adversary", "optimise without one; the report has it nevertheless")
    .option("--out <file>", "write the circuit as JSON")
    .action(async (run: string, options) =>
      (await import("./circuit.ts")).circuitCommand(run, options, terminal(options)),
    );
  onDevice(command("edit <run>", "change components, and measure what that does on and off target"))
    .option("--ablate <address>", "take a component away; may be given many times, as may the next three", repeat)
    .option("--scale <address=x>", "multiply a component", repeat)
    .option(
      "--replace <address=vector>",
      "let a component write what another does, or the numbers in @file.json",
      repeat,
    )
    .option("--keep <address>", "of its site, keep nothing but this", repeat)
    .option("--only-where-important", "edit a component only where its importance is above the threshold")
    .option("--threshold <g>", "a component fires where its importance is above this", "0.1")
    .option("--strengths <list>", "how much of the edit is made, several to sweep: 0.5,1,2", "1")
    .option("--positions <n>", "positions of data, or examples where the network has none", "16384")
    .option("--seed <n>", "of the data", "0")
    .option("--out <dir>", "write the edited network; one from a Hugging Face folder as it was there")
    .option("--network <folder>", "where that folder is now, if it was moved")
    .action(async (run: string, options) => (await import("./edit.ts")).editCommand(run, options, terminal(options)));
  command("export <run>", "write the components of a decomposition in the files of another tool")
    .requiredOption("--out <dir>", "the folder")
    .option(
      "--format <name>",
      "spd, or of dictionaries saelens, dictionary_learning, gemma-scope, gemma-scope-2, circuit-tracer, circuit-tracer-clt, sparsify, llama-scope",
    )
    .action(async (run: string, options) =>
      (await import("./published.ts")).exportCommand(run, options, terminal(options)),
    );
  command("open [dir]", "show runs in a page on 127.0.0.1")
    .option("--port <n>", "the port to listen on, or the next free one")
    .action(async (dir: string | undefined, options) =>
      (await import("./open.ts")).openCommand(dir, options, terminal(options), host),
    );
  onDevice(command("start", "train, take apart and watch a first network"))
    .option("--no-serve", "do not serve the page; exit after the summary")
    .option("--port <n>", "the port to listen on, or the next free one")
    .action(async (options) => (await import("./start.ts")).startCommand(options, terminal(options), host));
  onDevice(command("doctor", "check this machine's device against float64")).action(async (options) =>
    (await import("./doctor.ts")).doctorCommand(options, terminal(options)),
  );
  command("pull <id[@revision]>", "fetch a network from the Hugging Face hub, to keep").action(
    async (id: string, options) => (await import("./pull.ts")).pullCommand(id, options, terminal(options)),
  );
  onDevice(command("import <network>", "make a run of a network that others trained, to take it apart"))
    .requiredOption("--text <file>", "what it is fed: plain text, .jsonl or .parquet")
    .option("--field <name>", "field of JSONL or column of Parquet: text, or lists of token ids", "text")
    .option("--context <n>", "tokens of a window; without it, 128 or as many as the network takes")
    .option("--windows <n>", "windows kept of the text, at most", "8192")
    .option("--out <dir>", "the run's folder; without it, one in ./runs")
    .action(async (network: string, options) =>
      (await import("./import.ts")).importCommand(network, options, terminal(options)),
    );
  onDevice(command("check <network>", "hold every hook point of a network against the others, on a prompt"))
    .option("--prompt <text>", "the prompt, for a network with a tokenizer")
    .option("--tokens <ids>", "the prompt as token ids: 1,2,3")
    .action(async (network: string, options) =>
      (await import("./check.ts")).checkCommand(network, options, terminal(options)),
    );
  onDevice(
    command("look [network]", "look at a network with an instrument, beside its null; without --with, list them"),
  )
    .option("--with <instrument>", "which: logit-lens, heads, probe, saliency, …")
    .option("--prompt <text>", "the input as text; of a run, without it, its own data")
    .option("--tokens <ids>", "the input as token ids: 1,2,3")
    .option("--examples <n>", "rows of the run's data; without it, 64")
    .option("--point <name>", "the hook point; without it, in the middle")
    .option("--unit <n>", "which unit of the point, or which feature probes read")
    .option("--layer <n>", "which layer; without it, the first")
    .option("--head <n>", "which head; without it, the first")
    .option("--answer <token>", "the token whose logit is asked about; without it, the likeliest")
    .option("--against <token>", "rather than this one")
    .option("--towards <prompt>", "steering: the prompt that the vector leads to")
    .option("--away <prompt>", "steering: and the one it leads away from")
    .option("--steps <n>", "of training a tuned lens")
    .option("--seed <n>", "of data, draws and nulls")
    .option("--out <file>", "write the maps of a tuned lens: a .safetensors file")
    .action(async (network: string | undefined, options) =>
      (await import("./look.ts")).lookCommand(network, options, terminal(options)),
    );
  onDevice(command("patch <network>", "put parts of one run into another, one after the other"))
    .option("--clean <prompt>", "the prompt that has the answer: text, or token ids as 1,2,3")
    .option("--corrupt <prompt>", "the one that has not, of as many tokens")
    .option("--metric <name>", "logit-diff, log-prob or kl", "logit-diff")
    .option("--answer <token>", "the right next token: a word, or an id")
    .option("--against <token>", "the wrong one, for logit-diff")
    .option("--sweep <name>", "which parts: layer-position, heads, head-position, query-key-value, …", "layer-position")
    .option("--figure <file>", "write a page on it, gradients' estimates beside the effects: an .html file")
    .option("--direction <name>", "denoise: clean values in the corrupt run; noise: the other way", "denoise")
    .action(async (network: string, options) =>
      (await import("./patch.ts")).patchCommand(network, options, terminal(options)),
    );
  command("compile <program>", "make a network of a program, with its true circuit")
    .option("--set <key=value>", "a setting; may be given many times: mechanist list programs", repeat)
    .option("--seed <n>", "random seed; short for --set seed=n")
    .option("--out <dir>", "the network's folder; without it, one in ./runs")
    .action(async (name: string, options) =>
      (await import("./compile.ts")).compileCommand(name, options, terminal(options)),
    );
  command("list <what> [name]", "list targets, methods, programs or presets; with a name, all of its settings").action(
    async (what: string, name: string | undefined, options) =>
      (await import("./list.ts")).listCommand(what, name, terminal(options)),
  );
  return program;
}

function terminal({ json }: CommonOptions): Terminal {
  return new Terminal(json ?? false);
}
