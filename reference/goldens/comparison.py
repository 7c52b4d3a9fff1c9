"""Comparisons, logic, choice and casts. Only `where` has a gradient."""

import torch

from case import Case, align, noise, numbers

BC = "batch C"
A = numbers(BC, [[0.0, -1.0, 2.0], [0.5, 3.0, -0.25]])
B = numbers(BC, [[0.0, 1.0, 2.0], [0.75, -3.0, -0.25]])
P = numbers(BC, [[True, False, True], [False, False, True]], "bool")
Q = numbers(BC, [[True, True, False], [False, True, True]], "bool")

COMPARE = {
    "less": torch.lt,
    "lessEqual": torch.le,
    "equal": torch.eq,
    "greater": torch.gt,
    "greaterEqual": torch.ge,
}


def comparison() -> list[Case]:
    cases = []
    for op, f in COMPARE.items():
        turned = numbers("C batch", B.data.T.contiguous())
        row = numbers("C", [0.5, 0.0, 2.0])
        cases += [
            truth(f"{op}: ties", [op, "$a", "$b"], {"a": A, "b": B}, f),
            truth(f"{op}: another order", [op, "$a", "$b"], {"a": A, "b": turned}, lambda a, b, f=f: f(a, b.T)),
            truth(f"{op}: second is narrower", [op, "$a", "$b"], {"a": A, "b": row}, f),
            truth(f"{op}: first is narrower", [op, "$b", "$a"], {"b": row, "a": A}, f),
            truth(f"{op}: a number second", [op, "$a", 0.5], {"a": A}, lambda a, f=f: f(a, torch.tensor(0.5))),
            truth(f"{op}: a number first", [op, 0, "$a"], {"a": A}, lambda a, f=f: f(torch.tensor(0.0), a)),
        ]
        i, j = numbers(BC, [[0, 3, 1], [2, 2, 0]], "i32"), numbers("C", [0, 2, 1], "i32")
        cases += [
            truth(f"{op}: whole numbers", [op, "$i", "$j"], {"i": i, "j": j}, f),
            truth(f"{op}: whole numbers with a number", [op, "$i", 2], {"i": i}, lambda i, f=f: f(i, torch.tensor(2))),
        ]
    column = numbers("batch", [True, False], "bool")
    cases += [
        truth("and", ["and", "$p", "$q"], {"p": P, "q": Q}, torch.logical_and),
        truth("and: narrower", ["and", "$p", "$c"], {"p": P, "c": column}, lambda p, c: p & c[:, None]),
        truth("or", ["or", "$p", "$q"], {"p": P, "q": Q}, torch.logical_or),
        truth("or: narrower", ["or", "$c", "$p"], {"c": column, "p": P}, lambda c, p: c[:, None] | p),
        truth("not", ["not", "$p"], {"p": P}, torch.logical_not),
        truth("cast: f32 to bool", ["cast", "$a", "bool"], {"a": A}, lambda a: a != 0),
        Case("cast: bool to f32", ["cast", "$p", "f32"], {"p": P}, BC, lambda p: p.to(torch.float64), gradient=False),
        Case(
            "cast: f32 to i32 cuts towards zero",
            ["cast", "$a", "i32"],
            {"a": numbers("C", [-1.75, -0.5, 0.0, 0.5, 1.75, 3.0])},
            "C",
            lambda a: torch.trunc(a).to(torch.int64),
            dtype="i32",
            gradient=False,
        ),
        Case("cast: i32 to f32", ["cast", "$a", "f32"], {"a": numbers("C", [-2, 0, 5], "i32")}, "C", lambda a: a.to(torch.float64), gradient=False),
    ]
    return cases + choices()


def truth(name, call, inputs, f) -> Case:
    return Case(name, call, inputs, BC, f, dtype="bool", gradient=False)


def choices() -> list[Case]:
    a, b = noise("where a", BC, [2, 3]), noise("where b", BC, [2, 3])
    row = noise("where row", "C", [3])
    column = numbers("batch", [True, False], "bool")
    cube = noise("where cube", "C pos batch", [3, 2, 2])
    return [
        Case("where", ["where", "$p", "$a", "$b"], {"p": P, "a": a, "b": b}, BC, torch.where),
        Case("where: a number", ["where", "$p", "$a", 0], {"p": P, "a": a}, BC, lambda p, x: torch.where(p, x, 0.0)),
        Case("where: a number first", ["where", "$p", 1.5, "$a"], {"p": P, "a": a}, BC, lambda p, x: torch.where(p, 1.5, x)),
        Case("where: narrower choice", ["where", "$p", "$row", "$b"], {"p": P, "row": row, "b": b}, BC, torch.where),
        Case(
            "where: narrower condition and another order",
            ["where", "$c", "$x", "$a"],
            {"c": column, "x": cube, "a": a},
            "C pos batch",
            lambda c, x, y: torch.where(c, x, align(y, BC, "C pos batch")),
        ),
        Case(
            "where: the branch not taken is infinite",
            ["where", "$p", "$a", float("inf")],
            {"p": numbers(BC, [[True, True, True], [True, True, True]], "bool"), "a": a},
            BC,
            lambda p, x: torch.where(p, x, float("inf")),
        ),
    ]
