"""docs/perceived_sizes.md lists every family as it is."""

from pathlib import Path

import pytest

from medvision.pictures.perceived import FAMILIES, Preparation

DOCUMENT = Path(__file__).parents[2] / "docs" / "perceived_sizes.md"
SENT_AS = {
    Preparation.NONE: "slice",
    Preparation.RESIZE: "resized",
    Preparation.RESIZE_THEN_PAD: "padded",
    Preparation.PAD_THEN_RESIZE: "squared",
}


def rows():
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines if line.startswith("| `")]
    return {row[0].strip("`"): row[1:] for row in cells}


def test_families_stand_in_the_order_of_the_code():
    assert list(rows()) == list(FAMILIES)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_row_says_what_the_code_does(name):
    family = FAMILIES[name]
    limits = [f"{key} {value or 'by model'}" for key, value in family.limits.items()]

    assert rows()[name] == [
        family.about,
        ", ".join(limits) or "none",
        SENT_AS[family.preparation],
        "yes" if family.verified else "no",
        family.source,
    ]
