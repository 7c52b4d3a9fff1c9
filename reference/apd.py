"""
One step of attribution-based parameter decomposition, written plainly in PyTorch from the formulas of the paper (Braun et al. 2025,
section 3): every component is made as a whole set of parameters, gradients are taken one example and one output at a time, and every example
runs on parameters of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Settings:
    components: int
    factors: int
    top_k: float
    attributions_at: str
    reconstruction: float
    hidden_reconstruction: float
    simplicity: float
    p: float
    unit_norm: bool
    learning_rate: float


@dataclass(frozen=True)
class Subject:
    """A network of one example, which also answers its neurons after the nonlinearity; and the matrices that are taken apart, right-multiplying."""

    run: Callable[[Weights, Tensor], tuple[Tensor, list[Tensor]]]
    weights: Weights
    matrices: list[str]


def component_matrices(subject: Subject, parameters: Weights, sites: dict[str, str]) -> dict[str, Tensor]:
    """`C × d_in × d_out` for each matrix; `sites` has the prefix of its factors."""
    return {name: torch.einsum("icm,cmo->cio", parameters[f"{sites[name]}.V"], parameters[f"{sites[name]}.U"]) for name in subject.matrices}


def attributions(subject: Subject, P: dict[str, Tensor], x: Tensor, at: str) -> Tensor:
    """`batch × C`."""
    chosen = {name: (subject.weights[name] if at == "target" else P[name].sum(0)).detach().requires_grad_() for name in subject.matrices}
    weights = {**subject.weights, **chosen}
    rows = []
    for example in x:
        output, _ = subject.run(weights, example)
        squares = 0
        for o in range(len(output)):
            gradients = torch.autograd.grad(output[o], list(chosen.values()), retain_graph=True)
            change = sum(torch.einsum("io,cio->c", g, P[name].detach()) for name, g in zip(chosen, gradients, strict=True))
            squares = squares + change**2
        rows.append((squares / len(output)).sqrt())
    return torch.stack(rows)


def select(scores: Tensor, top_k: float) -> tuple[Tensor, float, float]:
    """The mask `batch × C`, the smallest score in it and the largest outside."""
    count = max(1, int(top_k * len(scores)))
    ordered = scores.flatten().sort(descending=True).values
    return (scores >= ordered[count - 1]).to(scores.dtype), ordered[count - 1].item(), ordered[count].item()


def losses(subject: Subject, settings: Settings, parameters: Weights, sites: dict[str, str], x: Tensor) -> tuple[dict[str, Tensor], Tensor, float]:
    """The parts of the loss with their sum, the attributions, and the largest that made no component active."""
    P = component_matrices(subject, parameters, sites)
    scores = attributions(subject, P, x, settings.attributions_at)
    mask, threshold, below = select(scores, settings.top_k)

    count = sum(subject.weights[name].numel() for name in subject.matrices)
    faithfulness = sum((subject.weights[name] - P[name].sum(0)).square().sum() for name in subject.matrices) / count

    errors, hidden_errors = [], []
    for example, active in zip(x, mask, strict=True):
        kept = {name: torch.einsum("c,cio->io", active, P[name]) for name in subject.matrices}
        (want, neurons), (got, kept_neurons) = subject.run(subject.weights, example), subject.run({**subject.weights, **kept}, example)
        errors.append((got - want).square().mean())
        hidden_errors.append(sum(((a - b).square().mean() for a, b in zip(kept_neurons, neurons, strict=True)), torch.zeros(())))

    cost = 0
    for name in subject.matrices:
        V, U = parameters[f"{sites[name]}.V"], parameters[f"{sites[name]}.U"]
        frobenius = torch.einsum("icm,cmo->cmio", V, U).square().sum((-1, -2))
        cost = cost + (frobenius ** (settings.p / 2)).sum(1)

    parts = {
        "faithfulness": faithfulness,
        "reconstruction": torch.stack(errors).mean(),
        "hiddenReconstruction": torch.stack(hidden_errors).mean(),
        "simplicity": (mask @ cost).mean() / count,
    }
    total = (
        parts["faithfulness"]
        + settings.reconstruction * parts["reconstruction"]
        + settings.hidden_reconstruction * parts["hiddenReconstruction"]
        + settings.simplicity * parts["simplicity"]
    )
    return {**parts, "loss": total, "threshold": torch.tensor(threshold)}, scores, below


def tms(W: Tensor, b: Tensor) -> Subject:
    """`ReLU(x W Wᵀ + b)`: one matrix, used twice."""
    return Subject(lambda w, x: (torch.relu(x @ w["W"] @ w["W"].T + b), []), {"W": W}, ["W"])


def residual_mlp(W_E: Tensor, layers: list[tuple[Tensor, Tensor]]) -> Subject:
    """`(x W_E + Σ_l ReLU(r_l W_in,l) W_out,l) W_Eᵀ`."""
    weights = {f"blocks.{l}.mlp.{name}": W for l, pair in enumerate(layers) for name, W in zip(("W_in", "W_out"), pair, strict=True)}

    def run(w: Weights, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        stream, neurons = x @ W_E, []
        for l in range(len(layers)):
            neurons.append(torch.relu(stream @ w[f"blocks.{l}.mlp.W_in"]))
            stream = stream + neurons[-1] @ w[f"blocks.{l}.mlp.W_out"]
        return stream @ W_E.T, neurons

    return Subject(run, weights, list(weights))
