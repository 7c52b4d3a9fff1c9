/** The feed-forward part of a block, plain or gated, with its hook points. */
import { add, gelu, geluTanh, mul, relu, silu, type Tensor } from "../../tensor/index.ts";
import { passing } from "../network.ts";
import type { Block } from "./block.ts";
import type { Activation, MlpConfig } from "./config.ts";
import { norm } from "./norm.ts";

const ACTIVATIONS: Readonly<Record<Activation, (x: Tensor) => Tensor>> = { relu, gelu, geluTanh, silu };

/**
 * What the MLP adds to the residual stream.
 *
 * `hook_pre` is what goes into the activation function; where a second projection is multiplied by its result, `hook_pre_linear` is
 * that one. `hook_post` is what `W_out` reads. Each bias belongs to the matrix it is named for.
 *
 * @param stream `batch pos d_model`, before the norm
 */
export function mlp(block: Block, { activation, gated }: MlpConfig, stream: Tensor): Tensor {
  const { config, weights, hooks, name } = block;
  const normalized = norm(config.norm, weights, `${name}.ln2`, stream, hooks);
  const biased = (x: Tensor, bias: string): Tensor => {
    const b = weights[`${name}.mlp.${bias}`];
    return b === undefined ? x : add(x, b);
  };
  const projected = biased(block.product("mlp.W_in", normalized), "b_in");
  const into = gated ? biased(block.product("mlp.W_gate", normalized), "b_gate") : projected;
  const active = ACTIVATIONS[activation](passing(hooks, `${name}.mlp.hook_pre`, into));
  const inner = gated ? mul(active, passing(hooks, `${name}.mlp.hook_pre_linear`, projected)) : active;
  const post = passing(hooks, `${name}.mlp.hook_post`, inner);
  return biased(block.product("mlp.W_out", post), "b_out");
}
