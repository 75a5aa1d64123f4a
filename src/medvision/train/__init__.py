"""Fine-tuning on the benchmark's own samples, prompts and pictures.

Configuration, selection and mixing need the core alone; whatever touches a model needs the extra
`train` and is imported only when training starts.
"""

from medvision.extras import require

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")
"""What the extra `train` brings and every training needs."""


def require_libraries() -> None:
    """Refuse at once, rather than after minutes of reading tables.

    Raises:
        MissingExtraError: A library of the extra `train` is not installed.
    """
    for library in LIBRARIES:
        require(library, "train", item="training")
