"""Arithmetic, exponentials, activations: element by element, with broadcasting by axis name."""

import math

import torch
import torch.nn.functional as F

from case import Case, Named, align, noise, numbers

BC = "batch C"


def first(a, b):
    """The larger of two, whose gradient goes to `a` where they are equal (PyTorch would share it)."""
    return torch.where(b <= a, a, b)


def last(a, b):
    return torch.where(a <= b, a, b)


BINARY = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "maximum": first,
    "minimum": last,
}


def binary_cases(op: str, f) -> list[Case]:
    # Divisors stay away from zero.
    low = 0.5 if op == "div" else -2.0
    a = noise(op + " a", BC, [3, 4])

    def b(axes, shape):
        return noise(f"{op} b {axes}", axes, shape, low, 2.0)

    layouts = {
        "same axes": (a, b(BC, [3, 4]), BC),
        "same axes in another order": (a, b("C batch", [4, 3]), BC),
        "second is narrower": (a, b("C", [4]), BC),
        "second is narrower, outer axis": (a, b("batch", [3]), BC),
        "first is narrower": (noise(op + " c", "C", [4]), b(BC, [3, 4]), BC),
        "second has no axes": (a, b("", []), BC),
        "middle axis and another order": (
            noise(op + " d", "batch pos C", [2, 3, 2]),
            b("C batch", [2, 2]),
            "batch pos C",
        ),
        "axes of size one": (noise(op + " e", BC, [1, 1]), b("C", [1]), BC),
        "one axis of size one": (noise(op + " f", BC, [3, 1]), b("C batch", [1, 3]), BC),
        "both without axes": (noise(op + " g", "", []), b("", []), ""),
    }
    cases = []
    for name, (x, y, axes) in layouts.items():
        expect = lambda p, q, x=x, y=y, axes=axes: f(align(p, x.axes, axes), align(q, y.axes, axes))
        cases.append(Case(f"{op}: {name}", [op, "$a", "$b"], {"a": x, "b": y}, axes, expect))
    cases.append(Case(f"{op}: a number second", [op, "$a", 1.5], {"a": a}, BC, lambda p: f(p, torch.tensor(1.5))))
    other = b(BC, [3, 4])
    cases.append(Case(f"{op}: a number first", [op, -0.75, "$b"], {"b": other}, BC, lambda q: f(torch.tensor(-0.75), q)))
    cases.append(Case(f"{op}: by itself", [op, "$b", "$b"], {"b": other}, BC, lambda q: f(q, q)))
    return cases


TIES = numbers(BC, [[0.0, -1.0, 2.0], [0.5, 3.0, -0.25]])
TIED = numbers(BC, [[0.0, 1.0, 2.0], [0.5, -3.0, -0.25]])


def arithmetic() -> list[Case]:
    cases = [case for op, f in BINARY.items() for case in binary_cases(op, f)]
    for op in ("maximum", "minimum"):
        cases.append(Case(f"{op}: ties", [op, "$a", "$b"], {"a": TIES, "b": TIED}, BC, BINARY[op], kink=True))
        cases.append(Case(f"{op}: ties with a number", [op, "$a", 0], {"a": TIES}, BC, lambda p, op=op: BINARY[op](p, torch.tensor(0.0)), kink=True))
    return cases


def powers() -> list[Case]:
    positive = noise("pow base", BC, [3, 4], 0.25, 2.0)
    mixed = numbers(BC, [[0.0, -1.5, 2.0], [1.0, -0.25, 0.0]])
    exponents = noise("pow exponent", "C", [4])
    cases = [
        Case(f"pow: positive to the power {p}", ["pow", "$a", p], {"a": positive}, BC, lambda x, p=p: x**p)
        for p in (0, 1, 2, 3, 0.5, -1, 2.5, -0.5)
    ]
    cases += [
        Case(f"pow: zero and negative to the power {p}", ["pow", "$a", p], {"a": mixed}, BC, lambda x, p=p: x**p)
        for p in (0, 1, 2, 3)
    ]
    cases += [
        Case("pow: exponents by name", ["pow", "$a", "$b"], {"a": positive, "b": exponents}, BC, torch.pow),
        Case("pow: a number to exponents", ["pow", 3, "$b"], {"b": exponents}, "C", lambda b: torch.pow(3.0, b)),
        Case("square", ["square", "$a"], {"a": mixed}, BC, torch.square),
    ]
    return cases


def signs() -> list[Case]:
    around = numbers(BC, [[0.0, -1.5, 2.0], [1.0, -0.25, 0.75]])
    apart = noise("reciprocal", BC, [3, 4], 0.25, 3.0)
    return [
        Case("neg", ["neg", "$x"], {"x": around}, BC, torch.neg),
        Case("neg of one number", ["neg", "$x"], {"x": noise("neg", BC, [1, 1])}, BC, torch.neg),
        Case("abs with a zero", ["abs", "$x"], {"x": around}, BC, torch.abs, kink=True),
        Case("sign with a zero", ["sign", "$x"], {"x": around}, BC, torch.sign, kink=True),
        Case("floor", ["floor", "$x"], {"x": numbers(BC, [[-1.0, -0.5, -1.25], [0.0, 0.75, 2.0]])}, BC, torch.floor, kink=True),
        Case("reciprocal", ["reciprocal", "$x"], {"x": apart}, BC, torch.reciprocal),
        Case("reciprocal of negatives", ["reciprocal", ["neg", "$x"]], {"x": apart}, BC, lambda x: torch.reciprocal(-x)),
        Case(
            "clamp with values on both bounds",
            ["clamp", "$x", -1, 0.75],
            {"x": numbers(BC, [[-2.0, -1.0, 0.0], [0.75, 0.5, 3.0]])},
            BC,
            lambda x: torch.clamp(x, -1, 0.75),
            kink=True,
        ),
        Case("clamp below only", ["clamp", "$x", 0, 1e30], {"x": around}, BC, lambda x: torch.clamp(x, 0, 1e30), kink=True),
    ]


def unary(op: str, f, x: Named) -> Case:
    return Case(f"{op} of {x.axes} by {'×'.join(map(str, x.data.shape))}", [op, "$x"], {"x": x}, x.axes, f)


def exponential() -> list[Case]:
    positive = noise("log", BC, [3, 4], 0.0625, 8.0)
    wide = numbers("C", [-7.0, -4.0, -2.5, -1.0, -0.25, -0.0009765625, 0.0, 0.0009765625, 0.5, 0.84375, 1.25, 2.5, 2.75, 4.0, 7.0])
    return [
        unary("exp", torch.exp, noise("exp", BC, [3, 4], -6, 6)),
        unary("log", torch.log, positive),
        unary("sqrt", torch.sqrt, positive),
        unary("erf", torch.erf, wide),
        unary("erf", torch.erf, noise("erf", BC, [3, 4], -3, 3)),
        unary("sin", torch.sin, noise("sin", BC, [3, 4], -7, 7)),
        unary("cos", torch.cos, noise("cos", BC, [3, 4], -7, 7)),
        unary("exp", torch.exp, noise("exp scalar", "", [])),
    ]


def activation() -> list[Case]:
    wide = numbers("C", [-30.0, -8.0, -3.5, -1.0, -0.125, 0.0, 0.125, 0.75, 1.0, 2.5, 5.0, 9.0, 30.0])
    plain = noise("activation", BC, [3, 4], -4, 4)
    functions = {
        "relu": torch.relu,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "silu": F.silu,
        "gelu": F.gelu,
        "geluTanh": lambda x: F.gelu(x, approximate="tanh"),
    }
    cases = [unary(op, f, x) for op, f in functions.items() for x in (wide, plain)]
    for case in cases:
        case.kink = case.call[0] == "relu" and case.inputs["x"] is wide
    far = numbers("C", [-1e4, -745.0, -100.0, 100.0, 745.0, 1e4])
    cases += [Case(f"{op} far out", [op, "$x"], {"x": far}, "C", functions[op]) for op in ("sigmoid", "tanh", "silu", "gelu", "relu")]
    cases.append(
        Case(
            "gelu of a gate: x·w + b along named axes",
            ["gelu", ["add", ["mul", ["broadcast", "$h", "batch C gate", {"batch": 2, "C": 3, "gate": 4}], "$w"], "$b"]],
            {"h": noise("gate h", "batch C", [2, 3]), "w": noise("gate w", "C gate", [3, 4]), "b": noise("gate b", "C gate", [3, 4])},
            "batch C gate",
            lambda h, w, b: F.gelu(h[..., None] * w + b),
        )
    )
    return cases


assert math.isclose(float(F.gelu(torch.tensor(1.0))), 0.5 * (1 + math.erf(math.sqrt(0.5))))
