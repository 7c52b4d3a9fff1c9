"""
The training step of `bench/transformer-step.ts`, written plainly in PyTorch: 2 layers, 256 wide, 8 heads, 1024 in the MLP, 128 tokens,
4096 words, 8 rows a batch, layer norm, GELU, learned positions, AdamW.

    python reference/bench_transformer.py --backend eager --threads 2

Prints one line of JSON: the median milliseconds a step, and the process's peak memory. Attention comes in two forms: `eager` writes the
pattern out, as a tool that lets people look at patterns must; `eager-sdpa` uses PyTorch's fused attention.
"""

import argparse
import json
import resource
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

VOCAB, CONTEXT, LAYERS, WIDTH, HEADS, BATCH = 4096, 128, 2, 256, 8, 8


class Block(nn.Module):
    def __init__(self, fused: bool) -> None:
        super().__init__()
        self.fused = fused
        self.ln1, self.ln2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        b, t, _ = x.shape
        q, k, v = (y.view(b, t, HEADS, -1).transpose(1, 2) for y in self.qkv(self.ln1(x)).split(WIDTH, -1))
        if self.fused:
            z = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = (q @ k.transpose(-1, -2) / (WIDTH / HEADS) ** 0.5).masked_fill(mask, -1e30)
            z = scores.softmax(-1) @ v
        x = x + self.out(z.transpose(1, 2).reshape(b, t, WIDTH))
        return x + self.down(F.gelu(self.up(self.ln2(x))))


class Model(nn.Module):
    def __init__(self, fused: bool) -> None:
        super().__init__()
        self.embed, self.position = nn.Embedding(VOCAB, WIDTH), nn.Parameter(torch.randn(CONTEXT, WIDTH) * 0.02)
        self.blocks = nn.ModuleList(Block(fused) for _ in range(LAYERS))
        self.final, self.unembed = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCAB)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        mask = torch.ones(tokens.shape[1], tokens.shape[1], dtype=torch.bool).triu(1)
        x = self.embed(tokens) + self.position
        for block in self.blocks:
            x = block(x, mask)
        return self.unembed(self.final(x))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=["eager", "eager-sdpa", "compile"], default="eager")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = Model(options.backend == "eager-sdpa")
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01, fused=True)
    run = torch.compile(model) if options.backend == "compile" else model
    times, began, step = [], time.perf_counter(), 0
    while step < 8 or time.perf_counter() - began < options.seconds:
        before = time.perf_counter()
        tokens = torch.randint(0, VOCAB, (BATCH, CONTEXT))
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(run(tokens)[:, :-1].reshape(-1, VOCAB), tokens[:, 1:].reshape(-1))
        loss.backward()
        optimizer.step()
        if step >= 3:
            times.append((time.perf_counter() - before) * 1000)
        step += 1
    print(
        json.dumps(
            {
                "config": "transformer-2-256",
                "backend": options.backend,
                "version": f"torch {torch.__version__}",
                "threads": options.threads,
                "steps": len(times),
                "loss": float(loss.detach()),
                "msPerStep": statistics.median(times),
                "peakMemoryBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
