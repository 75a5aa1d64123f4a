"""Patterns of cases that were found one by one."""

import pytest

from medvision.describe.found import FoundCase
from medvision.describe.patterns import common_patterns
from medvision.describe.tree import Tree


def tree(*files):
    return Tree(root=None, files=tuple(sorted(files)))


def case(case_id, image, mask, subject=""):
    return FoundCase(
        case_id=case_id, subject_id=subject or case_id, images={"image": image}, mask=mask
    )


def patterns(cases, *more, lacking=()):
    files = [file for one in cases for file in one.files]
    found = common_patterns(cases, tree(*files, *more), lacking)
    return (found.images["image"], found.mask) if found else None


def test_the_case_may_stand_anywhere_and_more_than_once():
    cases = [case(c, f"im/{c}/{c}-ct.nii.gz", f"seg/{c}.nii.gz") for c in ("a", "b")]
    assert patterns(cases) == ("im/{case}/{case}-ct.nii.gz", "seg/{case}.nii.gz")


def test_different_suffixes_are_left_out():
    cases = [case("a", "im/a.nii.gz", "m/a.nrrd"), case("b", "im/b.mha", "m/b.nrrd")]
    assert patterns(cases) == ("im/{case}", "m/{case}.nrrd")


def test_a_case_does_not_stand_inside_other_words():
    cases = [case(c, f"{c}/T1w.nii.gz", f"{c}/seg.nii.gz") for c in ("1", "2")]
    assert patterns(cases) == ("{case}/T1w.nii.gz", "{case}/seg.nii.gz")


@pytest.mark.parametrize(
    ("more", "lacking", "found"),
    [
        ("im/c.nii.gz", (), False),  # would be a third case that nobody has found
        ("im/c.nii.gz", ("c",), True),  # known to lack its mask
        ("other/c.nii.gz", (), True),
    ],
)
def test_patterns_fit_no_further_files(more, lacking, found):
    cases = [case(c, f"im/{c}.nii.gz", f"m/{c}.nii.gz") for c in ("a", "b")]
    assert bool(patterns(cases, more, lacking=lacking)) == found


def test_names_without_a_rule_have_no_pattern():
    cases = [case("a", "im/a.nii.gz", "m/a.nii.gz"), case("b", "im/b.nii.gz", "m/b_seg.nii.gz")]
    assert patterns(cases) is None


def test_names_that_look_like_patterns_have_none():
    cases = [case(c, f"im*/{c}.nii.gz", f"m/{c}.nii.gz") for c in ("a", "b")]
    assert patterns(cases) is None


def test_subject_and_session_make_the_id():
    cases = [case(f"s1_t{n}", f"s1/t{n}/ct.nii.gz", f"s1/t{n}/seg.nii.gz", "s1") for n in (1, 2)]
    assert patterns(cases) == ("{subject}/{session}/ct.nii.gz", "{subject}/{session}/seg.nii.gz")
