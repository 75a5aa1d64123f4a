"""A CT-like abdomen: organs of plausible density, liver tumours and kidney cysts in closed form."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from medvision.frames import FloatArray
from medvision.phantoms.canvas import (
    Canvas,
    Lesion,
    Mask,
    PhantomVolume,
    Values,
    blurred,
    smooth_noise,
)
from medvision.phantoms.ellipsoid import Ellipsoid, Grid, ellipsoid, rotation_from_angles_deg

ABDOMEN_GRID = Grid(shape_ijk=(128, 112, 48), spacing_mm=(2.5, 2.5, 5.0))

AIR_HU, LUNG_HU, FAT_HU, MUSCLE_HU, BONE_HU = -1000, -840, -100, 55, 230

LESION_GAP_MM = 8.0
"""Least distance between the bounding spheres of two lesions, so that each stays one component."""


class AbdomenLabel(IntEnum):
    """Label ids of the abdomen phantom."""

    LIVER = 1
    SPLEEN = 2
    RIGHT_KIDNEY = 3
    LEFT_KIDNEY = 4
    AORTA = 5
    LIVER_TUMOR = 6
    KIDNEY_CYST = 7
    VERTEBRAE = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Body:
    """Outlines of one body.

    Attributes:
        rng: Draws this case's variation.
        canvas: What is painted.
        trunk: Voxels inside the skin.
        cavity: Voxels inside the abdominal wall.
        scale: Size of this body relative to the template.
    """

    rng: np.random.Generator
    canvas: Canvas
    trunk: Mask
    cavity: Mask
    scale: float

    def organ(
        self,
        center_mm: tuple[float, float, float],
        semi_axes_mm: tuple[float, float, float],
        rotation_deg: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> Ellipsoid:
        """A template ellipsoid, moved, turned and stretched as this body has it."""
        turn = np.array(rotation_deg) + self.rng.normal(0, 4, 3)
        return Ellipsoid(
            center_mm=np.array(center_mm) * self.scale + self.rng.normal(0, 2.0, 3),
            semi_axes_mm=np.array(semi_axes_mm) * self.scale * self.rng.uniform(0.92, 1.06, 3),
            rotation=rotation_from_angles_deg(*turn),
        )


def abdomen_phantom(rng: np.random.Generator) -> PhantomVolume:
    """One abdomen, int16 HU, varied by the generator; one to three lesions.

    The right kidney and most of the liver lie at +x, the patient's right.
    """
    # All of this draws from one generator: the order of the calls is part of every demo picture.
    grid, scale = ABDOMEN_GRID, float(rng.uniform(0.93, 1.05))
    canvas = Canvas(grid=grid, image=np.full(grid.shape_ijk, AIR_HU, dtype=np.float32))
    body = _Body(
        rng=rng,
        canvas=canvas,
        trunk=_outline(grid, 142 * scale, 106 * scale),
        cavity=_outline(grid, 113 * scale, 77 * scale),
        scale=scale,
    )
    _paint_trunk(body)
    liver, kidneys = _paint_organs(body)
    _paint_vessels_and_spine(body)
    lesions = _lesions(body, liver, kidneys)
    for lesion in lesions:
        value = 62 if lesion.label_id == AbdomenLabel.LIVER_TUMOR else 6
        canvas.paint(lesion.ellipsoid, value, label_id=lesion.label_id)
    # Partial volume, organ texture at two scales in what is no lung or gas, noise, whole HU.
    image: Values = blurred(canvas.image, axes=(0, 1))
    soft = np.clip((image + 300) / 300, 0, 1)
    image += soft * 7 * smooth_noise(rng, grid.shape_ijk, cell_voxels=(3, 3, 2))
    image += soft * 4 * smooth_noise(rng, grid.shape_ijk, cell_voxels=(12, 12, 6))
    image += 9 * rng.standard_normal(grid.shape_ijk, dtype=np.float32)
    hu = np.clip(np.round(image), -1024, 3071).astype(np.int16)  # the range of 12-bit scanners
    return PhantomVolume(image=hu, label_map=canvas.label_map, grid=grid, lesions=lesions)


def _outline(grid: Grid, half_width_mm: float, half_depth_mm: float) -> Mask:
    """A trunk-like column, a little narrower at the waist."""
    x, y, z = (grid.axis_mm(axis) for axis in range(3))
    waist = 1 - 0.05 * np.exp(-(((z + 50) / 45) ** 2))
    level: FloatArray = (
        np.abs(x / (half_width_mm * waist)) ** 2.4 + np.abs(y / (half_depth_mm * waist)) ** 2.4
    )
    return level <= 1


def _paint_trunk(body: _Body) -> None:
    """What has no label: the wall with its ribs, the ends of lungs and heart, the bowel."""
    canvas, rng, grid, scale = body.canvas, body.rng, body.canvas.grid, body.scale
    fat_mm = float(rng.uniform(10, 20))
    under_skin = _outline(grid, 139.5 * scale, 103.5 * scale)
    muscle = _outline(grid, 142 * scale - fat_mm, 106 * scale - fat_mm)
    canvas.fill(body.trunk, 25)
    canvas.fill(under_skin, FAT_HU)
    canvas.fill(muscle, MUSCLE_HU)
    canvas.fill(body.cavity, FAT_HU + 8)
    # Ribs: slanted rings in the wall, seen as a row of dashes on an axial slice.
    x, y, z = (grid.axis_mm(axis) for axis in range(3))
    along = z - 0.55 * (y + 80) - 0.1 * np.abs(x)
    phase = np.mod(along, 30.0) - 15
    shell = _outline(grid, 121 * scale, 85 * scale) & ~_outline(grid, 114 * scale, 78 * scale)
    ribs = shell & (np.abs(phase) < 5) & (along > -45) & (np.abs(x) > 18)
    canvas.fill(ribs, BONE_HU + 60)
    for side in (1, -1):
        back = body.organ((side * 34, -76, 0), (29, 17, 400))
        canvas.paint(back, MUSCLE_HU, within=muscle)
        psoas = body.organ((side * 38, -42, -95), (19, 20, 85), (0, side * 8, 0))
        canvas.paint(psoas, MUSCLE_HU + 5, within=body.trunk)
    for side in (1, -1):
        lung = body.organ((side * 62, -14, 128), (56, 62, 62))
        canvas.paint(lung, LUNG_HU, within=body.cavity)
    canvas.paint(body.organ((-18, 26, 128), (52, 44, 38)), 140, within=body.cavity)
    # Colon at both sides and across, with gas; loops of small bowel, some filled with gas.
    for side, top in ((1, -25), (-1, 0)):
        canvas.paint(body.organ((side * 88, -6, top - 70), (17, 18, 75)), 35, within=body.cavity)
        for level in range(3):
            gas = body.organ((side * 88, 0, top - 20 - 42 * level), (9, 9, 15))
            canvas.paint(gas, AIR_HU + 60, within=body.cavity)
    canvas.paint(body.organ((0, 52, -34), (86, 15, 15)), 30, within=body.cavity)
    canvas.paint(body.organ((-8, 59, -33), (50, 6, 8)), AIR_HU + 80, within=body.cavity)
    for _ in range(44):
        center = (rng.uniform(-68, 68), rng.uniform(-8, 58), rng.uniform(-122, -52))
        loop = body.organ(center, (21, 12, 12), (0, rng.uniform(0, 180), rng.uniform(0, 180)))
        canvas.paint(loop, 62, within=body.cavity)
        canvas.paint(loop.grown(-4), 18 if rng.random() < 0.8 else -700, within=body.cavity)


def _paint_organs(body: _Body) -> tuple[Ellipsoid, dict[AbdomenLabel, Ellipsoid]]:
    """Stomach to kidneys; returns the liver's right lobe and the kidneys."""
    canvas, cavity = body.canvas, body.cavity
    # A stomach, fluid in it, gas on top of the fluid: the patient lies on the back.
    stomach = body.organ((-48, 30, 46), (40, 30, 38), (0, 20, 20))
    canvas.paint(stomach, 75, within=cavity)
    content = stomach.grown(-5)
    canvas.paint(content, 20, within=cavity)
    above = canvas.grid.axis_mm(1) > stomach.center_mm[1] + 8
    canvas.paint(content, AIR_HU + 40, within=cavity & above)
    # The pancreas has no label, but stands in the way as it does in patients.
    canvas.paint(body.organ((-22, 4, 8), (52, 11, 12), (0, -8, -18)), 88, within=cavity)
    spleen = body.organ((-86, -28, 50), (23, 40, 38), (10, -8, 18))
    canvas.paint(spleen, 118, label_id=AbdomenLabel.SPLEEN, within=cavity)
    right_lobe = body.organ((58, 0, 40), (58, 68, 64), (0, 6, 0))
    left_lobe = body.organ((4, 34, 54), (62, 28, 32), (0, -8, 12))
    for lobe in (left_lobe, right_lobe):
        canvas.paint(lobe, 108, label_id=AbdomenLabel.LIVER, within=cavity)
    for _ in range(9):  # vessels of the liver
        branch = body.organ(
            (body.rng.uniform(20, 85), body.rng.uniform(-25, 35), body.rng.uniform(15, 75)),
            (26, 3.5, 3.5),
            (0, body.rng.uniform(-50, 50), body.rng.uniform(-60, 60)),
        )
        in_liver = canvas.label_map == AbdomenLabel.LIVER
        canvas.paint(branch, 150, within=in_liver)
    gallbladder = body.organ((44, 44, 4), (12, 22, 14), (25, 0, 10))
    canvas.paint(gallbladder, 8, label_id=0, within=cavity)
    # Each kidney in its fat: a bright cortex, pyramids along it, fat in the sinus.
    kidneys = {}
    for label, side, height in (
        (AbdomenLabel.RIGHT_KIDNEY, 1, -28),
        (AbdomenLabel.LEFT_KIDNEY, -1, -16),
    ):
        kidney = body.organ((side * 58, -34, height), (25, 24, 50), (-8, -side * 9, side * 25))
        canvas.paint(kidney.grown(6), FAT_HU, label_id=0, within=cavity)
        canvas.paint(kidney, 185, label_id=label, within=body.trunk)
        for level in np.linspace(-0.62, 0.62, 5):
            offset = kidney.rotation @ (np.array([-side * 2.0, 0, level * 50]))
            pyramid = ellipsoid(tuple(kidney.center_mm + offset), (11, 10, 7))
            canvas.paint(pyramid, 125, within=body.trunk)
        sinus = kidney.center_mm + kidney.rotation @ np.array([-side * 14.0, 0, 0])
        canvas.paint(ellipsoid(tuple(sinus), (11, 7, 20)), -40, within=body.trunk)
        kidneys[label] = kidney
    return right_lobe, kidneys


def _paint_vessels_and_spine(body: _Body) -> None:
    """Aorta and vena cava; vertebrae of 30 mm with discs between them and a soft canal."""
    canvas, grid, scale, rng = body.canvas, body.canvas.grid, body.scale, body.rng
    for center, semi_axes, value, label in (
        ((-12.0, -14.0), (11.0, 11.0), 190, AbdomenLabel.AORTA),
        ((21.0, -12.0), (13.0, 10.0), 130, 0),
    ):
        vessel = ellipsoid(
            (center[0] * scale + rng.normal(0, 1.5), center[1] * scale + rng.normal(0, 1.5), 0),
            (semi_axes[0] * scale, semi_axes[1] * scale, 2000),
            (rng.normal(0, 1.0), rng.normal(0, 1.5), 0),
        )
        canvas.paint(vessel, value, label_id=label)
    # Vertebrae and discs are one column, cut by the phase of z; rims and arches are of bone.
    x, y, z = (grid.axis_mm(axis) for axis in range(3))
    phase = np.mod(z + float(rng.uniform(0, 30)), 30.0)
    depth = -46 * scale
    column = ((x / 24) ** 2 + ((y - depth) / 17) ** 2 <= 1) & body.trunk
    rim = ((x / 21) ** 2 + ((y - depth) / 14) ** 2 > 1) & column
    bone = phase > 6
    canvas.fill(column, 80, label_id=0)
    canvas.fill(column & bone, BONE_HU - 60, label_id=AbdomenLabel.VERTEBRAE)
    canvas.fill(rim & bone, BONE_HU + 160)
    arch = ((x / 17) ** 2 + ((y - depth + 24) / 14) ** 2 <= 1) & (y < depth - 12)
    spinous = (np.abs(x) < 3.8) & (y < depth - 30) & (y > depth - 48)
    transverse = (np.abs(x) < 38) & (np.abs(y - depth + 24) < 4.5)
    middle = (phase > 12) & (phase < 26)
    posterior = ((arch & bone) | ((spinous | transverse) & middle)) & body.trunk
    canvas.fill(posterior, BONE_HU + 80, label_id=AbdomenLabel.VERTEBRAE)
    canal = ((x / 9.5) ** 2 + ((y - depth + 24) / 8) ** 2 <= 1) & body.trunk
    canvas.fill(canal, 35, label_id=0)


def _lesions(
    body: _Body, liver: Ellipsoid, kidneys: dict[AbdomenLabel, Ellipsoid]
) -> tuple[Lesion, ...]:
    """One or two liver tumours and at most one kidney cyst, apart from each other."""
    rng, label_map = body.rng, body.canvas.label_map
    lesions: list[Lesion] = []

    def tumor(size: float) -> Ellipsoid:
        """Somewhere in the right lobe; `size` 1 is the largest drawn."""
        place = rng.uniform(-0.55, 0.55, 3) * liver.semi_axes_mm
        return Ellipsoid(
            center_mm=liver.center_mm + liver.rotation @ place,
            semi_axes_mm=rng.uniform(9, 9 + 23 * size) * rng.uniform(0.6, 1.0, 3),
            rotation=rotation_from_angles_deg(*rng.uniform(-60, 60, 3)),
        )

    def cyst(size: float) -> Ellipsoid:
        """Bulging out of the front or the pole of a kidney."""
        direction = np.array([rng.uniform(-0.3, 0.3), rng.uniform(0.2, 1), rng.uniform(-1, 1)])
        place = direction / np.linalg.norm(direction) * kidney.semi_axes_mm
        return Ellipsoid(
            center_mm=kidney.center_mm + kidney.rotation @ place,
            semi_axes_mm=rng.uniform(10, 10 + 16 * size) * rng.uniform(0.75, 1.0, 3),
            rotation=rotation_from_angles_deg(*rng.uniform(-60, 60, 3)),
        )

    liver_voxels = label_map == AbdomenLabel.LIVER
    for _ in range(int(rng.integers(1, 3))):
        placed = _placed(body, lesions, tumor, liver_voxels)
        lesions += [Lesion(label_id=AbdomenLabel.LIVER_TUMOR, ellipsoid=each) for each in placed]
    if rng.random() < 0.7:
        sides = (AbdomenLabel.RIGHT_KIDNEY, AbdomenLabel.LEFT_KIDNEY)
        kidney = kidneys[sides[int(rng.integers(2))]]
        free = body.cavity & ~np.isin(label_map, (AbdomenLabel.VERTEBRAE, AbdomenLabel.AORTA))
        placed = _placed(body, lesions, cyst, free)
        lesions += [Lesion(label_id=AbdomenLabel.KIDNEY_CYST, ellipsoid=each) for each in placed]
    return tuple(lesions)


def _placed(
    body: _Body, lesions: list[Lesion], draw: Callable[[float], Ellipsoid], allowed: Mask
) -> tuple[Ellipsoid, ...]:
    """A drawn ellipsoid whose surface stays in the allowed voxels, away from other lesions.

    Returns:
        One, ever smaller ones being tried; none if there is no room.
    """
    grid = body.canvas.grid
    for size in np.linspace(1, 0, 300):
        candidate = draw(float(size))
        voxels = np.round(grid.ijk_from_mm(candidate.surface_mm(150))).astype(int)
        if (voxels < 0).any() or (voxels >= grid.shape_ijk).any():
            continue
        # Between bounding spheres, which is simple and never more than the true distance.
        apart = all(
            float(np.linalg.norm(candidate.center_mm - other.center_mm))
            - float(candidate.semi_axes_mm.max())
            - float(other.semi_axes_mm.max())
            > LESION_GAP_MM
            for other in (lesion.ellipsoid for lesion in lesions)
        )
        if apart and allowed[tuple(voxels.T)].all():
            return (candidate,)
    return ()
