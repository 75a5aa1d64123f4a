"""`medvision` in processes that shard their weights on CPU, for tests.

Accelerate shards on accelerators only. Here its state is told to shard all the same; everything
beyond that (wrapping, gathering, checkpoints) is what it does on GPUs, over gloo.
"""

import sys
from typing import Any

from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType

from medvision.cli import main

made = AcceleratorState.__init__


def sharding(self: AcceleratorState, *args: Any, fsdp_plugin: Any = None, **kwargs: Any) -> None:
    """The state as it is made on GPUs."""
    made(self, *args, fsdp_plugin=fsdp_plugin, **kwargs)
    if fsdp_plugin is not None and self.distributed_type is DistributedType.MULTI_CPU:
        self.distributed_type = DistributedType.FSDP
        PartialState._shared_state["distributed_type"] = self.distributed_type
        self.fsdp_plugin = fsdp_plugin
        if self._mixed_precision != "no":
            fsdp_plugin.set_mixed_precision(self._mixed_precision)


if __name__ == "__main__":
    AcceleratorState.__init__ = sharding
    sys.exit(main())
