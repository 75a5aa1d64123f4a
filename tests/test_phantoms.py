"""Phantoms: closed-form sections against brute force, and truth that the voxels really hold."""

import functools
import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from medvision.frames import SLICE_AXIS, VOLUME_PLANES, Plane, display_view, slice_geometry
from medvision.phantoms import (
    ABDOMEN,
    BIOMETRICS,
    DEMO_DATASETS,
    HEAD,
    STORED_ORIENTATIONS,
    XRAY,
    AbdomenLabel,
    EllipseSection,
    Ellipsoid,
    Grid,
    HeadLabel,
    Lesion,
    PhantomVolume,
    PhantomXray,
    abdomen_phantom,
    ellipse_mask,
    ellipsoid,
    head_phantom,
    phantom_affine,
    plane_section,
    slice_section,
    write_demo_datasets,
    xray_phantom,
)

SEEDS = range(4)

ANGLES = st.tuples(*[st.floats(-180, 180)] * 3)
SEMI_AXES = st.tuples(*[st.floats(4, 40)] * 3)


# -- closed-form sections ---------------------------------------------------------------------


def test_sphere_cut_off_its_centre_is_the_circle_of_pythagoras() -> None:
    section = plane_section(ellipsoid((1, 2, 3), (5, 5, 5)), (0, 0, 6), axes=np.eye(3)[:2])
    assert section is not None
    assert (section.major_mm, section.minor_mm) == (pytest.approx(8), pytest.approx(8))
    assert (section.center_x_mm, section.center_y_mm) == (pytest.approx(1), pytest.approx(2))
    assert section.area_mm2 == pytest.approx(np.pi * 16)


def test_plane_that_misses_gives_none() -> None:
    assert plane_section(ellipsoid((0, 0, 0), (5, 5, 5)), (0, 0, 5.01), axes=np.eye(3)[:2]) is None


@given(SEMI_AXES, ANGLES, ANGLES, st.floats(-0.6, 0.6))
@settings(max_examples=40)
def test_end_points_of_a_section_lie_on_the_surface_and_are_extreme(
    semi_axes: tuple[float, float, float],
    rotation: tuple[float, float, float],
    plane_rotation: tuple[float, float, float],
    offset: float,
) -> None:
    solid = ellipsoid((3, -4, 5), semi_axes, rotation)
    axes = ellipsoid((0, 0, 0), (1, 1, 1), plane_rotation).rotation[:2]
    normal = np.cross(*axes)
    origin = solid.center_mm + offset * min(semi_axes) * normal + axes[0] * 7
    section = plane_section(solid, origin, axes=axes)
    assert section is not None
    assert section.major_mm >= section.minor_mm
    ends = origin + section.end_points_mm() @ axes
    np.testing.assert_allclose(solid.level(ends), 1, atol=1e-8)
    boundary = brute_force_boundary_mm(solid, origin, axes)
    center = np.array([section.center_x_mm, section.center_y_mm])
    reach_mm = np.linalg.norm(boundary - center, axis=1)
    assert 2 * reach_mm.max() == pytest.approx(section.major_mm, rel=1e-3)
    assert 2 * reach_mm.min() == pytest.approx(section.minor_mm, rel=1e-3)


def brute_force_boundary_mm(solid: Ellipsoid, origin: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """In-plane boundary points, found by bisection along rays from a point inside."""
    to_center = axes @ (solid.center_mm - origin)
    inside = min(
        (to_center + np.array([u, v]) for u in (-1, 0, 1) for v in (-1, 0, 1)),
        key=lambda point: float(solid.level(origin + point @ axes)),
    )
    angle = np.linspace(0, 2 * np.pi, 1500, endpoint=False)
    rays = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    low, high = np.zeros(len(rays)), np.full(len(rays), 200.0)
    for _ in range(36):
        middle = (low + high) / 2
        within = solid.level(origin + (inside + middle[:, None] * rays) @ axes) <= 1
        low, high = np.where(within, middle, low), np.where(within, high, middle)
    return inside + low[:, None] * rays


@given(SEMI_AXES, ANGLES, st.sampled_from(VOLUME_PLANES), st.integers(-2, 2))
@settings(max_examples=40)
def test_slice_section_covers_the_voxels_of_the_displayed_slice(
    semi_axes: tuple[float, float, float],
    rotation: tuple[float, float, float],
    plane: Plane,
    step: int,
) -> None:
    grid = Grid(shape_ijk=(41, 37, 23), spacing_mm=(2.0, 3.1, 4.3))
    solid = ellipsoid((2.2, -4.1, 3.3), semi_axes, rotation)
    voxels = np.stack(np.meshgrid(*map(np.arange, grid.shape_ijk), indexing="ij"), axis=-1)
    inside = solid.level(grid.mm_from_ijk(voxels)) <= 1
    center = grid.ijk_from_mm(solid.center_mm)[SLICE_AXIS[plane]]
    index = round(float(center)) + step
    expected = display_view(inside, plane)[index]
    section = slice_section(solid, plane, index, grid=grid)
    geometry = slice_geometry(grid.shape_ijk, grid.spacing_mm, plane)
    found = (
        np.zeros_like(expected)
        if section is None
        else ellipse_mask(
            section,
            (geometry.height_px, geometry.width_px),
            spacing_yx_mm=(geometry.spacing_y_mm, geometry.spacing_x_mm),
        )
    )
    assert np.array_equal(found, expected)


def test_ellipse_mask_covers_the_area_of_the_ellipse() -> None:
    section = EllipseSection(
        center_x_mm=30.3, center_y_mm=41.7, major_mm=50, minor_mm=18, angle_deg=35
    )
    mask = ellipse_mask(section, (400, 300), spacing_yx_mm=(0.2, 0.25))
    assert mask.sum() * 0.2 * 0.25 == pytest.approx(section.area_mm2, rel=2e-3)
    rows, columns = np.nonzero(mask)
    assert columns.mean() * 0.25 == pytest.approx(30.3, abs=0.02)
    assert rows.mean() * 0.2 == pytest.approx(41.7, abs=0.02)


# -- volume phantoms --------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["abdomen", "head"])
def phantoms(request: pytest.FixtureRequest) -> list[PhantomVolume]:
    draw: Callable[[np.random.Generator], PhantomVolume] = {
        "abdomen": abdomen_phantom,
        "head": head_phantom,
    }[request.param]
    return [draw(np.random.default_rng(seed)) for seed in SEEDS]


@functools.cache
def voxel_centers_mm(grid: Grid) -> np.ndarray:
    voxels = np.stack(np.meshgrid(*map(np.arange, grid.shape_ijk), indexing="ij"), axis=-1)
    return grid.mm_from_ijk(voxels)


@functools.cache
def lesion_voxels(grid: Grid, lesion: Lesion) -> np.ndarray:
    return lesion.ellipsoid.level(voxel_centers_mm(grid)) <= 1


def test_each_phantom_has_one_to_three_lesions_that_its_labels_hold_exactly(
    phantoms: list[PhantomVolume],
) -> None:
    for phantom in phantoms:
        assert 1 <= len(phantom.lesions) <= 3
        for label in {lesion.label_id for lesion in phantom.lesions}:
            solids = [
                lesion_voxels(phantom.grid, lesion)
                for lesion in phantom.lesions
                if lesion.label_id == label
            ]
            assert np.array_equal(phantom.label_map == label, np.any(solids, axis=0))
            _, n_components = ndimage.label(phantom.label_map == label)
            assert n_components == len(solids)


def test_voxelised_lesion_has_the_closed_form_size(phantoms: list[PhantomVolume]) -> None:
    for phantom in phantoms:
        for lesion in phantom.lesions:
            volume_mm3 = lesion_voxels(phantom.grid, lesion).sum() * np.prod(
                phantom.grid.spacing_mm
            )
            truth_mm3 = 4 / 3 * np.pi * np.prod(lesion.ellipsoid.semi_axes_mm)
            assert volume_mm3 == pytest.approx(truth_mm3, rel=0.12)


@pytest.mark.parametrize("plane", VOLUME_PLANES)
def test_moments_of_a_lesion_on_a_slice_give_the_axes_of_its_section(
    phantoms: list[PhantomVolume], plane: Plane
) -> None:
    compared = 0
    for phantom in phantoms:
        geometry = slice_geometry(phantom.grid.shape_ijk, phantom.grid.spacing_mm, plane)
        for lesion in phantom.lesions:
            center = phantom.grid.ijk_from_mm(lesion.ellipsoid.center_mm)[SLICE_AXIS[plane]]
            index = round(float(center))
            section = slice_section(lesion.ellipsoid, plane, index, grid=phantom.grid)
            assert section is not None
            rows, columns = np.nonzero(
                display_view(lesion_voxels(phantom.grid, lesion), plane)[index]
            )
            points_mm = np.stack(
                [columns * geometry.spacing_x_mm, rows * geometry.spacing_y_mm], axis=-1
            )
            pixel = np.diag([geometry.spacing_x_mm**2, geometry.spacing_y_mm**2]) / 12
            variances = np.linalg.eigvalsh(np.cov(points_mm.T, bias=True) + pixel)
            axes_mm = 4 * np.sqrt(variances[::-1])
            tolerance_mm = max(geometry.spacing_x_mm, geometry.spacing_y_mm) / 2
            assert axes_mm == pytest.approx([section.major_mm, section.minor_mm], abs=tolerance_mm)
            center_mm = [section.center_x_mm, section.center_y_mm]
            assert points_mm.mean(axis=0) == pytest.approx(center_mm, abs=tolerance_mm)
            compared += 1
    assert compared >= len(phantoms)


def test_same_seed_same_phantom_and_other_seed_another(phantoms: list[PhantomVolume]) -> None:
    draw = abdomen_phantom if phantoms[0].image.dtype == np.int16 else head_phantom
    again = draw(np.random.default_rng(SEEDS[0]))
    assert np.array_equal(again.image, phantoms[0].image)
    assert np.array_equal(again.label_map, phantoms[0].label_map)
    assert not np.array_equal(phantoms[0].label_map, phantoms[1].label_map)


def centroid_ijk(phantom: PhantomVolume, label: int) -> np.ndarray:
    return np.argwhere(phantom.label_map == label).mean(axis=0)


@pytest.mark.parametrize("seed", SEEDS)
def test_abdomen_has_every_organ_where_the_patient_has_it(seed: int) -> None:
    phantom = abdomen_phantom(np.random.default_rng(seed))
    organs = set(AbdomenLabel) - {AbdomenLabel.LIVER_TUMOR, AbdomenLabel.KIDNEY_CYST}
    at = {organ: centroid_ijk(phantom, organ) for organ in organs}
    middle = (phantom.grid.shape_ijk[0] - 1) / 2
    assert at[AbdomenLabel.LIVER][0] > middle + 10
    assert at[AbdomenLabel.RIGHT_KIDNEY][0] > middle + 10
    assert at[AbdomenLabel.LEFT_KIDNEY][0] < middle - 10
    assert at[AbdomenLabel.SPLEEN][0] < middle - 10
    assert at[AbdomenLabel.AORTA][0] < middle
    assert at[AbdomenLabel.VERTEBRAE][1] < min(
        at[organ][1] for organ in organs - {AbdomenLabel.VERTEBRAE}
    )
    assert at[AbdomenLabel.LIVER][2] > at[AbdomenLabel.RIGHT_KIDNEY][2]


@pytest.mark.parametrize("seed", SEEDS)
def test_no_abdominal_structure_lies_outside_the_body(seed: int) -> None:
    phantom = abdomen_phantom(np.random.default_rng(seed))
    not_air = ndimage.binary_opening(phantom.image > -400, iterations=2)
    labels, _ = ndimage.label(not_air)
    largest = labels == np.argmax(np.bincount(labels[labels > 0]))
    body = np.stack(
        [ndimage.binary_fill_holes(largest[:, :, k]) for k in range(largest.shape[2])], axis=2
    )
    assert body[phantom.label_map > 0].all()
    assert not body[0].any()
    assert not body[-1].any()
    assert not body[:, 0].any()
    assert not body[:, -1].any()


def test_abdomen_densities_are_those_of_a_ct() -> None:
    phantom = abdomen_phantom(np.random.default_rng(0))
    assert phantom.image.dtype == np.int16
    expected_hu = {
        AbdomenLabel.LIVER: (85, 130),
        AbdomenLabel.SPLEEN: (95, 140),
        AbdomenLabel.AORTA: (160, 220),
        AbdomenLabel.LIVER_TUMOR: (40, 90),
        AbdomenLabel.VERTEBRAE: (150, 450),
    }
    for label, (low_hu, high_hu) in expected_hu.items():
        assert low_hu < np.median(phantom.image[phantom.label_map == label]) < high_hu
    assert np.median(phantom.image[:3, :3]) == pytest.approx(-1000, abs=25)


@pytest.mark.parametrize("seed", SEEDS)
def test_head_has_its_parts_inside_the_skin(seed: int) -> None:
    phantom = head_phantom(np.random.default_rng(seed))
    assert set(np.unique(phantom.label_map)) == {0, *map(int, HeadLabel)}
    skin = ndimage.binary_fill_holes(ndimage.binary_closing(phantom.image > 120, iterations=3))
    assert skin[phantom.label_map > 0].all()
    brain, cerebellum = (
        centroid_ijk(phantom, part) for part in (HeadLabel.BRAIN, HeadLabel.CEREBELLUM)
    )
    assert cerebellum[1] < brain[1]
    assert cerebellum[2] < brain[2]


# -- X-ray ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def xrays() -> list[PhantomXray]:
    return [xray_phantom(np.random.default_rng(seed)) for seed in range(10)]


@pytest.mark.parametrize("index", range(10))
def test_xray_landmarks_lie_inside_the_picture_on_something_bright(
    xrays: list[PhantomXray], index: int
) -> None:
    phantom = xrays[index]
    height, width = phantom.pixels.shape
    assert phantom.pixels.dtype == np.uint8
    assert phantom.spacing_yx_mm[0] != phantom.spacing_yx_mm[1]
    assert set(phantom.landmarks_xy) == set(BIOMETRICS["landmarks"])
    smooth = ndimage.gaussian_filter(phantom.pixels.astype(float), 1)
    for x, y in phantom.landmarks_xy.values():
        assert 10 < x < width - 10
        assert 10 < y < height - 10
        around = smooth[int(y) - 12 : int(y) + 13, int(x) - 12 : int(x) + 13]
        assert smooth[round(y), round(x)] > np.median(around) + 8


def test_xray_angles_are_those_of_a_head(xrays: list[PhantomXray]) -> None:
    angles = []
    for phantom in xrays:
        at = {
            key: np.array(point) * phantom.spacing_yx_mm[::-1]
            for key, point in phantom.landmarks_xy.items()
        }
        to_s, to_a = at["S"] - at["N"], at["A"] - at["N"]
        cosine = to_s @ to_a / np.linalg.norm(to_s) / np.linalg.norm(to_a)
        angles.append(np.degrees(np.arccos(cosine)))
        assert 50 < np.linalg.norm(at["S"] - at["N"]) < 80
    assert 70 < np.mean(angles) < 90
    assert 1 < np.std(angles) < 8


# -- on disk ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("phantoms")
    assert write_demo_datasets(out, np.random.default_rng(5), n_cases=4) == DEMO_DATASETS
    return out


def test_folders_hold_a_pair_of_files_for_each_case(written: Path) -> None:
    for dataset, part, suffix in (
        (ABDOMEN, "masks", ".nii.gz"),
        (HEAD, "masks", ".nii.gz"),
        (XRAY, "landmarks", ".json"),
    ):
        image_suffix = ".png" if dataset is XRAY else suffix
        folder = written / dataset.name
        images = sorted(path.name for path in (folder / "images").iterdir())
        assert images == [f"case_{index:03d}{image_suffix}" for index in range(4)]
        assert sorted(path.name for path in (folder / part).iterdir()) == [
            f"case_{index:03d}{suffix}" for index in range(4)
        ]


def test_cases_are_stored_in_different_orientations_and_read_back_as_drawn(written: Path) -> None:
    case_rngs = np.random.default_rng(5).spawn(3)[0].spawn(4)
    tilted = 0
    for index, rng in enumerate(case_rngs):
        drawn = abdomen_phantom(rng)
        folder = written / ABDOMEN.name
        stored = nib.load(folder / "masks" / f"case_{index:03d}.nii.gz")
        image = nib.load(folder / "images" / f"case_{index:03d}.nii.gz")
        assert "".join(nib.aff2axcodes(stored.affine)) == STORED_ORIENTATIONS[index]
        np.testing.assert_array_equal(stored.affine, image.affine)
        canonical = nib.as_closest_canonical(stored)
        assert np.array_equal(np.asarray(canonical.dataobj), drawn.label_map)
        assert np.array_equal(np.asarray(nib.as_closest_canonical(image).dataobj), drawn.image)
        assert canonical.header.get_zooms() == pytest.approx(drawn.grid.spacing_mm)
        np.testing.assert_allclose(stored.get_qform(), stored.get_sform(), atol=1e-4)
        tilted += not np.allclose(canonical.affine, phantom_affine(drawn.grid), atol=1e-3)
    assert tilted == 1


def test_label_files_name_every_label_of_the_masks(written: Path) -> None:
    for dataset in (ABDOMEN, HEAD):
        labels = json.loads((written / dataset.name / "labels.json").read_text(encoding="utf-8"))
        assert {int(label): name for label, name in labels.items()} == dict(dataset.labels)
        assert set(dataset.target_labels) <= set(dataset.labels)
        for path in (written / dataset.name / "masks").iterdir():
            found = np.unique(np.asarray(nib.load(path).dataobj))
            assert set(map(int, found)) <= {0, *map(int, labels)}


def test_xray_files_are_the_drawn_pictures(written: Path) -> None:
    rngs = np.random.default_rng(5).spawn(3)[2].spawn(4)
    for index, rng in enumerate(rngs):
        drawn = xray_phantom(rng)
        folder = written / XRAY.name
        with Image.open(folder / "images" / f"case_{index:03d}.png") as image:
            assert np.array_equal(np.asarray(image), drawn.pixels)
        landmarks = json.loads(
            (folder / "landmarks" / f"case_{index:03d}.json").read_text(encoding="utf-8")
        )
        assert {key: tuple(point) for key, point in landmarks.items()} == drawn.landmarks_xy


def test_case_does_not_depend_on_the_number_of_cases(tmp_path: Path, written: Path) -> None:
    write_demo_datasets(tmp_path, np.random.default_rng(5), n_cases=1)
    name = "phantom-head/masks/case_000.nii.gz"
    assert np.array_equal(
        np.asarray(nib.load(tmp_path / name).dataobj), np.asarray(nib.load(written / name).dataobj)
    )
