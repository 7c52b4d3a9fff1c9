"""What every hook point should hold, taken from a model of `transformers` while it runs."""

import importlib
from contextlib import ExitStack, contextmanager
from unittest import mock

import torch

from families import Network


def record(network: Network, model, tokens: torch.Tensor, padding: list[int]) -> dict[str, tuple[str, torch.Tensor]]:
    """Each point's axes and value. What attention and MLP read by head is not among them: it is the stream, repeated."""
    inputs, outputs, softmaxes, rotated = {}, {}, [], []
    with ExitStack() as stack, torch.no_grad():
        for path, module in model.named_modules():
            stack.enter_context(seen(path, module, inputs, outputs))
        stack.enter_context(softmax_inputs(softmaxes))
        stack.enter_context(rotations(model, rotated))
        mask = torch.ones_like(tokens)
        for row, count in enumerate(padding):
            mask[row, :count] = 0
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        logits = model(input_ids=tokens, attention_mask=mask, position_ids=positions, use_cache=False).logits
    paths, points = network.modules, {}
    points["hook_embed"] = stream(outputs[paths.embed])
    if paths.pos_embed is not None:
        points["hook_pos_embed"] = stream(outputs[paths.pos_embed].expand(*tokens.shape, -1))
    for layer in range(model.config.num_hidden_layers):
        points |= block(network, model, layer, inputs, outputs, softmaxes[layer], rotated[layer] if rotated else None)
    points |= norm(model, paths.ln_final, "ln_final", inputs, outputs)
    points["unembed.hook_out"] = ("batch pos vocab", outputs[paths.head])
    points["logits"] = ("batch pos vocab", logits)
    return points


@contextmanager
def seen(path, module, inputs, outputs):
    """Keeps a module's first input and its output."""

    def keep(_, args, kwargs, output):
        given = args[0] if args else kwargs.get("hidden_states", kwargs.get("input_ids"))
        inputs[path] = given
        outputs[path] = output

    handle = module.register_forward_hook(keep, with_kwargs=True)
    yield
    handle.remove()


@contextmanager
def softmax_inputs(found: list):
    """Keeps what attention takes the softmax of: the scores, masked."""
    softmax = torch.nn.functional.softmax

    def keep(x, *args, **kwargs):
        found.append(x)
        return softmax(x, *args, **kwargs)

    with mock.patch.object(torch.nn.functional, "softmax", keep):
        yield


@contextmanager
def rotations(model, found: list):
    """Keeps queries and keys after they were turned."""
    module = importlib.import_module(type(model).__module__)
    rotate = getattr(module, "apply_rotary_pos_emb", None)
    if rotate is None:
        yield
        return

    def keep(*args, **kwargs):
        result = rotate(*args, **kwargs)
        found.append(result)
        return result

    with mock.patch.object(module, "apply_rotary_pos_emb", keep):
        yield


def stream(x: torch.Tensor) -> tuple[str, torch.Tensor]:
    return ("batch pos d_model", x)


def norm(model, path: str, name: str, inputs: dict, outputs: dict) -> dict:
    module = model.get_submodule(path)
    x = inputs[path]
    layer = isinstance(module, torch.nn.LayerNorm)
    epsilon = module.eps if hasattr(module, "eps") else module.variance_epsilon
    centred = x - x.mean(-1, keepdim=True) if layer else x
    scale = (centred.pow(2).mean(-1) + epsilon).sqrt()
    return {
        f"{name}.hook_scale": ("batch pos", scale),
        f"{name}.hook_normalized": stream(centred / scale[..., None]),
        f"{name}.hook_out": stream(outputs[path]),
    }


def block(network: Network, model, layer: int, inputs, outputs, scores, rotated) -> dict:
    paths, config, name = network.modules, model.config, f"blocks.{layer}"
    at = {key: path.format(layer) for key, path in vars(paths).items() if isinstance(path, str)}
    first = lambda x: x[0] if isinstance(x, tuple) else x
    heads = config.num_attention_heads
    kv_heads = getattr(config, "num_key_value_heads", heads)
    kv = "head" if kv_heads == heads else "kv_head"
    pre = inputs[at["block"]]
    points = {f"{name}.hook_resid_pre": stream(pre)}
    points |= norm(model, at["ln1"], f"{name}.ln1", inputs, outputs)
    for part, x in zip("qkv", split(network, layer, outputs, heads)):
        axes = f"batch pos {'head' if part == 'q' else kv} d_head"
        points[f"{name}.attn.hook_{part}"] = (axes, x)
        normed = f"{at['attention']}.{part}_norm"
        if normed in outputs:
            points[f"{name}.attn.hook_{part}_normed"] = (axes, outputs[normed])
        if rotated is not None and part != "v":
            points[f"{name}.attn.hook_rot_{part}"] = (axes, rotated["qk".index(part)].transpose(1, 2))
    points[f"{name}.attn.hook_attn_scores"] = ("batch head query key", scores)
    points[f"{name}.attn.hook_pattern"] = ("batch head query key", outputs[at["attention"]][1])
    z = inputs[at["output"]]
    z = z.view(*z.shape[:2], heads, -1)
    weight = model.get_submodule(at["output"]).weight
    W_O = (weight if paths.conv else weight.T).view(heads, -1, weight.shape[1] if paths.conv else weight.shape[0])
    points[f"{name}.attn.hook_z"] = ("batch pos head d_head", z)
    points[f"{name}.attn.hook_result"] = ("batch pos head d_model", torch.einsum("bphd,hdm->bphm", z, W_O))
    if paths.ln1_post is not None:
        points |= norm(model, at["ln1_post"], f"{name}.ln1_post", inputs, outputs)
    points[f"{name}.hook_attn_out"] = stream(outputs[at.get("ln1_post", at["output"])])
    if not network.parallel:
        points[f"{name}.hook_resid_mid"] = stream(inputs[at["ln2"]])
    points |= norm(model, at["ln2"], f"{name}.ln2", inputs, outputs)
    points[f"{name}.mlp.hook_pre"] = ("batch pos d_mlp", outputs[at.get("gate", at["mlp_in"])])
    if paths.gate is not None:
        points[f"{name}.mlp.hook_pre_linear"] = ("batch pos d_mlp", outputs[at["mlp_in"]])
    points[f"{name}.mlp.hook_post"] = ("batch pos d_mlp", inputs[at["mlp_out"]])
    if paths.ln2_post is not None:
        points |= norm(model, at["ln2_post"], f"{name}.ln2_post", inputs, outputs)
    points[f"{name}.hook_mlp_out"] = stream(outputs[at.get("ln2_post", at["mlp"])])
    points[f"{name}.hook_resid_post"] = stream(first(outputs[at["block"]]))
    return points


def split(network: Network, layer: int, outputs, heads: int) -> list[torch.Tensor]:
    """Queries, keys and values as `batch pos head d_head`."""
    paths = network.modules
    found = [outputs[path.format(layer)] for path in paths.projections]
    if paths.fused == "halves":
        found = list(found[0].chunk(3, dim=-1))
    if paths.fused == "heads":
        return list(found[0].view(*found[0].shape[:2], heads, -1).chunk(3, dim=-1))
    d_head = found[0].shape[-1] // heads
    return [x.view(*x.shape[:2], -1, d_head) for x in found]
