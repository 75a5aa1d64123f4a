"""Train and test as folders, files and tables of others call them."""

from collections.abc import Mapping

_TRAIN = ("train", "training", "tr")
_HELD_OUT = ("val", "valid", "validation", "dev")
_TEST = ("test", "testing", "ts")


def split_word(text: str) -> str:
    """train, val or test, if a name is one of the words for them; else "".

    Example:
        >>> split_word("Training"), split_word("valid"), split_word("images")
        ('train', 'val', '')
    """
    word = text.lower()
    groups = {"train": _TRAIN, "val": _HELD_OUT, "test": _TEST}
    return next((side for side, words in groups.items() if word in words), "")


def two_sides(words: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Train or test of each subject, and a sentence about validation subjects if there are any.

    There are two sides here. Validation subjects are trained on where there is a test set, and are
    the test set where there is none.

    Example:
        >>> two_sides({"a": "train", "b": "val"})
        ({'a': 'train', 'b': 'test'}, ['there is no test set: val is taken for it'])
    """
    found = {subject: split_word(word) for subject, word in words.items() if split_word(word)}
    if "val" not in found.values():
        return found, []
    has_test = "test" in found.values()
    side = "train" if has_test else "test"
    note = "val is taken for training" if has_test else "there is no test set: val is taken for it"
    return {s: side if word == "val" else word for s, word in found.items()}, [note]
