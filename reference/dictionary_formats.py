"""
Dictionaries in the files of the libraries that make them, and what those libraries compute with them: `python reference/dictionary_formats.py`
writes `test/golden/dictionary-formats`. `python reference/dictionary_formats.py check <folder>…` loads what `mechanist export` wrote, each
folder with an `expected.json` of rows and outputs, and says how far the library's outputs lie from ours.

Needs sae-lens 6, dictionary-learning, circuit-tracer and eai-sparsify. Llama Scope's files are written from the source of its loader.
"""

import base64
import hashlib
import json
import math
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

GOLDEN = Path(__file__).resolve().parents[1] / "test" / "golden"
ROWS, WIDTH, LATENTS = 6, 5, 8


def fill(module: torch.nn.Module, seed: int) -> None:
    """Random numbers for every parameter, so that nothing is zero or tied by chance."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in module.named_parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * (0.3 if parameter.ndim == 1 else 0.6)
        if "threshold" in name:
            parameter.data = parameter.data.abs()


def rows(seed: int, width: int = WIDTH) -> torch.Tensor:
    return torch.randn(ROWS, width, generator=torch.Generator().manual_seed(seed)) + 0.3


def packed(folder: Path) -> dict:
    return {str(f.relative_to(folder)): base64.b64encode(f.read_bytes()).decode() for f in sorted(folder.rglob("*")) if f.is_file()}


def answer(x: torch.Tensor, latents: torch.Tensor, output: torch.Tensor) -> dict:
    return {"x": x.tolist(), "latents": latents.tolist(), "output": output.tolist()}


# SAELens

def saelens(folder: Path) -> dict:
    import sae_lens.saes as saes
    from sae_lens import SAE
    from sae_lens.saes.sae import SAEMetadata

    cases = {}
    metadata = {"model_name": "tiny", "hook_name": "blocks.0.hook_resid_post", "hook_head_index": None}
    across = {**metadata, "hook_name": "blocks.0.ln2.hook_normalized", "hook_name_out": "blocks.0.hook_mlp_out"}
    common = {"d_in": WIDTH, "d_sae": LATENTS}

    def save(name: str, cfg, seed: int, x: torch.Tensor) -> Path:
        cfg.metadata = SAEMetadata(**(across if hasattr(cfg, "d_out") else metadata))
        sae = SAE.get_sae_class_for_architecture(cfg.architecture()).from_dict(cfg.to_dict())
        fill(sae, seed)
        at = folder / name
        sae.save_model(at)
        finish(name, at, x)
        return at

    def finish(name: str, at: Path, x: torch.Tensor, scale: float | None = None) -> None:
        sae = SAE.load_from_disk(at)
        if scale is not None:
            sae.fold_activation_norm_scaling_factor(scale)
        with torch.no_grad():
            cases[name] = {"folder": name, "files": packed(at), "dictionaries": [answer(x, sae.encode(x), sae(x))]}

    x = rows(1)
    save("standard", saes.StandardSAEConfig(**common), 2, x)
    save("standard-bias-kept", saes.StandardSAEConfig(**common, apply_b_dec_to_input=False), 3, x)
    save("gated", saes.GatedSAEConfig(**common), 4, x)
    save("topk", saes.TopKSAEConfig(**common, k=3), 5, x)
    save("topk-rescaled", saes.TopKSAEConfig(**common, k=3, rescale_acts_by_decoder_norm=True), 6, x)
    save("jumprelu", saes.JumpReLUSAEConfig(**common), 7, x)
    save("layer-norm", saes.StandardSAEConfig(**common, normalize_activations="layer_norm"), 8, x)
    save("constant-norm", saes.StandardSAEConfig(**common, normalize_activations="constant_norm_rescale"), 9, x)
    save("transcoder", saes.TranscoderConfig(**common, d_out=4, apply_b_dec_to_input=False), 10, x)
    save("skip-transcoder", saes.SkipTranscoderConfig(**common, d_out=4, apply_b_dec_to_input=False), 11, x)
    save("jumprelu-skip", saes.JumpReLUSkipTranscoderConfig(**common, d_out=4, apply_b_dec_to_input=False), 12, x)

    scaled = save("scaled", saes.StandardSAEConfig(**common, normalize_activations="expected_average_only_in"), 13, x)
    (scaled / "activation_scaler.json").write_text(json.dumps({"scaling_factor": 1.7}))
    finish("scaled", scaled, x, 1.7)

    sparse = save("sparsity", saes.StandardSAEConfig(**common), 14, x)
    save_file({"sparsity": torch.log10(torch.linspace(0, 0.7, LATENTS) + 1e-10)}, sparse / "sparsity.safetensors")
    finish("sparsity", sparse, x)

    # Batch TopK is a JumpReLU once trained.
    cfg = saes.BatchTopKTrainingSAEConfig(**common, k=3)
    cfg.metadata = SAEMetadata(**metadata)
    training = saes.BatchTopKTrainingSAE(cfg)
    fill(training, 15)
    training.topk_threshold.fill_(0.4)
    training.save_inference_model(folder / "batchtopk")
    finish("batchtopk", folder / "batchtopk", x)

    # Before version 6: one flat table, the normalisation a truth value, other names.
    for name, extra, source in [
        ("flat", {"architecture": "standard", "normalize_activations": False}, "standard"),
        ("flat-topk", {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 2}}, "standard"),
        ("flat-scaled", {"architecture": "standard", "normalize_activations": True}, "standard"),
    ]:
        at = folder / name
        at.mkdir()
        (at / "sae_weights.safetensors").write_bytes((folder / source / "sae_weights.safetensors").read_bytes())
        old = {"model_name": "tiny", "hook_point": "blocks.0.hook_resid_post", "hook_point_layer": 0, "hook_point_head_index": None, "dtype": "float32", "device": "cpu"}
        (at / "cfg.json").write_text(json.dumps({**common, **old, **extra}))
        if name == "flat-scaled":
            (at / "activation_scaler.json").write_text(json.dumps({"scaling_factor": 0.8}))
        finish(name, at, x, 0.8 if name == "flat-scaled" else None)
    return {f"saelens-{name}": case for name, case in cases.items()}


# dictionary_learning

def dictionary_learning(folder: Path) -> dict:
    from dictionary_learning.dictionary import AutoEncoder, AutoEncoderNew, GatedAutoEncoder, JumpReluAutoEncoder
    from dictionary_learning.trainers.batch_top_k import BatchTopKSAE
    from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKSAE
    from dictionary_learning.trainers.top_k import AutoEncoderTopK

    cases = {}
    made = [
        (AutoEncoder, (), {}),
        (AutoEncoderNew, (), {}),
        (GatedAutoEncoder, (), {}),
        (JumpReluAutoEncoder, (), {}),
        (AutoEncoderTopK, (3,), {"k": 3}),
        (BatchTopKSAE, (3,), {"k": 3}),
        (MatryoshkaBatchTopKSAE, (3, [3, 5]), {"k": 3}),
    ]
    for seed, (kind, arguments, trainer) in enumerate(made):
        ae = kind(WIDTH, LATENTS, *arguments)
        fill(ae, 100 + seed)
        if "threshold" in dict(ae.named_buffers()):
            ae.threshold.fill_(0.35)
        at = folder / kind.__name__
        at.mkdir()
        save_file({k: v.contiguous() for k, v in ae.state_dict().items()}, at / "ae.safetensors")
        config = {"dict_class": kind.__name__, "activation_dim": WIDTH, "dict_size": LATENTS, "layer": 0, "lm_name": "org/tiny", "submodule_name": "resid_post_layer_0", **trainer}
        (at / "config.json").write_text(json.dumps({"trainer": config, "buffer": {"d_submodule": WIDTH, "ctx_len": 16}}))
        if kind is AutoEncoder:
            (at / "eval_results.json").write_text(json.dumps({"l0": 3.25, "frac_variance_explained": 0.5, "loss_original": 1.0}))
        x = rows(20)
        with torch.no_grad():
            z = ae.encode(x)
            cases[f"dictionary-learning-{kind.__name__}"] = {"folder": kind.__name__, "files": packed(at), "dictionaries": [answer(x, z, ae.decode(z))]}
    return cases


# circuit-tracer, and Gemma Scope through its loaders

def circuit_tracer(folder: Path) -> dict:
    import torch.nn.functional as F
    import yaml
    from circuit_tracer.transcoder.activation_functions import JumpReLU
    from circuit_tracer.transcoder.cross_layer_transcoder import CrossLayerTranscoder, load_clt
    from circuit_tracer.transcoder.single_layer_transcoder import (
        SingleLayerTranscoder,
        load_gemma_scope_2_transcoder,
        load_gemma_scope_transcoder,
        load_relu_transcoder,
    )

    cpu = torch.device("cpu")
    config = {"model_name": "org/tiny", "feature_input_hook": "mlp.hook_in", "feature_output_hook": "hook_mlp_out", "scan": "tiny"}
    x = rows(30)
    plt = folder / "plt"
    plt.mkdir()
    (plt / "config.yaml").write_text(yaml.dump({**config, "model_kind": "transcoder_set"}))
    answers = []
    for layer, (activation, skip) in enumerate([(F.relu, False), (JumpReLU(torch.rand(LATENTS, generator=torch.Generator().manual_seed(33)), 0.1), True)]):
        transcoder = SingleLayerTranscoder(WIDTH, LATENTS, activation, layer, skip_connection=skip, device=cpu, dtype=torch.float32)
        fill(transcoder, 31 + layer)
        transcoder.to_safetensors(str(plt / f"layer_{layer}.safetensors"))
        loaded = load_relu_transcoder(str(plt / f"layer_{layer}.safetensors"), layer, device=cpu, lazy_encoder=False, lazy_decoder=False)
        with torch.no_grad():
            answers.append(answer(x, loaded.encode(x), loaded(x)))
    cases = {"circuit-tracer": {"folder": "plt", "files": packed(plt), "dictionaries": answers}}

    clt = folder / "clt"
    layers = 3
    own = CrossLayerTranscoder(layers, LATENTS, WIDTH, activation_function="jump_relu", lazy_decoder=False, device=cpu, dtype=torch.float32)
    fill(own, 40)
    own.to_safetensors(str(clt))
    (clt / "config.yaml").write_text(yaml.dump({**config, "feature_input_hook": "hook_resid_mid", "model_kind": "cross_layer_transcoder"}))
    loaded = load_clt(str(clt), device=cpu, dtype=torch.float32, lazy_decoder=False)
    xs = torch.stack([rows(41 + layer) for layer in range(layers)])
    with torch.no_grad():
        z = loaded.encode(xs)
        y = loaded.decode(z)
    cases["circuit-tracer-clt"] = {"folder": "clt", "files": packed(clt), "dictionaries": [answer(xs[i], z[i], y[i]) for i in range(layers)]}

    generator = torch.Generator().manual_seed(50)
    params = {
        "W_enc": torch.randn(WIDTH, 1024, generator=generator) * 0.5,
        "b_enc": torch.randn(1024, generator=generator) * 0.2,
        "W_dec": torch.randn(1024, WIDTH, generator=generator) * 0.1,
        "b_dec": torch.randn(WIDTH, generator=generator),
        "threshold": torch.rand(1024, generator=generator) + 0.8,
    }
    name = "gemma-scope-2b-pt-transcoders/layer_0/width_1k/average_l0_71"
    at = folder / name
    at.mkdir(parents=True)
    np.savez(at / "params.npz", **{k: v.numpy() for k, v in params.items()})
    transcoder = load_gemma_scope_transcoder(str(at / "params.npz"), 0, device=cpu)
    x = rows(51)
    with torch.no_grad():
        case = answer(x, transcoder.encode(x), transcoder(x))
    # A thousand latents a row are many: the width is what the path says.
    case["latents"] = None
    cases["gemma-scope"] = {"folder": name, "files": packed(at), "dictionaries": [case]}

    at = folder / "gemma-scope-2"
    at.mkdir()
    small = {"w_enc": params["W_enc"][:, :LATENTS], "b_enc": params["b_enc"][:LATENTS], "w_dec": params["W_dec"][:LATENTS], "b_dec": params["b_dec"], "threshold": params["threshold"][:LATENTS] - 0.8}
    small["affine_skip_connection"] = torch.randn(WIDTH, WIDTH, generator=generator)
    save_file({k: v.contiguous() for k, v in small.items()}, at / "params.safetensors")
    names = {"hf_hook_point_in": "model.layers.0.pre_feedforward_layernorm.output", "hf_hook_point_out": "model.layers.0.post_feedforward_layernorm.output"}
    (at / "config.json").write_text(json.dumps({"architecture": "jump_relu", "model_name": "gemma-v3-270m-pt", "width": LATENTS, "affine_connection": True, **names}))
    transcoder = load_gemma_scope_2_transcoder(str(at / "params.safetensors"), 0, device=cpu)
    with torch.no_grad():
        cases["gemma-scope-2"] = {"folder": "gemma-scope-2", "files": packed(at), "dictionaries": [answer(x, transcoder.encode(x), transcoder(x))]}
    return cases


# sparsify

def sparsify(folder: Path) -> dict:
    from sparsify import SparseCoder
    from sparsify.config import SparseCoderConfig

    cases = {}
    for seed, (name, at, extra) in enumerate([("sparsify", "layers.0", {}), ("sparsify-transcoder", "layers.0.mlp", {"transcode": True, "skip_connection": True})]):
        coder = SparseCoder(WIDTH, SparseCoderConfig(num_latents=LATENTS, k=3, **extra))
        fill(coder, 60 + seed)
        coder.save_to_disk(folder / at)
        coder = SparseCoder.load_from_disk(folder / at)
        x = rows(62)
        with torch.no_grad():
            values, indices, _ = coder.encode(x)
            z = torch.zeros(ROWS, LATENTS).scatter(-1, indices, values)
            cases[name] = {"folder": at, "files": packed(folder / at), "dictionaries": [answer(x, z, coder(x).sae_out)]}
    return cases


# Llama Scope, as its loader of November 2024 prepares it

def llama_scope(folder: Path) -> dict:
    generator = torch.Generator().manual_seed(70)
    config = {
        "d_model": WIDTH,
        "d_sae": LATENTS,
        "hook_point_in": "blocks.0.hook_resid_post",
        "hook_point_out": "blocks.0.hook_resid_post",
        "act_fn": "topk",
        "top_k": 50,
        "jump_relu_threshold": 0.3,
        "norm_activation": "dataset-wise",
        "dataset_average_activation_norm": {"in": 3.0, "out": 3.0},
        "sparsity_include_decoder_norm": True,
        "use_decoder_bias": True,
        "apply_decoder_bias_to_pre_encoder": True,
    }
    state = {
        "encoder.weight": torch.randn(LATENTS, WIDTH, generator=generator) * 0.6,
        "encoder.bias": torch.randn(LATENTS, generator=generator) * 0.3,
        "decoder.weight": torch.randn(WIDTH, LATENTS, generator=generator) * 0.6,
        "decoder.bias": torch.randn(WIDTH, generator=generator) * 0.3,
    }
    (folder / "checkpoints").mkdir()
    save_file(state, folder / "checkpoints" / "final.safetensors")
    (folder / "hyperparams.json").write_text(json.dumps(config))
    factor_in, factor_out = (math.sqrt(WIDTH) / config["dataset_average_activation_norm"][side] for side in ("in", "out"))
    b_enc, b_dec = state["encoder.bias"] / factor_in, state["decoder.bias"] / factor_out
    W_dec = state["decoder.weight"] * factor_in / factor_out
    norm = W_dec.norm(dim=0)
    W_dec, W_enc, b_enc = W_dec / norm, state["encoder.weight"] * norm[:, None], b_enc * norm
    x = rows(71)
    pre = (x - b_dec) @ W_enc.T + b_enc
    z = torch.where(pre > config["jump_relu_threshold"], pre, 0)
    return {"llama-scope": {"folder": "llama-scope", "files": packed(folder), "dictionaries": [answer(x, z, z @ W_dec.T + b_dec)]}}


def goldens() -> None:
    found = {}
    for part in (saelens, dictionary_learning, circuit_tracer, sparsify, llama_scope):
        with tempfile.TemporaryDirectory() as folder:
            found.update(part(Path(folder)))
    out = GOLDEN / "dictionary-formats"
    out.mkdir(exist_ok=True)
    sidecar = json.loads((GOLDEN / "versions.json").read_text())
    for name, case in sorted(found.items()):
        path = out / f"{name}.json"
        path.write_text(json.dumps(case, allow_nan=False) + "\n")
        assert path.stat().st_size < 100_000, name
        sidecar["sha256"][str(path.relative_to(GOLDEN))] = hashlib.sha256(path.read_bytes()).hexdigest()
    sidecar["sha256"] = dict(sorted(sidecar["sha256"].items()))
    for library in ("sae-lens", "dictionary-learning", "circuit-tracer", "eai-sparsify"):
        sidecar[library] = version(library)
    sidecar["sha256"] = sidecar.pop("sha256")
    (GOLDEN / "versions.json").write_text(json.dumps(sidecar, indent=2) + "\n")
    print(f"{len(found)} cases")


# The other way: what `mechanist export` wrote, in the library it is for.

def outputs(format: str, folder: Path, xs: list[torch.Tensor]) -> list[torch.Tensor]:
    if format == "saelens":
        from sae_lens import SAE

        return [SAE.load_from_disk(folder)(xs[0])]
    if format == "dictionary_learning":
        import dictionary_learning.dictionary as own
        from dictionary_learning.trainers.top_k import AutoEncoderTopK

        trainer = json.loads((folder / "config.json").read_text())["trainer"]
        torch.save(load_file(folder / "ae.safetensors"), folder / "ae.pt")
        kind = AutoEncoderTopK if trainer["dict_class"] == "AutoEncoderTopK" else getattr(own, trainer["dict_class"])
        ae = kind.from_pretrained(folder / "ae.pt", k=trainer["k"]) if "k" in trainer else kind.from_pretrained(folder / "ae.pt")
        return [ae.decode(ae.encode(xs[0]))]
    if format == "sparsify":
        from sparsify import SparseCoder

        return [SparseCoder.load_from_disk(folder)(xs[0]).sae_out]
    from circuit_tracer.transcoder.cross_layer_transcoder import load_clt
    from circuit_tracer.transcoder.single_layer_transcoder import load_gemma_scope_2_transcoder, load_gemma_scope_transcoder, load_relu_transcoder

    cpu = torch.device("cpu")
    if format == "gemma-scope":
        return [load_gemma_scope_transcoder(str(folder / "params.npz"), 0, device=cpu)(xs[0])]
    if format == "gemma-scope-2":
        return [load_gemma_scope_2_transcoder(str(folder / "params.safetensors"), 0, device=cpu)(xs[0])]
    if format == "circuit-tracer":
        return [load_relu_transcoder(str(folder / f"layer_{i}.safetensors"), i, device=cpu, lazy_encoder=False, lazy_decoder=False)(x) for i, x in enumerate(xs)]
    if format == "circuit-tracer-clt":
        clt = load_clt(str(folder), device=cpu, dtype=torch.float32, lazy_decoder=False)
        return list(clt.decode(clt.encode(torch.stack(xs))))
    raise ValueError(f"{format}: no library reads it")


def check(folders: list[str]) -> None:
    for folder in map(Path, folders):
        expected = json.loads((folder / "expected.json").read_text())
        with torch.no_grad():
            found = outputs(expected["format"], folder, [torch.tensor(x) for x in expected["x"]])
        apart = max((y - torch.tensor(own)).abs().max().item() for y, own in zip(found, expected["output"], strict=True))
        print(f"{folder.name}: {expected['format']}: outputs at most {apart:.2e} apart")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    if sys.argv[1:2] == ["check"]:
        check(sys.argv[2:])
    else:
        goldens()
