"""Writes every golden fixture of the repository: `python reference/goldens/make.py`, or some: `make.py tokenization`."""

import hashlib
import json
import platform
import sys
from pathlib import Path

import torch

import apd_step
import arrangement
import comparison
import contraction
import dictionary_step
import elementwise
import importance_functions
import muon_step
import normalization
import several_points
import spd_step
from case import Case, solve

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "test" / "golden"
LARGEST = 100_000

FAMILIES = {
    "arithmetic": elementwise.arithmetic,
    "powers": elementwise.powers,
    "signs": elementwise.signs,
    "exponential": elementwise.exponential,
    "activation": elementwise.activation,
    "comparison": comparison.comparison,
    "reduce": contraction.reduce,
    "einsum": contraction.einsum,
    "softmax": normalization.softmax,
    "normalize": normalization.normalize,
    "shape": arrangement.shape,
    "gather": arrangement.gather,
    "derivative": arrangement.derivative,
}


def lines(records: list[dict]) -> str:
    """A JSON list with one record a line, so that a change to one case is a change to one line."""
    return "[\n" + ",\n".join(json.dumps(record, allow_nan=False, ensure_ascii=False) for record in records) + "\n]\n"


def clean(value):
    """JSON has no infinities: a call's infinite arguments are written as text, as infinite data are."""
    if isinstance(value, list):
        return [clean(item) for item in value]
    return "Infinity" if value == float("inf") else value


def operations() -> None:
    for family, cases in FAMILIES.items():
        found: list[Case] = cases()
        names = [case.name for case in found]
        repeated = {name for name in names if names.count(name) > 1}
        if repeated:
            raise ValueError(f"{family}: two cases are called {repeated}")
        records = [{**record, "call": clean(record["call"])} for record in map(solve, found)]
        save(f"ops/{family}.json", lines(records))


def record(value) -> str:
    """A JSON object with one entry a line; lists of records get a line for each."""
    entries = [
        f"{json.dumps(key)}: " + (lines(item).rstrip() if isinstance(item, list) and item and isinstance(item[0], dict) else json.dumps(item, allow_nan=False))
        for key, item in value.items()
    ]
    return "{\n" + ",\n".join(entries) + "\n}\n"


def decomposition() -> None:
    save("decomposition/hard-sigmoids.json", record(spd_step.hard_sigmoids()))
    save("decomposition/importance-minimality.json", lines(spd_step.importances()))
    for name, step in spd_step.goldens().items():
        save(f"decomposition/spd-step-{name}.json", record(step))
    for name, step in apd_step.goldens().items():
        save(f"decomposition/apd-step-{name}.json", record(step))
    for name, case in importance_functions.goldens().items():
        save(f"decomposition/importance-{name}.json", record(case))


def dictionaries() -> None:
    for name, step in dictionary_step.goldens().items():
        save(f"dictionary/{name}.json", record(step))
    for name, step in several_points.goldens().items():
        save(f"dictionary/{name}.json", record(step))


def optimisers() -> None:
    save("training/muon.json", record(muon_step.golden()))


def randomness() -> None:
    try:
        import randomness as numbers
    except ImportError:
        print("random.json: left as it is, because JAX is not installed")
        return
    save("random.json", record(numbers.goldens()))


def tokenization() -> None:
    import tokenization as texts

    for name, golden in texts.goldens(GOLDEN / "tokenizer").items():
        save(f"tokenizer/{name}.json", record(golden))
    save("tokenizer/splits.json", lines(texts.splits()))


def training() -> None:
    import byte_pairs as trained

    save("byte-pairs.json", record(trained.goldens()))


def archives() -> None:
    import archives as npz

    save("npz.json", record(npz.goldens()))


def tables() -> None:
    import tables as parquet

    save("parquet.json", record(parquet.goldens()))


def save(name: str, text: str) -> None:
    path = GOLDEN / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if len(text.encode()) > LARGEST:
        raise ValueError(f"{name}: {len(text.encode())} bytes, over {LARGEST}")
    path.write_text(text)
    print(f"{name}: {len(text.encode())} bytes")


def sidecar() -> None:
    """What made the fixtures, and their checksums; what other scripts say of theirs stays."""
    try:
        import jax

        jax_version = jax.__version__
    except ImportError:
        jax_version = None
    files = sorted(p for p in GOLDEN.rglob("*") if p.suffix in {".json", ".safetensors"} and p.name != "versions.json")
    before = json.loads((GOLDEN / "versions.json").read_text())
    record = {
        **before,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "jax": jax_version,
        "sha256": {str(p.relative_to(GOLDEN)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files},
    }
    save("versions.json", json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    parts = {part.__name__: part for part in (operations, decomposition, dictionaries, optimisers, randomness, tokenization, training, archives, tables)}
    for name in sys.argv[1:] or parts:
        parts[name]()
    sidecar()
    sys.stdout.flush()
