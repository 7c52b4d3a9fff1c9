"""Goldens of attribution-based parameter decomposition: one whole step of a toy model of superposition, and of a residual MLP."""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parents[1]))

from apd import Settings, Subject, losses, residual_mlp, tms
from case import flat, write
from streams import Key, draw

KEY: Key = (25, 1)
BATCH = 8
PROBABILITY = 0.5
DECAY = 0.99


def exact(x: torch.Tensor) -> torch.Tensor:
    """The nearest numbers that float32 holds."""
    return x.to(torch.float32).to(torch.float64)


def batch(features: int, low: float) -> torch.Tensor:
    shape = [BATCH, features]
    active = draw(KEY, "data/active", shape) < PROBABILITY
    return torch.from_numpy(np.where(active, draw(KEY, "data/value", shape) * (1 - low) + low, 0.0))


def step(subject: Subject, settings: Settings, sites: dict[str, str], x: torch.Tensor) -> dict:
    """Losses, attributions, gradients, and the parameters after one step of Adam."""
    parameters = {}
    for name in subject.matrices:
        (d_in, d_out), m = subject.weights[name].shape, min(settings.factors, *subject.weights[name].shape)
        parameters[f"{sites[name]}.V"] = exact(torch.randn(d_in, settings.components, m) / d_in**0.5).requires_grad_()
        parameters[f"{sites[name]}.U"] = exact(torch.randn(settings.components, m, d_out) / (settings.components * m) ** 0.5).requires_grad_()
    before = {name: value.detach().clone() for name, value in parameters.items()}
    optimizer = torch.optim.Adam(list(parameters.values()), lr=settings.learning_rate)
    found, scores, below = losses(subject, settings, parameters, sites, x)
    # Which pairs are active must not be a matter of rounding.
    assert found["threshold"].item() - below > 1e-4 * found["threshold"].item()
    found["loss"].backward()
    gradients = {name: value.grad.clone() for name, value in parameters.items()}
    optimizer.step()
    after = {name: value.detach() for name, value in parameters.items()}
    if settings.unit_norm:
        after = {name: value / value.norm(dim=0, keepdim=True) if name.endswith(".V") else value for name, value in after.items()}
    return {
        "settings": {
            "components": settings.components,
            "factors": settings.factors,
            "topK": settings.top_k,
            "attributionsAt": settings.attributions_at,
            "faithfulness": 1,
            "reconstruction": settings.reconstruction,
            "hiddenReconstruction": settings.hidden_reconstruction,
            "simplicity": settings.simplicity,
            "p": settings.p,
            "unitNorm": settings.unit_norm,
            "learningRate": settings.learning_rate,
        },
        "probability": PROBABILITY,
        "key": list(KEY),
        "batch": write("batch feature", x, "f32"),
        "parameters": {name: write("d_in C m" if name.endswith(".V") else "C m d_out", value, "f32") for name, value in before.items()},
        "attributions": write("C batch", scores.T, "f32"),
        "losses": {name: value.item() for name, value in found.items()},
        "gradients": {name: flat(value) for name, value in gradients.items()},
        "afterOneStep": {**{name: flat(value) for name, value in after.items()}, "threshold": [(1 - DECAY) * found["threshold"].item()]},
    }


def tms_step() -> dict:
    torch.manual_seed(1)
    angles = torch.arange(5) * (2 * torch.pi / 5)
    W = exact(torch.stack([angles.cos(), angles.sin()], 1) + 0.05 * torch.randn(5, 2))
    b = exact(0.1 * torch.randn(5) - 0.1)
    settings = Settings(5, 2, 0.8, "components", 1, 0, 0.7, 1, False, 0.03)
    golden = step(tms(W, b), settings, {"W": "linear1.parts"}, batch(5, 0))
    return {**golden, "shape": {"features": 5, "hidden": 2, "identity": False}, "weights": {"W": write("feature hidden", W, "f32"), "b": write("feature", b, "f32")}}


def residual_mlp_step() -> dict:
    torch.manual_seed(2)
    features, width, neurons, layers = 6, 8, 4, 2
    W_E = torch.randn(features, width)
    W_E = exact(W_E / W_E.norm(dim=1, keepdim=True))
    pairs = [(exact(torch.randn(width, neurons) / 2), exact(torch.randn(neurons, width) / 2)) for _ in range(layers)]
    subject = residual_mlp(W_E, pairs)
    settings = Settings(4, 3, 1.28, "target", 2, 1, 7, 0.9, True, 1e-3)
    golden = step(subject, settings, {name: f"{name}.parts" for name in subject.matrices}, batch(features, -1))
    axes = {"W_in": "d_model d_mlp", "W_out": "d_mlp d_model"}
    weights = {name: write(axes[name.split(".")[-1]], W, "f32") for name, W in subject.weights.items()}
    shape = {"features": features, "dModel": width, "dMlp": neurons, "layers": layers}
    return {**golden, "shape": shape, "weights": {"embed.W_E": write("feature d_model", W_E, "f32"), **weights}}


def goldens() -> dict[str, dict]:
    return {"tms-5-2": tms_step(), "resid-mlp-2": residual_mlp_step()}
