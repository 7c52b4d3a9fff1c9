"""Reductions and contractions over named axes."""

import torch

from case import Case, noise, numbers


def reduce() -> list[Case]:
    x = noise("reduce", "batch pos C", [2, 3, 4])
    tied = numbers("batch C", [[1.0, 3.0, 3.0], [-2.0, -2.0, -2.0], [0.0, -1.0, 0.5]])
    axes = ["batch", "pos", "C"]
    over = ["batch", "pos", "C", "batch C", "C batch", "pos batch", "batch pos C"]
    cases = []
    for op, f in {"sum": torch.sum, "mean": torch.mean, "max": torch.amax}.items():
        for names in over:
            dims = [axes.index(name) for name in names.split()]
            kept = " ".join(name for name in axes if name not in names.split())
            cases.append(Case(f"{op} over {names}", [op, "$x", names], {"x": x}, kept, lambda t, f=f, dims=dims: f(t, dims)))
        cases.append(Case(f"{op} of all", [op, "$x"], {"x": x}, "", lambda t, f=f: f(t, [0, 1, 2])))
        cases.append(Case(f"{op} of one number", [op, "$x", "C"], {"x": noise(op, "C", [1])}, "", lambda t, f=f: f(t, [0])))
        one = noise(op + " thin", "batch C", [3, 1])
        cases.append(Case(f"{op} over an axis of size one", [op, "$x", "C"], {"x": one}, "batch", lambda t, f=f: f(t, [1])))
    cases += [
        Case("max: ties share the gradient", ["max", "$x", "C"], {"x": tied}, "batch", lambda t: torch.amax(t, [1]), kink=True),
        Case("max of all: ties", ["max", "$x"], {"x": tied}, "", lambda t: torch.amax(t, [0, 1]), kink=True),
        Case("sum of squares", ["sum", ["square", "$x"], "C"], {"x": x}, "batch pos", lambda t: (t * t).sum(-1)),
        Case("sum of a product", ["sum", ["mul", "$x", "$y"], "batch pos"], {"x": x, "y": noise("reduce y", "C batch pos", [4, 2, 3])}, "C", lambda t, y: (t * y.permute(1, 2, 0)).sum([0, 1])),
    ]
    return cases


LAYOUTS = [
    # what it is, first, second, result
    ("a matrix product", "batch d", "d C", "batch C"),
    ("second turned", "batch d", "C d", "batch C"),
    ("first turned", "d batch", "d C", "batch C"),
    ("both turned", "d batch", "C d", "batch C"),
    ("result turned", "batch d", "d C", "C batch"),
    ("all turned", "d batch", "C d", "C batch"),
    ("a leading axis", "batch pos d", "d C", "batch pos C"),
    ("two leading axes summed", "batch pos d", "batch pos C", "d C"),
    ("attention scores", "batch query head d", "batch key head d", "batch head query key"),
    ("attention output", "batch head query key", "batch key head d", "batch query head d"),
    ("an output projection", "batch pos head d", "head d e", "batch pos e"),
    ("two summed axes in different orders", "a b c", "c b d", "a d"),
    ("a shared axis in the middle", "a s b", "b s c", "a s c"),
    ("a shared axis last", "a b s", "b c s", "a c s"),
    ("matrix times vector", "batch d", "d", "batch"),
    ("vector times matrix", "d", "d C", "C"),
    ("row by row dot product", "batch d", "batch d", "batch"),
    ("full contraction", "a b", "b a", ""),
    ("outer product", "a", "b", "a b"),
    ("outer product, turned", "a", "b", "b a"),
    ("element by element", "a b", "a b", "a b"),
    ("element by element, turned", "a b", "b a", "a b"),
    ("repeated along a missing axis", "a b", "b", "b a"),
    ("times a scalar", "a b", "", "a b"),
    ("gates: one small matrix a component", "batch C gate", "C gate", "batch C"),
    ("gates, backwards", "batch C", "C gate", "batch C gate"),
    ("gates, the weight's gradient", "batch C gate", "batch C", "C gate"),
    ("an axis only the first has is summed", "a b", "c", "a c"),
    ("an axis only the second has is summed", "a b", "b c", "a"),
    ("axes of size one", "one d", "d two", "one two"),
]
SIZES = {"batch": 3, "pos": 2, "d": 4, "C": 5, "gate": 3, "query": 3, "key": 4, "head": 2, "e": 3, "a": 3, "b": 2, "c": 4, "s": 2, "one": 1, "two": 1}


def einsum() -> list[Case]:
    cases = []
    for name, a, b, out in LAYOUTS:
        letters = {axis: chr(ord("a") + i) for i, axis in enumerate(dict.fromkeys(f"{a} {b}".split()))}
        short = [" ".join(axes.split()).split() for axes in (a, b, out)]
        equation = "{},{}->{}".format(*("".join(letters[axis] for axis in axes) for axes in short))
        x = noise(f"einsum {a}|{b}", a, [SIZES[n] for n in a.split()])
        y = noise(f"einsum {b}|{out}", b, [SIZES[n] for n in b.split()])
        expect = lambda p, q, equation=equation: torch.einsum(equation, p, q)
        cases.append(Case(name, ["einsum", f"{a}, {b} -> {out}", "$a", "$b"], {"a": x, "b": y}, out, expect))
    x = noise("einsum square", "i j", [3, 3])
    cases.append(
        Case(
            "a matrix with itself, renamed",
            ["einsum", "i j, k j -> i k", "$x", ["rename", "$x", "i -> k"]],
            {"x": x},
            "i k",
            lambda m: m @ m.T,
        )
    )
    cases.append(
        Case(
            "scaled",
            ["mul", ["einsum", "i j, j k -> k i", "$x", "$y"], -0.5],
            {"x": x, "y": noise("einsum scaled", "j k", [3, 2])},
            "k i",
            lambda m, y: -0.5 * (m @ y).T,
        )
    )
    return cases
