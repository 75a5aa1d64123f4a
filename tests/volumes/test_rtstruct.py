"""Structure sets written by pydicom, against shapes evaluated at the voxels' own places."""

import nibabel as nib
import numpy as np
import pytest

from medvision.errors import MissingExtraError
from medvision.volumes import read_volume
from medvision.volumes.errors import AffineMismatchError, CorruptFileError, DimensionsError
from medvision.volumes.rtstruct import (
    ContourError,
    FrameOfReferenceError,
    RoiNameError,
    frame_of_reference,
    read_rois,
    roi_names,
    structure_set_file,
)

pydicom = pytest.importorskip("pydicom", reason="extra dicom is not installed")

UID = "1.2.826.0.1.3680043.2.1125.9"
SHAPE = (40, 36, 11)  # columns, rows, slices
SPACING = np.array([0.8, 1.3, 3.0])
ORIGIN_LPS = np.array([-31.0, 12.5, 40.0])
LPS_TO_RAS = np.diag([-1.0, -1, 1, 1])

AXIAL = np.eye(3)
TURN, TIP = np.radians(20), np.radians(11)
OBLIQUE = np.array(
    [[np.cos(TURN), -np.sin(TURN), 0], [np.sin(TURN), np.cos(TURN), 0], [0, 0, 1.0]]
) @ np.array([[1, 0, 0], [0, np.cos(TIP), -np.sin(TIP)], [0, np.sin(TIP), np.cos(TIP)]])
CORONAL = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])
SAGITTAL = np.array([[0, 0, 1.0], [1.0, 0, 0], [0, -1.0, 0]])
ORIENTATIONS = {"axial": AXIAL, "oblique": OBLIQUE, "coronal": CORONAL, "sagittal": SAGITTAL}

STORED = {
    "as_drawn": [[0, 1], [1, 1], [2, 1]],
    "flipped": [[0, -1], [1, 1], [2, -1]],
    "permuted": [[2, 1], [0, 1], [1, 1]],
    "permuted_and_flipped": [[1, -1], [2, 1], [0, -1]],
}
"""How the image file stores the drawn volume: nibabel's orientation of each axis."""

CENTRE, RADII_MM = np.array([19.3, 16.8]), np.array([9.1, 6.3])
LEFT_8, RIGHT_5, RIGHT_8 = (CENTRE + np.array([step, 0]) for step in (-8, 5, 8))
SLICES = range(2, 8)


def lps_affine(directions=AXIAL):
    affine = np.eye(4)
    affine[:3, :3] = directions * SPACING
    affine[:3, 3] = ORIGIN_LPS
    return affine


def ellipse(k, scale=1.0, centre=CENTRE, n=400):
    """Corners (column, row, slice) of an ellipse with radii in mm."""
    turn = np.linspace(0, 2 * np.pi, n, endpoint=False)
    xy = centre + scale * RADII_MM / SPACING[:2] * np.c_[np.cos(turn), np.sin(turn)]
    return np.c_[xy, np.full(n, float(k))]


def inside(scale=1.0, centre=CENTRE, slices=SLICES):
    """The same ellipse at the voxels themselves."""
    i, j, k = np.indices(SHAPE)
    off = [
        (x - c) * s / (scale * r)
        for x, c, s, r in zip((i, j), centre, SPACING[:2], RADII_MM, strict=True)
    ]
    return (np.hypot(*off) <= 1) & np.isin(k, list(slices))


def structure_set(path, regions, directions=AXIAL, frame=f"{UID}.4"):
    """Write regions, name to a list of (column, row, slice) contours or of (kind, contour)."""
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = pydicom.uid.RTStructureSetStorage
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{UID}.1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{UID}.2", f"{UID}.5"
    dataset.Modality = "RTSTRUCT"
    names, drawn = [], []
    for number, (name, contours) in enumerate(regions, start=3):
        roi = pydicom.Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, frame
        names.append(roi)
        of_roi = pydicom.Dataset()
        of_roi.ReferencedROINumber, of_roi.ContourSequence = number, []
        for entry in contours:
            kind, corners = entry if isinstance(entry, tuple) else ("CLOSED_PLANAR", entry)
            contour = pydicom.Dataset()
            contour.ContourGeometricType, contour.NumberOfContourPoints = kind, len(corners)
            world = nib.affines.apply_affine(lps_affine(directions), corners)
            contour.ContourData = [f"{value:.6f}" for value in world.ravel()]
            of_roi.ContourSequence.append(contour)
        drawn.append(of_roi)
    dataset.StructureSetROISequence, dataset.ROIContourSequence = names, drawn
    dataset.save_as(path, enforce_file_format=True)
    return path


def saved(path, array, directions=AXIAL, stored="as_drawn"):
    """The drawn volume as NIfTI, its axes stored in another order."""
    drawn = nib.Nifti1Image(array, LPS_TO_RAS @ lps_affine(directions))
    nib.save(drawn.as_reoriented(np.array(STORED[stored])), path)
    return path


@pytest.fixture
def image(tmp_path):
    return read_volume(saved(tmp_path / "image.nii.gz", np.zeros(SHAPE, np.int16)))


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("name", ORIENTATIONS)
def test_regions_lie_where_they_were_drawn(tmp_path, name, stored):
    directions = ORIENTATIONS[name]
    path = structure_set(
        tmp_path / "rt.dcm",
        [
            ("liver", [ellipse(k) for k in SLICES]),
            ("cyst", [ellipse(4, 0.3)]),
        ],
        directions,
    )
    noise = np.random.default_rng(0).integers(0, 99, SHAPE).astype(np.int16)
    image = read_volume(saved(tmp_path / "image.nii.gz", noise, directions, stored))
    found = list(read_rois(path, image))
    assert [(one.number, one.label) for one in found] == [(3, "liver"), (4, "cyst")]
    for one, truth in zip(found, (inside(), inside(0.3, slices=[4])), strict=True):
        truth_file = saved(tmp_path / "truth.nii.gz", truth.astype(np.uint8), directions, stored)
        expected = nib.as_closest_canonical(nib.load(truth_file)).get_fdata() > 0
        np.testing.assert_array_equal(one.mask, expected)


def test_the_volume_of_an_ellipsoid_is_right_to_a_percent(tmp_path, image):
    shares = {k: np.sqrt(1 - ((k - 5) / 4.5) ** 2) for k in range(1, 10)}
    path = structure_set(tmp_path / "rt.dcm", [("a", [ellipse(k, s) for k, s in shares.items()])])
    [found] = read_rois(path, image)
    drawn_mm3 = sum(np.pi * RADII_MM.prod() * s**2 * SPACING[2] for s in shares.values())
    assert found.mask.sum() * SPACING.prod() == pytest.approx(drawn_mm3, rel=0.01)


@pytest.mark.parametrize("kind", ["CLOSED_PLANAR", "CLOSEDPLANAR_XOR"])
def test_a_contour_inside_another_is_a_hole(tmp_path, image, kind):
    rings = [(kind, ellipse(k, scale)) for k in SLICES for scale in (1.0, 0.5)]
    [found] = read_rois(structure_set(tmp_path / "rt.dcm", [("ring", rings)]), image)
    expected = nib.as_closest_canonical(
        nib.Nifti1Image((inside() & ~inside(0.5)).astype(np.uint8), LPS_TO_RAS @ lps_affine())
    )
    np.testing.assert_array_equal(found.mask, expected.get_fdata() > 0)


def test_contours_that_share_a_part_are_refused_unless_the_file_says_xor(tmp_path, image):
    both = [ellipse(4), ellipse(4, centre=RIGHT_5)]
    path = structure_set(tmp_path / "rt.dcm", [("a", both)])
    with pytest.raises(ContourError, match=r"rt\.dcm: region 'a', slice 4 .*share"):
        list(read_rois(path, image))
    xor = [("CLOSEDPLANAR_XOR", one) for one in both]
    [found] = read_rois(structure_set(tmp_path / "rt.dcm", [("a", xor)]), image)
    apart = inside(slices=[4]) ^ inside(centre=RIGHT_5, slices=[4])
    assert found.mask.sum() == apart.sum()


def test_a_contour_given_twice_is_refused_rather_than_cancelled(tmp_path, image):
    path = structure_set(tmp_path / "rt.dcm", [("a", [ellipse(4), ellipse(4)])])
    with pytest.raises(ContourError, match="share"):
        list(read_rois(path, image))


def test_two_contours_side_by_side_are_one_region(tmp_path, image):
    sides = [ellipse(4, 0.3, LEFT_8), ellipse(4, 0.3, RIGHT_8)]
    [found] = read_rois(structure_set(tmp_path / "rt.dcm", [("a", sides)]), image)
    apart = inside(0.3, LEFT_8, [4]) | inside(0.3, RIGHT_8, [4])
    assert found.mask.sum() == apart.sum()


def test_contours_between_slices_are_refused(tmp_path, image):
    path = structure_set(tmp_path / "rt.dcm", [("a", [ellipse(4), ellipse(4.5)])])
    with pytest.raises(AffineMismatchError, match=r"region 'a'.*0\.5 slice distances off"):
        list(read_rois(path, image))


def test_contours_on_another_plane_than_the_images_are_refused(tmp_path, image):
    path = structure_set(tmp_path / "rt.dcm", [("a", [ellipse(4)])], OBLIQUE)
    with pytest.raises(AffineMismatchError, match="slice distances off"):
        list(read_rois(path, image))


@pytest.mark.parametrize("contour", [ellipse(11), ellipse(4, centre=np.array([38, 17]))])
def test_contours_beyond_the_image_are_refused(tmp_path, image, contour):
    path = structure_set(tmp_path / "rt.dcm", [("a", [contour])])
    with pytest.raises(AffineMismatchError, match="beyond the image"):
        list(read_rois(path, image))


def test_every_second_slice_is_refused(tmp_path, image):
    path = structure_set(tmp_path / "rt.dcm", [("a", [ellipse(k) for k in (2, 4, 6, 8)])])
    with pytest.raises(ContourError, match=r"every 2\. slice only, 2 to 8; interpolate"):
        list(read_rois(path, image))


def test_slices_between_two_lesions_may_be_free(tmp_path, image):
    path = structure_set(tmp_path / "rt.dcm", [("a", [ellipse(k) for k in (2, 3, 7, 8)])])
    [found] = read_rois(path, image)
    assert found.mask.any(axis=(0, 1)).nonzero()[0].tolist() == [2, 3, 7, 8]


def test_open_contours_and_points_are_refused_only_where_asked_for(tmp_path, image):
    marker = [("POINT", np.array([[3.0, 4, 5]]))]
    path = structure_set(tmp_path / "rt.dcm", [("isocentre", marker), ("a", [ellipse(4)])])
    with pytest.raises(ContourError, match=r"region 'isocentre'.*POINT"):
        list(read_rois(path, image))
    [found] = read_rois(path, image, names=["a"])
    assert found.label == "a"


def test_contours_of_two_corners_are_left_behind_and_enclose_nothing(tmp_path, image):
    scrap = np.array([[3.0, 3, 9.3], [4, 4, 9.3]])  # between slices, as no contour may be
    path = structure_set(tmp_path / "rt.dcm", [("a", [ellipse(4), scrap]), ("empty", [])])
    found = list(read_rois(path, image))
    assert [int(one.mask.sum()) for one in found] == [int(inside(slices=[4]).sum()), 0]


def test_names_given_twice_are_refused(tmp_path, image):
    path = structure_set(tmp_path / "rt.dcm", [("GTV", [ellipse(4)]), ("gtv ", [ellipse(5)])])
    assert roi_names(path) == ("GTV", "gtv")
    with pytest.raises(RoiNameError, match=r"rt\.dcm: two regions are called 'GTV'"):
        list(read_rois(path, image))


def test_another_frame_of_reference_is_refused(tmp_path, image):
    path = structure_set(tmp_path / "rt.dcm", [("a", [ellipse(4)])])
    with pytest.raises(FrameOfReferenceError, match=r"region 'a'.*\.4, its image has 9\.9"):
        list(read_rois(path, image, frame_uid="9.9"))
    assert len(list(read_rois(path, image, frame_uid=f"{UID}.4"))) == 1


def test_the_frame_of_reference_is_read_from_the_series(tmp_path):
    path = tmp_path / "series" / "1.dcm"
    path.parent.mkdir()
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID
    dataset.FrameOfReferenceUID = f"{UID}.4"
    dataset.save_as(path, enforce_file_format=True)
    (path.parent / "0-note.txt").write_text("not a slice")
    assert frame_of_reference(path.parent) == frame_of_reference(path) == f"{UID}.4"
    assert frame_of_reference(path.parent / "0-note.txt") == ""


def test_only_structure_sets_are_taken_for_some(tmp_path):
    (tmp_path / "rt").mkdir()
    path = structure_set(tmp_path / "rt" / "a.dcm", [("a", [ellipse(4)])])
    assert structure_set_file(path) == structure_set_file(path.parent) == path
    note = tmp_path / "note.txt"
    note.write_text("x" * 200)
    assert structure_set_file(note) is None


def test_a_damaged_file_is_named(tmp_path, image):
    path = tmp_path / "rt.dcm"
    path.write_bytes(bytes(128) + b"DICM" + b"nonsense")
    with pytest.raises(CorruptFileError, match=r"rt\.dcm"):
        list(read_rois(path, image))


def test_a_picture_has_no_contours(tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((4, 4), np.int16), np.eye(4)), tmp_path / "flat.nii")
    path = structure_set(tmp_path / "rt.dcm", [("a", [ellipse(4)])])
    with pytest.raises(DimensionsError, match="volume of known orientation"):
        list(read_rois(path, read_volume(tmp_path / "flat.nii")))


def test_without_the_extra_the_error_says_what_to_install(tmp_path, image, monkeypatch):
    path = structure_set(tmp_path / "rt.dcm", [("a", [ellipse(4)])])
    monkeypatch.setitem(__import__("sys").modules, "pydicom", None)
    with pytest.raises(MissingExtraError, match=r"medvision\[dicom\]"):
        list(read_rois(path, image))
