"""Differences planted in copies of real tables are found, counted, and named."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from medvision.cli import main
from medvision.errors import UsageError
from medvision.table.diff import Tolerance, diff_tables
from medvision.table.manifest import write_manifest
from medvision.table.parts import table_parts

EXACT = Tolerance(absolute=0.0, relative=0.0)


@pytest.fixture
def copy(study_tables, tmp_path):
    return shutil.copytree(study_tables, tmp_path / "copy")


def rewrite(tables, change, name="regions", plane="axial"):
    """Change the rows of one table on one plane."""
    paths = sorted((tables / name).glob(f"plane={plane}/**/*.parquet"))
    for path in paths or [tables / f"{name}.parquet"]:
        rows = pq.read_table(path, partitioning=None)
        pq.write_table(change(rows), path)
    manifest = json.loads((tables / "manifest.json").read_text("utf-8"))
    manifest["parts"] = table_parts(tables)  # other tables, whole in themselves
    write_manifest(tables, manifest)


def changed_column(name, change):
    def apply(rows):
        place = rows.schema.get_field_index(name)
        values = [change(value) for value in rows[name].to_pylist()]
        return rows.set_column(place, rows.field(place), pa.array(values, rows.field(place).type))

    return apply


def test_a_table_equals_itself_and_its_copy(study_tables, copy, capsys):
    found = diff_tables(study_tables, copy, EXACT)
    assert all(diff.equal for diff in found.values())
    assert found["regions"].n_matched == found["regions"].n_a > 100
    assert main(["table", "diff", str(study_tables), str(copy)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "equal"


def test_order_of_rows_is_no_difference(study_tables, copy):
    rng = np.random.default_rng(0)
    rewrite(copy, lambda rows: rows.take(rng.permutation(rows.num_rows)))
    assert diff_tables(study_tables, copy, EXACT)["regions"].equal


def planted(keep):
    return lambda rows: rows.filter(keep(rows))


@pytest.mark.parametrize(
    ("keep", "reason"),
    [
        (lambda rows: pc.not_equal(rows["case_id"], "c3"), "plane_absent"),
        (
            lambda rows: pc.or_(
                pc.not_equal(rows["case_id"], "c3"), pc.not_equal(rows["label"], "liver tumor")
            ),
            "label_absent",
        ),
        (lambda rows: pc.not_equal(rows["slice_index"], 5), "slice_absent"),
        (lambda rows: pc.equal(rows["component"], 0), "component_absent"),
    ],
)
def test_missing_rows_are_dropped_by_the_widest_thing_that_lacks(study_tables, copy, keep, reason):
    before = diff_tables(study_tables, copy, EXACT)["regions"]
    rewrite(copy, planted(keep))
    found = diff_tables(study_tables, copy, EXACT)["regions"]
    assert dict(found.dropped) == {reason: before.n_b - found.n_b}
    assert not found.added
    assert not found.changed
    back = diff_tables(copy, study_tables, EXACT)["regions"]
    assert dict(back.added) == dict(found.dropped)


def test_missing_cases_are_named_in_every_table(study_tables, copy):
    def without_c3(rows):
        return rows.filter(pc.not_equal(rows["case_id"], "c3"))

    rewrite(copy, without_c3, name="cases", plane="none")
    for plane in ("axial", "coronal", "sagittal"):
        rewrite(copy, without_c3, plane=plane)
    found = diff_tables(study_tables, copy, EXACT)
    assert dict(found["cases"].dropped) == {"case_absent": 1}
    assert set(found["regions"].dropped) == {"case_absent"}
    (example,) = found["cases"].examples["dropped: case_absent"]
    assert example.key == ("", "c3")


@pytest.mark.parametrize(
    ("column", "change", "reason"),
    [
        ("label", lambda text: text.replace("tumor", "tumour"), "label"),
        ("x0_px", lambda value: value - 1, "box"),
        ("n_components", lambda value: value + 1, "components"),
        ("area_mm2", lambda value: value * 2, "area"),
        ("ellipse_major_mm", lambda value: value and value + 0.5, "ellipse"),
        ("spacing_y_mm", lambda value: value + 0.1, "spacing"),
        ("subject_id", lambda text: f"{text}x", "subject"),
    ],
)
def test_changed_values_are_counted_by_reason(study_tables, copy, column, change, reason):
    rewrite(copy, changed_column(column, change))
    found = diff_tables(study_tables, copy, Tolerance())["regions"]
    assert set(found.changed) == {reason}
    example = found.examples[f"changed: {reason}"][0]
    assert example.a != example.b
    assert "axial" in example.key


def test_tolerance_is_absolute_plus_relative(study_tables, copy):
    rewrite(copy, changed_column("area_mm2", lambda value: value + 0.5))
    for tolerance, equal in (
        (Tolerance(absolute=0.6, relative=0.0), True),
        (Tolerance(absolute=0.4, relative=0.0), False),
        (Tolerance(absolute=0.0, relative=1.0), True),
    ):
        assert diff_tables(study_tables, copy, tolerance)["regions"].equal is equal


def test_values_on_one_side_only_are_unknown(study_tables, copy):
    rewrite(copy, changed_column("feret_max_mm", lambda _: None))
    found = diff_tables(study_tables, copy, EXACT)["regions"]
    assert found.equal
    assert found.unknown["feret_max_mm"] > 0


def test_split_and_spacing_of_cases_are_compared(study_tables, copy):
    flip = {"train": "test", "test": "train"}
    rewrite(copy, changed_column("split", flip.get), name="cases", plane="none")
    rewrite(
        copy,
        changed_column("spacing_mm", lambda v: [v[0], v[1], v[2] + 1]),
        name="cases",
        plane="none",
    )
    found = diff_tables(study_tables, copy, EXACT)["cases"]
    assert dict(found.changed) == {"split": 10, "spacing": 10}


def test_json_has_counts_and_examples(study_tables, copy, capsys):
    rewrite(copy, changed_column("label", str.upper))
    assert main(["table", "diff", str(study_tables), str(copy), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["equal"] is False
    assert list(found["tables"]) == ["cases", "regions", "biometrics"]
    assert found["tables"]["regions"]["changed"]["label"] > 0
    example = found["tables"]["regions"]["examples"]["changed: label"][0]
    assert example["b"] == example["a"].upper()


def test_lines_say_what_changed(study_tables, copy, capsys):
    rewrite(copy, changed_column("label", str.upper))
    assert main(["table", "diff", str(study_tables), str(copy)]) == 1
    shown = capsys.readouterr().out
    assert "liver -> LIVER" in shown
    assert shown.splitlines()[-1] == "different"


def test_other_datasets_and_missing_folders_are_refused(study_tables, copy, tmp_path):
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    (copy / "manifest.json").write_text(json.dumps({**manifest, "name": "other"}))
    with pytest.raises(UsageError, match="expected tables of one dataset, found 'study 1'"):
        diff_tables(study_tables, copy, EXACT)
    with pytest.raises(UsageError, match="expected a table folder"):
        diff_tables(study_tables, tmp_path / "nothing", EXACT)
