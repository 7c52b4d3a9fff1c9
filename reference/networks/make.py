"""
Writes a tiny random network of each family and what `transformers` computes with it: `python reference/networks/make.py`.

Weights are random everywhere, norms and biases too, so that each mistake shows.
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from families import NETWORKS, VOCAB, Network
from points import record
from ropes import ropes

GOLDEN = Path(__file__).resolve().parents[2] / "test" / "golden"
FOLDER = "networks"
LARGEST = 100_000
BATCH, POSITIONS = 2, 6
PADDING = [0, 2]


def randomise(model, generator: torch.Generator) -> None:
    offset = "Gemma" in type(model).__name__
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() == 1:
            one = 1.0 if "norm" in name or ".ln_" in name or "layernorm" in name else 0.0
            noise = 0.3 * noise + (one if name.endswith("weight") and not offset else 0.0)
        elif any(part in name for part in ("wte", "wpe", "embed")):
            noise = 0.7 * noise
        else:
            fan_in = parameter.shape[0] if type(model).__name__.startswith("GPT2") and "lm_head" not in name else parameter.shape[1]
            noise = 1.3 * noise / fan_in**0.5
        parameter.data.copy_(noise)


def write(name: str, network: Network) -> None:
    folder = GOLDEN / FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    generator = torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big"))
    model = AutoModelForCausalLM.from_config(network.config, attn_implementation="eager").eval()
    randomise(model, generator)
    model.to(network.dtype)
    model.save_pretrained(folder, max_shard_size=network.shard or "1GB")
    (folder / "generation_config.json").unlink(missing_ok=True)
    # Opened anew, for a model's frequencies are rounded with its weights.
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    tokens = torch.randint(VOCAB, (BATCH, POSITIONS), generator=generator)
    points = record(network, model, tokens, PADDING)
    tensors = {point: value.detach().to(torch.float32).contiguous() for point, (_, value) in points.items()}
    axes = {point: axes for point, (axes, _) in points.items()}
    tensors["tokens"], axes["tokens"] = tokens.to(torch.int32), "batch pos"
    tensors["padding"], axes["padding"] = torch.tensor(PADDING, dtype=torch.int32), "batch"
    # Tensors that share memory cannot be saved.
    save_file({key: x.clone() for key, x in tensors.items()}, folder / "expected.safetensors", {"axes": json.dumps(axes)})
    total = sum(path.stat().st_size for path in folder.iterdir())
    if total > LARGEST:
        raise ValueError(f"{name}: {total} bytes, over {LARGEST}")
    print(f"{name}: {total} bytes, {len(points)} points, largest logit {points['logits'][1].abs().max():.2f}")


def sidecar() -> None:
    """Replaces the checksums of these fixtures in the sidecar; the others' stay."""
    path = GOLDEN / "versions.json"
    content = json.loads(path.read_text())
    content["transformers"] = transformers.__version__
    sums = {key: value for key, value in content.pop("sha256").items() if not key.startswith(f"{FOLDER}/")}
    for file in (GOLDEN / FOLDER).rglob("*"):
        if file.suffix in {".json", ".safetensors"}:
            sums[file.relative_to(GOLDEN).as_posix()] = hashlib.sha256(file.read_bytes()).hexdigest()
    path.write_text(json.dumps({**content, "sha256": dict(sorted(sums.items()))}, indent=2) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    wanted = sys.argv[1:] or list(NETWORKS)
    for name in wanted:
        write(name, NETWORKS[name]())
    (GOLDEN / FOLDER / "ropes.json").write_text(ropes())
    sidecar()
