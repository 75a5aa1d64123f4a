"""Words for units of length."""

import pytest

from medvision.volumes.units import LENGTH_UNITS, unit_mm


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("mm", 1.0),
        (" MM ", 1.0),
        ("millimetres", 1.0),
        ("\u00b5m", 1e-3),
        ("\u03bcm", 1e-3),
        ("um", 1e-3),
        ("Micrometer", 1e-3),
        ("cm", 10.0),
        ("m", 1000.0),
        ("meters", 1000.0),
        ("in", 25.4),
        ("inches", 25.4),
        ("nm", 1e-6),
    ],
)
def test_symbols_and_names_are_known(word, expected):
    assert unit_mm(word) == expected


@pytest.mark.parametrize("word", ["", "pixel", "s", "ms", "mmm", "\u00c2\u00b5m", "\ufffdm", "rad"])
def test_other_words_are_no_length(word):
    assert unit_mm(word) is None


def test_symbols_are_listed_for_messages():
    assert all(unit_mm(symbol) for symbol in LENGTH_UNITS)
