"""Landmark files in every format, and their way into the canonical array."""

import gzip
import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvision.annotate.biometrics import biometric_rows, parse_biometrics_spec
from medvision.annotate.landmark_frames import canonical_ijk, native_xy
from medvision.annotate.landmarks import (
    DuplicateLandmarkError,
    EmptyLandmarksError,
    LandmarkFormatError,
    LandmarkFrameError,
    Landmarks,
    LandmarkSpace,
    LandmarkValueError,
    UnreadableLandmarksError,
    read_landmarks,
)

POINTS = {"a": (1.0, 2.25, 3.0), "b": (-4.5, 5.0, 6.0)}

FCSV = """# Markups fiducial file version = 4.11
# CoordinateSystem = {system}
# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID
n_0,1.0,2.25,3.0,0,0,0,1,1,1,0,a,"first, of two",
n_1,-4.5,5,6e0,0,0,0,1,1,1,0,b,second,
"""


def markups(system: str = "LPS", **changes: object) -> str:
    points = [
        {"id": "1", "label": "a", "position": [1.0, 2.25, 3.0], "positionStatus": "defined"},
        {"id": "2", "label": "b", "position": [-4.5, 5.0, 6.0]},
        {"id": "3", "label": "c", "position": [0.0, 0.0, 0.0], "positionStatus": "undefined"},
    ]
    markup = {"type": "Fiducial", "coordinateSystem": system, "controlPoints": points} | changes
    return json.dumps({"markups": [markup]})


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text", "space"),
    [
        ("p.json", json.dumps(POINTS), "voxel"),
        ("p.json", json.dumps({"space": "ras", "landmarks": POINTS}), "RAS"),
        ("p.json", json.dumps({"space": "LPS", "landmarks": POINTS}), "LPS"),
        ("p.json", json.dumps({"landmarks": POINTS}), "voxel"),
        ("p.csv", "key,x,y,z\na,1,2.25,3\nb,-4.5,5,6\n", "voxel"),
        ("p.csv", "\ufeffkey, i, j, k\r\na, 1, 2.25, 3\r\nb, -4.5, 5, 6\r\n", "voxel"),
        ("p.csv", "key,x,y,z,space\na,1,2.25,3,RAS\nb,-4.5,5,6,RAS\n", "RAS"),
        ("p.csv", "space,key,z,y,x\nLPS,a,3,2.25,1\nLPS,b,6,5,-4.5\n", "LPS"),
        ("p.fcsv", FCSV.format(system="0"), "RAS"),
        ("p.fcsv", FCSV.format(system="1"), "LPS"),
        ("p.fcsv", FCSV.format(system="RAS"), "RAS"),
        ("p.fcsv", FCSV.format(system="LPS"), "LPS"),
        ("p.mrk.json", markups("LPS"), "LPS"),
        ("p.mrk.json", markups("RAS"), "RAS"),
    ],
)
def test_each_format_gives_the_same_points_in_the_space_it_states(
    tmp_path: Path, name: str, text: str, space: str
) -> None:
    landmarks = read_landmarks(write(tmp_path / name, text))
    assert dict(landmarks.points) == POINTS
    assert landmarks.space == space


def test_gzipped_json_is_read(tmp_path: Path) -> None:
    path = tmp_path / "p.json.gz"
    path.write_bytes(gzip.compress(json.dumps(POINTS).encode()))
    assert dict(read_landmarks(path).points) == POINTS


def test_key_named_like_a_wrapper_field_is_a_landmark(tmp_path: Path) -> None:
    text = '{"space": [1, 2, 3], "landmarks": [4, 5, 6]}'
    landmarks = read_landmarks(write(tmp_path / "p.json", text))
    assert dict(landmarks.points) == {"space": (1, 2, 3), "landmarks": (4, 5, 6)}


@pytest.mark.parametrize(
    ("name", "text", "error", "match"),
    [
        ("p.json", '{"a": [1, 2', UnreadableLandmarksError, "expected JSON"),
        ("p.txt", "", LandmarkFormatError, "expected a landmark file"),
        ("p.json", "[1, 2, 3]", LandmarkFormatError, "expected a JSON object"),
        ("p.json", "{}", EmptyLandmarksError, "found none"),
        ("p.json", '{"space": "RAS", "landmarks": {}}', EmptyLandmarksError, "found none"),
        ("p.json", '{"a": [1, NaN, 3]}', LandmarkValueError, "'a' needs two or three finite"),
        ("p.json", '{"a": [1, Infinity, 3]}', LandmarkValueError, "'a' needs two or three finite"),
        ("p.json", '{"a": [1]}', LandmarkValueError, "'a' needs two or three finite"),
        ("p.json", '{"a": [1, 2, 3, 4]}', LandmarkValueError, "'a' needs two or three finite"),
        ("p.json", f'{{"a": [1, {10**400}, 3]}}', LandmarkValueError, "'a' needs two or three"),
        ("p.json", '{"a": null}', LandmarkValueError, "'a' needs two or three finite"),
        ("p.json", '{"a": [true, 2, 3]}', LandmarkValueError, "'a' needs two or three finite"),
        ("p.json", '{"a": [1, "2", 3]}', LandmarkValueError, "'a' needs two or three finite"),
        ("p.json", '{"a": [1, 2], "b": [1, 2, 3]}', LandmarkValueError, "one dimension"),
        (
            "p.json",
            '{"a": [1, 2, 3], "a": [1, 2, 4]}',
            DuplicateLandmarkError,
            "'a' is given twice",
        ),
        ("p.json", '{"": [1, 2, 3]}', LandmarkFormatError, "no key"),
        ("p.json", '{"space": "MNI", "landmarks": {"a": [1, 2, 3]}}', LandmarkFormatError, "'MNI'"),
        ("p.json", '{"frame": "RAS", "landmarks": {"a": [1, 2, 3]}}', LandmarkFormatError, "frame"),
        ("p.json", '{"space": "RAS", "landmarks": {"a": [1, 2]}}', LandmarkValueError, "three"),
        ("p.csv", "", LandmarkFormatError, "an empty file"),
        ("p.csv", "key,x,y,z\n", EmptyLandmarksError, "found none"),
        ("p.csv", "name,x,y,z\na,1,2,3\n", LandmarkFormatError, "expected the columns key"),
        ("p.csv", "key,x,y,z\na,1,2\n", LandmarkFormatError, "expected 4 fields on line 2"),
        ("p.csv", "key,x,y,z\na,1,2,3,4\n", LandmarkFormatError, "expected 4 fields on line 2"),
        ("p.csv", "key,x,y,z\na,1,2,abc\n", LandmarkValueError, "'a' needs"),
        ("p.csv", "key,x,y,z\na,1,2,3\na,1,2,3\n", DuplicateLandmarkError, "'a' is given twice"),
        ("p.csv", "key,i,j,k,space\na,1,2,3,RAS\n", LandmarkFormatError, "name them x, y, z"),
        (
            "p.csv",
            "key,x,y,z,space\na,1,2,3,RAS\nb,1,2,3,LPS\n",
            LandmarkFormatError,
            "one space for all",
        ),
        (
            "p.csv",
            f"key,x,y,z\n{'a' * 140_000},1,2,3\n",
            LandmarkFormatError,
            "line 2 .*field larger",
        ),
        (
            "p.csv",
            f"key,x,y,z\na,{'1' * 140_000},2,3\n",
            LandmarkFormatError,
            "line 2 .*field larger",
        ),
        ("p.csv", 'key,x,y,z\n"a,1,2,3\nb,1,2,3\n', LandmarkFormatError, "unexpected end.*quote"),
        ("p.csv", "key;x;y;z\na;1,5;2;3\n", LandmarkFormatError, "separated by commas; found"),
        ("p.csv", "key\tx\ty\tz\na\t1\t2\t3\n", LandmarkFormatError, "separated by commas"),
        (
            "p.csv",
            "key,x,y,z\na,1,5,2,5,3,5\n",
            LandmarkFormatError,
            "found 7; .*decimals by points",
        ),
        ("p.csv", 'key,x,y,z\na,"1,5",2,3\n', LandmarkValueError, "'1,5'"),
        ("p.csv", "key,x,y,z\na,1,,3\n", LandmarkValueError, r"'a' needs .*\[1.0, '', 3.0\]"),
        ("p.csv", "key,x,y,z\na,,2,3\n", LandmarkValueError, "'a' needs"),
        ("p.csv", "key,x,y\na,1,\n", LandmarkValueError, "'a' needs"),
        ("p.csv", "key,x,y,z\na,nan,2,3\n", LandmarkValueError, "'a' needs"),
        ("p.csv", "key,x,y,z\na,-inf,2,3\n", LandmarkValueError, "'a' needs"),
        ("p.csv", "key,x,y,z\na,1e999,2,3\n", LandmarkValueError, "'a' needs"),
        ("p.csv", "key,x,y,z\na,1_000,2,3\n", LandmarkValueError, "'1_000'"),
        ("p.csv", "key,x,y,z\na,٣,2,3\n", LandmarkValueError, "'a' needs"),
        ("p.csv", "key,x,x,y,z\na,1,2,3,4\n", LandmarkFormatError, "each column once"),
        ("p.csv", 'key,x,y,z\n"a\nb",1,2,3\n', LandmarkFormatError, "printed characters"),
        ("p.csv", "key,x,y,z\na\0,1,2,3\n", LandmarkFormatError, "printed characters"),
        ("p.csv", "key,x,y,z\nü,1,2,3\nu\u0308,1,2,3\n", DuplicateLandmarkError, "given twice"),
        ("p.json", "[" * 100_000, UnreadableLandmarksError, "too deep to read$"),
        ("p.json", '{"a":' * 100_000, UnreadableLandmarksError, "too deep to read$"),
        (
            "p.json",
            '{"a":' + "[" * 100_000 + "]" * 100_000 + "}",
            UnreadableLandmarksError,
            "too deep",
        ),
        ("p.json", f'{{"a": [{"9" * 5000}, 2, 3]}}', UnreadableLandmarksError, "expected JSON"),
        ("p.json", r'{"\ud800": [1, 2, 3]}', LandmarkFormatError, "printed characters"),
        ("p.json", '{"space": "RAS"}', LandmarkValueError, "'space' needs"),
        (
            "p.fcsv",
            FCSV.format(system="LPS\n# CoordinateSystem = RAS"),
            LandmarkFormatError,
            "LPS and",
        ),
        (
            "p.fcsv",
            FCSV.format(system="LPS").replace("1.0,2.25,3.0", "1,0,2,25,3,0"),
            LandmarkFormatError,
            "found 17; .*decimals by points",
        ),
        (
            "p.fcsv",
            FCSV.format(system="LPS").replace('"first, of two"', '"first'),
            LandmarkFormatError,
            "unexpected end",
        ),
        ("p.mrk.json", markups(coordinateUnits=["mm"]), LandmarkFormatError, r"\['mm'\]"),
        ("p.mrk.json", markups("IJK"), LandmarkFormatError, "'IJK'"),
        (
            "p.mrk.json",
            markups(controlPoints=[{"label": "a", "position": [1, 2, None]}]),
            LandmarkValueError,
            "'a' needs",
        ),
        ("p.fcsv", FCSV.format(system="IJK"), LandmarkFormatError, "IJK"),
        ("p.fcsv", FCSV.format(system="voxel"), LandmarkFormatError, "RAS or LPS"),
        ("p.fcsv", "n_0,1,2,3,0,0,0,1,1,1,0,a,,\n", LandmarkFormatError, "CoordinateSystem"),
        ("p.mrk.json", "{}", LandmarkFormatError, "expected 3D Slicer markups"),
        ("p.mrk.json", markups(coordinateSystem=None), LandmarkFormatError, "found None"),
        ("p.mrk.json", markups(coordinateUnits="um"), LandmarkFormatError, "'um'"),
        ("p.mrk.json", markups(controlPoints=[]), EmptyLandmarksError, "found none"),
    ],
)
def test_bad_file_is_one_clear_error(
    tmp_path: Path, name: str, text: str, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match) as found:
        read_landmarks(write(tmp_path / name, text))
    assert len(str(found.value).splitlines()) == 1
    assert len(str(found.value)) < 300 + len(str(tmp_path))


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp437"])
def test_text_that_is_no_utf_8_is_told_so(tmp_path: Path, encoding: str) -> None:
    for name, text in (("p.csv", "key,x,y,z\nü,1,2,3\n"), ("p.json", '{"ü": [1, 2, 3]}')):
        (tmp_path / name).write_bytes(text.encode(encoding))
        with pytest.raises(UnreadableLandmarksError, match=rf"{name}: .*save it as UTF-8"):
            read_landmarks(tmp_path / name)


def test_a_mark_before_the_text_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"a": [1, 2, 3]}', encoding="utf-8-sig")
    (tmp_path / "p.csv").write_text("key,x,y,z\na,1,2,3\n", encoding="utf-8-sig")
    for name in ("p.json", "p.csv"):
        assert dict(read_landmarks(tmp_path / name).points) == {"a": (1, 2, 3)}


def test_a_file_name_that_is_no_utf_8_is_read(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/m\xfcller.csv"))
    write(path, "key,x,y,z\na,1,2,3\n")
    assert dict(read_landmarks(path).points) == {"a": (1, 2, 3)}


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_any_way(tmp_path: Path, line_end: str) -> None:
    (tmp_path / "p.csv").write_bytes(f"key,x,y,z{line_end}a,1,2,3{line_end}{line_end}".encode())
    assert dict(read_landmarks(tmp_path / "p.csv").points) == {"a": (1, 2, 3)}


def test_an_empty_third_coordinate_is_a_pictures(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", "key,x,y,z\na,1,2,\nb,3,4,\n")
    assert dict(read_landmarks(path).points) == {"a": (1, 2), "b": (3, 4)}


def test_keys_are_compared_in_composed_form(tmp_path: Path) -> None:
    path = write(tmp_path / "p.json", json.dumps({"u\u0308": [0, 0], "b": [3, 4]}))
    spec = parse_biometrics_spec(
        {
            "landmarks": {"u\u0308": "left end", "b": "right end"},
            "lines": {"ub": {"landmarks": ["u\u0308", "b"]}},
            "measure": [{"kind": "distance", "key": "ub"}],
        },
        "spec",
    )
    found = biometric_rows(spec, read_landmarks(path).points, shape=(20, 20), spacing_mm=(1.0, 1.0))
    assert [row.value for row in found.rows] == [5.0]


def test_missing_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableLandmarksError, match=r"absent\.json"):
        read_landmarks(tmp_path / "absent.json")


def test_truncated_gzip_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "p.json.gz"
    path.write_bytes(gzip.compress(json.dumps(POINTS).encode())[:-12])
    with pytest.raises(UnreadableLandmarksError, match=r"p\.json\.gz"):
        read_landmarks(path)


# -- into the canonical array -----------------------------------------------------------------


def stored_image(codes: str, *, tilt_deg: float = 0.0) -> nib.Nifti1Image:
    """An anisotropic volume stored with the given axes, each voxel holding its own number."""
    shape, spacing_mm = (7, 6, 5), (1.0, 2.0, 3.5)
    tilt = np.radians(tilt_deg)
    rotation = np.array(
        [[np.cos(tilt), -np.sin(tilt), 0], [np.sin(tilt), np.cos(tilt), 0], [0, 0, 1]]
    )
    affine = np.eye(4)
    affine[:3, :3] = rotation * spacing_mm
    affine[:3, 3] = (-20, 11, 4)
    canonical = nib.Nifti1Image(np.arange(210, dtype=np.int16).reshape(shape), affine)
    to_stored = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(tuple(codes))
    )
    return canonical.as_reoriented(to_stored)


STORED = [("RAS", 0), ("LPS", 0), ("LAS", 12), ("PIR", 0), ("SLP", 9), ("IAL", -20), ("ARI", 30)]


@pytest.mark.parametrize(("codes", "tilt_deg"), STORED)
def test_voxel_and_world_landmarks_reach_the_voxel_that_nibabel_says(
    codes: str, tilt_deg: float
) -> None:
    image = stored_image(codes, tilt_deg=tilt_deg)
    canonical = nib.as_closest_canonical(image)
    stored_array, canonical_array = np.asarray(image.dataobj), np.asarray(canonical.dataobj)
    stored_ijk = (1, 2, 3)
    world_ras = image.affine @ (*stored_ijk, 1)
    by_space = {
        LandmarkSpace.VOXEL: tuple(map(float, stored_ijk)),
        LandmarkSpace.RAS: tuple(world_ras[:3]),
        LandmarkSpace.LPS: (-world_ras[0], -world_ras[1], world_ras[2]),
    }
    for space, point in by_space.items():
        found = canonical_ijk(
            Landmarks(source="test", space=space, points={"a": point}),
            canonical.shape,
            orientation_as_stored="".join(nib.aff2axcodes(image.affine)),
            affine=canonical.affine,
        )["a"]
        np.testing.assert_allclose(found, np.round(found), atol=1e-4)
        assert canonical_array[tuple(np.round(found).astype(int))] == stored_array[stored_ijk]


@given(
    st.sampled_from(STORED),
    st.tuples(*[st.floats(-3, 12, allow_nan=False)] * 3),
)
def test_fractional_voxel_landmarks_keep_their_world_position(
    stored: tuple[str, int], point: tuple[float, float, float]
) -> None:
    image = stored_image(stored[0], tilt_deg=stored[1])
    canonical = nib.as_closest_canonical(image)
    found = canonical_ijk(
        Landmarks(source="test", space=LandmarkSpace.VOXEL, points={"a": point}),
        canonical.shape,
        orientation_as_stored="".join(nib.aff2axcodes(image.affine)),
        affine=canonical.affine,
    )["a"]
    np.testing.assert_allclose(
        nib.affines.apply_affine(canonical.affine, found),
        nib.affines.apply_affine(image.affine, point),
        atol=1e-9,
    )


def test_unknown_orientation_leaves_voxel_landmarks_as_stored_and_refuses_world_ones() -> None:
    voxel = Landmarks(source="s", space=LandmarkSpace.VOXEL, points={"a": (1.0, 2.0, 3.0)})
    found = canonical_ijk(voxel, (9, 9, 9), orientation_as_stored="", affine=np.eye(4))
    assert found["a"].tolist() == [1, 2, 3]
    world = Landmarks(source="s", space=LandmarkSpace.RAS, points={"a": (1.0, 2.0, 3.0)})
    with pytest.raises(LandmarkFrameError, match="states its orientation"):
        canonical_ijk(world, (9, 9, 9), orientation_as_stored="", affine=np.eye(4))


@pytest.mark.parametrize("codes", ["RRS", "LP", "XYZ", "RASL"])
def test_letters_that_are_no_orientation_are_refused(codes: str) -> None:
    voxel = Landmarks(source="s", space=LandmarkSpace.VOXEL, points={"a": (1.0, 2.0, 3.0)})
    with pytest.raises(LandmarkFrameError, match=f"found '{codes}'"):
        canonical_ijk(voxel, (9, 9, 9), orientation_as_stored=codes, affine=np.eye(4))


def test_pixel_landmarks_are_column_row(tmp_path: Path) -> None:
    landmarks = read_landmarks(write(tmp_path / "p.csv", "key,x,y\na,30.5,4\n"))
    assert native_xy(landmarks)["a"].tolist() == [30.5, 4.0]


def test_landmarks_of_the_wrong_dimension_are_refused() -> None:
    flat = Landmarks(source="s", space=LandmarkSpace.VOXEL, points={"a": (1.0, 2.0)})
    with pytest.raises(LandmarkFrameError, match="a volume takes landmarks of 3"):
        canonical_ijk(flat, (9, 9, 9), orientation_as_stored="RAS", affine=np.eye(4))
    solid = Landmarks(source="s", space=LandmarkSpace.VOXEL, points={"a": (1.0, 2.0, 3.0)})
    with pytest.raises(LandmarkFrameError, match="a 2D image takes landmarks of 2"):
        native_xy(solid)
