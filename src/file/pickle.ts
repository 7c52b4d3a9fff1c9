/** Pickles: files that execute as they are read, and so are not read here. */
import { MechanistError } from "../error.ts";

/** Whether a file's name is one that PyTorch gives its pickles. */
export function isPickle(name: string): boolean {
  return /\.(pt|pth|bin|pkl|ckpt)$/.test(name);
}

/**
 * The refusal of a pickle of tensors, with the program that converts it.
 *
 * @param where names the file with its folder
 * @param name  the file
 * @param into  what the safetensors file is to be called
 */
export function pickleRefusal(
  where: string,
  name: string,
  into = name.replace(/\.[a-z]+$/, ".safetensors"),
): MechanistError {
  const table = `torch.load("${name}", map_location="cpu", weights_only=True)`;
  const program = `import torch; from safetensors.torch import save_file; save_file({k: v.contiguous() for k, v in ${table}.items()}, "${into}")`;
  return new MechanistError(
    "BadFile",
    `${where}: expected safetensors, got a pickle, which is not read here; in Python: ${program}`,
  );
}
