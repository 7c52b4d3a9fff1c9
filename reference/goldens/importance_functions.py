"""
Goldens of what predicts causal importances, but for scalar gates, which the whole step of SPD has: one MLP a component, a site, a network; transformers over
all sites and over chunks of them. Plain PyTorch from the descriptions (VPD, "causal importance function"; param-decomp SPEC, S5 and S6).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from case import Named, flat, noise, write

ROWS = {"batch": 2, "pos": 3}
SITES = {"a": (3, 2), "b": (4, 3)}
"""d_in and C of each site, in the order in which the network meets them."""
POINT = ("p", 5)
"""A hook point and its width."""

Weights = dict[str, Tensor]
Seen = dict[str, Tensor]


def leaf(case: str, name: str, axes: str, shape: list[int]) -> Named:
    """A weight. Biases are drawn too, or nothing would tell them from no biases at all."""
    fan_in = shape[0] if len(shape) > 1 else 1
    return noise(f"{case} {name}", axes, shape, -1.5 / fan_in**0.5, 1.5 / fan_in**0.5)


def hidden_layers(weights: Weights, name: str, count: int, x: Tensor) -> Tensor:
    for i in range(count):
        x = F.gelu(x @ weights[f"{name}.W_{i}"] + weights[f"{name}.b_{i}"])
    return x


def heads(weights: Weights, sites: list[str], x: Tensor) -> Seen:
    return {site: x @ weights[f"{site}.head.W"] + weights[f"{site}.head.b"] for site in sites}


def hidden_specs(name: str, d_in: int, widths: list[int]) -> dict:
    reads = [d_in, *widths]
    return {
        f"{name}.{part}_{i}": (axes, shape)
        for i, width in enumerate(widths)
        for part, axes, shape in (("W", "d_in hidden", [reads[i], width]), ("b", "hidden", [width]))
    }


def head_specs(sites: list[str], width: int) -> dict:
    return {
        f"{site}.head.{part}": (axes, shape)
        for site in sites
        for part, axes, shape in (("W", "hidden C", [width, SITES[site][1]]), ("b", "C", [SITES[site][1]]))
    }


def vector_mlp(width: int):
    specs = {}
    for site, (d_in, c) in SITES.items():
        specs |= {
            f"{site}.gate.W_in": ("C gate d_in", [c, width, d_in]),
            f"{site}.gate.b_in": ("C gate", [c, width]),
            f"{site}.gate.W_out": ("C gate", [c, width]),
            f"{site}.gate.b_out": ("C", [c]),
        }

    def one(weights: Weights, site: str, x: Tensor) -> Tensor:
        W_in, b_in, W_out, b_out = (weights[f"{site}.gate.{part}"] for part in ("W_in", "b_in", "W_out", "b_out"))
        gates = [F.linear(F.gelu(F.linear(x, W_in[c], b_in[c])), W_out[c : c + 1], b_out[c : c + 1]) for c in range(len(W_in))]
        return torch.cat(gates, -1)

    return specs, lambda weights, seen: {site: one(weights, site, seen[site]) for site in SITES}


def layerwise_mlp(widths: list[int]):
    specs = {}
    for site, (d_in, _) in SITES.items():
        specs |= hidden_specs(f"importance.{site}", d_in, widths) | head_specs([site], widths[-1])

    def predict(weights: Weights, seen: Seen) -> Seen:
        found = {}
        for site in SITES:
            found |= heads(weights, [site], hidden_layers(weights, f"importance.{site}", len(widths), seen[site]))
        return found

    return specs, predict


def global_mlp(widths: list[int]):
    sites = list(SITES)
    specs = hidden_specs("importance", sum(d_in for d_in, _ in SITES.values()), widths) | head_specs(sites, widths[-1])

    def predict(weights: Weights, seen: Seen) -> Seen:
        everything = torch.cat([seen[site] for site in sites], -1)
        return heads(weights, sites, hidden_layers(weights, "importance", len(widths), everything))

    return specs, predict


def turned(x: Tensor) -> Tensor:
    """Rotary positions, `batch head pos d_head`: dimensions i and i + d_head/2 are a complex number, turned by its position."""
    half = x.shape[-1] // 2
    frequencies = torch.tensor([10000 ** (-2 * i / x.shape[-1]) for i in range(half)])
    angles = torch.arange(x.shape[-2])[:, None] * frequencies
    z = torch.complex(x[..., :half], x[..., half:]) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([z.real, z.imag], -1)


def normalized(x: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:], eps=torch.finfo(torch.float32).eps)


def chunkwise(size: dict, chunks: list[dict]):
    """A transformer for each chunk; `taps` are what it reads, its sites unless given."""
    d_model, d_mlp, head_count = size["dModel"], size["dMlp"], size["heads"]
    d_head = d_model // head_count
    widths = {site: d_in for site, (d_in, _) in SITES.items()} | dict([POINT])
    specs = {}
    for i, chunk in enumerate(chunks):
        name = f"importance.chunks.{i}"
        d_in = sum(widths[source] for source in chunk.get("taps", chunk["sites"]))
        specs |= {f"{name}.W": ("d_in d_model", [d_in, d_model]), f"{name}.b": ("d_model", [d_model])}
        for layer in range(size["blocks"]):
            block = f"{name}.blocks.{layer}"
            for part in "QKV":
                specs[f"{block}.attn.W_{part}"] = ("d_model head d_head", [d_model, head_count, d_head])
            specs |= {
                f"{block}.attn.W_O": ("head d_head d_model", [head_count, d_head, d_model]),
                f"{block}.mlp.W_in": ("d_model d_mlp", [d_model, d_mlp]),
                f"{block}.mlp.b_in": ("d_mlp", [d_mlp]),
                f"{block}.mlp.W_out": ("d_mlp d_model", [d_mlp, d_model]),
                f"{block}.mlp.b_out": ("d_model", [d_model]),
            }
        specs |= head_specs(chunk["sites"], d_model)

    def attention(weights: Weights, block: str, x: Tensor) -> Tensor:
        q, k, v = (torch.einsum("bpm,mhd->bhpd", x, weights[f"{block}.attn.W_{part}"]) for part in "QKV")
        z = F.scaled_dot_product_attention(turned(q), turned(k), v, is_causal=size["causal"])
        return torch.einsum("bhpd,hdm->bpm", z, weights[f"{block}.attn.W_O"])

    def mlp(weights: Weights, block: str, x: Tensor) -> Tensor:
        W_in, b_in, W_out, b_out = (weights[f"{block}.mlp.{part}"] for part in ("W_in", "b_in", "W_out", "b_out"))
        return F.gelu(x @ W_in + b_in) @ W_out + b_out

    def predict(weights: Weights, seen: Seen) -> Seen:
        found = {}
        for i, chunk in enumerate(chunks):
            name = f"importance.chunks.{i}"
            read = torch.cat([normalized(seen[source]) for source in chunk.get("taps", chunk["sites"])], -1)
            x = read @ weights[f"{name}.W"] + weights[f"{name}.b"]
            for layer in range(size["blocks"]):
                block = f"{name}.blocks.{layer}"
                x = x + attention(weights, block, normalized(x))
                x = x + mlp(weights, block, normalized(x))
            found |= heads(weights, chunk["sites"], x)
        return found

    return specs, predict


GLOBAL = {"dModel": 8, "blocks": 2, "heads": 2, "dMlp": 6, "causal": False}
CHUNKS = {"dModel": 4, "blocks": 1, "heads": 1, "dMlp": 5, "causal": True}
CASES = {
    "vector-mlp": ({"width": 3}, lambda settings: vector_mlp(settings["width"])),
    "layerwise-mlp": ({"widths": [4, 3]}, lambda settings: layerwise_mlp(settings["widths"])),
    "global-mlp": ({"widths": [5]}, lambda settings: global_mlp(settings["widths"])),
    "transformer": (
        {"size": GLOBAL, "chunks": [{"sites": ["b", "a"]}]},
        lambda settings: chunkwise(settings["size"], settings["chunks"]),
    ),
    "chunkwise-transformer": (
        {"size": CHUNKS, "chunks": [{"sites": ["b"], "taps": ["p"]}, {"sites": ["a"]}]},
        lambda settings: chunkwise(settings["size"], settings["chunks"]),
    ),
}


def solve(case: str, settings: dict, made) -> dict:
    """Pre-activations, and the gradients of their sum weighed by cotangents, by every weight."""
    specs, predict = made
    widths = {site: d_in for site, (d_in, _) in SITES.items()} | dict([POINT])
    seen = {name: noise(f"{case} sees {name}", "batch pos d_in", [*ROWS.values(), width]) for name, width in widths.items()}
    weights = {name: leaf(case, name, axes, shape) for name, (axes, shape) in specs.items()}
    leaves = {name: named.data.clone().requires_grad_() for name, named in weights.items()}
    found = predict(leaves, {name: named.data for name, named in seen.items()})
    cotangents = {site: noise(f"{case} cotangent {site}", "batch pos C", [*ROWS.values(), c]).data for site, (_, c) in SITES.items()}
    sum((found[site] * cotangents[site]).sum() for site in SITES).backward()
    rows = lambda x: x.detach().reshape(-1, x.shape[-1]).T
    return {
        "settings": settings,
        "seen": {name: write("batch pos d_in", named.data, "f32") for name, named in seen.items()},
        "weights": {name: write(named.axes, named.data, "f32") for name, named in weights.items()},
        "cotangents": {site: write("C batch", rows(x), "f32") for site, x in cotangents.items()},
        "preactivations": {site: write("C batch", rows(found[site]), "f32") for site in SITES},
        "gradients": {name: flat(x.grad) for name, x in leaves.items()},
    }


def goldens() -> dict[str, dict]:
    return {case: solve(case, settings, make(settings)) for case, (settings, make) in CASES.items()}
