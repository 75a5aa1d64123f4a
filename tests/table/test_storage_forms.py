"""One volume in every form a file can give it: the tables must not show which.

Header traps are set in headers by hand or by foreign libraries, and the whole command runs.
"""

import gzip
import json
import struct

import nibabel as nib
import nrrd
import numpy as np
import pyarrow.compute as pc
import pytest

from medvision.cli import main
from medvision.table.read import read_biometrics, read_cases, read_regions, read_structures

SPACING = np.array([0.9, 1.2, 2.0])
SHAPE = (22, 26, 14)
ORIGIN = np.array([-31.0, 12.0, 7.5])

CASE_COLUMNS = ("case_id", "subject_id", "split")


def rotation(degrees):
    """A turn about an axis of no name, small enough to leave the closest axes as they are."""
    axis = np.array([2.0, -1.0, 3.0]) / np.sqrt(14)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def ras_affine(degrees=0.0):
    affine = np.eye(4)
    affine[:3, :3] = rotation(degrees) * SPACING
    affine[:3, 3] = ORIGIN
    return affine


def volume():
    """Image and label map, (I, J, K) in RAS+; 2 is an ellipsoid, 3 its neighbour in two pieces."""
    i, j, k = np.indices(SHAPE)
    labels = np.zeros(SHAPE, np.uint8)
    labels[3:9, 4:20, 2:11] = 1
    labels[((i - 14) / 5) ** 2 + ((j - 15) / 8) ** 2 + ((k - 6) / 4) ** 2 <= 1] = 2
    labels[16:20, 2:4, 1:4] = 3
    labels[16:20, 23:25, 8:12] = 3
    image = np.random.default_rng(5).integers(-100, 900, SHAPE).astype(np.int16)
    return image, labels


def nifti(array, affine, *, kind=nib.Nifti1Image, unit="mm"):
    stored = kind(array, affine)
    stored.header.set_xyzt_units(unit)
    return stored


def save_in(unit, per_mm):
    def save(folder, case, array):
        affine = ras_affine()
        affine[:3] *= per_mm
        nib.save(nifti(array, affine, unit=unit), folder / f"{case}.nii.gz")

    return save


def save_plain(folder, case, array):
    nib.save(nifti(array, ras_affine()), folder / f"{case}.nii.gz")


def save_nifti_2(folder, case, array):
    nib.save(nifti(array, ras_affine(), kind=nib.Nifti2Image), folder / f"{case}.nii")


def save_pair(folder, case, array):
    nib.save(nib.Nifti1Pair(array, ras_affine()), folder / f"{case}.hdr")


def save_with_a_fourth_axis(folder, case, array):
    nib.save(nifti(array[..., np.newaxis], ras_affine()), folder / f"{case}.nii.gz")


def save_big_endian(folder, case, array):
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(array.dtype.newbyteorder(">"))
    nib.save(nib.Nifti1Image(array, ras_affine(), header), folder / f"{case}.nii")


def save_as_type(dtype):
    def save(folder, case, array):
        nib.save(nifti(array.astype(dtype), ras_affine()), folder / f"{case}.nii.gz")

    return save


def save_with_slope(folder, case, array):
    """Stored value v means v × 0.5 − 1, so the label 2 is stored as 6."""
    path = folder / f"{case}.nii"
    nib.save(nifti(((array.astype(np.int16) + 1) * 2), ras_affine()), path)
    raw = bytearray(path.read_bytes())
    struct.pack_into("<2f", raw, 112, 0.5, -1.0)
    path.write_bytes(bytes(raw))


def save_with_trailing_bytes(folder, case, array):
    save_plain(folder, case, array)
    path = folder / f"{case}.nii.gz"
    path.write_bytes(path.read_bytes() + bytes(512))


def save_in_two_gzip_members(folder, case, array):
    save_plain(folder, case, array)
    path = folder / f"{case}.nii.gz"
    raw = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(raw[:1000]) + gzip.compress(raw[1000:]))


def save_with_unit_sform(folder, case, array):
    """As one public set has it: unit sform, true spacing in qform and pixdim."""
    stored = nifti(array, ras_affine())
    stored.header.set_qform(ras_affine(), code=1)
    stored.header.set_sform(np.eye(4), code=1)
    path = folder / f"{case}.nii.gz"
    path.write_bytes(gzip.compress(bytes(stored.header.binaryblock) + bytes(4) + fortran(array)))
    raw = bytearray(gzip.decompress(path.read_bytes()))
    struct.pack_into("<f", raw, 108, 352.0)  # vox_offset
    path.write_bytes(gzip.compress(bytes(raw)))


def fortran(array):
    return array.tobytes(order="F")


def lps_header():
    return {
        "space": "left-posterior-superior",
        "space directions": np.diag([-1.0, -1.0, 1.0]) @ np.diag(SPACING),
        "space origin": ORIGIN * [-1.0, -1.0, 1.0],
    }


def save_nrrd(folder, case, array):
    nrrd.write(str(folder / f"{case}.nrrd"), array, lps_header())


def save_detached_nrrd(folder, case, array):
    header = lps_header() | {"encoding": "raw"}
    nrrd.write(str(folder / f"{case}.nhdr"), array, header, detached_header=True)


def save_metaimage(folder, case, array):
    sitk = pytest.importorskip("SimpleITK", reason="extra formats is not installed")
    image = sitk.GetImageFromArray(np.ascontiguousarray(array[::-1, ::-1].T))
    image.SetSpacing(SPACING.tolist())
    far = ORIGIN + SPACING * [SHAPE[0] - 1, SHAPE[1] - 1, 0]
    image.SetOrigin((far * [-1.0, -1.0, 1.0]).tolist())
    sitk.WriteImage(image, str(folder / f"{case}.mha"))


FORMS = {
    "plain": save_plain,
    "nifti-2": save_nifti_2,
    "hdr-img-pair": save_pair,
    "metres": save_in("meter", 1e-3),
    "microns": save_in("micron", 1e3),
    "unknown-unit": save_in("unknown", 1.0),
    "fourth-axis-of-one": save_with_a_fourth_axis,
    "big-endian": save_big_endian,
    "int32": save_as_type(np.int32),
    "float64": save_as_type(np.float64),
    "slope-and-intercept": save_with_slope,
    "trailing-bytes": save_with_trailing_bytes,
    "two-gzip-members": save_in_two_gzip_members,
    "unit-sform": save_with_unit_sform,
    "nrrd-lps": save_nrrd,
    "nrrd-detached": save_detached_nrrd,
    "metaimage": save_metaimage,
}


def run_build(folder, *words):
    words = ["build", "--images", folder / "images", "--modality", "CT", *words]
    return main([str(word) for word in words])


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forms")
    image, labels = volume()
    for kind, array in (("images", image), ("masks", labels)):
        (folder / kind).mkdir()
        for form, save in FORMS.items():
            save(folder / kind, form, array)
    (folder / "labels.json").write_text('{"1": "liver", "2": "liver tumor", "3": "kidney"}')
    words = ["--masks", folder / "masks", "--labels", folder / "labels.json", "--name", "s"]
    assert run_build(folder, *words, "--target-labels", "2", "--out", folder / "tables") == 0
    return folder


def rows_of(table, case):
    own = table.filter(pc.equal(table["case_id"], case))
    return own.drop_columns([name for name in CASE_COLUMNS if name in own.column_names])


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("read", [read_regions, read_structures])
def test_every_form_gives_the_rows_of_the_plain_one(built, read, form):
    table = read(built / "tables")
    truth, found = rows_of(table, "plain"), rows_of(table, form)
    assert found.num_rows == truth.num_rows >= 3
    for name in truth.column_names:
        wanted, measured = truth[name].to_pylist(), found[name].to_pylist()
        if truth.schema.field(name).type == "double":  # float32 headers, in other units
            columns = (np.array(column, dtype=float) for column in (measured, wanted))
            np.testing.assert_allclose(*columns, rtol=1e-5, atol=1e-5, err_msg=name)
        else:
            assert measured == wanted, name


def test_every_form_has_one_fingerprint_and_one_place(built):
    cases = read_cases(built / "tables").to_pylist()
    assert len({row["volume_fingerprint"] for row in cases}) == 1
    for row in cases:
        np.testing.assert_allclose(row["affine"], ras_affine().ravel(), atol=1e-4)
    doubted = {row["case_id"]: row["spacing_source"] for row in cases}
    assert doubted["unit-sform"] == "qform"


def test_changed_voxels_of_a_header_and_data_pair_are_measured_again(built, capsys):
    words = ["--masks", built / "masks", "--labels", built / "labels.json", "--name", "s"]
    words += ["--out", built / "again"]
    assert run_build(built, *words) == 0
    path = built / "masks" / "hdr-img-pair.img"
    kept = path.read_bytes()
    path.write_bytes(kept[: -SHAPE[0]] + bytes([1]) * SHAPE[0])
    assert run_build(built, *words) == 0
    path.write_bytes(kept)
    assert "up to date" not in capsys.readouterr().out
    changed = rows_of(read_structures(built / "again"), "hdr-img-pair").to_pylist()
    assert changed[0]["k1_vox"] == SHAPE[2]


POINTS = {"a": (5.25, 6.5, 7.0), "b": (15.75, 20.0, 7.25), "c": (16.0, 7.125, 6.75)}
"""Landmarks in RAS+ voxel coordinates: on one axial slice, 7."""

STORAGES = {
    "RAS": ((0, 1, 2), (1, 1, 1)),
    "LPS": ((0, 1, 2), (-1, -1, 1)),
    "PIR": ((1, 2, 0), (-1, -1, 1)),
    "SAL": ((2, 1, 0), (1, 1, -1)),
}
"""Stored axes: the RAS+ axis each runs along, and whether with it or against it."""

BIOMETRICS = {
    "landmarks": {"a": "A", "b": "B", "c": "C"},
    "lines": {
        "ab": {"name": "AB", "landmarks": ["a", "b"]},
        "ac": {"name": "AC", "landmarks": ["a", "c"]},
    },
    "angles": {"bac": {"name": "BAC", "lines": ["ab", "ac"]}},
    "measure": [
        {"kind": "distance", "key": "ab", "plane": "axial"},
        {"kind": "angle", "key": "bac", "plane": "axial"},
    ],
}


def stored_as(array, affine, order, signs):
    """The array with its axes permuted and flipped, and the affine that keeps every voxel."""
    stored = array.transpose(order)
    moved = affine[:, [*order, 3]].copy()
    for axis, sign in enumerate(signs):
        if sign < 0:
            moved[:3, 3] += moved[:3, axis] * (stored.shape[axis] - 1)
            moved[:, axis] *= -1
            stored = np.flip(stored, axis)
    return np.ascontiguousarray(stored), moved


def stored_point(point_ijk, order, signs):
    """Voxel coordinates in stored order of a RAS+ voxel point."""
    return [
        float(point_ijk[axis]) if sign > 0 else SHAPE[axis] - 1 - float(point_ijk[axis])
        for axis, sign in zip(order, signs, strict=True)
    ]


def fcsv(points, system):
    lines = ["# Markups fiducial file version = 4.11", f"# CoordinateSystem = {system}"]
    lines.append("# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID")
    lines += [f"n,{x!r},{y!r},{z!r},0,0,0,1,1,1,0,{key},," for key, (x, y, z) in points.items()]
    return "\n".join(lines) + "\n"


def markups(points, system):
    controls = [{"label": key, "position": list(place)} for key, place in points.items()]
    markup = {"type": "Fiducial", "coordinateSystem": system, "controlPoints": controls}
    return json.dumps({"markups": [markup]})


def csv(points, system):
    rows = [f"{key},{x!r},{y!r},{z!r},{system}" for key, (x, y, z) in points.items()]
    return "key,x,y,z,space\n" + "\n".join(rows) + "\n"


def landmark_files(order, signs, affine):
    """Name to text: the same points in stored voxels, RAS and LPS, in every format."""
    voxel = {key: stored_point(point, order, signs) for key, point in POINTS.items()}
    ras = {
        key: [float(v) for v in affine[:3, :3] @ np.array(point) + affine[:3, 3]]
        for key, point in POINTS.items()
    }
    lps = {key: [-x, -y, z] for key, (x, y, z) in ras.items()}
    return {
        "voxel.json": json.dumps(voxel),
        "ras.json": json.dumps({"space": "RAS", "landmarks": ras}),
        "lps.json": json.dumps({"space": "LPS", "landmarks": lps}),
        "voxel.csv": csv(voxel, "voxel"),
        "lps.csv": csv(lps, "LPS"),
        "ras.fcsv": fcsv(ras, "RAS"),
        "lps.fcsv": fcsv(lps, "LPS"),
        "ras.mrk.json": markups(ras, "RAS"),
        "lps.mrk.json": markups(lps, "LPS"),
    }


@pytest.fixture(scope="module")
def biometrics(tmp_path_factory):
    """Rows by case: every storage order, straight and oblique, with every kind of landmark file."""
    folder = tmp_path_factory.mktemp("landmarks")
    (folder / "images").mkdir()
    (folder / "landmarks").mkdir()
    array = volume()[0]
    for codes, (order, signs) in STORAGES.items():
        for degrees in (0, 14):
            affine = ras_affine(degrees)
            stored, moved = stored_as(array, affine, order, signs)
            assert "".join(nib.aff2axcodes(moved)) == codes
            for name, text in landmark_files(order, signs, affine).items():
                form, suffix = name.split(".", 1)
                case = f"{codes}{degrees}-{form}-{suffix.replace('.', '-')}"
                nib.save(nifti(stored, moved), folder / "images" / f"{case}.nii.gz")
                (folder / "landmarks" / f"{case}.{suffix}").write_text(text)
    (folder / "b.json").write_text(json.dumps(BIOMETRICS))
    words = ["--landmarks", folder / "landmarks", "--biometrics", folder / "b.json"]
    assert run_build(folder, *words, "--name", "s", "--out", folder / "tables") == 0
    rows = read_biometrics(folder / "tables").to_pylist()
    by_case = {}
    for row in rows:
        by_case.setdefault(row["case_id"], {})[row["metric_key"]] = row
    assert len(by_case) == len(STORAGES) * 2 * 9
    return by_case


def in_plane_mm(key):
    return np.array(POINTS[key])[:2] * SPACING[:2]


def test_distances_and_angles_do_not_depend_on_storage_frame_or_format(biometrics):
    ab, ac = (in_plane_mm(key) - in_plane_mm("a") for key in "bc")
    cosine = ab @ ac / np.linalg.norm(ab) / np.linalg.norm(ac)
    for case, rows in biometrics.items():
        distance, angle = rows["ab"], rows["bac"]
        assert distance["value"] == pytest.approx(np.linalg.norm(ab), abs=2e-4), case
        assert angle["value"] == pytest.approx(np.degrees(np.arccos(cosine)), abs=2e-3), case
        assert angle["vertex_value_deg"] == angle["value"]
        assert (distance["plane"], distance["slice_index"]) == ("axial", 7)
        assert (distance["height_px"], distance["width_px"]) == (SHAPE[1], SHAPE[0])


def test_points_are_drawn_where_they_lie(biometrics):
    for case, rows in biometrics.items():
        drawn = {point["key"]: point for point in rows["bac"]["points"]}
        for key, (i, j, _) in POINTS.items():
            place = (drawn[key]["x_px"], drawn[key]["y_px"])
            truth = (SHAPE[0] - 1 - i, SHAPE[1] - 1 - j)  # right on the left, anterior up
            assert place == pytest.approx(truth, abs=2e-4), (case, key)


def test_a_wrong_world_frame_shows(tmp_path):
    """The same numbers called RAS instead of LPS must not give the same table."""
    (tmp_path / "images").mkdir()
    (tmp_path / "landmarks").mkdir()
    affine = ras_affine()
    affine[:3, 3] = -SPACING * [10, 12, 0]  # the origin inside, or both would lie outside
    nib.save(nifti(volume()[0], affine), tmp_path / "images" / "a.nii.gz")
    nib.save(nifti(volume()[0], affine), tmp_path / "images" / "b.nii.gz")
    points = {key: (affine[:3] @ [*place, 1.0]).tolist() for key, place in POINTS.items()}
    for case, space in (("a", "RAS"), ("b", "LPS")):
        text = json.dumps({"space": space, "landmarks": points})
        (tmp_path / "landmarks" / f"{case}.json").write_text(text)
    (tmp_path / "b.json").write_text(json.dumps(BIOMETRICS))
    words = ["--landmarks", tmp_path / "landmarks", "--biometrics", tmp_path / "b.json"]
    run_build(tmp_path, *words, "--name", "s", "--out", tmp_path / "tables")
    rows = read_biometrics(tmp_path / "tables").to_pylist()
    places = {
        row["case_id"]: [(p["x_px"], p["y_px"]) for p in row["points"]]
        for row in rows
        if row["metric_key"] == "bac"
    }
    assert places.get("b") != places["a"]
