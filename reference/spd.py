"""
One step of stochastic parameter decomposition of the toy model of superposition, written plainly in PyTorch from the formulas
of the paper (Bushnaq, Braun & Sharkey 2025, section 2). The golden step and the benchmark's peer both use it.

Matrices multiply from the right: a site's matrix W is `d_in × d_out`, and W ≈ V U with V `d_in × C` and U `C × d_out`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

LEAK = 0.01


@dataclass(frozen=True)
class Config:
    features: int
    hidden: int
    identity: bool
    components: int
    batch: int
    importance: float
    """How much importance minimality counts; the other losses count 1."""
    p: float
    gate: int = 16
    probability: float = 0.05
    learning_rate: float = 1e-3

    @property
    def sites(self) -> dict[str, tuple[int, int]]:
        """Each matrix with its d_in and d_out, in the order an activation meets them. W's two uses are two sites."""
        n, m = self.features, self.hidden
        middle = {"identity": (m, m)} if self.identity else {}
        return {"linear1": (n, m), **middle, "linear2": (m, n)}


CONFIGS = {
    "tms-5-2": Config(5, 2, False, components=20, batch=4096, importance=3e-3, p=1),
    "tms-5-2-id": Config(5, 2, True, components=20, batch=4096, importance=3e-3, p=1),
    "tms-40-10": Config(40, 10, False, components=200, batch=4096, importance=1e-4, p=2),
    "tms-40-10-id": Config(40, 10, True, components=200, batch=4096, importance=1e-4, p=2),
}


class LowerLeaky(torch.autograd.Function):
    """`clamp(z, 0, 1)`; below 0, and at 0, a hundredth of the gradient returns, where descent wants the value to rise."""

    @staticmethod
    def forward(ctx, z: Tensor) -> Tensor:
        ctx.save_for_backward(z)
        return z.clamp(0, 1)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        (z,) = ctx.saved_tensors
        return torch.where(z <= 0, LEAK * gradient.clamp(max=0), gradient * (z <= 1))


def lower_leaky(z: Tensor) -> Tensor:
    return LowerLeaky.apply(z)


def upper_leaky(z: Tensor) -> Tensor:
    """`clamp(z, 0, 1)` that goes on with slope 0.01 above 1. At 0 no gradient returns."""
    return torch.where(z > 1, 1 + LEAK * (z - 1), torch.relu(z))


def initial_parameters(config: Config) -> dict[str, Tensor]:
    """Subcomponents and gates, by name, as the SPD repository starts them."""
    c, gate = config.components, config.gate
    parameters = {}
    for site, (d_in, d_out) in config.sites.items():
        parameters |= {
            f"{site}.V": torch.randn(d_in, c) / d_in**0.5,
            f"{site}.U": torch.randn(c, d_out) / c**0.5,
            f"{site}.gate.W_in": torch.randn(c, gate) * 2**0.5,
            f"{site}.gate.b_in": torch.zeros(c, gate),
            f"{site}.gate.W_out": torch.randn(c, gate) / gate**0.5,
            f"{site}.gate.b_out": torch.zeros(c),
        }
    return parameters


def matrices(config: Config, W: Tensor) -> dict[str, Tensor]:
    """The target's matrices by site."""
    middle = {"identity": torch.eye(config.hidden, dtype=W.dtype)} if config.identity else {}
    return {"linear1": W, **middle, "linear2": W.T}


def forward(matrix: dict[str, Tensor], b: Tensor, x: Tensor, product: Callable[[str, Tensor], Tensor | None]) -> Tensor:
    """The network, `ReLU(x W I Wᵀ + b)`; `product` may stand in for a site's product."""
    for site, W in matrix.items():
        replaced = product(site, x)
        x = x @ W if replaced is None else replaced
    return torch.relu(x + b)


Gates = Callable[[dict[str, Tensor], str, Tensor], Tensor]


def gates(parameters: dict[str, Tensor], site: str, h: Tensor) -> Tensor:
    """One small network for each component, from its inner activation to its importance before squashing, `batch × C`."""
    W_in, b_in, W_out, b_out = (parameters[f"{site}.gate.{name}"] for name in ("W_in", "b_in", "W_out", "b_out"))
    hidden = F.gelu(h[:, :, None] * W_in + b_in)
    return (hidden * W_out).sum(-1) + b_out


def gates_by_products(parameters: dict[str, Tensor], site: str, h: Tensor) -> Tensor:
    """The same as batched matrix products, components first: of five ways to write it the fastest on a processor."""
    W_in, b_in, W_out, b_out = (parameters[f"{site}.gate.{name}"] for name in ("W_in", "b_in", "W_out", "b_out"))
    hidden = F.gelu(torch.baddbmm(b_in[:, :, None], W_in[:, :, None], h.T[:, None, :]))
    return torch.bmm(W_out[:, None, :], hidden)[:, 0].T + b_out


def losses(
    config: Config,
    W: Tensor,
    b: Tensor,
    parameters: dict[str, Tensor],
    x: Tensor,
    draw: Callable[[str], Tensor],
    gates: Gates = gates,
) -> dict[str, Tensor]:
    """The four losses and their weighted sum. `draw` makes fresh sources, `batch × C`, for each of the names it is given."""
    matrix = matrices(config, W)
    seen = {}
    with torch.no_grad():
        target = forward(matrix, b, x, lambda site, a: seen.update({site: a}))

    faithfulness, count, importance = 0, 0, 0
    importances = {}
    for site, a in seen.items():
        V, U = parameters[f"{site}.V"], parameters[f"{site}.U"]
        faithfulness += (matrix[site] - V @ U).square().sum()
        count += matrix[site].numel()
        z = gates(parameters, site, a @ V)
        importances[site] = lower_leaky(z)
        importance += power(upper_leaky(z), config.p).sum() / config.batch

    def masked(name: str, sites: list[str]) -> Tensor:
        def product(site: str, a: Tensor) -> Tensor | None:
            if site not in sites:
                return None
            g = importances[site]
            mask = g + (1 - g) * draw(f"{name}/{site}")
            return ((a @ parameters[f"{site}.V"]) * mask) @ parameters[f"{site}.U"]

        return F.mse_loss(forward(matrix, b, x, product), target)

    sites = list(seen)
    parts = {
        "faithfulness": faithfulness / count,
        "stochasticRecon": masked("stochastic", sites),
        "layerwiseRecon": sum(masked("layerwise", [site]) for site in sites) / len(sites),
        "importanceMinimality": importance,
    }
    total = parts["faithfulness"] + parts["stochasticRecon"] + parts["layerwiseRecon"]
    return {**parts, "loss": total + config.importance * importance}


def power(x: Tensor, p: float) -> Tensor:
    """`|x|^p` of numbers that are not negative; for other powers a hair above zero, where the derivative may be infinite."""
    return x if p == 1 else x.square() if p == 2 else (x + 1e-12) ** p


def sparse_features(config: Config) -> Tensor:
    """A batch: each feature active on its own with the probability, its value from U[0, 1)."""
    shape = (config.batch, config.features)
    return torch.rand(shape) * (torch.rand(shape) < config.probability)
