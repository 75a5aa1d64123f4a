"""One planted mistake of each kind, and the name under which it is found."""

import re

import pytest

from medvision.catalog.check import Mistake, check_dataset, refuse_mistakes
from medvision.catalog.dataset import dataset_names, load_dataset, parse_dataset
from medvision.cli import main
from medvision.cli.check_catalog import catalog_findings, dataset_findings
from medvision.declarations import DeclarationError

GOOD = """
name = "toy"
title = "Toy"
description = "abdominal CT scan"
licence = "CC0"
homepage = "https://example.org"
citation = "Nobody 2026"
access = "open"
how_to_get = "Draw it."
subject_pattern = '^(p\\d+)_'
subject_examples = { p1_a = "p1" }
overlaps = [{ dataset = "KiTS23" }]

[[sources]]
kind = "direct"
url = "https://example.org/toy.zip"

[labels]
1 = { name = "liver", group = "Liver" }
2 = { name = "liver tumor", group = "Liver Tumor/Lesion" }

[[cohorts]]
mask = "Masks/{case}.nii.gz"
landmarks = "Landmarks/{case}.json"

[[cohorts.images]]
id = "image"
modality = "CT"
description = "abdominal CT scan"
files = "Images/{case}.nii.gz"

[[tasks]]
id = "01"
asks = ["detection", "area"]

[[tasks]]
id = "01"
asks = ["tl"]
label = 2

[[tasks]]
id = "01"
asks = ["ad"]

[biometrics.landmarks]
P1 = "left end"
P2 = "right end"

[biometrics.lines]
L-1-2 = { landmarks = ["P1", "P2"] }

[[biometrics.measure]]
kind = "distance"
key = "L-1-2"
"""

PLANTED = [
    (Mistake.NAME_MISMATCH, 'name = "toy"', 'name = "boy"'),
    (Mistake.LABEL_ID_INVALID, '1 = { name = "liver"', 'one = { name = "liver"'),
    (Mistake.LABEL_ID_INVALID, '1 = { name = "liver"', '01 = { name = "liver"'),
    (Mistake.LABEL_REPEATED, 'name = "liver tumor"', 'name = "liver"'),
    (Mistake.LABEL_WITHOUT_GROUP, 'name = "liver", group = "Liver"', 'name = "quux"'),
    (Mistake.UNKNOWN_GROUP, 'group = "Liver" }', 'group = "Livers" }'),
    (Mistake.GROUP_MISMATCH, 'group = "Liver" }', 'group = "Spleen" }'),
    (Mistake.NAME_NOT_CANONICAL, 'name = "liver tumor"', 'name = "liver cancer"'),
    (
        Mistake.MISSING_DESCRIPTION,
        'description = "abdominal CT scan"\nfiles',
        'description = ""\nfiles',
    ),
    (
        Mistake.MISSING_DESCRIPTION,
        'description = "abdominal CT scan"\nlicence',
        'description = " "\nlicence',
    ),
    (Mistake.MISSING_TERMS, 'licence = "CC0"', 'licence = ""'),
    (Mistake.MISSING_TERMS, 'title = "Toy"', ""),
    (Mistake.MISSING_TERMS, 'access = "open"', ""),
    (Mistake.PATTERN_INVALID, "Masks/{case}.nii.gz", "Masks/{csae}.nii.gz"),
    (Mistake.STATED_TWICE, "[[cohorts]]", '[[cohorts]]\nmasks = ["{case}_b.nii"]'),
    (Mistake.STATED_TWICE, "[[sources]]", 'biometrics_file = "b.json"\n[[sources]]'),
    (
        Mistake.NO_CASES,
        "[biometrics.landmarks]",
        '[[cases]]\ncase_id = "a"\nmodality = "CT"\nimage = "a.nii"\n[biometrics.landmarks]',
    ),
    (Mistake.UNKNOWN_LABEL, "[[cohorts]]", '[[cohorts]]\ncolours = { "#ff0000" = "live" }'),
    (Mistake.UNKNOWN_IMAGE, 'group = "Liver" }', 'group = "Liver", image = "t1" }'),
    (Mistake.MISSING_TERMS, 'how_to_get = "Draw it."', ""),
    (Mistake.SOURCE_WITHOUT_ADDRESS, 'url = "https://example.org/toy.zip"', ""),
    (Mistake.PATTERN_WITHOUT_CASE, "Masks/{case}.nii.gz", "Masks/case.nii.gz"),
    (
        Mistake.COHORT_REPEATED,
        "[[tasks]]",
        '[[cohorts]]\nimages = []\nmask = "{case}"\n\n[[tasks]]',
    ),
    (
        Mistake.IMAGE_REPEATED,
        "[[tasks]]",
        '[[cohorts.images]]\nid = "image"\nmodality = "CT"\ndescription = "x"\n'
        'files = "{case}"\n[[tasks]]',
    ),
    (
        Mistake.COHORT_WITHOUT_TRUTH,
        'mask = "Masks/{case}.nii.gz"\nlandmarks = "Landmarks/{case}.json"',
        "",
    ),
    (Mistake.NO_EFFECT, "[[cohorts]]", "[[cohorts]]\ncolour_tolerance = 3"),
    (Mistake.COHORT_WITHOUT_TASK, "[[cohorts]]", '[[cohorts]]\nname = "lost"'),
    (Mistake.SUBJECT_RULE, 'p1_a = "p1"', 'p1_a = "p2"'),
    (Mistake.SUBJECT_RULE, 'p1_a = "p1"', 'q = "q"'),
    (Mistake.SUBJECT_RULE, "'^(p\\d+)_'", "'^(p'"),
    (Mistake.SUBJECT_RULE, 'subject_examples = { p1_a = "p1" }', ""),
    (Mistake.TASK_REPEATED, 'asks = ["ad"]', 'asks = ["ad", "area"]'),
    (Mistake.UNKNOWN_COHORT, 'asks = ["ad"]', 'asks = ["ad"]\ncohort = "x"'),
    (Mistake.UNKNOWN_IMAGE, 'asks = ["ad"]', 'asks = ["ad"]\nimage = "t1"'),
    (Mistake.UNKNOWN_LABEL, "label = 2", "label = 3"),
    (Mistake.UNKNOWN_LABEL, "label = 2", ""),
    (Mistake.TASK_WITHOUT_MASK, 'mask = "Masks/{case}.nii.gz"', ""),
    (Mistake.TASK_WITHOUT_LANDMARKS, 'landmarks = "Landmarks/{case}.json"', ""),
    (Mistake.NOT_A_LESION, "label = 2", "label = 1"),
    (
        Mistake.LABEL_MEASURED_TWICE,
        "[biometrics.landmarks]",
        '[[tasks]]\nid = "02"\nasks = ["tl"]\nlabel = 2\n\n[biometrics.landmarks]',
    ),
    (Mistake.UNKNOWN_OVERLAP, 'dataset = "KiTS23"', 'dataset = "KiTS19"'),
]


def mistakes(text):
    return {finding.mistake for finding in dataset_findings(parse_dataset(text, "toy"), "toy")}


def test_a_consistent_declaration_has_no_mistake():
    assert mistakes(GOOD) == set()


@pytest.mark.parametrize(("mistake", "good", "bad"), PLANTED)
def test_planted_mistake_is_found_by_name(mistake, good, bad):
    assert good in GOOD
    assert mistake in mistakes(GOOD.replace(good, bad, 1))


def test_the_catalogue_is_consistent(capsys):
    assert catalog_findings() == []
    assert main(["catalog", "check"]) == 0
    assert "35 datasets" in capsys.readouterr().out


def test_findings_name_file_reason_and_cure():
    text = GOOD.replace('name = "liver tumor"', 'name = "liver cancer"')
    (finding,) = (
        f
        for f in check_dataset(parse_dataset(text, "toy"), dataset_names())
        if f.mistake is Mistake.NAME_NOT_CANONICAL
    )
    assert str(finding).startswith("toy: name_not_canonical: label 'liver cancer' is called")


def test_a_mistake_makes_the_command_fail(monkeypatch, capsys):
    from medvision.catalog import own
    from medvision.cli import check_catalog

    broken = parse_dataset(GOOD.replace("label = 2", "label = 3"), "toy")
    monkeypatch.setattr(check_catalog, "dataset_names", lambda: ("KiTS23", "toy"))
    monkeypatch.setattr(own, "dataset_names", lambda: ("KiTS23", "toy"))
    monkeypatch.setattr(
        own, "load_dataset", lambda name: broken if name == "toy" else load_dataset(name)
    )
    monkeypatch.setattr(check_catalog, "suite_names", list)
    assert main(["catalog", "check"]) == 1
    shown = capsys.readouterr().out
    assert "toy: unknown_label: task '01': no label 3" in shown
    assert "1 mistakes" in shown


def test_every_mistake_of_an_unreadable_declaration_is_a_finding(monkeypatch):
    from medvision.catalog import own
    from medvision.cli import check_catalog

    broken = GOOD.replace("label = 2", 'label = "two"').replace('["P1", "P2"]', '["P1", "P3"]')
    monkeypatch.setattr(check_catalog, "dataset_names", lambda: ("toy",))
    monkeypatch.setattr(own, "dataset_names", lambda: ("toy",))
    monkeypatch.setattr(own, "load_dataset", lambda name: parse_dataset(broken, name))
    monkeypatch.setattr(check_catalog, "suite_names", list)
    assert [str(finding) for finding in catalog_findings()] == [
        'toy: invalid_declaration: toy: tasks[1].label: expected a whole number, found "two"',
        "toy: invalid_declaration: toy: biometrics: lines.L-1-2: unknown landmark 'P3'; known: "
        "P1, P2",
    ]


@pytest.mark.parametrize("name", ["BraTS24", "Ceph-Biometrics-400", "CAMUS", "KiPA22", "afids-mni"])
def test_show_prints_everything(name, capsys):
    assert main(["catalog", "show", name]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    dataset = load_dataset(name)
    for text in (dataset.licence, dataset.homepage, dataset.citation, *dataset.changes):
        assert text in shown
    for labels in dataset.label_sets().values():
        assert all(f"{label_id} {label.name}" in shown for label_id, label in labels.items())


def test_list_has_a_line_per_dataset(capsys):
    assert main(["catalog", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in dataset_names():
        (line,) = (line for line in lines if line.strip().startswith(f"{name} "))
        assert load_dataset(name).access in line
    assert any("autoPET-III" in line and "CT PET" in line for line in lines)


@pytest.mark.parametrize("command", ["fetch", "build"])
@pytest.mark.parametrize("name", ["KiPA22", "SKM-TEA", "ToothFairy2", "LNQ2023"])
def test_unfetchable_datasets_say_what_a_person_must_do(command, name, tmp_path, capsys):
    assert main([command, name, "--root", str(tmp_path)]) == 1
    shown = capsys.readouterr().err
    dataset = load_dataset(name)
    assert len(shown.splitlines()) == 1
    assert f"{name}: not_fetchable: {name} is not fetched automatically" in shown
    for text in (dataset.how_to_get, dataset.licence, dataset.homepage, dataset.access):
        assert text in shown
    assert not (tmp_path / "tables").exists()


@pytest.mark.parametrize("command", ["fetch", "build"])
@pytest.mark.parametrize("name", ["BraTS24", "CAMUS"])
def test_nothing_is_downloaded_before_licence_and_terms_are_accepted(
    command, name, tmp_path, capsys
):
    assert main([command, name, "--root", str(tmp_path)]) == 1
    shown = capsys.readouterr().err
    dataset = load_dataset(name)
    assert f"{name}: licence_not_accepted: {name}: licence: {dataset.licence}" in shown
    for text in (dataset.terms, dataset.homepage, "--accept-licence"):
        assert text in shown
    assert list(tmp_path.rglob("*")) == []


BOXES = """
name = "b"
spacing_unknown = true

[labels]
1 = "nodule"

[[cohorts]]
images = [{ modality = "US", files = "images/{case}.png" }]
boxes = "labels/{case}.txt"
"""
POINTS = BOXES.replace('boxes = "labels/{case}.txt"', 'landmarks = "{case}.json"').replace(
    "spacing_unknown = true", 'biometrics_file = "b.json"\nspacing_unknown = true'
)


@pytest.mark.parametrize("truth", [BOXES, POINTS], ids=["boxes", "landmarks"])
@pytest.mark.parametrize(
    ("before", "line", "told"),
    [
        ("spacing_unknown", "ignore = [3]", "ignore: for masks, and there are none"),
        ("spacing_unknown", 'colours = { "#ff0000" = "nodule" }', "colours: for masks"),
        ("spacing_unknown", "empty_masks = true", "empty_masks: for masks"),
        ("images", "ignore = [3]", "cohort '': ignore: for masks, and it has none"),
        ("images", 'colours = { "#ff0000" = "nodule" }', "cohort '': colours: for masks"),
        ("images", 'labels = { 1 = { name = "nodule", values = [1, 2] } }', "values of 'nodule'"),
    ],
)
def test_keys_of_masks_beside_boxes_or_landmarks_alone_are_refused(truth, before, line, told):
    refuse_mistakes(parse_dataset(truth, "b"), "b.toml")
    text = truth.replace(f"\n{before}", f"\n{line}\n{before}", 1)
    with pytest.raises(DeclarationError, match=re.escape(told)):
        refuse_mistakes(parse_dataset(text, "b"), "b.toml")


def test_keys_of_masks_hold_for_the_cohorts_that_have_some():
    masks = '[[cohorts]]\nname = "m"\nimages = [{ modality = "US", files = "{case}.bmp" }]\n'
    text = BOXES.replace("spacing_unknown", "ignore = [3]\nspacing_unknown") + masks
    refuse_mistakes(parse_dataset(text + 'mask = "{case}_m.png"\n', "b"), "b.toml")
