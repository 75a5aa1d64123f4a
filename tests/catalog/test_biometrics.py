"""Files that say what to measure from landmarks."""

import json
from pathlib import Path
from typing import Any

import pytest

from medvision.catalog.biometrics import (
    BiometricsSpec,
    BiometricsSpecError,
    LineSpec,
    MeasurementSpec,
    parse_biometrics_spec,
    read_biometrics_spec,
)
from medvision.tasks import MetricKind

CONTENT: dict[str, Any] = {
    "landmarks": {"s": "sella", "n": "nasion", "a": "subspinale", "b": "supramentale"},
    "lines": {
        "sn": {"name": "anterior cranial base length", "landmarks": ["s", "n"]},
        "na": {"name": "", "points": ["n", "a"]},
        "ab": {"landmarks": ["a", "b"]},
    },
    "angles": {
        "sna": {"name": "SNA angle", "lines": ["sn", "na"]},
        "sn_ab": {"name": "", "lines": ["sn", "ab"]},
    },
    "measure": [
        {"kind": "distance", "key": "sn"},
        {"kind": "angle", "key": "sna"},
        {"kind": "angle", "key": "sn_ab", "plane": "any"},
    ],
}

TOML = """
[landmarks]
s = "sella"
n = "nasion"
a = "subspinale"
b = "supramentale"
[lines.sn]
name = "anterior cranial base length"
landmarks = ["s", "n"]
[lines.na]
name = ""
points = ["n", "a"]
[lines.ab]
landmarks = ["a", "b"]
[angles.sna]
name = "SNA angle"
lines = ["sn", "na"]
[angles.sn_ab]
lines = ["sn", "ab"]
[[measure]]
kind = "distance"
key = "sn"
[[measure]]
kind = "angle"
key = "sna"
[[measure]]
kind = "angle"
key = "sn_ab"
"""


def content(**changes: Any) -> dict[str, Any]:
    return json.loads(json.dumps(CONTENT)) | changes


def test_json_and_toml_give_the_same_specification(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(json.dumps(CONTENT))
    (tmp_path / "b.toml").write_text(TOML)
    assert read_biometrics_spec(tmp_path / "b.json") == read_biometrics_spec(tmp_path / "b.toml")


def test_empty_names_are_made_from_the_landmarks() -> None:
    spec = parse_biometrics_spec(content(), "test")
    assert spec.lines["na"].name == "distance between nasion and subspinale"
    assert spec.lines["sn"].name == "anterior cranial base length"
    assert spec.angles["sn_ab"].name == (
        "angle between anterior cranial base length and the line through subspinale and "
        "supramentale"
    )


def test_absent_plane_is_any() -> None:
    assert [entry.plane for entry in parse_biometrics_spec(content(), "test").measure] == [None] * 3


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"metrics": []}, "unknown key 'metrics'; known: angles, landmarks, lines, measure"),
        ({"measure": []}, "at least one measurement"),
        ({"landmarks": ["s"]}, "landmarks: expected a table"),
        ({"landmarks": {"s": 1}}, "landmarks.s: expected text, found 1"),
        (
            {"lines": {"sx": {"landmarks": ["s", "x"]}}},
            "lines.sx: unknown landmark 'x'; known: s, n, a, b",
        ),
        ({"lines": {"ss": {"landmarks": ["s", "s"]}}}, "'s' twice"),
        ({"lines": {"s": {"landmarks": ["s"]}}}, "lines.s.landmarks: expected 2 values, found 1"),
        (
            {"lines": {"sn": {"landmarks": ["s", "n"], "colour": 1}}},
            "lines.sn: unknown key 'colour'; known: landmarks, name",
        ),
        ({"lines": {"sn": {"name": "x"}}}, "lines.sn: missing key 'landmarks'"),
        (
            {"lines": {"sn": {"name": 3, "landmarks": ["s", "n"]}}},
            "lines.sn.name: expected text, found 3",
        ),
        (
            {"angles": {"x": {"lines": ["sn", "no"]}}},
            "angles.x: unknown line 'no'; known: sn, na, ab",
        ),
        ({"angles": {"sn": {"lines": ["sn", "na"]}}}, "both for sn"),
        (
            {"measure": [{"kind": "area", "key": "sn"}]},
            r'measure\[0\].kind: expected one of distance, angle, found "area"',
        ),
        (
            {"measure": [{"kind": "distance", "key": "sna"}]},
            r"measure\[0\].key: unknown line 'sna'; .* known: sn, na, ab",
        ),
        (
            {"measure": [{"kind": "angle", "key": "sn"}]},
            r"measure\[0\].key: unknown angle 'sn'; .* known: sna, sn_ab",
        ),
        (
            {"measure": [{"kind": "distance", "key": "sn", "plane": "oblique"}]},
            'plane: expected one of sagittal, coronal, axial, native, any, found "oblique"',
        ),
        (
            {"measure": [{"kind": "distance", "key": "sn", "unit": "mm"}]},
            r"measure\[0\]: unknown key 'unit'; known: image, key, kind, plane",
        ),
        (
            {
                "measure": [
                    {"kind": "distance", "key": "sn"},
                    {"kind": "distance", "key": "sn", "plane": "axial"},
                ]
            },
            "measured twice, on planes any and axial",
        ),
    ],
)
def test_contradictory_specification_is_refused_by_name(changes: Any, match: str) -> None:
    with pytest.raises(BiometricsSpecError, match=match):
        parse_biometrics_spec(content(**changes), "test")


def test_angle_of_one_line_with_itself_is_refused() -> None:
    lines = {"sn": {"landmarks": ["s", "n"]}, "ns": {"landmarks": ["n", "s"]}}
    with pytest.raises(BiometricsSpecError, match="'sn' and 'ns' are one line"):
        parse_biometrics_spec(content(lines=lines, angles={"x": {"lines": ["sn", "ns"]}}), "test")


@pytest.mark.parametrize("key", ["landmarks", "lines", "measure"])
def test_missing_part_is_named(key: str) -> None:
    without = {part: value for part, value in content().items() if part != key}
    with pytest.raises(BiometricsSpecError, match=f"test: missing key '{key}'"):
        parse_biometrics_spec(without, "test")


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("b.json", "{", "expected JSON, found: .*line 1"),
        ("b.toml", "x", "expected TOML, found: "),
        ("b.yaml", "", "expected a .json or .toml"),
        ("b.json", '{"lines": {}, "lines": {}}', "key 'lines' is given twice"),
        ("b.json", "[]", "expected a table"),
    ],
)
def test_unreadable_specification_is_one_clear_error(
    tmp_path: Path, name: str, text: str, match: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BiometricsSpecError, match=match):
        read_biometrics_spec(tmp_path / name)


def test_missing_specification_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(BiometricsSpecError, match=r"absent\.toml"):
        read_biometrics_spec(tmp_path / "absent.toml")


def test_all_contradictions_are_told_at_once() -> None:
    changes = {"lines": {"sx": {"landmarks": ["s", "x"]}}, "angles": {}}
    with pytest.raises(BiometricsSpecError) as caught:
        parse_biometrics_spec(content(**changes), "test")
    assert str(caught.value).splitlines() == [
        "test: lines.sx: unknown landmark 'x'; known: s, n, a, b",
        "test: measure[0].key: unknown line 'sn'; known: sx",
        "test: measure[1].key: unknown angle 'sna'; known: none",
        "test: measure[2].key: unknown angle 'sn_ab'; known: none",
    ]


def test_a_specification_made_in_memory_is_held_to_the_same() -> None:
    line = LineSpec(landmarks=("s", "n"))
    measure = (MeasurementSpec(kind=MetricKind.DISTANCE, key="sn"),)
    landmarks = {"s": "sella", "n": ""}
    spec = BiometricsSpec(landmarks=landmarks, lines={"sn": line}, measure=measure)
    assert spec.metric_name(measure[0]) == "distance between sella and n"
    with pytest.raises(BiometricsSpecError, match="unknown line 'sn'; known: ns"):
        BiometricsSpec(landmarks=landmarks, lines={"ns": line}, measure=measure)
