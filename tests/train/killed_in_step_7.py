"""`medvision` killed without warning in the seventh step of a training, for tests."""

import os
import signal
import sys
from typing import Any

from medvision.cli import main
from medvision.train.trainer import SampleTrainer

training_step = SampleTrainer.training_step


def killed_step(self: SampleTrainer, *args: Any, **kwargs: Any) -> Any:
    """A step as it is, but for the seventh."""
    if self.state.global_step == 6:
        os.kill(os.getpid(), signal.SIGKILL)
    return training_step(self, *args, **kwargs)


if __name__ == "__main__":
    SampleTrainer.training_step = killed_step
    sys.exit(main())
