"""Segments of a file against declared structures: names, numbers, and where they disagree."""

from pathlib import Path

import pytest

from medvision.table.cases import Structure
from medvision.table.segment_names import (
    NamedSegment,
    UnknownLabelError,
    segments_of_structures,
)

PATH = Path("a.dcm")


def structures(**names):
    return [
        Structure(label_id=number, name=name.replace("_", " "), values=(number,))
        for name, number in names.items()
    ]


DECLARED = structures(liver=1, liver_tumor=2)


def found(*segments, declared=DECLARED, **options):
    named = [NamedSegment(number=number, name=name) for number, name in segments]
    return segments_of_structures(declared, named, PATH, **options)


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        ([(1, "liver"), (2, "liver tumor")], {1: [0], 2: [1]}),
        ([(1, "Segment_1"), (2, "GTV")], {1: [0], 2: [1]}),
        ([(0, "Liver_Tumor"), (0, "LIVER")], {2: [0], 1: [1]}),
        ([(7, "liver")], {1: [0]}),
        ([(1, "liver tumor"), (2, "liver")], {2: [0], 1: [1]}),
        ([(2, "liver")], {1: [0]}),
        ([], {}),
    ],
)
def test_a_name_decides_and_a_number_where_no_name_is_known(segments, expected):
    assert found(*segments) == expected


@pytest.mark.parametrize(
    ("segments", "told"),
    [
        ([(1, "Segment_1"), (2, "liver")], "two segments are 'liver'"),
        ([(2, "liver"), (1, "Segment_1")], "'Segment_1' and segment 'liver' are both taken"),
        ([(7, "liver"), (1, "spleen")], "segment 1 'spleen' and segment 'liver' are both taken"),
        ([(0, "liver"), (0, "Liver")], "two segments are 'Liver'"),
        ([(1, "spleen"), (7, "liver")], "two segments are 'liver'"),
        ([(1, "liver"), (3, "spleen")], "found also 3 'spleen'"),
        ([(0, "couch")], "found also couch"),
    ],
)
def test_what_is_contradictory_or_unknown_is_refused(segments, told):
    with pytest.raises(UnknownLabelError, match=rf"a\.dcm: .*{told}"):
        found(*segments)


def test_several_names_of_one_structure_are_joined():
    tumor = Structure(label_id=5, name="tumor", values=(5,), found_as=("GTVp", "GTVn"))
    named = [(0, "gtvn"), (0, "tumor"), (0, "GTVp")]
    assert found(*named, declared=[tumor], all_known=False) == {5: [0, 2]}


def test_others_may_be_left_out_where_the_caller_says_so():
    assert found((0, "couch"), (0, "liver"), all_known=False) == {1: [1]}


def test_an_empty_segment_that_nobody_knows_does_not_matter():
    empty = NamedSegment(number=3, name="spleen", is_empty=True)
    assert segments_of_structures(DECLARED, [empty], PATH) == {}


def test_a_structure_of_several_values_has_several_segments():
    whole = Structure(label_id=1, name="whole", values=(1, 2))
    core = Structure(label_id=2, name="core", values=(2,))
    assert found((1, "a"), (2, "b"), declared=[whole, core]) == {1: [0, 1], 2: [1]}


def test_a_name_does_not_decide_where_numbers_are_joined():
    whole = Structure(label_id=1, name="whole", values=(1, 2))
    core = Structure(label_id=3, name="core", values=(3,))
    with pytest.raises(UnknownLabelError, match=r"segment 2 calls itself 'core'.*found_as"):
        found((2, "core"), declared=[whole, core])
