"""
The measurements of `bench/patching.ts` with TransformerLens: a forward pass that keeps every activation, and the sweep that patches the
residual stream of each layer at each position. 4 layers, 256 wide, 8 heads, 1024 in the MLP, 128 tokens, 4096 words, layer norm, GELU,
random weights.

    python reference/bench_patching.py --threads 2 --json

The sweep is TransformerLens's own, `generic_activation_patch` as `get_act_patch_resid_pre` calls it, with the value of each example kept as ours keeps it. `--plain` measures the
same loop written over `run_with_hooks`, one run a cell, without its bookkeeping.
"""

import argparse
import json
import resource
import statistics
import sys
import time
import warnings

import pandas
import torch

warnings.filterwarnings("ignore")

from transformer_lens import TransformerBridge, TransformerBridgeConfig, patching  # noqa: E402

VOCAB, CONTEXT, LAYERS, WIDTH, HEADS = 4096, 128, 4, 256, 8


def model() -> TransformerBridge:
    config = TransformerBridgeConfig.from_dict(
        dict(
            n_layers=LAYERS,
            d_model=WIDTH,
            n_ctx=CONTEXT,
            d_head=WIDTH // HEADS,
            n_heads=HEADS,
            d_mlp=4 * WIDTH,
            d_vocab=VOCAB,
            act_fn="gelu",
            normalization_type="LN",
            positional_embedding_type="standard",
            architecture="TransformerLensNative",
            seed=0,
        )
    )
    return TransformerBridge.boot_native(config).eval()


def timed(work, seconds: float) -> dict:
    times, began = [], time.perf_counter()
    # The first is left out: it warms up.
    while len(times) < 4 or time.perf_counter() - began < seconds:
        before = time.perf_counter()
        work()
        times.append((time.perf_counter() - before) * 1000)
    return {"ms": statistics.median(times[1:]), "repeats": len(times) - 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--examples", type=int, default=4)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--positions", type=int, default=CONTEXT, help="how many positions are swept, the last ones")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    bridge = model()
    results = []

    with torch.no_grad():
        tokens = torch.randint(0, VOCAB, (options.batch, CONTEXT))
        kept = len(bridge.run_with_cache(tokens)[1])
        time_of = timed(lambda: bridge.run_with_cache(tokens), options.seconds)
        results.append({"what": "forward, full cache", **time_of, "detail": f"{options.batch} rows, {kept} activations kept"})

        n = options.examples
        clean, corrupt = (torch.randint(0, VOCAB, (n, CONTEXT)) for _ in range(2))
        rows = torch.arange(n)

        def metric(logits: torch.Tensor) -> torch.Tensor:
            return logits[rows, -1, rows] - logits[rows, -1, rows + 100]

        positions = range(CONTEXT - options.positions, CONTEXT)
        cells = pandas.DataFrame([(layer, pos) for layer in range(LAYERS) for pos in positions], columns=["layer", "pos"])

        def sweep() -> None:
            _, cache = bridge.run_with_cache(clean)
            patching.generic_activation_patch(
                bridge,
                corrupt,
                cache,
                metric,
                patching.layer_pos_patch_setter,
                "resid_pre",
                index_df=cells,
                reduce="none",
                baseline=True,
            )

        def plain() -> None:
            _, cache = bridge.run_with_cache(clean, names_filter=lambda name: name.endswith("hook_resid_pre"))
            for layer in range(LAYERS):
                name = f"blocks.{layer}.hook_resid_pre"
                source = cache[name]
                for position in positions:

                    def put(value: torch.Tensor, hook) -> torch.Tensor:
                        value = value.clone()
                        value[:, position] = source[:, position]
                        return value

                    metric(bridge.run_with_hooks(corrupt, fwd_hooks=[(name, put)]))

        # tqdm writes its bar to standard error, where nobody wants it.
        silent, sys.stderr = sys.stderr, open("/dev/null", "w")
        time_of = timed(plain if options.plain else sweep, options.seconds)
        sys.stderr = silent
        how = "run_with_hooks" if options.plain else "generic_activation_patch"
        results.append({"what": "patching sweep", **time_of, "detail": f"{len(cells)} cells, {n} examples, {how}"})

    for row in results:
        row.update(backend="transformer_lens", threads=options.threads)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if options.json:
        print(json.dumps({"schema": 1, "version": f"torch {torch.__version__}", "results": results, "peakMemoryBytes": peak}))
        return
    for row in results:
        print(f"{row['what']:24}{row['ms']:10.1f} ms  ({row['detail']}; median of {row['repeats']}, {row['threads']} threads)")
    print(f"peak memory {peak / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
