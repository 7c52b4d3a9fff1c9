"""Goldens of the random numbers: keys and draws by JAX, the bulk stream by `streams.py`."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import numpy as np
from jax.extend.random import threefry_2x32

from streams import fold_in, mix32

jax.config.update("jax_threefry_partitionable", True)
# Seeds of more than 32 bits need whole numbers of 64.
jax.config.update("jax_enable_x64", True)

SEEDS = [0, 1, 42, 2**31, 2**32 - 1, 2**32, 123456789012345, 2**53 - 1]
KEYS = [(0, 0), (0, 42), (123, 456), (0xFFFFFFFF, 0xFFFFFFFF), (0x13198A2E, 0x03707344)]
COUNTERS = [(0, 0), (0, 1), (0xFFFFFFFF, 0xFFFFFFFF), (0x243F6A88, 0x85A308D3)]
NAMES = ["", "a", "stochastic/linear1", "layerwise/linear2/delta"]


def words(x) -> list[int]:
    return [int(word) for word in np.asarray(x, dtype=np.uint32).reshape(-1)]


def key(pair):
    return jax.random.wrap_key_data(np.array(pair, dtype=np.uint32), impl="threefry2x32")


def data(k) -> list[int]:
    return words(jax.random.key_data(k))


def goldens() -> dict:
    return {
        "threefry2x32": [
            {"key": list(k), "counter": list(c), "out": words(threefry_2x32(np.array(k, np.uint32), np.array(c, np.uint32)))}
            for k in KEYS
            for c in COUNTERS
        ],
        "keyFromSeed": [{"seed": s, "key": words(jax.random.PRNGKey(s))} for s in SEEDS],
        "split": [{"key": list(k), "keys": [data(child) for child in jax.random.split(key(k), n)]} for k in KEYS for n in (2, 5)],
        "foldIn": [
            {"key": list(k), "data": d, "out": data(jax.random.fold_in(key(k), d))}
            for k in KEYS
            for d in (0, 1, 1000, 2**32 - 1)
        ]
        + [{"key": list(k), "data": name, "out": list(fold_in(k, name))} for k in KEYS[:3] for name in NAMES],
        "randomBits": [{"key": list(k), "bits": words(jax.random.bits(key(k), (n,), "uint32"))} for k in KEYS for n in (1, 7, 32)],
        "randomUniform": [
            {"key": list(k), "draws": [float(x) for x in jax.random.uniform(key(k), (n,), "float32")]} for k in KEYS for n in (1, 16)
        ],
        "fillUniform": [{"key": list(k), "start": s, "draws": mix32(k, s, 24).tolist()} for k in KEYS for s in (0, 1000, 2**32 - 8)],
    }
