"""Losses of sparse dictionaries from the papers' formulas, in plain PyTorch: what each kind of dictionary makes of rows of activations.

All losses are sums over latents or outputs and means over rows.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Settings:
    kind: str
    coefficient: float = 0.0
    k: int = 0
    norm_in_penalty: bool = False
    power: float = 1.0
    bandwidth: float = 0.0
    tanh_scale: float = 0.0
    pre_activation: float = 0.0
    aux_coefficient: float = 0.0
    aux_k: int = 0
    prefixes: tuple[int, ...] = ()
    subtract_bias: bool = False


class JumpRelu(torch.autograd.Function):
    """Rajamanoharan et al. 2024b, eq. 11."""

    @staticmethod
    def forward(ctx, z, threshold, bandwidth):
        ctx.save_for_backward(z, threshold)
        ctx.bandwidth = bandwidth
        return z * (z > threshold)

    @staticmethod
    def backward(ctx, gradient):
        z, threshold = ctx.saved_tensors
        near = ((z - threshold).abs() / ctx.bandwidth < 0.5).to(z)
        return (z > threshold) * gradient, -(threshold / ctx.bandwidth * near * gradient).sum(0), None


class Step(torch.autograd.Function):
    """Rajamanoharan et al. 2024b, eq. 12."""

    @staticmethod
    def forward(ctx, z, threshold, bandwidth):
        ctx.save_for_backward(z, threshold)
        ctx.bandwidth = bandwidth
        return (z > threshold).to(z)

    @staticmethod
    def backward(ctx, gradient):
        z, threshold = ctx.saved_tensors
        near = ((z - threshold).abs() / ctx.bandwidth < 0.5).to(z)
        return torch.zeros_like(z), -(near * gradient / ctx.bandwidth).sum(0), None


def squared_error(y: Tensor, output: Tensor) -> Tensor:
    return (y - output).square().sum(-1).mean()


def keep_largest(x: Tensor, k: int) -> Tensor:
    """The k largest of each row, where they are above 0."""
    found = torch.topk(x, k, dim=-1)
    return torch.zeros_like(x).scatter(-1, found.indices, found.values.relu())


def auxiliary(error: Tensor, pre: Tensor, dead: Tensor, W_dec: Tensor, k: int) -> Tensor:
    """Gao et al. 2024, appendix A.2: what dead latents make of what is left over."""
    if not dead.any():
        return error.new_zeros(())
    alive_out = pre.relu() * dead
    return squared_error(error.detach(), keep_largest(alive_out, k) @ W_dec)


def losses(settings: Settings, p: dict[str, Tensor], x: Tensor, y: Tensor, dead: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Latents and the terms of the loss."""
    read = (x - p["b_dec"] if settings.subtract_bias else x) @ p["W_enc"]
    skip = x @ p["W_skip"] if "W_skip" in p else 0

    def decode(z: Tensor) -> Tensor:
        return z @ p["W_dec"] + p["b_dec"] + skip

    norms = p["W_dec"].norm(dim=-1)
    if settings.kind == "gated":
        gate = read + p["b_gate"]
        z = (gate > 0) * (read * p["r_mag"].exp() + p["b_mag"]).relu()
        frozen = gate.relu() @ p["W_dec"].detach() + p["b_dec"].detach() + (x @ p["W_skip"].detach() if "W_skip" in p else 0)
        return z, {
            "reconstruction": squared_error(y, decode(z)),
            "sparsity": settings.coefficient * gate.relu().sum(-1).mean(),
            "auxiliary": squared_error(y, frozen),
        }
    pre = read + p["b_enc"]
    if settings.kind == "relu":
        z = pre.relu()
        weighed = z * norms if settings.norm_in_penalty else z
        penalty = weighed[weighed > 1e-6].pow(settings.power).sum() / len(x)
        return z, {"reconstruction": squared_error(y, decode(z)), "sparsity": settings.coefficient * penalty}
    if settings.kind == "jumprelu":
        threshold = p["threshold"].exp()
        positive = pre.relu()
        z = JumpRelu.apply(positive, threshold, settings.bandwidth)
        if settings.tanh_scale:
            penalty = (settings.tanh_scale * z * norms).tanh().sum(-1).mean()
        else:
            penalty = Step.apply(positive, threshold, settings.bandwidth).sum(-1).mean()
        terms = {"reconstruction": squared_error(y, decode(z)), "sparsity": settings.coefficient * penalty}
        if settings.pre_activation:
            terms["preActivation"] = settings.pre_activation * ((threshold - pre).relu() * norms).sum(-1).mean()
        return z, terms
    if settings.kind == "topk":
        z = keep_largest(pre, settings.k)
    else:
        flat = pre.flatten()
        found = torch.topk(flat, settings.k * len(x))
        z = torch.zeros_like(flat).scatter(0, found.indices, found.values.relu()).reshape(pre.shape)
    output = decode(z)
    terms = {"reconstruction": squared_error(y, output)}
    for end in settings.prefixes:
        terms[f"first {end}"] = squared_error(y, z[:, :end] @ p["W_dec"][:end] + p["b_dec"] + skip)
    if settings.aux_coefficient:
        terms["auxiliary"] = settings.aux_coefficient * auxiliary(y - output, pre, dead, p["W_dec"], settings.aux_k)
    return z, terms


def without_parallel_part(gradient: Tensor, W_dec: Tensor) -> Tensor:
    """What is left of the decoder's gradient where its rows are to keep their length (Bricken et al. 2023)."""
    unit = W_dec / W_dec.norm(dim=-1, keepdim=True)
    return gradient - (gradient * unit).sum(-1, keepdim=True) * unit
