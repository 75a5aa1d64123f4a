"""What Accelerate has to be told of a model before it shards its weights (FSDP2)."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from peft import PeftModel
from torch.distributed.fsdp import FSDPModule

from medvision.train.errors import ConfigError

Place = tuple[torch.nn.Module, str]
"""A module and the name of a parameter of its own."""


def make_ready_to_shard(model: Any, plugin: Any) -> None:
    """Name the layers to shard one by one, how weights are tied, and what is held in fp32.

    Args:
        model: Not sharded yet, adapters added.
        plugin: Accelerate's settings of sharding; layers that they name stay.

    Raises:
        ConfigError: They are of the first version of FSDP.
    """
    if plugin.fsdp_version != 2:
        msg = (
            f"sharded training: expected fsdp_version: 2, found {plugin.fsdp_version}; see "
            "configs/accelerate/fsdp.yaml, or run `accelerate to-fsdp2` on your file"
        )
        raise ConfigError(msg)
    if (policy := plugin.mixed_precision_policy) is not None:
        # Accelerate would add up gradients, and round every output, the loss included, in bf16.
        plugin.mixed_precision_policy = replace(
            policy, reduce_dtype=torch.float32, output_dtype=None
        )
    if not plugin.transformer_cls_names_to_wrap:
        plugin.transformer_cls_names_to_wrap = layer_classes(model)
    model.tie_weights = weight_tier(model)

    def gather_head(model: Any, _args: Any) -> None:
        head = model.get_output_embeddings()
        if isinstance(head, FSDPModule):
            head.unshard()

    # After the root's own hook, before TRL multiplies by the weight of an LM head that it never
    # calls (its loss is computed in chunks of tokens, without the whole table of logits): a weight
    # gathered there would get one process's gradient instead of everyone's.
    base = model.get_base_model() if isinstance(model, PeftModel) else model
    base.register_forward_pre_hook(gather_head)


def layer_classes(model: Any) -> list[str]:
    """Class names of the layers that stay whole, of those that the model really has.

    A model's own list also names layers of parts that it was built without, such as the text half
    of its vision tower; Accelerate refuses these.
    """
    present = {type(module).__name__ for module in model.modules()}
    return sorted(present & set(model._no_split_modules))


def weight_tier(model: torch.nn.Module) -> Callable[[], None]:
    """A function that ties again what is tied now, also behind PEFT's wrappers.

    Sharding moves each parameter by itself, after which tied ones are two. Transformers' own
    function writes to attributes that PEFT's wrappers do not let it set.
    """
    places: Mapping[int, list[Place]] = defaultdict(list)
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                places[id(parameter)].append((module, name))
    tied = [group for group in places.values() if len(group) > 1]

    def tie() -> None:
        for (first, first_name), *others in tied:
            for module, name in others:
                module._parameters[name] = first._parameters[first_name]

    return tie
