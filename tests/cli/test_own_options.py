"""Which options go with which source, and what messages tell their users to do."""

import ast
import dataclasses
import json
import re
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from medvision.cli import main
from medvision.cli.own_options import KEYS, TAKEN, OwnOptions
from medvision.table.read import read_cases, read_regions
from medvision.table.wording import in_keys

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = ("--images", "--nnunet", "FOLDER", "FILE.toml")
INSISTED = ("--bids", "--totalsegmentator")
PLACES = ("images", "nnunet", "bids", "totalsegmentator")
DECLARED = ("NAME", "FILE.toml")
OF_ALL = {"--out", "--root", "--report", "--verbose"}
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")

MASK = np.zeros((30, 40), np.uint8)
MASK[5:20, 8:25] = 1
VALUES = {
    "images": "x",
    "masks": "x",
    "labels": "x.json",
    "landmarks": "x",
    "biometrics": "x.json",
    "nnunet": "x",
    "bids": "x",
    "totalsegmentator": "x",
    "name": "x",
    "modality": "CT",
    "target_labels": "1",
    "description": "x",
    "spacing_mm": "1,1",
    "spacing_from": "sform",
    "projection": "axial",
    "subject_pattern": "(x)",
    "subjects": "x.csv",
}


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def picture(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def volume(path, array, *, contradictory=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(np.stack([array] * 3, axis=2), np.diag([2, 2, 2, 1]))
    image.header["qform_code"] = 0
    nib.save(image, path)
    if contradictory:  # pixdim of 1.5 beside an sform of 2 mm
        content = bytearray(path.read_bytes())
        content[80:92] = np.array([1.5, 1.5, 1.5], "<f4").tobytes()
        path.write_bytes(content)


def laid_out(source, save, suffix, labels=("liver",), modality="US"):
    """Two cases as a source expects them; the words of the command that builds them."""
    named = {str(n): name for n, name in enumerate(labels, start=1)}
    images, masks = Path("d/images"), Path("d/masks")
    if source == "--nnunet":
        images, masks = Path("d/imagesTr"), Path("d/labelsTr")
        content = {"channel_names": {"0": modality}, "file_ending": suffix}
        content["labels"] = {"background": 0} | {name: int(n) for n, name in named.items()}
        Path("d").mkdir(exist_ok=True)
        Path("d/dataset.json").write_text(json.dumps(content), encoding="utf-8")
    for case in "ab":
        channel = "_0000" if source == "--nnunet" else ""
        save(images / f"{case}{channel}{suffix}", MASK)
        save(masks / f"{case}{suffix}", MASK)
    if source == "--bids":
        shutil.rmtree("d")
        for case in "ab":
            save(Path(f"d/sub-{case}/anat/sub-{case}_T1w{suffix}"), MASK)
            save(Path(f"d/derivatives/manual/sub-{case}/anat/sub-{case}_dseg{suffix}"), MASK)
        Path("d/dataset_description.json").write_text('{"Name": "d"}', encoding="utf-8")
    if source == "--totalsegmentator":
        shutil.rmtree("d")
        for case in "ab":
            save(Path(f"d/{case}/ct{suffix}"), MASK)
            for name in labels:
                save(Path(f"d/{case}/segmentations/{name}{suffix}"), MASK)
    Path("l.json").write_text(json.dumps(named), encoding="utf-8")
    labels_toml = "\n".join(f'{n} = "{name}"' for n, name in named.items())
    Path("o.toml").write_text(
        f'name = "o"\nroot = "d"\n[labels]\n{labels_toml}\n[[cohorts]]\n'
        f'images = [{{modality = "{modality}", files = "images/{{case}}{suffix}"}}]\n'
        f'mask = "masks/{{case}}{suffix}"\n',
        encoding="utf-8",
    )
    given = {
        "--images": ["--images", "d/images", "--masks", "d/masks", "--labels", "l.json"],
        "--nnunet": ["--nnunet", "d"],
        "--bids": ["--bids", "d", "--labels", "l.json"],
        "--totalsegmentator": ["--totalsegmentator", "d"],
        "FOLDER": ["./d", "--labels", "l.json", "--modality", modality],
        "FILE.toml": ["o.toml"],
    }[source]
    named_too = ["--name", "o", "--modality", modality] if source == "--images" else []
    return ["build", *given, *named_too, "--out", "t"]


def advised(source, option, key, value):
    """More words of a command, or one more line of its declaration, as a message advises."""
    if source != "FILE.toml":
        return [option, value]
    path = Path("o.toml")
    path.write_text(f"{key}\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    return []


def check_named(source, told):
    """Every option that a message names is taken by the source."""
    named = set(OPTION.findall(told)) - OF_ALL
    assert {one[2:].replace("-", "_") for one in named} <= set(TAKEN[source])


def test_every_option_has_its_sources_and_every_key_is_one():
    fields = {entry.name for entry in dataclasses.fields(OwnOptions)}
    assert set().union(*TAKEN.values()) == fields == set(VALUES)
    assert fields - KEYS.keys() == {"nnunet", "bids", "totalsegmentator", "subjects"}
    schema = (ROOT / "docs/declaration.schema.json").read_text(encoding="utf-8")
    assert all(f'"{key}"' in schema for key in KEYS.values())


@pytest.mark.parametrize(
    ("source", "option"),
    [
        (s, o)
        for s in (*SOURCES, *INSISTED)
        for o in VALUES
        if o not in TAKEN[s] and o not in PLACES
    ],
)
def test_an_option_that_a_source_does_not_take_is_refused_with_what_to_do(capsys, source, option):
    save, suffix = (volume, ".nii.gz") if source in INSISTED else (picture, ".png")
    words = laid_out(source, save, suffix)
    assert main([*words, f"--{option.replace('_', '-')}", VALUES[option]]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert f"--{option.replace('_', '-')}" in line
    assert "leave out" in line
    if source == "FILE.toml":
        assert f"say it there ({KEYS[option]})" in line
    assert not Path("t").exists()


@pytest.mark.parametrize("source", ["o.toml", "./d", "Nothing"])
@pytest.mark.parametrize("other", ["--images", "--nnunet", *INSISTED])
def test_two_sources_at_once_are_refused(capsys, source, other):
    laid_out("FOLDER", picture, ".png")
    assert main(["build", source, other, "d", "--out", "t"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    if source == "./d":
        assert f"expected one source of files, found ./d and {other}; leave out one" in line


@pytest.mark.parametrize(
    "words",
    [["o.toml"], ["./d"], *([option, "d"] for option in ("--images", "--nnunet", *INSISTED))],
)
def test_a_catalogue_of_ones_own_is_for_names(capsys, words):
    laid_out("FOLDER", picture, ".png")
    Path("own").mkdir()
    Path("o.toml").rename("own/x.toml")
    assert main(["build", *words, "--catalog", "own", "--out", "t"]) == 2
    assert "--catalog: for datasets by NAME" in capsys.readouterr().err


@pytest.mark.parametrize("source", INSISTED)
def test_a_folder_of_a_named_layout_takes_the_options_of_volumes(capsys, source):
    words = laid_out(source, volume, ".nii.gz")
    assert main([*words, "--description", "chests", "--target-labels", "1"]) == 0
    assert main([*words, "--projection", "axial", "--spacing-mm", "1,1"]) == 2
    told = capsys.readouterr().err
    assert re.search(r"--spacing-mm: .* is a volume; --projection: .*; leave them out", told)


@pytest.mark.parametrize("source", ["--images", "--nnunet", "FOLDER"])
@pytest.mark.parametrize(
    ("option", "save", "suffix", "told"),
    [
        ("projection", volume, ".nii", "it is for 2D images, .* is a volume; leave it out"),
        ("spacing_mm", volume, ".nii.gz", "it is for 2D images, .* is a volume; leave it out"),
        ("spacing_from", picture, ".png", "no file has one; leave it out"),
        ("spacing_from", picture, ".tif", "no file has one; leave it out"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(capsys, source, option, save, suffix, told):
    words = laid_out(source, save, suffix)
    more = ["--spacing-mm", "1,1"] if save is picture else []
    assert main([*words, *more, f"--{option.replace('_', '-')}", VALUES[option]]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert re.search(rf"--{option.replace('_', '-')}: .*{told}", line)
    assert not Path("t").exists()


def test_labels_without_masks_and_measures_without_landmarks_are_refused(capsys):
    words = laid_out("--images", picture, ".png")
    Path("p").mkdir()
    for case in "ab":
        Path("p", f"{case}.json").write_text('{"A": [1, 2], "B": [5, 2]}', encoding="utf-8")
    measure = {"landmarks": {"A": "a", "B": "b"}, "lines": {"L": {"landmarks": ["A", "B"]}}}
    measure["measure"] = [{"kind": "distance", "key": "L"}]
    Path("b.json").write_text(json.dumps(measure), encoding="utf-8")
    points = ["--landmarks", "p", "--biometrics", "b.json"]
    bare = ["build", "--images", "d/images", "--name", "o", "--modality", "US", "--out", "t"]
    bare += ["--spacing-mm", "1,1"]
    assert main([*words, "--spacing-mm", "1,1", "--biometrics", "b.json"]) == 2
    assert "--biometrics: it measures between --landmarks" in capsys.readouterr().err
    assert main([*bare, *points, "--labels", "l.json"]) == 2
    assert "--labels: it names what --masks hold" in capsys.readouterr().err
    assert main([*bare, *points, "--labels", "l.json", "--target-labels", "1"]) == 2
    assert "--target-labels: structures are sized by masks" in capsys.readouterr().err
    assert main([*bare, *points]) == 0


def test_modalities_of_nnunet_are_its_channels_and_an_option_is_for_those_that_name_none(capsys):
    words = laid_out("--nnunet", volume, ".nii.gz", modality="CT")
    assert main([*words, "--modality", "MRI"]) == 2
    told = capsys.readouterr().err
    assert "--modality MRI" in told
    assert "names that of every channel (CT)" in told
    content = json.loads(Path("d/dataset.json").read_text(encoding="utf-8"))
    content["channel_names"] = {"0": "CT", "1": "contrast"}
    Path("d/dataset.json").write_text(json.dumps(content), encoding="utf-8")
    for case in "ab":
        volume(Path(f"d/imagesTr/{case}_0001.nii.gz"), MASK)
    assert main(words) == 2
    assert "channel 'contrast' of dataset.json names no modality; add" in capsys.readouterr().err
    assert main([*words, "--modality", "MRI"]) == 0
    for row in read_cases(Path("t")).to_pylist():
        found = {image["image_id"]: image["modality"] for image in row["images"]}
        assert found == {"CT": "CT", "contrast": "MRI"}


def test_options_of_pictures_count_for_nnunet(capsys):
    words = laid_out("--nnunet", picture, ".png", modality="XR")
    more = ["--spacing-mm", "0.5,0.25", "--projection", "coronal", "--description", "chests"]
    assert main([*words, *more]) == 0
    assert {row["plane"] for row in read_regions(Path("t")).to_pylist()} == {"coronal"}
    areas = {row["area_mm2"] for row in read_regions(Path("t")).to_pylist()}
    assert areas == {MASK.sum() * 0.125}
    assert (
        json.loads(Path("t/manifest.json").read_text(encoding="utf-8"))["description"] == "chests"
    )


@pytest.mark.parametrize("source", SOURCES)
def test_what_a_message_advises_for_pictures_without_spacing_is_taken(capsys, source):
    words = laid_out(source, picture, ".png")
    assert main(words) == 1
    told = capsys.readouterr().err
    check_named(source, told)
    is_file = source == "FILE.toml"
    assert ("spacing_yx_mm = [Y, X] in the declaration" if is_file else "--spacing-mm Y,X") in told
    assert main([*words, *advised(source, "--spacing-mm", "spacing_yx_mm = [1, 1]", "1,1")]) == 0


@pytest.mark.parametrize("source", SOURCES)
def test_what_a_message_advises_for_contradictory_headers_is_taken(capsys, source):
    def save(path, array):
        volume(path, array, contradictory=True)

    words = laid_out(source, save, ".nii")
    assert main(words) == 1
    told = capsys.readouterr().err
    check_named(source, told)
    is_file = source == "FILE.toml"
    assert ('spacing_from = "pixdim"' if is_file else "--spacing-from pixdim") in told
    assert (
        main([*words, *advised(source, "--spacing-from", 'spacing_from = "sform"', "sform")]) == 0
    )


def damaged(source, fault):
    """A source with a fault, and the words of its command."""
    words = laid_out(source, picture, ".png")
    words += advised(source, "--spacing-mm", "spacing_yx_mm = [1, 1]", "1,1")
    nnunet = source == "--nnunet"
    images = Path("d/imagesTr" if nnunet else "d/images")
    masks = Path("d/labelsTr" if nnunet else "d/masks")
    match fault:
        case "unknown value":
            picture(masks / "a.png", MASK * 7)
        case "two files of one name":
            picture(masks / "a.bmp", MASK)
        case "two images of one name":
            picture(images / ("a_0000.bmp" if nnunet else "a.bmp"), MASK)
        case "no mask":
            (masks / "a.png").unlink()
        case "another size":
            picture(masks / "a.png", MASK[:-1])
        case "colour":
            picture(masks / "a.png", np.stack([MASK, MASK * 2, MASK], axis=2))
        case "empty":
            picture(masks / "a.png", MASK * 0)
    return words


FAULTS = ["unknown value", "two files of one name", "two images of one name", "no mask"]
FAULTS += ["another size", "colour", "empty"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("source", SOURCES)
def test_no_message_of_a_fault_names_what_the_source_has_not(capsys, source, fault):
    words = damaged(source, fault)
    assert main(words) in (0, 1, 2)  # a declaration names its files: others are left over
    told = capsys.readouterr().err
    check_named(source, told)
    assert "label file" not in told
    if source != "--images":
        assert "--images" not in told


# Whose builds run a module, where not all do; and what runs it beside builds.
RUN_BY = {
    "table/folders.py": ("--images",),  # other layouts name their folders themselves
    "table/nnunet.py": ("--nnunet",),
    "table/labels.py": ("--images", "--nnunet", "FOLDER", *INSISTED),
    "describe/answers.py": ("FOLDER", *INSISTED),
    "catalog/own.py": (),  # of `--catalog`, which names are looked up in
    "table/plan_import.py": (),  # of `import plan`
    "catalog/dataset.py": (),
}
READING = ("volumes", "annotate", "table", "describe", "catalog")


def texts(path):
    """The texts of a module but its docstrings; of formatted ones the fixed parts."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def test_no_text_of_the_rooms_that_read_names_an_option_that_a_source_refuses():
    n_options = 0
    for room in READING:
        for path in sorted((ROOT / "src/medvision" / room).rglob("*.py")):
            module = path.relative_to(ROOT / "src/medvision").as_posix()
            if module == "table/wording.py":
                continue
            for text in texts(path):
                n_options += len(OPTION.findall(text))
                for source in RUN_BY.get(module, (*SOURCES, *INSISTED, "NAME")):
                    said = in_keys(text) if source in DECLARED else text
                    named = set(OPTION.findall(said)) - OF_ALL
                    taken = {f"--{name.replace('_', '-')}" for name in TAKEN[source]}
                    assert named <= taken, f"{module}, {source}: {text!r}"
    assert n_options > 15


def test_the_page_on_inputs_lists_the_options_of_each_source():
    page = (ROOT / "docs/inputs.md").read_text(encoding="utf-8")
    table = page.split("\n## Options\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| `--")]
    found = {row[0].strip().strip("`"): [cell.strip() for cell in row[1:7]] for row in rows}
    columns = ("--images", "--nnunet", "--bids", "--totalsegmentator", "FOLDER", "FILE.toml")
    for name in VALUES:
        option = f"--{name.replace('_', '-')}"
        cells = found.pop(option)
        for source, cell in zip(columns, cells, strict=True):
            if name in TAKEN[source]:
                assert cell not in ("no", ""), f"{option} {source}"
            elif source == "FILE.toml" and name in KEYS:
                assert cell == f"`{KEYS[name]}`"
            else:
                assert cell == "no", f"{option} {source}"
    assert found == {}
