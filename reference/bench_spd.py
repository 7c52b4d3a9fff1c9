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
    parser.add_argument("--list", action="store_true", help="print the backends that can run here, as JSON")
    options = parser.parse_args()
    if options.list:
        print(json.dumps(backends()))
        return

    # JAX has no option for its threads: it takes as many as there are processors to run on.
    if options.backend == "jit":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
        import spd_jax

        version, step = spd_jax.training_step(options.config)
    else:
        version, step = torch_step(options.config, options.backend, options.threads)

    times = measure(step, options.seconds, options.steps)
    print(
        json.dumps(
            {
                "config": options.config,
                "backend": options.backend,
                "version": version,
                "threads": options.threads,
                "steps": len(times),
                "msPerStep": statistics.median(times),
                "peakMemoryBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            }
        )
    )


def backends() -> list[str]:
    found = []
    if importlib.util.find_spec("torch"):
        found += ["eager", "eager-tuned"]
        if shutil.which(os.environ.get("CXX", "g++")) or shutil.which("clang++"):
            found.append("compile")
    if importlib.util.find_spec("jax"):
        found.append("jit")
    return found


def torch_step(name: str, backend: str, threads: int) -> tuple[str, Callable[[], float]]:
    import torch

    import spd

    torch.set_num_threads(threads)
    torch.manual_seed(0)
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

    return f"torch {torch.__version__}", step


def measure(step: Callable[[], float], seconds: float, steps: int | None) -> list[float]:
    """Milliseconds of each step after a warm-up of ten."""
    for _ in range(10):
        step()
    times = []
    began = time.perf_counter()
    while len(times) < (steps or 5) or (steps is None and time.perf_counter() - began < seconds):
        before = time.perf_counter()
        value = step()
        times.append((time.perf_counter() - before) * 1000)
        if value != value:
            raise ArithmeticError("the loss is not a number")
    return times


if __name__ == "__main__":
    main()
