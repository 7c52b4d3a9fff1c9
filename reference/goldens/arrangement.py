"""Names, orders, pieces, joins; reading and writing by index; stopped gradients."""

import torch

from case import Case, noise, numbers

BC = "batch C"


def shape() -> list[Case]:
    x = noise("shape", "batch pos C", [2, 3, 4])
    row = noise("shape row", "C", [4])
    flat = noise("shape flat", "batch d_model", [2, 6])
    y, z = noise("shape y", BC, [2, 3]), noise("shape z", BC, [2, 1])
    sizes = {"batch": 2, "pos": 3, "C": 4, "head": 2, "d_head": 3, "d_model": 6, "rows": 6}
    pick = lambda *names: {name: sizes[name] for name in names}
    return [
        Case("rename one axis", ["rename", "$x", "pos -> key"], {"x": x}, "batch key C", lambda t: t),
        Case("rename two axes", ["rename", "$x", "pos -> key, C -> d"], {"x": x}, "batch key d", lambda t: t),
        Case("relabel", ["relabel", "$x", "a b c"], {"x": x}, "a b c", lambda t: t),
        Case("transpose", ["transpose", "$x", "C batch pos"], {"x": x}, "C batch pos", lambda t: t.permute(2, 0, 1)),
        Case("transpose back", ["transpose", ["transpose", "$x", "C batch pos"], "batch pos C"], {"x": x}, "batch pos C", lambda t: t),
        Case("transpose of thin axes", ["transpose", "$x", "C batch"], {"x": noise("thin", BC, [3, 1])}, "C batch", lambda t: t.T),
        Case("broadcast", ["broadcast", "$x", "batch pos C", pick("batch", "pos", "C")], {"x": row}, "batch pos C", lambda t: t.expand(2, 3, 4)),
        Case("broadcast and turn", ["broadcast", "$x", "C pos batch", {"C": 3, "pos": 2, "batch": 2}], {"x": y}, "C pos batch", lambda t: t.T[:, None, :].expand(3, 2, 2)),
        Case("broadcast a scalar", ["broadcast", "$x", BC, {"batch": 2, "C": 3}], {"x": noise("scalar", "", [])}, BC, lambda t: t.expand(2, 3)),
        Case("reshape: split", ["reshape", "$x", "batch head d_head", pick("batch", "head", "d_head")], {"x": flat}, "batch head d_head", lambda t: t.reshape(2, 2, 3)),
        Case("reshape: merge", ["reshape", "$x", "rows C", pick("rows", "C")], {"x": x}, "rows C", lambda t: t.reshape(6, 4)),
        Case("reshape: merge after a turn", ["reshape", ["transpose", "$x", "pos batch C"], "rows C", pick("rows", "C")], {"x": x}, "rows C", lambda t: t.permute(1, 0, 2).reshape(6, 4)),
        Case("slice the middle", ["slice", "$x", "C", 1, 3], {"x": x}, "batch pos C", lambda t: t[..., 1:3]),
        Case("slice the first axis", ["slice", "$x", "batch", 1, 2], {"x": x}, "batch pos C", lambda t: t[1:2]),
        Case("slice everything", ["slice", "$x", "pos", 0, 3], {"x": x}, "batch pos C", lambda t: t[:, 0:3]),
        Case("concat", ["concat", ["$y", "$z", "$y"], "C"], {"y": y, "z": z}, BC, lambda a, b: torch.cat([a, b, a], 1)),
        Case("concat along the first axis", ["concat", ["$y", "$w"], "batch"], {"y": y, "w": noise("w", BC, [1, 3])}, BC, lambda a, b: torch.cat([a, b], 0)),
        Case("pad with zeros", ["pad", "$y", "C", 1, 2], {"y": y}, BC, lambda t: torch.nn.functional.pad(t, (1, 2))),
        Case("pad with a value", ["pad", "$x", "pos", 0, 1, -2.5], {"x": x}, "batch pos C", lambda t: torch.nn.functional.pad(t, (0, 0, 0, 1), value=-2.5)),
        Case("pad by nothing", ["pad", "$y", "C", 0, 0], {"y": y}, BC, lambda t: t * 1),
        Case("select", ["select", "$x", "pos", 1], {"x": x}, "batch C", lambda t: t[:, 1]),
        Case("select the last of the first axis", ["select", "$x", "batch", 1], {"x": x}, "pos C", lambda t: t[1]),
    ]


def gather() -> list[Case]:
    table = noise("table", "vocab d_model", [4, 3])
    turned = noise("table turned", "d_model vocab", [3, 4])
    tokens = numbers("batch pos", [[0, 3, 3], [1, 3, 0]], "i32")
    line = numbers("pos", [2, 0, 2, 2, 1], "i32")
    rows = noise("rows", "pos d_model", [5, 3])
    columns = noise("columns", "d_model pos", [3, 5])
    x = noise("take", "batch pos C", [2, 3, 4])
    one = numbers("batch pos", [[0, 3, 1], [1, 1, 2]], "i32")
    several = numbers("batch pos k", [[[0, 0], [3, 1], [2, 3]], [[1, 1], [0, 2], [3, 3]]], "i32")
    middle = numbers("C batch", [[0, 2], [1, 1], [2, 0], [0, 0]], "i32")

    def scatter(size):
        return lambda v, i: torch.zeros(size, v.shape[-1]).index_add(0, i, v)

    return [
        Case("gather: an embedding", ["gather", "$t", "$i", "vocab"], {"t": table, "i": tokens}, "batch pos d_model", lambda t, i: t[i]),
        Case("gather: repeated rows", ["gather", "$t", "$i", "vocab"], {"t": table, "i": line}, "pos d_model", lambda t, i: t[i]),
        Case("gather along the last axis", ["gather", "$t", "$i", "vocab"], {"t": turned, "i": tokens}, "d_model batch pos", lambda t, i: t[:, i]),
        Case("gather one row", ["gather", "$t", "$i", "vocab"], {"t": table, "i": numbers("", 2, "i32")}, "d_model", lambda t, i: t[i]),
        Case("scatterAdd: rows that meet are summed", ["scatterAdd", "$v", "$i", "vocab", 4, "vocab d_model"], {"v": rows, "i": line}, "vocab d_model", scatter(4)),
        Case("scatterAdd into a turned table", ["scatterAdd", "$v", "$i", "vocab", 4, "d_model vocab"], {"v": rows, "i": line}, "d_model vocab", lambda v, i: scatter(4)(v, i).T),
        Case("scatterAdd of turned rows", ["scatterAdd", "$v", "$i", "vocab", 4, "vocab d_model"], {"v": columns, "i": line}, "vocab d_model", lambda v, i: scatter(4)(v.T, i)),
        Case(
            "scatterAdd of turned rows that were relabelled",
            ["scatterAdd", ["relabel", "$v", "d_model pos"], "$i", "vocab", 4, "vocab d_model"],
            {"v": noise("relabelled", "a b", [3, 5]), "i": line},
            "vocab d_model",
            lambda v, i: scatter(4)(v.T, i),
        ),
        Case(
            "scatterAdd with two axes of indices",
            ["scatterAdd", "$v", "$i", "vocab", 4, "vocab d_model"],
            {"v": noise("scatter two", "batch pos d_model", [2, 3, 2]), "i": tokens},
            "vocab d_model",
            lambda v, i: scatter(4)(v.reshape(6, 2), i.reshape(6)),
        ),
        Case("takeAlong the last axis", ["takeAlong", "$x", "$i", "C"], {"x": x, "i": one}, "batch pos", lambda t, i: t.gather(2, i[..., None])[..., 0]),
        Case("takeAlong a middle axis, another order", ["takeAlong", "$x", "$i", "pos"], {"x": x, "i": middle}, "batch C", lambda t, i: t.gather(1, i.T[:, None, :])[:, 0]),
        Case("takeAlong with an axis of its own", ["takeAlong", "$x", "$i", "C"], {"x": x, "i": several}, "batch pos k", lambda t, i: t.gather(2, i)),
    ] + largest()


def largest() -> list[Case]:
    x = noise("topK", "batch C", [3, 5])
    turned = noise("topK turned", "C batch", [5, 2])
    tied = numbers("batch C", [[1.0, 2.0, 2.0, 0.0, 2.0], [0.5, 0.5, 0.5, 0.5, 0.5]])

    # A stable sort keeps equal values in order of their index, which torch.topk does not promise.
    def order(t, k, axis=-1):
        return torch.sort(t, dim=axis, descending=True, stable=True).indices.narrow(axis, 0, k)

    def values(t, k, axis=-1):
        return t.gather(axis, order(t.detach(), k, axis))

    return [
        Case("topK values", ["topK", "$x", "C", 2], {"x": x}, "batch k", lambda t: values(t, 2), pick="values"),
        Case("topK values of all", ["topK", "$x", "C", 5], {"x": x}, "batch k", lambda t: values(t, 5), pick="values"),
        Case("topK values along the first axis", ["topK", "$x", "C", 3, "rank"], {"x": turned}, "rank batch", lambda t: values(t, 3, 0), pick="values"),
        Case("topK values with ties", ["topK", "$x", "C", 2], {"x": tied}, "batch k", lambda t: values(t, 2), pick="values", kink=True),
        Case("topK indices", ["topK", "$x", "C", 3], {"x": x}, "batch k", lambda t: order(t, 3), dtype="i32", gradient=False, pick="indices"),
        Case("topK indices with ties", ["topK", "$x", "C", 3], {"x": tied}, "batch k", lambda t: order(t, 3), dtype="i32", gradient=False, pick="indices"),
        Case("topK indices along the first axis", ["topK", "$x", "C", 2], {"x": turned}, "k batch", lambda t: order(t, 2, 0), dtype="i32", gradient=False, pick="indices"),
    ]


def derivative() -> list[Case]:
    x = noise("stop", BC, [2, 3])
    return [
        Case("stopGradient of one factor", ["mul", "$x", ["stopGradient", "$x"]], {"x": x}, BC, lambda t: t * t.detach(), kink=True),
        Case("stopGradient of all", ["stopGradient", ["square", "$x"]], {"x": x}, BC, lambda t: (t * t).detach() + 0 * t, kink=True),
    ]
