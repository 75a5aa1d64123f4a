"""Which subjects train and which test: fixed by names alone, whatever is on disk."""

import hashlib
from collections.abc import Iterable

SPLIT_SEED = 1024


def subject_splits(dataset: str, subject_ids: Iterable[str]) -> dict[str, str]:
    """Split each listed subject: the same answer on any machine, in any order of listing.

    Subjects are ranked by the hex SHA-256 of "seed/dataset/subject"; the first (7n + 5) // 10
    train, the others test. All images, sequences and tasks of a subject follow it.

    Args:
        dataset: Dataset name.
        subject_ids: All listed subjects of the dataset, built or not; repeats are allowed.

    Returns:
        Subject id to "train" or "test".

    Example:
        >>> subject_splits("toy", ["a", "b", "a"])
        {'b': 'train', 'a': 'test'}
    """
    # A digest of names, not a random generator: generators change between versions, and a subject
    # found later must not move the others.
    ranked = sorted(
        set(subject_ids),
        key=lambda subject: hashlib.sha256(
            f"{SPLIT_SEED}/{dataset}/{subject}".encode()
        ).hexdigest(),
    )
    n_train = (7 * len(ranked) + 5) // 10  # 70 %, rounded half up, in whole numbers
    return {subject: "train" if rank < n_train else "test" for rank, subject in enumerate(ranked)}
