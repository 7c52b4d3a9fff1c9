"""Softmax and its kin, cross-entropies, layer norm and RMS norm."""

import torch
import torch.nn.functional as F

from case import Case, noise, numbers

PV = "pos vocab"


def softmax() -> list[Case]:
    x = noise("softmax", "batch pos C", [2, 3, 4], -5, 5)
    names = ["batch", "pos", "C"]
    far = numbers(PV, [[1e4, -1e4, 0.0], [1e4, 1e4, -1e4], [-1e4, -1e4, -1e4]])
    cases = []
    for op, f in {"softmax": F.softmax, "logSoftmax": F.log_softmax}.items():
        for axis in names:
            cases.append(Case(f"{op} along {axis}", [op, "$x", axis], {"x": x}, x.axes, lambda t, f=f, d=names.index(axis): f(t, d)))
        cases += [
            Case(f"{op} of logits at ±10⁴", [op, "$x", "vocab"], {"x": far}, PV, lambda t, f=f: f(t, -1)),
            Case(f"{op} of equal logits", [op, "$x", "C"], {"x": numbers("C", [0.5, 0.5, 0.5])}, "C", lambda t, f=f: f(t, -1)),
            Case(f"{op} along an axis of size one", [op, "$x", "C"], {"x": noise(op, "batch C", [3, 1])}, "batch C", lambda t, f=f: f(t, -1)),
        ]
    return cases + entropies()


def entropies() -> list[Case]:
    logits = noise("cross-entropy", "batch pos vocab", [2, 3, 5], -4, 4)
    labels = numbers("batch pos", [[0, 4, 2], [2, 2, 1]], "i32")
    early = noise("cross-entropy early", "vocab pos", [5, 3], -4, 4)
    target = noise("kl target", PV, [3, 5], -4, 4)
    other = noise("kl logits", PV, [3, 5], -4, 4)

    def kl(t, m, axis=-1):
        p, q = F.log_softmax(t, axis), F.log_softmax(m, axis)
        return (p.exp() * (p - q)).sum(axis)

    return [
        Case(
            "crossEntropy",
            ["crossEntropy", "$logits", "$labels", "vocab"],
            {"logits": logits, "labels": labels},
            "batch pos",
            lambda x, y: F.cross_entropy(x.movedim(-1, 1), y, reduction="none"),
        ),
        Case(
            "crossEntropy with the vocabulary first",
            ["crossEntropy", "$logits", "$labels", "vocab"],
            {"logits": early, "labels": numbers("pos", [4, 0, 4], "i32")},
            "pos",
            lambda x, y: F.cross_entropy(x.T, y, reduction="none"),
        ),
        Case(
            "crossEntropy at logits of ±10⁴",
            ["crossEntropy", "$logits", "$labels", "vocab"],
            {"logits": numbers(PV, [[1e4, -1e4, 0.0], [1e4, -1e4, 0.0]]), "labels": numbers("pos", [0, 1], "i32")},
            "pos",
            lambda x, y: F.cross_entropy(x, y, reduction="none"),
        ),
        Case("klDivergence", ["klDivergence", "$t", "$m", "vocab"], {"t": target, "m": other}, "pos", kl),
        Case("klDivergence of equals is zero", ["klDivergence", "$t", "$t", "vocab"], {"t": target}, "pos", lambda t: kl(t, t)),
        Case(
            "klDivergence: (2, 0, −1) to (1, ½, 0) is 0.255111 nats",
            ["klDivergence", "$t", "$m", "C"],
            {"t": numbers("C", [2.0, 0.0, -1.0]), "m": numbers("C", [1.0, 0.5, 0.0])},
            "",
            kl,
        ),
        Case(
            "klDivergence along the first axis",
            ["klDivergence", "$t", "$m", "vocab"],
            {"t": noise("kl t", "vocab pos", [4, 2]), "m": noise("kl m", "vocab pos", [4, 2])},
            "pos",
            lambda t, m: kl(t, m, 0),
        ),
    ]


def normalize() -> list[Case]:
    x = noise("norm", "batch pos d_model", [2, 3, 4])
    scale, bias = noise("norm scale", "d_model", [4]), noise("norm bias", "d_model", [4])
    first = noise("norm first", "d_model pos", [4, 3])
    small = numbers("d_model", [0.0009765625, -0.0009765625, 0.0, 0.001953125])
    given = {"x": x, "scale": scale, "bias": bias}
    rms = lambda t, eps, axis=-1: t / torch.sqrt((t * t).mean(axis, keepdim=True) + eps)
    return [
        Case("layerNorm", ["layerNorm", "$x", "d_model"], {"x": x}, x.axes, lambda t: F.layer_norm(t, [4])),
        Case(
            "layerNorm with scale and bias",
            ["layerNorm", "$x", "d_model", {"scale": "$scale", "bias": "$bias", "epsilon": 1e-6}],
            given,
            x.axes,
            lambda t, s, b: F.layer_norm(t, [4], s, b, 1e-6),
        ),
        Case("layerNorm along the first axis", ["layerNorm", "$x", "d_model"], {"x": first}, first.axes, lambda t: F.layer_norm(t.T, [4]).T),
        Case("layerNorm of small numbers", ["layerNorm", "$x", "d_model"], {"x": small}, "d_model", lambda t: F.layer_norm(t, [4])),
        Case("layerNorm of equal numbers is zero", ["layerNorm", "$x", "d_model"], {"x": numbers("d_model", [0.5] * 4)}, "d_model", lambda t: F.layer_norm(t, [4])),
        Case("rmsNorm", ["rmsNorm", "$x", "d_model"], {"x": x}, x.axes, lambda t: rms(t, 1e-6)),
        Case(
            "rmsNorm with scale",
            ["rmsNorm", "$x", "d_model", {"scale": "$scale", "epsilon": 1e-5}],
            {"x": x, "scale": scale},
            x.axes,
            lambda t, s: rms(t, 1e-5) * s,
        ),
        Case("rmsNorm along the first axis", ["rmsNorm", "$x", "d_model"], {"x": first}, first.axes, lambda t: rms(t, 1e-6, 0)),
        Case("rmsNorm of zeros is zero", ["rmsNorm", "$x", "d_model"], {"x": numbers("d_model", [0.0] * 4)}, "d_model", lambda t: rms(t, 1e-6)),
    ]
