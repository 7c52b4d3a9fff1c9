"""
The training step of `bench/dictionary-step.ts` in PyTorch: 4096 latents of activations 256 wide, rows from a table in memory, Adam (fused), decoder rows at
length 1 with the gradient along them taken out, the number of latents that are on, the loss read back.

    python reference/bench_dictionaries.py --config topk --backend eager --threads 2

Prints one line of JSON. Backends: `eager` decodes by a matrix product as SAELens and dictionary_learning do; `eager-sparse` gathers the decoder's rows of the
latents that are on (`embedding_bag`); `compile` is the first through torch.compile.
"""

import argparse
import json
import resource
import statistics
import time

import torch
from torch.nn import functional as F

WIDTH, LATENTS, TABLE = 256, 4096, 16384
K, L1 = 32, 5.0


def start() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    W_dec = F.normalize(torch.randn(LATENTS, WIDTH), dim=-1)
    return {"W_enc": W_dec.T.contiguous(), "b_enc": torch.zeros(LATENTS), "W_dec": W_dec, "b_dec": torch.zeros(WIDTH)}


def sae(p: dict[str, torch.Tensor], x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    z = torch.addmm(p["b_enc"], x, p["W_enc"]).relu()
    error = torch.addmm(p["b_dec"], z, p["W_dec"]) - x
    loss = error.square().sum(-1).mean() + L1 * z.sum(-1).mean()
    return loss, (z > 0).sum() / len(x)


def topk(p: dict[str, torch.Tensor], x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    values, indices = torch.topk(torch.addmm(p["b_enc"], x, p["W_enc"]), K, sorted=False)
    values = values.relu()
    z = torch.zeros(len(x), LATENTS).scatter(-1, indices, values)
    error = torch.addmm(p["b_dec"], z, p["W_dec"]) - x
    return error.square().sum(-1).mean(), (values > 0).sum() / len(x)


def topk_sparse(p: dict[str, torch.Tensor], x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    values, indices = torch.topk(torch.addmm(p["b_enc"], x, p["W_enc"]), K, sorted=False)
    values = values.relu()
    output = F.embedding_bag(indices, p["W_dec"], per_sample_weights=values, mode="sum") + p["b_dec"]
    return (output - x).square().sum(-1).mean(), (values > 0).sum() / len(x)


FORMS = {"sae": {"eager": sae, "compile": sae}, "topk": {"eager": topk, "eager-sparse": topk_sparse, "compile": topk}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", choices=FORMS, default="topk")
    parser.add_argument("--backend", default="eager")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--rows", type=int, default=2048)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    if given.list:
        print(json.dumps([name for name in FORMS[given.config] if name != "compile"]))
        return
    torch.set_num_threads(given.threads)
    losses = FORMS[given.config][given.backend]
    if given.backend == "compile":
        losses = torch.compile(losses)
    p = {name: value.requires_grad_() for name, value in start().items()}
    optimizer = torch.optim.Adam(list(p.values()), lr=1e-3, fused=True)
    table = torch.randn(TABLE, WIDTH)
    per_table = TABLE // given.rows

    def step(i: int) -> tuple[float, float]:
        at = (i % per_table) * given.rows
        loss, l0 = losses(p, table[at : at + given.rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        with torch.no_grad():
            W, g = p["W_dec"], p["W_dec"].grad
            g.sub_((g * W).sum(-1, keepdim=True) * W)
        optimizer.step()
        with torch.no_grad():
            W.copy_(F.normalize(W, dim=-1))
        return loss.item(), l0.item()

    for i in range(3):
        step(i)
    times, began, cpu = [], time.perf_counter(), time.process_time()
    while time.perf_counter() - began < given.seconds:
        before = time.perf_counter()
        loss, l0 = step(3 + len(times))
        times.append((time.perf_counter() - before) * 1000)
    cpu = (time.process_time() - cpu) * 1000
    median = statistics.median(times)
    print(
        json.dumps(
            {
                "msPerStep": median,
                "leastMs": min(times),
                "cpuMsPerStep": cpu / len(times),
                "rowsPerSecond": 1000 * given.rows / median,
                "peakMemoryBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "loss": loss,
                "l0": l0,
                "version": torch.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
