"""Three steps of Muon with AdamW for what is no matrix, in plain PyTorch and float64, from the published iteration."""

import torch

STEPS = 3
RATES = [0.02, 0.015, 0.01]
MOMENTUM = 0.95
WEIGHT_DECAY = 0.1
A, B, C = 3.4445, -4.7750, 2.0315

WEIGHTS = {
    # name: axes, shape, and how many matrices it is, 0 for none
    "first.V": ("d_in C", (5, 7), 1),
    "first.U": ("C d_out", (7, 4), 1),
    "first.gate.b": ("C", (7,), 0),
    "first.gate.W_in": ("C gate d_in", (3, 2, 5), 3),
    "second.gate.W_out": ("C gate", (3, 2), 0),
    "second.V": ("d_in C", (5, 7), 1),
}


def orthogonalised(matrix: torch.Tensor) -> torch.Tensor:
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = A * x + (B * gram + C * gram @ gram) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


def step(rows: torch.Tensor, momentum: torch.Tensor, gradient: torch.Tensor, rate: float) -> None:
    """One matrix, in place."""
    momentum.lerp_(gradient, 1 - MOMENTUM)
    ahead = gradient.lerp(momentum, MOMENTUM)
    rows.mul_(1 - rate * WEIGHT_DECAY)
    rows.sub_(rate * 0.2 * max(rows.shape) ** 0.5 * orthogonalised(ahead))


def expect_like_pytorch(gradients: list[torch.Tensor], ours: torch.Tensor, start: torch.Tensor) -> None:
    """PyTorch's own Muon iterates in bfloat16: the two agree as far as that goes."""
    matrix = torch.nn.Parameter(start.float())
    optimizer = torch.optim.Muon(
        [matrix], lr=RATES[0], weight_decay=WEIGHT_DECAY, momentum=MOMENTUM, adjust_lr_fn="match_rms_adamw"
    )
    for gradient, rate in zip(gradients, RATES):
        optimizer.param_groups[0]["lr"] = rate
        matrix.grad = gradient.float()
        optimizer.step()
    moved = (ours - start).norm()
    assert (matrix.detach().double() - ours).norm() < 0.02 * moved


def golden() -> dict:
    generator = torch.Generator().manual_seed(3)
    grid = lambda shape: (torch.randn(shape, generator=generator) * 256).round() / 256
    start = {name: grid(shape) for name, (_, shape, _) in WEIGHTS.items()}
    gradients = [{name: grid(shape) for name, (_, shape, _) in WEIGHTS.items()} for _ in range(STEPS)]
    # A component that nothing pulls at must stay where it is.
    for gradient in gradients:
        gradient["first.V"][:, 2] = 0
    start["first.V"][:, 2] = 0

    weights = {name: value.clone() for name, value in start.items()}
    momenta = {name: torch.zeros_like(value) for name, value in start.items()}
    others = [name for name, (_, _, count) in WEIGHTS.items() if count == 0]
    for name in others:
        weights[name].requires_grad_()
    adam = torch.optim.AdamW([weights[name] for name in others], weight_decay=0)
    after = []
    for gradient, rate in zip(gradients, RATES):
        for name, (_, shape, count) in WEIGHTS.items():
            if count == 0:
                weights[name].grad = gradient[name]
                continue
            stack = lambda x: x.view(count, *shape[-2:])
            for rows, momentum, slope in zip(stack(weights[name]), stack(momenta[name]), stack(gradient[name])):
                step(rows, momentum, slope, rate)
        adam.param_groups[0]["lr"] = rate
        adam.step()
        after.append({name: value.detach().flatten().tolist() for name, value in weights.items()})
    for name in ("first.V", "first.U"):
        expect_like_pytorch([g[name] for g in gradients], weights[name], start[name])
    flat = lambda named: {name: value.flatten().tolist() for name, value in named.items()}
    return {
        "rates": RATES,
        "momentum": MOMENTUM,
        "weightDecay": WEIGHT_DECAY,
        "weights": {
            name: {"axes": axes, "shape": list(shape), "matrices": count} for name, (axes, shape, count) in WEIGHTS.items()
        },
        "start": flat(start),
        "gradients": [flat(gradient) for gradient in gradients],
        "after": after,
    }
