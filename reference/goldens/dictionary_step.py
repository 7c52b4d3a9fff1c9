"""Goldens of sparse dictionaries: latents, losses and gradients of every kind, with and without the decoder's rows at length 1."""

import sys
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).resolve().parents[1]))

from case import flat, write
from dictionaries import Settings, losses, without_parallel_part

ROWS, WIDTH, LATENTS = 8, 6, 10
VECTORS = {"relu": ["b_enc"], "gated": ["b_gate", "b_mag", "r_mag"], "jumprelu": ["b_enc", "threshold"]}
AXES = {"W_enc": "d_in C", "W_dec": "C d_out", "b_dec": "d_out", "W_skip": "d_in d_out"}

CASES = {
    "sae": (Settings("relu", coefficient=0.3), {"l1Coefficient": 0.3}, True, False),
    "sae-norm": (Settings("relu", coefficient=0.3, norm_in_penalty=True), {"l1Coefficient": 0.3, "decoderNormInPenalty": True}, False, False),
    "sae-power": (Settings("relu", coefficient=0.3, power=0.6, subtract_bias=True), {"l1Coefficient": 0.3, "pEnd": 0.2, "subtractDecoderBias": True}, True, False),
    "sae-skip": (Settings("relu", coefficient=0.3), {"l1Coefficient": 0.3}, False, True),
    "gated": (Settings("gated", coefficient=0.4, subtract_bias=True), {"l1Coefficient": 0.4, "subtractDecoderBias": True}, True, False),
    "topk": (Settings("topk", k=3, aux_coefficient=0.1, aux_k=2), {"k": 3, "auxCoefficient": 0.1, "auxK": 2}, True, False),
    "topk-skip": (Settings("topk", k=3), {"k": 3, "auxCoefficient": 0}, False, True),
    "batchtopk": (Settings("batchtopk", k=2, aux_coefficient=0.1, aux_k=2), {"k": 2, "auxCoefficient": 0.1, "auxK": 2}, True, False),
    "matryoshka": (Settings("batchtopk", k=2, prefixes=(3, 5)), {"k": 2, "auxCoefficient": 0, "prefixes": "0.3,0.5,1"}, True, False),
    "jumprelu": (Settings("jumprelu", coefficient=0.2, bandwidth=0.6), {"l0Coefficient": 0.2, "bandwidth": 0.6}, True, False),
    "jumprelu-tanh": (
        Settings("jumprelu", coefficient=0.2, bandwidth=0.6, tanh_scale=4, pre_activation=0.05),
        {"l0Coefficient": 0.2, "bandwidth": 0.6, "sparsityLoss": "tanh", "tanhScale": 4, "preActivationCoefficient": 0.05},
        False,
        False,
    ),
}


def exact(x: torch.Tensor) -> torch.Tensor:
    """The nearest numbers that float32 holds."""
    return x.to(torch.float32).to(torch.float64)


def step(name: str) -> dict:
    settings, ours, unit, skip = CASES[name]
    torch.manual_seed(sum(map(ord, name)))
    W_dec = torch.randn(LATENTS, WIDTH, dtype=torch.float64)
    W_dec = W_dec / W_dec.norm(dim=-1, keepdim=True)
    p = {
        "W_enc": exact(torch.randn(WIDTH, LATENTS) * 0.6),
        **{vector: exact(torch.randn(LATENTS) * 0.3) for vector in VECTORS.get(settings.kind, ["b_enc"])},
        # A length of 1 to the last digit of float32 only: the loss takes the directions.
        "W_dec": exact(W_dec if unit else W_dec * (0.5 + torch.rand(LATENTS, 1))),
        "b_dec": exact(torch.randn(WIDTH) * 0.2),
        **({"W_skip": exact(torch.randn(WIDTH, WIDTH) * 0.3)} if skip else {}),
    }
    if "threshold" in p:
        p["threshold"] = exact(torch.log(0.1 + 0.5 * torch.rand(LATENTS)))
    x = exact(torch.randn(ROWS, WIDTH))
    y = exact(torch.randn(ROWS, WIDTH)) if skip else x
    dead = (torch.arange(LATENTS) % 3 == 0).to(torch.float64)
    before = {key: value.clone() for key, value in p.items()}
    if unit:
        p["W_dec"] = p["W_dec"] / p["W_dec"].norm(dim=-1, keepdim=True)
    for value in p.values():
        value.requires_grad_()
    z, terms = losses(settings, p, x, y, dead)
    total = sum(terms.values())
    gradients = dict(zip(p, torch.autograd.grad(total, list(p.values()), allow_unused=True), strict=True))
    if unit:
        gradients["W_dec"] = without_parallel_part(gradients["W_dec"], p["W_dec"])
    return {
        "method": name.split("-")[0],
        "settings": {**ours, "C": LATENTS, "normalizeDecoder": unit},
        "power": settings.power,
        "skip": skip,
        "dead": dead.tolist(),
        "x": write("batch d", x, "f32"),
        "y": write("batch d", y, "f32"),
        "parameters": {key: write(AXES.get(key, "C"), value, "f32") for key, value in before.items()},
        "latents": write("batch C", z.detach(), "f32"),
        "losses": {"loss": total.item(), **{key: value.item() for key, value in terms.items()}},
        "gradients": {key: flat(value) for key, value in gradients.items() if value is not None},
    }


def goldens() -> dict[str, dict]:
    return {name: step(name) for name in CASES}
