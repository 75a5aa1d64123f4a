"""What training needs beside the core."""

import importlib.util

from medvision.train.errors import MissingTrainExtraError

NEEDED = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")


def require_train_extra() -> None:
    """Refuse at once, rather than after minutes of reading tables.

    Raises:
        MissingTrainExtraError: A package of the extra `train` is not installed.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        msg = f"training needs {', '.join(missing)}; run: pip install 'medvision[train]'"
        raise MissingTrainExtraError(msg)
