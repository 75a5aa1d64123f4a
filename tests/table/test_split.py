import hashlib

from hypothesis import given
from hypothesis import strategies as st

from medvision.table.split import subject_splits

SUBJECTS = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=60, unique=True)


@given(SUBJECTS, st.randoms())
def test_split_depends_on_names_alone(subjects, random):
    shuffled = subjects * 2
    random.shuffle(shuffled)
    assert subject_splits("d", shuffled) == subject_splits("d", subjects)


@given(SUBJECTS)
def test_seven_in_ten_train(subjects):
    splits = subject_splits("d", subjects)
    n_train = sum(split == "train" for split in splits.values())
    assert n_train == (7 * len(subjects) + 5) // 10
    assert set(splits) == set(subjects)


def test_ranking_is_the_documented_hash():
    def digest(subject):
        return hashlib.sha256(f"1024/KiTS23/{subject}".encode()).hexdigest()

    subjects = [f"case_{i:05d}" for i in range(10)]
    ranked = sorted(subjects, key=digest)
    splits = subject_splits("KiTS23", subjects)
    assert [s for s in ranked if splits[s] == "train"] == ranked[:7]


def test_dataset_name_changes_the_split():
    subjects = [str(i) for i in range(40)]
    assert subject_splits("a", subjects) != subject_splits("b", subjects)
