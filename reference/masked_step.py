"""
One step of parameter decomposition of networks larger than the toy model of superposition, written plainly in PyTorch from the papers'
formulas: residual MLPs by SPD (Bushnaq, Braun & Sharkey 2025, section 2), and a small language model with a persistent adversary, random
subsets of sites and a masked remainder (Interpreting Language Model Parameters, 2026). Peers of `npm run bench:peers`.

Matrices multiply from the right, rows are examples times positions, and a site's masks are `rows × C`. `Step` takes everything random from
a function that it is given, so that its losses can be held against another implementation's (`check`).
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from spd import lower_leaky, upper_leaky

Draw = Callable[[str, tuple[int, ...]], Tensor]
Product = Callable[[str, Tensor], Tensor | None]


@dataclass(frozen=True)
class ResidualMlp:
    features: int
    width: int
    neurons: int
    layers: int
    components: int
    batch: int
    gate: int = 16
    probability: float = 0.01
    importance: float = 1e-5
    learning_rate: float = 1e-3

    @property
    def sites(self) -> dict[str, tuple[int, int]]:
        d, m = self.width, self.neurons
        each = {"W_in": (d, m), "W_out": (m, d)}
        return {f"blocks.{layer}.mlp.{name}": shape for layer in range(self.layers) for name, shape in each.items()}

    @property
    def rows(self) -> int:
        return self.batch

    def weights(self) -> dict[str, Tensor]:
        embedding = F.normalize(torch.randn(self.features, self.width), dim=1)
        return {"embed.W_E": embedding} | {name: torch.randn(s) / s[0] ** 0.5 for name, s in self.sites.items()}

    def inputs(self) -> Tensor:
        shape = (self.batch, self.features)
        return (2 * torch.rand(shape) - 1) * (torch.rand(shape) < self.probability)

    def forward(self, W: dict[str, Tensor], x: Tensor, product: Product) -> Tensor:
        times = lambda site, a: a @ W[site] if (y := product(site, a)) is None else y
        stream = x @ W["embed.W_E"]
        for layer in range(self.layers):
            hidden = F.relu(times(f"blocks.{layer}.mlp.W_in", stream))
            stream = stream + times(f"blocks.{layer}.mlp.W_out", hidden)
        return stream @ W["embed.W_E"].T

    def divergence(self, output: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(output, target)


@dataclass(frozen=True)
class LanguageModel:
    vocab: int
    context: int
    layers: int
    width: int
    heads: int
    neurons: int
    components: int
    batch: int
    hidden: int = 256
    importance: float = 1e-3
    frequency: float = 0.5
    faithfulness: float = 100
    learning_rate: float = 1e-3
    adversary_rate: float = 0.01
    warm_ups: int = 2
    fused_attention: bool = False

    @property
    def sites(self) -> dict[str, tuple[int, int]]:
        d, m = self.width, self.neurons
        each = {f"attn.W_{name}": (d, d) for name in "QKVO"} | {"mlp.W_in": (d, m), "mlp.W_out": (m, d)}
        return {f"blocks.{layer}.{name}": shape for layer in range(self.layers) for name, shape in each.items()}

    @property
    def rows(self) -> int:
        return self.batch * self.context

    def weights(self) -> dict[str, Tensor]:
        d = self.width
        matrices = {name: torch.randn(s) / s[0] ** 0.5 for name, s in self.sites.items()}
        norms = [f"blocks.{layer}.{ln}.w" for layer in range(self.layers) for ln in ("ln1", "ln2")] + ["ln_final.w"]
        return {
            "embed.W_E": torch.randn(self.vocab, d),
            "pos_embed.W_pos": torch.randn(self.context, d) / self.context**0.5,
            "unembed.W_U": torch.randn(d, self.vocab) / d**0.5,
            **matrices,
            **{name: torch.ones(d) for name in norms},
        }

    def inputs(self) -> Tensor:
        return torch.randint(0, self.vocab, (self.batch, self.context))

    def forward(self, W: dict[str, Tensor], x: Tensor, product: Product) -> Tensor:
        times = lambda site, a: a @ W[site] if (y := product(site, a)) is None else y
        stream = (W["embed.W_E"][x] + W["pos_embed.W_pos"]).reshape(self.rows, self.width)
        for layer in range(self.layers):
            name = f"blocks.{layer}"
            a = rms_norm(stream, W[f"{name}.ln1.w"])
            q, k, v = (self.by_head(times(f"{name}.attn.W_{part}", a)) for part in "QKV")
            z = self.attention(q, k, v).transpose(1, 2).reshape(self.rows, self.width)
            stream = stream + times(f"{name}.attn.W_O", z)
            hidden = F.gelu(times(f"{name}.mlp.W_in", rms_norm(stream, W[f"{name}.ln2.w"])))
            stream = stream + times(f"{name}.mlp.W_out", hidden)
        return rms_norm(stream, W["ln_final.w"]) @ W["unembed.W_U"]

    def by_head(self, x: Tensor) -> Tensor:
        return x.view(self.batch, self.context, self.heads, -1).transpose(1, 2)

    def attention(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if self.fused_attention:
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        unseen = torch.ones(self.context, self.context, dtype=torch.bool).triu(1)
        return scores.masked_fill(unseen, -1e30).softmax(-1) @ v

    def divergence(self, output: Tensor, target: Tensor) -> Tensor:
        """The mean over rows of `KL(target ‖ output)`; the target comes as logarithms of probabilities."""
        return F.kl_div(F.log_softmax(output, -1), target, reduction="batchmean", log_target=True)


def rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    return F.rms_norm(x, weight.shape, weight, 1e-5)


CONFIGS = {
    "resid-mlp-1": ResidualMlp(100, 1000, 50, 1, components=100, batch=2048, learning_rate=2e-3),
    "resid-mlp-2": ResidualMlp(100, 1000, 25, 2, components=400, batch=2048),
    "lm-2": LanguageModel(4019, 512, 2, 128, 4, 512, components=512, batch=16),
    "lm-tiny": LanguageModel(23, 7, 2, 8, 2, 16, components=12, batch=3),
}


class Step:
    """A training step with everything that it carries from one to the next."""

    def __init__(
        self,
        config: ResidualMlp | LanguageModel,
        draw: Draw,
        W: dict[str, Tensor] | None = None,
        parameters: dict[str, Tensor] | None = None,
        sources: dict[str, Tensor] | None = None,
        gates_by_products: bool = False,
    ) -> None:
        self.config, self.draw, self.tuned = config, draw, gates_by_products
        self.W = W or config.weights()
        self.parameters = {name: x.requires_grad_() for name, x in (parameters or initial_parameters(config)).items()}
        # On a processor the fused optimiser is the fastest of PyTorch's three.
        rate = config.learning_rate
        self.optimizer = torch.optim.AdamW(list(self.parameters.values()), lr=rate, weight_decay=0, fused=True)
        if isinstance(config, LanguageModel):
            start = sources or initial_sources(config)
            self.sources = start
            self.means = {name: torch.zeros_like(r) for name, r in start.items()}
            self.squares = {name: torch.zeros_like(r) for name, r in start.items()}
            self.ascents = 0

    def __call__(self, x: Tensor, adversary_rate: float = 0.0) -> dict[str, float]:
        self.optimizer.zero_grad(set_to_none=True)
        part = self.residual_mlp if isinstance(self.config, ResidualMlp) else self.language_model
        losses = part(x, adversary_rate)
        self.optimizer.step()
        return {name: float(value.detach()) for name, value in losses.items()}

    def clean(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """What each site sees, and the output, when the network runs on its own weights."""
        seen: dict[str, Tensor] = {}
        with torch.no_grad():
            output = self.config.forward(self.W, x, lambda site, a: seen.update({site: a}))
        return seen, output

    def faithfulness(self, deltas: dict[str, Tensor]) -> Tensor:
        return sum(d.square().sum() for d in deltas.values()) / sum(d.numel() for d in deltas.values())

    def deltas(self) -> dict[str, Tensor]:
        p = self.parameters
        return {site: self.W[site] - p[f"{site}.V"] @ p[f"{site}.U"] for site in self.config.sites}

    # Residual MLPs: scalar gates; all sites masked at random, and one at a time.

    def residual_mlp(self, x: Tensor, _: float) -> dict[str, Tensor]:
        config, p, sites = self.config, self.parameters, list(self.config.sites)
        seen, target = self.clean(x)
        lower, importance = {}, 0
        for site in sites:
            z = self.gates(site, seen[site] @ p[f"{site}.V"])
            lower[site] = lower_leaky(z)
            importance = importance + upper_leaky(z).square().sum() / config.rows

        def masked(name: str, which: list[str]) -> Tensor:
            def product(site: str, a: Tensor) -> Tensor | None:
                if site not in which:
                    return None
                g = lower[site]
                mask = g + (1 - g) * self.draw(f"{name}/{site}", (config.rows, config.components))
                return ((a @ p[f"{site}.V"]) * mask) @ p[f"{site}.U"]

            return config.divergence(config.forward(self.W, x, product), target)

        losses = {
            "faithfulness": self.faithfulness(self.deltas()),
            "stochasticRecon": masked("stochastic", sites),
            "layerwiseRecon": sum(masked("layerwise", [site]) for site in sites) / len(sites),
            "importanceMinimality": importance,
        }
        reconstruction = losses["faithfulness"] + losses["stochasticRecon"] + losses["layerwiseRecon"]
        losses["loss"] = reconstruction + config.importance * importance
        losses["loss"].backward()
        return losses

    def gates(self, site: str, h: Tensor) -> Tensor:
        W_in, b_in, W_out, b_out = (self.parameters[f"{site}.gate.{n}"] for n in ("W_in", "b_in", "W_out", "b_out"))
        if self.tuned:
            hidden = F.gelu(torch.baddbmm(b_in[:, :, None], W_in[:, :, None], h.T[:, None, :]))
            return torch.bmm(W_out[:, None, :], hidden)[:, 0].T + b_out
        return (F.gelu(h[:, :, None] * W_in + b_in) * W_out).sum(-1) + b_out

    # The language model: an MLP a site predicts importances; a subset of sites masked at random, and all by a persistent adversary.

    def language_model(self, x: Tensor, rate: float) -> dict[str, Tensor]:
        config, p, sites = self.config, self.parameters, list(self.config.sites)
        rows, C = config.rows, config.components
        seen, logits = self.clean(x)
        target = F.log_softmax(logits, -1)
        deltas = self.deltas()
        lower, importance, frequency = {}, 0, 0
        for site, a in seen.items():
            hidden = F.gelu(a @ p[f"importance.{site}.W_0"] + p[f"importance.{site}.b_0"])
            z = hidden @ p[f"{site}.head.W"] + p[f"{site}.head.b"]
            lower[site] = lower_leaky(z)
            f = upper_leaky(z).square().mean(0)
            importance = importance + f.sum()
            frequency = frequency + (f * torch.log2(1 + rows * f)).sum()

        def run(masks: dict, routes: dict | None, V_U: dict, left: dict) -> Tensor:
            def product(site: str, a: Tensor) -> Tensor:
                mask, remainder = masks[site]
                y = ((a @ V_U[f"{site}.V"]) * mask) @ V_U[f"{site}.U"] + remainder[:, None] * (a @ left[site])
                return y if routes is None else torch.where(routes[site][:, None], y, a @ self.W[site])

            return config.divergence(config.forward(self.W, x, product), target)

        def sourced(g: dict[str, Tensor]) -> dict:
            r = self.sources
            return {site: (g[site] + (1 - g[site]) * r[site], r[f"{site}.remainder"]) for site in sites}

        with constant(p, deltas, lower) as (held, left, g):
            for _ in range(config.warm_ups):
                leaves = [r.requires_grad_() for r in self.sources.values()]
                self.climb(torch.autograd.grad(run(sourced(g), None, held, left), leaves), rate)

        drawn = {}
        for site in sites:
            g = lower[site]
            mask = g + (1 - g) * self.draw(f"subset/{site}", (rows, C))
            drawn[site] = (mask, self.draw(f"subset/{site}/delta", (rows,)))
        leaves = [r.requires_grad_() for r in self.sources.values()]
        losses = {
            "faithfulness": self.faithfulness(deltas),
            "subsetRecon": run(drawn, self.routes(), p, deltas),
            "persistentRecon": run(sourced(lower), None, p, deltas),
            "importanceMinimality": importance,
            "frequencyMinimality": frequency,
        }
        losses["loss"] = (
            config.faithfulness * losses["faithfulness"]
            + 0.5 * losses["subsetRecon"]
            + 0.5 * losses["persistentRecon"]
            + config.importance * (importance + config.frequency * frequency)
        )
        losses["loss"].backward()
        self.climb([r.grad / 0.5 for r in leaves], rate)
        return losses

    def routes(self) -> dict[str, Tensor]:
        """For each row k of the sites, k from 1 to all of them."""
        sites, rows = list(self.config.sites), self.config.rows
        noise = self.draw("subset/route", (rows, len(sites)))
        count = 1 + (self.draw("subset/route/count", (rows,)) * len(sites)).floor()
        chosen = noise.argsort(dim=1).argsort(dim=1) < count[:, None]
        return {site: chosen[:, i] for i, site in enumerate(sites)}

    @torch.no_grad()
    def climb(self, slopes: tuple[Tensor, ...] | list[Tensor], rate: float) -> None:
        """One ascent by Adam with β = (0.5, 0.99), clamped to [0, 1]."""
        self.ascents += 1
        first, second = 1 - 0.5**self.ascents, 1 - 0.99**self.ascents
        for (name, r), slope in zip(self.sources.items(), slopes):
            m, v = self.means[name], self.squares[name]
            m.mul_(0.5).add_(slope, alpha=0.5)
            v.mul_(0.99).addcmul_(slope, slope, value=0.01)
            r.addcdiv_(m, (v / second).sqrt_().add_(1e-8), value=rate / first).clamp_(0, 1)
            r.grad = None


@contextmanager
def constant(*named: dict[str, Tensor]) -> Iterator[list[dict[str, Tensor]]]:
    """The same numbers without their history: only sources climb."""
    yield [{name: x.detach() for name, x in tensors.items()} for tensors in named]


def initial_parameters(config: ResidualMlp | LanguageModel) -> dict[str, Tensor]:
    c, parameters = config.components, {}
    for site, (d_in, d_out) in config.sites.items():
        parameters |= {
            f"{site}.V": torch.randn(d_in, c) / d_in**0.5,
            f"{site}.U": torch.randn(c, d_out) / c**0.5,
        }
        if isinstance(config, ResidualMlp):
            gate = config.gate
            parameters |= {
                f"{site}.gate.W_in": torch.randn(c, gate) * 2**0.5,
                f"{site}.gate.b_in": torch.zeros(c, gate),
                f"{site}.gate.W_out": torch.randn(c, gate) / gate**0.5,
                f"{site}.gate.b_out": torch.zeros(c),
            }
        else:
            h = config.hidden
            parameters |= {
                f"importance.{site}.W_0": torch.randn(d_in, h) * math.sqrt(2 / d_in),
                f"importance.{site}.b_0": torch.zeros(h),
                f"{site}.head.W": torch.randn(h, c) / h**0.5,
                f"{site}.head.b": torch.zeros(c),
            }
    return parameters


def initial_sources(config: LanguageModel) -> dict[str, Tensor]:
    rows, c = config.rows, config.components
    each = {site: torch.rand(rows, c) for site in config.sites}
    return each | {f"{site}.remainder": torch.rand(rows) for site in config.sites}
