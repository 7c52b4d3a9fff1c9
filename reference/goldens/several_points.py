"""Goldens of codes over several points: latents, outputs, losses and gradients of crosscoders and cross-layer transcoders, from the papers' formulas."""

import sys
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).resolve().parents[1]))

from case import flat, write
from dictionaries import JumpRelu, squared_error

ROWS, WIDTH, LATENTS, POINTS = 7, 4, 6, 3


def exact(*shape: int, scale: float = 1.0) -> torch.Tensor:
    """Normal numbers that float32 holds."""
    return (torch.randn(*shape) * scale).to(torch.float32).to(torch.float64)


def crosscoder() -> dict:
    """Lindsey et al. 2024: Σ_p ‖x_p - x̂_p‖² + λ Σ_c z_c Σ_p ‖W_dec,c,p‖."""
    torch.manual_seed(101)
    coefficient = 0.3
    p = {
        "crosscoder.W_enc": exact(POINTS, WIDTH, LATENTS, scale=0.6),
        "crosscoder.b_enc": exact(LATENTS, scale=0.3),
        "crosscoder.W_dec": exact(LATENTS, POINTS, WIDTH),
        "crosscoder.b_dec": exact(POINTS, WIDTH, scale=0.2),
    }
    axes = {"W_enc": "point d_in C", "b_enc": "C", "W_dec": "C point d_out", "b_dec": "point d_out"}
    for value in p.values():
        value.requires_grad_()
    W_enc, b_enc, W_dec, b_dec = p.values()
    x = exact(POINTS, ROWS, WIDTH)
    z = (torch.einsum("pbi,pic->bc", x, W_enc) + b_enc).relu()
    output = torch.einsum("bc,cpo->pbo", z, W_dec) + b_dec[:, None]
    terms = {
        "reconstruction": sum(squared_error(x[i], output[i]) for i in range(POINTS)),
        "sparsity": coefficient * (z * W_dec.norm(dim=-1).sum(-1)).sum(-1).mean(),
    }
    points = [f"p{i}" for i in range(POINTS)]
    return golden(p, axes, dict(zip(points, x, strict=True)), {"crosscoder": z}, dict(zip(points, output, strict=True)), terms, {"l1Coefficient": coefficient})


def cross_layer(code: str) -> dict:
    """Ameisen et al. 2025: Σ_m ‖y_m - ŷ_m‖² + λ Σ_l Σ_c tanh(s z_l,c ‖W_dec,l,c‖), with JumpReLU; L1 of the same lengths with ReLU."""
    torch.manual_seed(202)
    coefficient, tanh_scale, bandwidth, pre_coefficient = 0.2, 1.5, 0.8, 0.05
    p = {}
    for layer in range(POINTS):
        p[f"o{layer}.W_enc"] = exact(WIDTH, LATENTS, scale=0.6)
        p[f"o{layer}.b_enc"] = exact(LATENTS, scale=0.3)
        if code == "jumprelu":
            p[f"o{layer}.threshold"] = torch.log(0.1 + 0.5 * torch.rand(LATENTS)).to(torch.float32).to(torch.float64)
        p[f"o{layer}.W_dec"] = exact(LATENTS, POINTS - layer, WIDTH)
        p[f"o{layer}.b_dec"] = exact(WIDTH, scale=0.2)
    axes = {"W_enc": "d_in C", "b_enc": "C", "threshold": "C", "W_dec": "C layer d_out", "b_dec": "d_out"}
    for value in p.values():
        value.requires_grad_()
    x, y = exact(POINTS, ROWS, WIDTH), exact(POINTS, ROWS, WIDTH)
    z, sparsity, below = [], 0, 0
    for layer in range(POINTS):
        own = {name: p[f"o{layer}.{name}"] for name in axes if f"o{layer}.{name}" in p}
        pre = x[layer] @ own["W_enc"] + own["b_enc"]
        lengths = own["W_dec"].flatten(1).norm(dim=-1)
        if code == "relu":
            z.append(pre.relu())
            sparsity = sparsity + (z[-1] * lengths).sum(-1).mean()
            continue
        threshold = own["threshold"].exp()
        z.append(JumpRelu.apply(pre.relu(), threshold, bandwidth))
        sparsity = sparsity + (tanh_scale * z[-1] * lengths).tanh().sum(-1).mean()
        below = below + ((threshold - pre).relu() * lengths).sum(-1).mean()
    output = [sum(z[l] @ p[f"o{l}.W_dec"][:, m - l] for l in range(m + 1)) + p[f"o{m}.b_dec"] for m in range(POINTS)]
    terms = {
        "reconstruction": sum(squared_error(y[m], output[m]) for m in range(POINTS)),
        "sparsity": coefficient * sparsity,
        **({"preActivation": pre_coefficient * below} if code == "jumprelu" else {}),
    }
    rows = {**{f"i{m}": x[m] for m in range(POINTS)}, **{f"o{m}": y[m] for m in range(POINTS)}}
    settings = {"code": code, "sparsityCoefficient": coefficient, "tanhScale": tanh_scale, "bandwidth": bandwidth, "preActivationCoefficient": pre_coefficient if code == "jumprelu" else 0}
    return golden(p, axes, rows, {f"o{m}": z[m] for m in range(POINTS)}, {f"o{m}": output[m] for m in range(POINTS)}, terms, settings)


def golden(p: dict, axes: dict, rows: dict, latents: dict, outputs: dict, terms: dict, settings: dict) -> dict:
    total = sum(terms.values())
    gradients = dict(zip(p, torch.autograd.grad(total, list(p.values())), strict=True))
    return {
        "settings": {**settings, "C": LATENTS},
        "rows": {point: write("batch d", x, "f32") for point, x in rows.items()},
        "parameters": {name: write(axes[name.split(".")[1]], value.detach(), "f32") for name, value in p.items()},
        "latents": {site: write("batch C", z.detach(), "f32") for site, z in latents.items()},
        "outputs": {point: write("batch d_out", y.detach(), "f32") for point, y in outputs.items()},
        "losses": {"loss": total.item(), **{name: value.item() for name, value in terms.items()}},
        "gradients": {name: flat(value) for name, value in gradients.items()},
    }


def goldens() -> dict[str, dict]:
    return {"crosscoder": crosscoder(), "clt-jumprelu": cross_layer("jumprelu"), "clt-relu": cross_layer("relu")}
