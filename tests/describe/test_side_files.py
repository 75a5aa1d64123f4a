"""Damaged side files: one line that names the file, no case lost without a word."""

import json

import pytest

from medvision.cli import main
from medvision.declarations import DeclarationError
from medvision.describe.recognise import describe
from medvision.describe.side_files import side_table, side_text
from medvision.describe.tree import read_tree
from medvision.table.read import read_cases, tables_manifest
from tests.describe import trees

pytest.importorskip("highdicom", reason="extra dicom is not installed")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def build(folder, *more):
    return main(["build", str(folder), "--out", str(folder.parent / "t"), *map(str, more)])


def edited(folder, tree, file, change):
    """A miniature tree with one file changed from its bytes to others."""
    getattr(trees, tree)(folder)
    path = folder / file
    path.write_bytes(change(path.read_bytes() if path.exists() else b""))
    return path


def latin_1(content):
    return content + "Köln".encode("latin-1")


def utf_16(content):
    return content.decode("utf-8").encode("utf-16")


def as_bytes(content):
    return b"\xff\xfe\x00" + content


OF_ALL_CASES = [
    ("bids", "participants.tsv"),
    ("bids", "derivatives/manual/dseg.tsv"),
    ("totalsegmentator_training", "meta.csv"),
    ("yolo", "data.yaml"),
    ("yolo", "classes.txt"),
    ("yolo", "obj.names"),
    ("nnunet_v2", "dataset.json"),
    ("nnunet_v1", "dataset.json"),
]


@pytest.mark.parametrize("change", [latin_1, utf_16, as_bytes])
@pytest.mark.parametrize(("tree", "file"), OF_ALL_CASES)
def test_a_side_file_in_another_encoding_is_one_line(folder, capsys, tree, file, change):
    def with_text(content):
        return change(content or b"index\tname\n1\tliver\n")

    path = edited(folder, tree, file, with_text)
    for command in (["describe", str(folder)], ["build", str(folder), "--out", f"{folder}_t"]):
        assert main(command) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert str(path) in line
        assert "utf-8" in line.lower()
        assert "traceback" not in line


@pytest.mark.parametrize(("tree", "file"), OF_ALL_CASES[:3])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda _: b"", "expected a name over each column"),
        (lambda content: content + b"more\n", "line .*: expected . cells, found 1"),
        (lambda content: content.replace(b"participant_id", b"who").replace(b"image_id", b"who")
         .replace(b"index", b"who"), "expected the columns .*, found who"),
        (lambda content: content + b'"' + b"x" * 200_000, "expected a table of text"),
    ],
)  # fmt: skip
def test_a_table_of_another_form_is_one_line(folder, capsys, tree, file, change, told):
    def with_rows(content):
        return change(content or b"index\tname\n1\twhite matter\n")

    path = edited(folder, tree, file, with_rows)
    assert build(folder) == 2
    with pytest.raises(DeclarationError, match=rf"{path}.*{told}"):
        describe(read_tree(folder))
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_tables_may_begin_with_the_mark_that_spreadsheets_write(folder):
    path = edited(folder, "bids", "participants.tsv", lambda content: b"\xef\xbb\xbf" + content)
    assert side_text(path).startswith("participant_id")
    assert side_table(path, "participant_id")[0]["participant_id"] == "sub-01"
    assert describe(read_tree(folder)).found.columns.keys() >= {"sub-01", "sub-02"}


GOOD = {"channel_names": {"0": "T1", "1": "FLAIR"}, "labels": {"background": 0, "a": 1}}


@pytest.mark.parametrize(
    "change",
    [
        {"channel_names": 5},
        {"channel_names": ["T1", "FLAIR"]},
        {"channel_names": {"x": "CT"}},
        {"channel_names": {"0": 1}},
        {"channel_names": {"-1": "CT"}},
        {"labels": [1]},
        {"labels": {"a": [1, "x"]}},
        {"labels": {"1": ["liver"]}},
        {"labels": {"a": 1.5}},
        {"labels": None},
        {"dataset": 5},
        {"dataset": {"a": "b"}},
        {"dataset": {"a": {"images": "x", "label": 3}}},
        {"dataset": {"a": {"images": [], "label": "x"}}},
    ],
    ids=json.dumps,
)
def test_a_dataset_json_of_another_form_is_told_alike_by_both_ways(folder, capsys, change):
    text = json.dumps(GOOD | change).encode()
    path = edited(folder, "nnunet_v2", "dataset.json", lambda _: text)
    told = []
    for given in ([str(folder)], ["--nnunet", str(folder)]):
        assert main(["build", *given, "--out", f"{folder}_t"]) == 2
        told.append(capsys.readouterr().err)
    assert told[0] == told[1]
    assert f"{path}: {next(iter(change))}" in told[0]


@pytest.mark.parametrize("content", [b"[]", b"{}", b'{"labels": {"a": 1}}', b"5", b'{"labels": '])
def test_a_dataset_json_beside_images_and_labels_is_not_passed_over(folder, capsys, content):
    path = edited(folder, "nnunet_v2", "dataset.json", lambda _: content)
    assert build(folder) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert str(path) in line


def without_last(key):
    """JSON whose list of a key is a number instead."""
    return lambda content: json.dumps(json.loads(content) | {key: 5}).encode()


COCO, SEGMENTATION = "annotations/instances_train.json", "p1/Segmentation.seg.nrrd"
SERIES = "Collection/X-001/01-01-2000-NA-CT ABDOMEN-30178/300.000000-Segmentation-71532/1-1.dcm"
BROKEN = {
    "empty segmentation": ("slicer", SEGMENTATION, lambda _: b"", "p1", 1),
    "no segmentation": ("slicer", SEGMENTATION, lambda _: b"junk", "p1", 1),
    "a segment without a value": (
        "slicer",
        SEGMENTATION,
        lambda content: content.replace(b"Segment0_LabelValue:=1", b"Segment0_LabelValue:=one"),
        "p1",
        1,
    ),
    "a header of no meaning": (
        "slicer",
        SEGMENTATION,
        lambda _: b"NRRD0005\nSegment0_Name:=x\ntype: zzz\n\n",
        "p1",
        1,
    ),
    "empty COCO": ("coco", COCO, lambda _: b"", COCO, 1),
    "cut COCO": ("coco", COCO, lambda content: content[:60], COCO, 1),
    "COCO without a list": ("coco", COCO, without_last("images"), COCO, 1),
    "COCO with an odd box": ("coco", COCO, lambda c: c.replace(b"[5, 4, 15, 12]", b"[5]"), COCO, 1),
    "COCO in Latin-1": ("coco", COCO, lambda c: c.replace(b"nodule", b"n\xf6dule"), COCO, 1),
    "cut LabelMe": ("labelme", "a.json", lambda content: content[:80], "a", 1),
    "LabelMe without shapes": ("labelme", "a.json", without_last("shapes"), "a", 1),
    "YOLO with words": ("yolo", "labels/train/a.txt", lambda _: b"no nodule seen", "a", 2),
    "YOLO in Latin-1": ("yolo", "labels/train/a.txt", lambda c: c + b"\n\xf6", "a", 2),
    "cut DICOM SEG": ("tcia", SERIES, lambda content: content[:100], SERIES, 1),
    "DICOM SEG of text": ("tcia", SERIES, lambda _: b"not found", SERIES, 1),
}


@pytest.fixture(params=BROKEN)
def broken(request, folder):
    tree, file, change, item, n_left = BROKEN[request.param]
    path = edited(folder, tree, file, change)
    return folder, path, item, n_left


def test_a_broken_file_of_some_cases_is_described_with_its_name_and_exit_1(broken, capsys):
    folder, path, item, _ = broken
    out = folder.parent / "my.toml"
    assert main(["describe", str(folder), "--out", str(out)]) == 1
    printed = capsys.readouterr().out
    assert "that cannot be read" in printed
    [line] = [one for one in printed.splitlines() if one.startswith(f"    {item}: ")]
    assert str(path) in line
    assert f"# cannot be read: {line.partition(': ')[2]}" in out.read_text(encoding="utf-8")


def test_a_broken_file_is_named_by_a_build_that_keeps_all_other_cases(broken, capsys):
    folder, path, item, n_left = broken
    more = [] if any(word in str(path) for word in ("seg.nrrd", ".dcm")) else ["--modality", "US"]
    if more:
        more += ["--spacing-mm", "1,1"]
    if path.name == "a.json":
        measure = {
            "landmarks": {"ear": "ear", "nose": "nose"},
            "lines": {"L": {"name": "length", "landmarks": ["ear", "nose"]}},
            "measure": [{"kind": "distance", "key": "L"}],
        }
        (folder.parent / "b.json").write_text(json.dumps(measure), encoding="utf-8")
        more += ["--biometrics", folder.parent / "b.json"]
    assert build(folder, *more) == 1
    tables = folder.parent / "t"
    assert len(read_cases(tables)) == n_left
    problems = tables_manifest(tables)["problems"]
    [problem] = [one for one in problems if one["case_id"] == item]
    assert str(path) in problem["message"]
    assert problem["reason"] not in ("unpaired", "reader_failed")
    assert f"{item}: {problem['reason']}: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tree", "suffix"),
    [("coco", ".json"), ("labelme", ".json"), ("slicer", ".nrrd"), ("tcia", "-71532/1-1.dcm")],
)
def test_where_all_are_broken_no_layout_is_known_and_the_files_are_named(
    folder, capsys, tree, suffix
):
    getattr(trees, tree)(folder)
    paths = [path for path in folder.rglob("*") if str(path).endswith(suffix)]
    for path in paths:
        path.write_bytes(path.read_bytes()[: 70 if suffix != ".json" else -9])
    assert build(folder) == 2
    told = capsys.readouterr().err
    assert "no layout that is known" in told or tree == "slicer"
    assert all(str(path) in told for path in paths)


def test_a_scene_without_a_segmentation_is_named(folder, capsys):
    trees.slicer(folder)
    (folder / "p2/Segmentation.seg.nrrd").unlink()
    assert build(folder) == 1
    assert "p2: unpaired: case p2: no " in capsys.readouterr().err


def test_json_of_other_programs_is_none_of_a_layout_s(folder):
    trees.coco(folder)
    for name, text in (("notes.json", '{"by": "me"}'), ("old.json", "{ cut"), ("list.json", "[1]")):
        (folder / name).write_text(text, encoding="utf-8")
    assert dict(describe(read_tree(folder)).found.broken) == {}


def test_a_link_that_leads_nowhere_is_told_and_the_cases_are_kept(folder, capsys):
    trees.totalsegmentator_training(folder)
    before = describe(read_tree(folder)).found.cases
    (folder / "README").symlink_to(folder / "gone")
    assert main(["describe", str(folder)]) == 1
    assert f"    README: {folder / 'README'}: no such file" in capsys.readouterr().out
    assert describe(read_tree(folder)).found.cases == before


TWINS = [
    ("nnunet_v2", "imagesTr/brain_001_0001.nii.gz", "imagesTr/brain_001_0001.nii", "brain_001"),
    ("nnunet_v1", "labelsTr/liver_0.nii.gz", "labelsTr/liver_0.mha", "liver_0"),
    ("case_folders", "BraTS-GLI-00000-000/BraTS-GLI-00000-000-t1c.nii.gz", "", ""),
    ("totalsegmentator_training", "s0000/ct.nii.gz", "s0000/ct.nrrd", "s0000"),
    ("busi", "benign/benign (1)_mask.png", "benign/benign (1)_mask.bmp", "benign (1)"),
]


@pytest.mark.parametrize(("tree", "file", "other", "case"), TWINS)
def test_two_files_of_one_name_are_told_and_the_other_cases_are_kept(
    folder, capsys, tree, file, other, case
):
    getattr(trees, tree)(folder)
    before = [one.case_id for one in describe(read_tree(folder)).found.cases]
    other = other or file.removesuffix(".gz")
    (folder / other).write_bytes((folder / file).read_bytes())
    case = next(one for one in before if case in one or case == "")
    assert main(["describe", str(folder), "--out", str(folder.parent / "o.toml")]) == 1
    printed = capsys.readouterr().out
    assert "1 case with two files of one name" in printed
    found = describe(read_tree(folder)).found
    assert [one.case_id for one in found.cases] == [one for one in before if one != case]
    why = found.ambiguous[case]
    home, _, name = file.rpartition("/")
    assert name in why
    assert f"{other.rpartition('/')[2]} " in why
    assert f" in {home} both name it, keep one" in why
    assert f"# left out: {case}: {why}" in (folder.parent / "o.toml").read_text(encoding="utf-8")


def test_a_case_with_two_files_of_one_name_is_named_by_build(folder, capsys):
    trees.totalsegmentator_training(folder)
    (folder / "s0000/ct.nrrd").write_bytes(b"NRRD0004")
    assert build(folder) == 1
    assert "s0000: ambiguous: case s0000: ct.nii.gz and ct.nrrd" in capsys.readouterr().err
    assert len(read_cases(folder.parent / "t")) == 3


def test_a_case_left_out_for_what_its_files_are_is_not_found_again_by_a_pattern(folder, capsys):
    trees.bids(folder)
    image = folder / "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz"
    image.with_suffix("").write_bytes(image.read_bytes())
    assert build(folder) == 1
    told = capsys.readouterr().err
    assert "sub-01_ses-1: ambiguous: case sub-01_ses-1: " in told
    assert "sub-01_ses-1_T1w.nii and sub-01_ses-1_T1w.nii.gz" in told
    cases = [row["case_id"] for row in read_cases(folder.parent / "t").to_pylist()]
    assert cases == ["sub-01_ses-2", "sub-02_ses-1"]


def test_where_every_case_is_there_twice_nothing_is_built(folder, capsys):
    trees.case_folders(folder)
    for path in folder.rglob("*-t1c.nii.gz"):
        path.with_suffix("").write_bytes(path.read_bytes())
    assert build(folder) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_picture_that_a_file_names_with_its_suffix_is_meant(folder):
    trees.coco(folder)
    trees.picture(folder / "train/a.png")
    found = describe(read_tree(folder)).found
    assert (len(found.cases), dict(found.ambiguous)) == (3, {})
