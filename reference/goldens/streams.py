"""Mechanist's random numbers a second time, in NumPy: threefry2x32 keys, keys for names, and the bulk stream `mix32`."""

import numpy as np

Key = tuple[int, int]

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
WORD = 0xFFFFFFFF


def threefry2x32(key: Key, counter: Key) -> Key:
    """The threefry-2x32 block cipher with 20 rounds (Salmon et al. 2011)."""
    schedule = (key[0], key[1], key[0] ^ key[1] ^ 0x1BD11BDA)
    x0, x1 = (counter[0] + schedule[0]) & WORD, (counter[1] + schedule[1]) & WORD
    for group in range(5):
        for r in ROTATIONS[group % 2]:
            x0 = (x0 + x1) & WORD
            x1 = (((x1 << r) | (x1 >> (32 - r))) & WORD) ^ x0
        x0 = (x0 + schedule[(group + 1) % 3]) & WORD
        x1 = (x1 + schedule[(group + 2) % 3] + group + 1) & WORD
    return x0, x1


def fold_in(key: Key, data: int | str) -> Key:
    """A key for a whole number or for a name (FNV-1a of its characters)."""
    if isinstance(data, str):
        word = 0x811C9DC5
        for character in data:
            word = ((word ^ ord(character)) * 0x01000193) & WORD
        data = word
    return threefry2x32(key, (0, data))


def mix32(key: Key, start: int, count: int) -> np.ndarray:
    """Draws `start` to `start + count` of a key's stream: U[0, 1) in steps of 2⁻²⁴."""
    with np.errstate(over="ignore"):
        k0, k1 = np.uint32(key[0]), np.uint32(key[1])
        x = np.arange(start, start + count, dtype=np.uint64).astype(np.uint32)
        x = (x * np.uint32(0x9E3779B9)) ^ k0
        x = (x ^ (x >> np.uint32(17))) * np.uint32(0xED5AD4BB)
        x = x + k1
        x = (x ^ (x >> np.uint32(11))) * np.uint32(0xAC4C1B51)
        x = (x ^ (x >> np.uint32(15))) * np.uint32(0x31848BAB)
        return ((x ^ (x >> np.uint32(14))) >> np.uint32(8)).astype(np.float64) * 2.0**-24


def draw(key: Key, name: str, shape: list[int]) -> np.ndarray:
    """What a program's uniform input called `name` holds under a run's key."""
    return mix32(fold_in(key, name), 0, int(np.prod(shape))).reshape(shape)


# The vectors that the authors of threefry published (Random123, kat_vectors).
assert threefry2x32((0, 0), (0, 0)) == (0x6B200159, 0x99BA4EFE)
assert threefry2x32((WORD, WORD), (WORD, WORD)) == (0x1CB996FC, 0xBB002BE7)
assert threefry2x32((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3)) == (0xC4923A9C, 0x483DF7A0)
