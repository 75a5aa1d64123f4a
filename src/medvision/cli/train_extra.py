"""What training needs beside the core."""

from medvision.extras import require
from medvision.train import LIBRARIES


def require_train_extra() -> None:
    """Refuse at once, rather than after minutes of reading tables.

    Raises:
        MissingExtraError: A package of the extra `train` is not installed.
    """
    for library in LIBRARIES:
        require(library, "train", item="training")
