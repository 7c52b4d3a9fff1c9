"""Goldens of parameter decomposition: the leaky hard sigmoids, importance minimality, and one whole SPD step from a key."""

import math
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parents[1]))

from case import flat, write
from spd import LEAK, Config, forward, gates, gates_by_products, initial_parameters, losses, lower_leaky, matrices, power, upper_leaky
from streams import Key, draw, fold_in

KEY: Key = (20, 25)
STEPS = {
    "tms-5-2": Config(5, 2, False, components=3, batch=8, importance=3e-3, p=1, probability=0.4),
    "tms-5-2-id": Config(5, 2, True, components=3, batch=8, importance=1e-2, p=2, probability=0.4),
}


def hard_sigmoids() -> dict:
    """Values and derivatives around both corners, for both signs of the gradient that arrives."""
    z = [-2.0, -1.0, -1e-9, 0.0, 1e-9, 0.25, 0.5, 1 - 1e-9, 1.0, 1 + 1e-9, 1.5, 3.0]
    record = {"leak": LEAK, "z": z}
    for name, f in {"lower": lower_leaky, "upper": upper_leaky}.items():
        for sign, arriving in {"positive": 2.0, "negative": -2.0, "zero": 0.0}.items():
            leaf = torch.tensor(z, requires_grad=True)
            value = f(leaf)
            value.backward(torch.full_like(value, arriving))
            record[name] = flat(value.detach())
            record[f"{name}Gradient{sign.capitalize()}"] = flat(leaf.grad)
    return record


def importances() -> list[dict]:
    """Sums over components, means over the batch, of |g|^p for the upper-leaky importances 1, ½, ⅕ and 1.01."""
    rows = torch.tensor([[1.0, 0.0], [0.5, 0.0], [0.0, 0.2], [1.01, 0.0]])
    found = [{"p": p, "rows": rows.tolist(), "value": float(power(rows, p).sum() / len(rows))} for p in (2, 1, 0.4)]
    assert [round(case["value"], 6) for case in found] == [0.577525, 0.6775, 0.821804]
    return found


def step(config: Config) -> dict:
    """Losses, gradients and the parameters after one step of Adam."""
    torch.manual_seed(0)
    W = torch.tensor(
        [[math.cos(2 * math.pi * i / config.features), math.sin(2 * math.pi * i / config.features)] for i in range(config.features)]
    )
    W = exact(W + 0.05 * torch.randn_like(W))
    b = exact(0.1 * torch.randn(config.features) - 0.1)
    parameters = {name: exact(value + 0.3 * torch.randn_like(value)) for name, value in initial_parameters(config).items()}
    # Gates that start around ½ meet both corners of the hard sigmoids.
    for name in parameters:
        if name.endswith("b_out"):
            parameters[name] = exact(parameters[name] + 0.5)
    for value in parameters.values():
        value.requires_grad_()

    shape = [config.batch, config.features]
    active = draw(KEY, "data/active", shape) < config.probability
    x = torch.from_numpy(np.where(active, draw(KEY, "data/value", shape), 0.0))
    # Mechanist keeps sources as `C batch`.
    sources = {
        name: torch.from_numpy(draw(KEY, name, [config.components, config.batch])).T
        for site in config.sites
        for name in (f"stochastic/{site}", f"layerwise/{site}")
    }
    expect_no_corners(config, W, b, parameters, x)

    optimizer = torch.optim.AdamW(list(parameters.values()), lr=config.learning_rate, weight_decay=0)
    found = losses(config, W, b, parameters, x, sources.__getitem__)
    found["loss"].backward()
    gradients = {name: value.grad.clone() for name, value in parameters.items()}
    before = {name: value.detach().clone() for name, value in parameters.items()}
    optimizer.step()
    return {
        "config": {
            "features": config.features,
            "hidden": config.hidden,
            "identity": config.identity,
            "components": config.components,
            "gate": config.gate,
            "batch": config.batch,
            "probability": config.probability,
            "importance": config.importance,
            "p": config.p,
            "learningRate": config.learning_rate,
        },
        "key": list(KEY),
        "weights": {"W": write("feature hidden", W, "f32"), "b": write("feature", b, "f32")},
        "batch": write("batch feature", x, "f32"),
        "parameters": {name: write(axes(name), value, "f32") for name, value in before.items()},
        "losses": {name: value.item() for name, value in found.items()},
        "gradients": {name: flat(value) for name, value in gradients.items()},
        "afterOneStep": {name: flat(value.detach()) for name, value in parameters.items()},
    }


def expect_no_corners(config: Config, W, b, parameters, x) -> None:
    """The step must meet all three branches of the hard sigmoids, and no value so near a corner that float32 could cross it."""
    seen = {}
    forward(matrices(config, W), b, x, lambda site, a: seen.update({site: a}))
    with torch.no_grad():
        written, tuned = (
            torch.cat([f(parameters, site, a @ parameters[f"{site}.V"]).flatten() for site, a in seen.items()])
            for f in (gates, gates_by_products)
        )
    torch.testing.assert_close(written, tuned)
    z = written
    assert min(z.abs().min(), (z - 1).abs().min()) > 1e-4
    assert (z < 0).any() and ((z > 0) & (z < 1)).any() and (z > 1).any()


def axes(name: str) -> str:
    kind = name.split(".", 1)[1]
    return {"V": "d_in C", "U": "C d_out", "gate.b_out": "C"}.get(kind, "C gate")


def exact(x: torch.Tensor) -> torch.Tensor:
    """The nearest numbers that float32 holds."""
    return x.to(torch.float32).to(torch.float64)


def goldens() -> dict[str, dict]:
    assert fold_in(KEY, "a") != KEY
    return {name: step(config) for name, config in STEPS.items()}
