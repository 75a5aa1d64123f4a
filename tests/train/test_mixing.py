from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvision.train.mixing import (
    counts,
    epoch_rows,
    interleaved_by_volume,
    shares,
    training_order,
)

sizes = st.lists(st.integers(1, 5000), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [(1.0, [1 / 101, 100 / 101]), (2.0, [1 / 11, 10 / 11]), (1e9, [0.5, 0.5])],
)
def test_shares_go_as_size_to_the_power_of_one_over_temperature(temperature, expected):
    assert shares([100, 10_000], temperature) == pytest.approx(expected, abs=1e-6)


@given(sizes, st.floats(0.5, 10), st.integers(0, 10_000))
def test_counts_add_up_and_are_within_one_of_their_shares(sizes, temperature, total):
    found = counts(sizes, temperature, total)
    assert found.sum() == total
    assert np.abs(found - shares(sizes, temperature) * total).max() < 1


def test_at_temperature_one_an_epoch_is_every_sample_once():
    entries = [np.arange(30), np.arange(30, 37)]
    rows = epoch_rows(entries, 1.0, 0, np.random.default_rng(1))
    assert sorted(rows.tolist()) == list(range(37))


def test_a_small_entry_comes_again_only_after_all_of_it_came():
    entries = [np.arange(1000), np.arange(1000, 1010)]
    rows = epoch_rows(entries, 1e9, 50, np.random.default_rng(1))
    seen = Counter(row for row in rows.tolist() if row >= 1000)
    assert sum(seen.values()) == 25
    assert len(seen) == 10
    assert max(seen.values()) - min(seen.values()) <= 1


@given(st.lists(st.integers(0, 9), min_size=1, max_size=120), st.integers(1, 6), st.integers(0, 99))
def test_no_more_volumes_are_in_use_than_allowed(volume_numbers, in_flight, seed):
    volumes = np.array(volume_numbers)
    rows = np.arange(len(volumes))
    order = interleaved_by_volume(rows, volumes, in_flight, np.random.default_rng(seed))
    assert sorted(order.tolist()) == rows.tolist()
    used = [volumes[row] for row in order]
    first = {name: used.index(name) for name in used}
    last = {name: len(used) - 1 - used[::-1].index(name) for name in used}
    open_at = [sum(first[n] <= at <= last[n] for n in first) for at in range(len(used))]
    assert max(open_at) <= in_flight


def test_volumes_in_flight_are_mixed():
    volumes = np.repeat(np.arange(4), 100)
    order = interleaved_by_volume(np.arange(400), volumes, 4, np.random.default_rng(0))
    used = [volumes[row] for row in order.tolist()[:100]]
    assert min(Counter(used).values()) > 10


def entry(*names_and_volumes):
    names, volumes = zip(*names_and_volumes, strict=True)
    return pa.table({"sample_id": names, "image_uri": volumes})


def test_order_is_fixed_by_its_seed_and_differs_between_epochs():
    entries = [entry(*((f"a{n}", f"v{n % 3}") for n in range(20)))]
    settings = {"temperature": 1.0, "total": 0, "epochs": 2, "in_flight": 2}
    samples, rows = training_order(entries, **settings, seed=1)
    assert len(samples) == 20
    assert sorted(rows[:20].tolist()) == sorted(rows[20:].tolist()) == list(range(20))
    assert rows[:20].tolist() != rows[20:].tolist()
    again = training_order(entries, **settings, seed=1)[1]
    other = training_order(entries, **settings, seed=2)[1]
    assert rows.tolist() == again.tolist() != other.tolist()


def test_a_sample_of_two_entries_is_kept_once_and_drawn_for_both():
    samples, rows = training_order(
        [entry(("both", "v"), ("a", "v")), entry(("both", "v"))],
        temperature=1.0,
        total=0,
        epochs=1,
        in_flight=1,
        seed=0,
    )
    assert samples["sample_id"].to_pylist() == ["both", "a"]
    assert sorted(rows.tolist()) == [0, 0, 1]
