"""
The training step of `spd.py` as a benchmark: fresh data and masks, four losses, their gradient, Adam.

    python reference/bench_spd.py --config tms-5-2 --backend eager

Prints one line of JSON: the median milliseconds a step, and the process's peak memory. Backends: `eager`, `eager-tuned` (the gates in
the form that eager PyTorch runs fastest) and `compile` (torch.compile, which needs a C++ compiler) in PyTorch, and `jit` in JAX;
`--list` says which of them this Python can run.
"""

import argparse
import importlib.util
import json
import os
import resource
import shutil
import statistics
import time
from collections.abc import Callable


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="tms-5-2")
    parser.add_argument("--backend", choices=["eager", "eager-tuned", "compile", "jit"], default="eager")
    parser.add_argument("--seconds", type=float, default=6, help="how long to measure")
    parser.add_argument("--steps", type=int, help="how many steps to measure, instead of seconds")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--list", action="store_true", help="print the backends that can run the step here, as JSON")
    parser.add_argument("--check", metavar="FILE", help="compare losses with those in a file that bench/step-check.ts wrote")
    options = parser.parse_args()
    if options.list:
        print(json.dumps(backends(options.config)))
        return
    if options.check:
        check(options.config, options.check)
        return

    # JAX has no option for its threads: it takes as many as there are processors to run on.
    if options.backend == "jit":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
        import spd_jax

        version, step = spd_jax.training_step(options.config)
    else:
        version, step = torch_step(options.config, options.backend, options.threads)

    times, cpu = measure(step, options.seconds, options.steps)
    print(
        json.dumps(
            {
                "config": options.config,
                "backend": options.backend,
                "version": version,
                "threads": options.threads,
                "steps": len(times),
                "msPerStep": statistics.median(times),
                "leastMs": min(times),
                "cpuMsPerStep": cpu,
                "peakMemoryBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            }
        )
    )


def is_toy(config: str) -> bool:
    return config.startswith("tms")


def backends(config: str) -> list[str]:
    found = []
    if importlib.util.find_spec("torch"):
        found += ["eager", "eager-tuned"]
        if not is_toy(config):
            return found
        if shutil.which(os.environ.get("CXX", "g++")) or shutil.which("clang++"):
            found.append("compile")
    if importlib.util.find_spec("jax"):
        found.append("jit")
    return found


def torch_step(name: str, backend: str, threads: int) -> tuple[str, Callable[[], float]]:
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    version = f"torch {torch.__version__}"
    return version, toy_step(name, backend) if is_toy(name) else masked_step(name, backend)


def masked_step(name: str, backend: str) -> Callable[[], float]:
    """`eager-tuned`: gates as batched products, or PyTorch's fused attention."""
    import dataclasses

    import torch

    import masked_step

    config = masked_step.CONFIGS[name]
    tuned = backend == "eager-tuned"
    if isinstance(config, masked_step.LanguageModel):
        config = dataclasses.replace(config, fused_attention=tuned)
    step = masked_step.Step(config, lambda _, shape: torch.rand(shape), gates_by_products=tuned)
    return lambda: step(config.inputs(), 0.01)["loss"]


def check(name: str, path: str) -> None:
    """Takes the steps of a file and prints each loss beside the one found there."""
    from safetensors.torch import load_file

    import masked_step

    tensors = load_file(path)
    under = lambda prefix: {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
    config = masked_step.CONFIGS[name]
    start = under("start/")
    rows, c = config.rows, config.components
    by_row = lambda x: x.reshape(c, -1).T.contiguous() if x.numel() == c * rows else x.reshape(rows)
    sources = {k: by_row(v) for k, v in under("start/adversary.r/").items()}
    weights = under("weight/")
    W = {k: v.reshape(config.sites[k]) if k in config.sites else v for k, v in weights.items()}
    given: dict = {}
    draw = lambda what, shape: given[what].t().reshape(shape)
    parameters = {k: v.clone() for k, v in start.items() if "/" not in k}
    step = masked_step.Step(config, draw, W, parameters, sources)
    count = 1 + max(int(k.split("/")[0]) for k in tensors if k[0].isdigit())
    for i in range(count):
        given.clear()
        given |= under(f"{i}/draw/")
        for group in step.optimizer.param_groups:
            group["lr"] = float(tensors[f"{i}/rate/main"])
        rate = tensors.get(f"{i}/rate/adversary")
        losses = step(tensors[f"{i}/data/x"], 0.0 if rate is None else float(rate))
        for key, value in losses.items():
            theirs = float(tensors[f"{i}/metric/{key}"])
            print(f"step {i} {key:22s} {value:.8g} {theirs:.8g} off by {abs(value - theirs) / abs(theirs):.1e}")


def toy_step(name: str, backend: str) -> Callable[[], float]:
    import torch

    import spd

    config = spd.CONFIGS[name]
    W = torch.randn(config.features, config.hidden) / config.hidden**0.5
    b = torch.zeros(config.features)
    parameters = {key: value.requires_grad_() for key, value in spd.initial_parameters(config).items()}
    gates = spd.gates_by_products if backend == "eager-tuned" else spd.gates
    # On a processor the fused optimiser is the fastest of PyTorch's three.
    optimizer = torch.optim.AdamW(list(parameters.values()), lr=config.learning_rate, weight_decay=0, fused=True)

    def loss(x: torch.Tensor) -> torch.Tensor:
        draw = lambda _: torch.rand(config.batch, config.components)
        return spd.losses(config, W, b, parameters, x, draw, gates)["loss"]

    if backend == "compile":
        loss = torch.compile(loss)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        value = loss(spd.sparse_features(config))
        value.backward()
        optimizer.step()
        return float(value.detach())

    return step


def measure(step: Callable[[], float], seconds: float, steps: int | None) -> tuple[list[float], float]:
    """Milliseconds of each step after a warm-up of ten, or of three seconds; and the processor's milliseconds a step."""
    began = time.perf_counter()
    for _ in range(10):
        step()
        if time.perf_counter() - began > 3:
            break
    times = []
    began, worked = time.perf_counter(), time.process_time()
    while len(times) < (steps or 2) or (steps is None and time.perf_counter() - began < seconds):
        before = time.perf_counter()
        value = step()
        times.append((time.perf_counter() - before) * 1000)
        if value != value:
            raise ArithmeticError("the loss is not a number")
    return times, 1000 * (time.process_time() - worked) / len(times)


if __name__ == "__main__":
    main()
