"""What a golden case is: a call of the tensor layer, its inputs, and what PyTorch says comes out, in float64."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import torch

torch.set_default_dtype(torch.float64)

GRID = 1024
"""Inputs are multiples of 1/1024, so that float32 holds them exactly."""


@dataclass
class Named:
    """Numbers whose axes have names. `dtype` is the tensor layer's: f32, i32 or bool."""

    axes: str
    data: torch.Tensor
    dtype: str = "f32"


@dataclass
class Case:
    """
    `call` is a list: a function's name and its arguments. "$x" stands for the input x; a list that starts with a name is a
    call inside a call; a list that starts with an input is a list of tensors. `expect` takes the inputs' data in order.
    """

    name: str
    call: list
    inputs: dict[str, Named]
    axes: str
    expect: Callable[..., torch.Tensor]
    dtype: str = "f32"
    gradient: bool = True
    pick: str | None = None
    kink: bool = False
    """Whether finite differences have nothing to say: an input lies where the derivative jumps, or the gradient is not meant to be it."""


def numbers(axes: str, data, dtype: str = "f32") -> Named:
    """Given numbers."""
    kinds = {"f32": torch.float64, "i32": torch.int64, "bool": torch.bool}
    return Named(axes, torch.as_tensor(data, dtype=kinds[dtype]), dtype)


def noise(seed: str, axes: str, shape: list[int], low: float = -2.0, high: float = 2.0) -> Named:
    """Numbers spread evenly between two bounds. The seed is a text, so a new case changes no old one."""
    generator = torch.Generator().manual_seed(zlib.crc32(seed.encode()))
    spread = torch.rand(shape, generator=generator) * (high - low) + low
    return Named(axes, torch.round(spread * GRID) / GRID)


def align(x: torch.Tensor, axes: str, wanted: str) -> torch.Tensor:
    """Puts named axes in another order, with size one for those that `x` lacks: broadcasting by name, by position."""
    names, order = axes.split(), wanted.split()
    present = [name for name in order if name in names]
    x = x.permute([names.index(name) for name in present])
    for position, name in enumerate(order):
        if name not in names:
            x = x.unsqueeze(position)
    return x


def solve(case: Case) -> dict:
    """The case with its expected output and gradients, ready for JSON."""
    leaves = {}
    for name, x in case.inputs.items():
        leaves[name] = x.data.clone().requires_grad_(x.dtype == "f32" and case.gradient)
    output = case.expect(*leaves.values())
    record = {
        "name": case.name,
        "call": case.call,
        "inputs": {name: write(x.axes, x.data, x.dtype) for name, x in case.inputs.items()},
        "output": write(case.axes, output.detach(), case.dtype),
    }
    if case.pick is not None:
        record["pick"] = case.pick
    if case.kink:
        record["kink"] = True
    if case.gradient:
        cotangent = noise("cotangent of " + case.name, case.axes, list(output.shape), 0.25, 2.0)
        (output * cotangent.data).sum().backward()
        record["cotangent"] = flat(cotangent.data)
        record["gradients"] = {
            name: flat(torch.zeros_like(leaf) if leaf.grad is None else leaf.grad)
            for name, leaf in leaves.items()
            if leaf.requires_grad
        }
    return record


def write(axes: str, data: torch.Tensor, dtype: str) -> dict:
    if len(axes.split()) != data.dim():
        raise ValueError(f'"{axes}" does not name the axes of a tensor of shape {tuple(data.shape)}')
    return {"axes": axes, "shape": list(data.shape), "dtype": dtype, "data": flat(data)}


def flat(data: torch.Tensor) -> list:
    """Row-major numbers; JSON has no infinities, so those are written as text."""
    if data.dtype == torch.bool:
        data = data.to(torch.int64)
    values = data.contiguous().view(-1).tolist()
    return [x if x == x and abs(x) != float("inf") else {"nan": "NaN", "inf": "Infinity"}.get(str(x), "-Infinity") for x in values]
