"""The training step of `spd.py` in JAX: the same losses and the same Adam, one jitted function with donated buffers."""

import os
from collections.abc import Callable

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
from jax import Array

from spd import CONFIGS, LEAK, Config

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


@jax.custom_vjp
def lower_leaky(z: Array) -> Array:
    return jnp.clip(z, 0, 1)


lower_leaky.defvjp(
    lambda z: (jnp.clip(z, 0, 1), z),
    lambda z, gradient: (jnp.where(z <= 0, LEAK * jnp.minimum(gradient, 0), gradient * (z <= 1)),),
)


def upper_leaky(z: Array) -> Array:
    return jnp.where(z > 1, 1 + LEAK * (z - 1), jax.nn.relu(z))


def initial_parameters(config: Config, key: Array) -> dict[str, Array]:
    c, gate = config.components, config.gate
    parameters = {}
    for site, (d_in, d_out) in config.sites.items():
        key, *keys = jax.random.split(key, 5)
        parameters |= {
            f"{site}.V": jax.random.normal(keys[0], (d_in, c)) / d_in**0.5,
            f"{site}.U": jax.random.normal(keys[1], (c, d_out)) / c**0.5,
            f"{site}.gate.W_in": jax.random.normal(keys[2], (c, gate)) * 2**0.5,
            f"{site}.gate.b_in": jnp.zeros((c, gate)),
            f"{site}.gate.W_out": jax.random.normal(keys[3], (c, gate)) / gate**0.5,
            f"{site}.gate.b_out": jnp.zeros(c),
        }
    return parameters


def losses(config: Config, W: Array, b: Array, parameters: dict[str, Array], x: Array, draw: Callable[[str], Array]) -> Array:
    matrix = {"linear1": W, **({"identity": jnp.eye(config.hidden)} if config.identity else {}), "linear2": W.T}

    def forward(product: Callable[[str, Array], Array | None]) -> Array:
        a = x
        for site, M in matrix.items():
            replaced = product(site, a)
            a = a @ M if replaced is None else replaced
        return jax.nn.relu(a + b)

    seen = {}
    target = forward(lambda site, a: seen.update({site: a}))

    faithfulness, count, importance = 0, 0, 0
    importances = {}
    for site, a in seen.items():
        V, U = parameters[f"{site}.V"], parameters[f"{site}.U"]
        faithfulness += jnp.square(matrix[site] - V @ U).sum()
        count += matrix[site].size
        W_in, b_in, W_out, b_out = (parameters[f"{site}.gate.{name}"] for name in ("W_in", "b_in", "W_out", "b_out"))
        hidden = jax.nn.gelu((a @ V)[:, :, None] * W_in + b_in, approximate=False)
        # A product and a sum, which XLA fuses into the pass before; as a contraction it would be a pass of its own.
        z = (hidden * W_out).sum(-1) + b_out
        importances[site] = lower_leaky(z)
        upper = upper_leaky(z)
        importance += (upper if config.p == 1 else jnp.square(upper) if config.p == 2 else (upper + 1e-12) ** config.p).sum() / config.batch

    def masked(name: str, sites: list[str]) -> Array:
        def product(site: str, a: Array) -> Array | None:
            if site not in sites:
                return None
            g = importances[site]
            mask = g + (1 - g) * draw(f"{name}/{site}")
            return ((a @ parameters[f"{site}.V"]) * mask) @ parameters[f"{site}.U"]

        return jnp.square(forward(product) - target).mean()

    sites = list(seen)
    layerwise = sum(masked("layerwise", [site]) for site in sites) / len(sites)
    return faithfulness / count + masked("stochastic", sites) + layerwise + config.importance * importance


def training_step(name: str) -> tuple[str, Callable[[], float]]:
    config = CONFIGS[name]
    # The generator that XLA has for its own on a processor draws several times as fast as threefry.
    key = jax.random.key(0, impl="unsafe_rbg")
    W = jax.random.normal(key, (config.features, config.hidden)) / config.hidden**0.5
    b = jnp.zeros(config.features)
    parameters = initial_parameters(config, key)
    zeros = lambda: jax.tree.map(jnp.zeros_like, parameters)
    state = (parameters, zeros(), zeros(), jnp.zeros((), jnp.int32), key)

    def step(state):
        parameters, m, v, count, key = state
        key, use = jax.random.split(key)
        keys = iter(jax.random.split(use, 2 + 2 * len(config.sites)))
        shape = (config.batch, config.features)
        x = jax.random.uniform(next(keys), shape) * (jax.random.uniform(next(keys), shape) < config.probability)
        draw = lambda _: jax.random.uniform(next(keys), (config.batch, config.components))
        value, gradient = jax.value_and_grad(lambda p: losses(config, W, b, p, x, draw))(parameters)
        count = count + 1
        m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, gradient)
        v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, gradient)
        correction1, correction2 = 1 - BETA1**count, 1 - BETA2**count
        update = lambda p, m, v: p - config.learning_rate * (m / correction1) / (jnp.sqrt(v / correction2) + EPSILON)
        return (jax.tree.map(update, parameters, m, v), m, v, count, key), value

    jitted = jax.jit(step, donate_argnums=0)

    def run() -> float:
        nonlocal state
        state, value = jitted(state)
        return float(value)

    return f"jax {jax.__version__}", run
