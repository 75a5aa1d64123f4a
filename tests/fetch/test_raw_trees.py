"""From a dataset's name to its tables, on a miniature of what its owner offers.

Each tree of `tests/raw_trees` is offered by a stand-in of its host, or lies at hand where a person
must get it; then `fetch NAME` and `build NAME`. Every number of the tables is compared with a plain
reading of the same files.
"""

import importlib
import pkgutil

import numpy as np
import pytest

import tests.raw_trees as trees
from medvision.catalog import own
from medvision.catalog.dataset import dataset_names, load_dataset
from medvision.cli import main
from medvision.fetch.ways import ways_of
from medvision.table.read import image_path, read_biometrics, read_cases, read_regions
from medvision.volumes import read_volume
from tests.fetch.archive_files import write_archive
from tests.fetch.offered import hosts, of_source, offer, unpinned

__all__ = ["hosts"]  # a fixture

MODULES = {
    module.DATASET: module
    for info in pkgutil.iter_modules(trees.__path__)
    if hasattr(module := importlib.import_module(f"tests.raw_trees.{info.name}"), "DATASET")
}
OF_PACKAGES = {"afids-mni", "colin27-aal", "mni152-tissue", "pyradiomics-tumors"}


def packed(folder, archives):
    """Archive, or loose file, to its bytes; archives within archives are packed first."""
    made = {}
    for name, members in archives.items():
        if any(isinstance(content, dict) for content in members.values()):
            members = packed(folder / "inner", members)
        if "." in name:
            made[name] = write_archive(folder / name, members).read_bytes() if members else b""
        else:
            made |= {f"{name}/{member}".lstrip("/"): data for member, data in members.items()}
    return {name: data for name, data in made.items() if data}


def written(folder, files):
    for name, content in files.items():
        if isinstance(content, dict):
            written(folder / name, content)
            continue
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.fixture
def built(request, hosts, tmp_path, monkeypatch):
    """A dataset's table folder, and its cases by the plain reading."""
    for library in ("py7zr", "rarfile", "huggingface_hub", "SimpleITK"):
        pytest.importorskip(library)
    name = request.param
    module, declared = MODULES[name], load_dataset(name)
    dataset = unpinned(declared, hosts[0].url)
    monkeypatch.setattr(own, "load_dataset", lambda _: dataset)
    members = module.members()
    files = packed(tmp_path / "packed", members)
    role, by_hand = getattr(module, "ROLE", "original"), getattr(module, "BY_HAND", "")
    root = tmp_path / "root"
    options = ["--accept-licence", "--source", role, "--root", str(root)]
    if by_hand:
        options += ["--from", str(written(tmp_path / "mine", files))]
    else:
        (way,) = (way for way in ways_of(dataset) if way.role == role)
        for source in way.sources:
            offer(source, of_source(source, files), hosts, monkeypatch)
    if by_hand == "folders":  # parts whose archives nobody has named are laid out by a person
        written(root / "raw" / name, members[""])
    assert main(["fetch", name, *options]) == 0
    assert main(["build", name, "--root", str(root)]) == 0
    plain = written(tmp_path / "plain", members)
    return root / "tables" / name, list(module.read(plain))


every_tree = pytest.mark.parametrize("built", sorted(MODULES), indirect=True)


@every_tree
def test_tables_of_a_raw_tree_hold_what_a_plain_reading_finds(built, capsys):
    tables, cases = built
    rows = {(row["cohort"], row["case_id"]): row for row in read_cases(tables).to_pylist()}
    assert {(case.cohort, case.case_id) for case in cases} == rows.keys()
    regions, biometrics = read_regions(tables).to_pylist(), read_biometrics(tables).to_pylist()
    assert bool(regions) == any(case.labels is not None for case in cases)
    for case in cases:
        row, key = rows[case.cohort, case.case_id], (case.cohort, case.case_id)
        assert row["subject_id"] == case.subject_id
        assert {image["image_id"] for image in row["images"]} == case.images.keys()
        same_spacing(row, case)
        same_voxels(row, case, tables)
        same_regions([one for one in regions if (one["cohort"], one["case_id"]) == key], case)
        same_measurements(
            [one for one in biometrics if (one["cohort"], one["case_id"]) == key], case
        )


def same_spacing(row, case):
    spacing_mm = case.spacing_mm or np.linalg.norm(case.affine[:3, :3], axis=0)
    if not case.spacing_mm:
        _, spacing_mm = trees.canonical(np.zeros((2, 2, 2)), case.affine)
    found = row["spacing_mm"][: len(spacing_mm)]
    assert found == pytest.approx(list(spacing_mm), rel=1e-5)


def same_voxels(row, case, tables):
    """Every image holds the values of its own channel, in RAS+ order; NaN: nothing is known."""
    for image in row["images"]:
        expected = case.images[image["image_id"]]
        if expected is None:
            continue
        turned, _ = trees.canonical_values(expected, case.affine)
        found = read_volume(image_path(image["uri"], tables)).array
        known = np.isfinite(turned)
        assert found.shape == turned.shape
        assert known.mean() > 0.3
        np.testing.assert_allclose(found[known], turned[known], rtol=1e-4, atol=0.05)


def same_regions(rows, case):
    expected = trees.regions(case)
    found, axes = {}, {}
    for row in rows:
        key = (row["plane"], row["slice_index"], row["label_id"])
        box = tuple(row[side] for side in ("x0_px", "y0_px", "x1_px", "y1_px"))
        found.setdefault(key, []).append((*box, row["pixel_count"], row["area_mm2"]))
        if row["ellipse_status"] == "ok":
            axes[key] = (row["ellipse_major_mm"], row["ellipse_minor_mm"])
    assert found.keys() == expected.keys()
    for key, parts in expected.items():
        assert [one[:5] for one in sorted(found[key])] == [one[:5] for one in parts]
        assert [one[5] for one in sorted(found[key])] == pytest.approx([one[5] for one in parts])
    lengths = trees.axes_mm(case)
    assert bool(lengths) == bool(case.targets)
    for key, expected_mm in lengths.items():
        assert axes[key] == pytest.approx(expected_mm, rel=1e-4)


def same_measurements(rows, case):
    found = {row["metric_key"]: row for row in rows}
    assert found.keys() == case.measured.keys()
    for key, (value, plane, index, *ends) in case.measured.items():
        assert found[key]["value"] == pytest.approx(value, rel=1e-5, abs=1e-4), key
        assert (found[key]["plane"], found[key]["slice_index"]) == (plane, index), key
        points = [(point["x_px"], point["y_px"]) for point in found[key]["points"]]
        assert ends in ([], [None]) or np.allclose(points, ends[0]), key


def test_every_dataset_with_cohorts_has_a_tree():
    with_files = {name for name in dataset_names() if load_dataset(name).cohorts}
    assert with_files - OF_PACKAGES == set(MODULES)
    assert len(MODULES) >= 22
