"""An MR-like head after contrast agent: brain, ventricles, cerebellum, one enhancing tumour."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from medvision.phantoms.canvas import (
    Canvas,
    Lesion,
    Mask,
    PhantomVolume,
    Values,
    blurred,
    smooth_noise,
)
from medvision.phantoms.ellipsoid import Ellipsoid, Grid, rotation_from_angles_deg

HEAD_GRID = Grid(shape_ijk=(96, 112, 96), spacing_mm=(2.0, 2.0, 2.0))

BONE, FLUID, MUSCLE, GREY, WHITE, FAT, TUMOR = 40, 190, 330, 500, 740, 880, 980
"""Signal of the tissues, arbitrary units."""


class HeadLabel(IntEnum):
    """Label ids of the head phantom."""

    BRAIN = 1
    VENTRICLES = 2
    CEREBELLUM = 3
    TUMOR = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Head:
    """One head being painted; `scale` is its size relative to the template, along x, y, z."""

    rng: np.random.Generator
    canvas: Canvas
    scale: npt.NDArray[np.float64]

    def part(
        self,
        center_mm: tuple[float, float, float],
        semi_axes_mm: tuple[float, float, float],
        rotation_deg: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> Ellipsoid:
        """A template ellipsoid as this head has it."""
        return Ellipsoid(
            center_mm=np.array(center_mm) * self.scale + self.rng.normal(0, 0.5, 3),
            semi_axes_mm=np.array(semi_axes_mm) * self.scale * self.rng.uniform(0.97, 1.03, 3),
            rotation=rotation_from_angles_deg(*rotation_deg),
        )


def head_phantom(rng: np.random.Generator) -> PhantomVolume:
    """One head, uint16, facing +y, varied by the generator; one enhancing tumour."""
    # All of this draws from one generator: the order of the calls is part of every demo picture.
    grid, shape = HEAD_GRID, HEAD_GRID.shape_ijk
    canvas = Canvas(grid=grid, image=np.zeros(shape, dtype=np.float32))
    head = _Head(rng=rng, canvas=canvas, scale=rng.uniform(0.95, 1.04, 3))
    _paint_face_and_neck(head)
    cranium = head.part((0, -8, 26), (79, 95, 69), (float(rng.normal(0, 2)), 0, 0))
    fossa = head.part((0, -46, -22), (66, 55, 40))
    for depth_mm, value in ((0.0, FAT), (4.5, BONE), (9.5, FLUID)):
        for outline in (fossa, cranium):
            canvas.paint(outline.grown(-depth_mm), value)
    brain = cranium.grown(-12.5)
    _paint_brain(head, brain)
    lesion = _paint_tumor(head, brain)
    signal: Values = blurred(canvas.image, axes=(0, 1, 2))  # partial volume
    shading = 1 + 0.07 * smooth_noise(rng, shape, cell_voxels=(50, 50, 50))  # of the coil
    texture = 1 + 0.03 * smooth_noise(rng, shape, cell_voxels=(3, 3, 3))
    signal = signal * shading * texture
    # A magnitude image has Rician noise: Gaussian in the real and the imaginary channel
    # (Gudbjartsson and Patz, Magn. Reson. Med. 34, 1995), so that air is grey and never negative.
    real = signal + 16 * rng.standard_normal(shape, dtype=np.float32)
    imaginary = 16 * rng.standard_normal(shape, dtype=np.float32)
    magnitude = np.round(np.hypot(real, imaginary)).astype(np.uint16)
    return PhantomVolume(image=magnitude, label_map=canvas.label_map, grid=grid, lesions=(lesion,))


def _paint_face_and_neck(head: _Head) -> None:
    canvas = head.canvas
    for center, semi_axes, rotation, value in (
        ((0, -18, -80), (54, 56, 60), (0, 0, 0), FAT),
        ((0, -18, -80), (49, 50, 58), (0, 0, 0), MUSCLE),
        ((0, 34, -38), (58, 60, 56), (0, 0, 0), FAT),
        ((0, 32, -38), (54, 56, 52), (0, 0, 0), MUSCLE),
        ((0, 94, -24), (11, 13, 17), (-25, 0, 0), FAT - 60),
        ((0, 62, -72), (24, 28, 22), (0, 0, 0), FAT - 200),
        ((0, 60, -70), (20, 24, 15), (0, 0, 0), BONE + 20),
        ((0, 60, -92), (26, 24, 14), (0, 0, 0), FAT - 200),
        ((0, 66, -20), (20, 26, 22), (0, 0, 0), BONE),
        ((0, 44, -58), (24, 34, 15), (0, 0, 0), MUSCLE + 90),
        ((0, 8, -56), (9, 6, 42), (0, 0, 0), 0),
        ((0, -22, -74), (17, 14, 50), (0, 0, 0), GREY - 60),
        ((0, -44, -74), (10, 8, 60), (0, 0, 0), FLUID),
        ((0, -44, -74), (6, 5, 60), (0, 0, 0), WHITE - 60),
    ):
        canvas.paint(head.part(center, semi_axes, rotation), value)
    for side in (1, -1):
        canvas.paint(head.part((side * 30, 68, -4), (19, 19, 17)), FAT - 40)
        canvas.paint(head.part((side * 30, 72, -4), (13, 13, 13)), FLUID - 30)
        canvas.paint(head.part((side * 26, 56, -34), (13, 16, 15)), 20)
        canvas.paint(head.part((side * 70, -10, -14), (9, 13, 20), (0, 0, side * 20)), FAT - 250)


def _paint_brain(head: _Head, brain: Ellipsoid) -> None:
    """White and grey matter, cerebellum, ventricles."""
    canvas, grid = head.canvas, head.canvas.grid
    brainstem = head.part((0, -22, -40), (13, 13, 36), (12, 0, 0))
    canvas.paint(brainstem, WHITE - 50, label_id=HeadLabel.BRAIN)
    x, y, z = (grid.axis_mm(axis) for axis in range(3))
    window = canvas.window(brain)
    level = canvas.level(brain, window)
    depth_mm = np.full(grid.shape_ijk, -1.0)
    depth_mm[window] = (1 - np.sqrt(level)) * float(brain.semi_axes_mm.mean())
    inside: Mask = (depth_mm >= 0) & (z > -26 - 0.15 * y)
    # Where a smooth field is zero it has surfaces that wind as sulci do: fluid closest to them,
    # cortex beside that and under the brain's own surface, white matter elsewhere.
    field = smooth_noise(head.rng, grid.shape_ijk, cell_voxels=(4.6, 4.6, 4.6))
    steepness = np.abs(field)
    canvas.fill(inside, WHITE, label_id=HeadLabel.BRAIN)
    canvas.fill(inside & ((depth_mm < 4.5) | ((steepness < 0.42) & (depth_mm < 19))), GREY)
    canvas.fill(inside & (steepness < 0.13) & (depth_mm < 15), FLUID + 40)
    fissure = np.abs(x - 1.8 * np.sin(y / 17 + z / 23 + field[0, 0, 0])) < 1.3
    canvas.fill(inside & fissure & (z > brain.center_mm[2] + 12), FLUID)
    for side in (1, -1):
        for center, semi_axes in (((27, 4, 22), (9, 20, 11)), ((13, 18, 24), (6, 14, 12))):
            nucleus = head.part((side * center[0], center[1], center[2]), semi_axes)
            canvas.paint(nucleus, GREY + 40, within=inside)
        thalamus = head.part((side * 11, -16, 22), (8, 14, 9))
        canvas.paint(thalamus, GREY + 60, within=inside)
    # The cerebellum: two lobes of fine leaves behind the brainstem.
    leaves = np.sin((z + 0.5 * y) * 1.15) > 0.35
    for side in (1, -1):
        lobe = head.part((side * 21, -54, -23), (27, 25, 19), (0, side * 8, 0))
        canvas.paint(lobe, GREY - 20, label_id=HeadLabel.CEREBELLUM)
        canvas.paint(lobe, WHITE - 110, within=np.broadcast_to(leaves, grid.shape_ijk))
        core = head.part((side * 20, -50, -26), (15, 12, 8))
        canvas.paint(core, WHITE - 30)
    canvas.paint(head.part((0, -38, -27), (7, 6, 9)), FLUID, label_id=HeadLabel.VENTRICLES)
    # Lateral ventricles of three horns each, and the third one between them.
    width = float(head.rng.uniform(0.8, 1.3))
    for side in (1, -1):
        for center, radii, rotation in (
            ((11, 8, 36), (6.5 * width, 30, 8), (12, 0, side * 12)),
            ((21, -34, 26), (7 * width, 20, 10), (-14, 0, side * -20)),
            ((30, -16, 8), (5, 18, 6), (10, 0, side * 8)),
        ):
            horn = head.part((side * center[0], center[1], center[2]), radii, rotation)
            canvas.paint(horn, FLUID, label_id=HeadLabel.VENTRICLES)
    third = head.part((0, -6, 20), (3 * width, 13, 11))
    canvas.paint(third, FLUID, label_id=HeadLabel.VENTRICLES)


def _paint_tumor(head: _Head, brain: Ellipsoid) -> Lesion:
    """A tumour in one hemisphere, brighter at its rim, with a darker margin of oedema."""
    rng, canvas = head.rng, head.canvas
    while True:
        side = 1 if rng.random() < 0.5 else -1
        place = np.array(
            [side * rng.uniform(0.35, 0.7), rng.uniform(-0.6, 0.6), rng.uniform(-0.1, 0.6)]
        )
        tumor = Ellipsoid(
            center_mm=brain.center_mm + brain.rotation @ (place * brain.semi_axes_mm),
            semi_axes_mm=rng.uniform(8, 19) * rng.uniform(0.65, 1.0, 3),
            rotation=rotation_from_angles_deg(*rng.uniform(-60, 60, 3)),
        )
        if brain.level(tumor.surface_mm(200)).max() <= 0.85:  # whole inside the brain
            break
    in_brain = canvas.label_map == HeadLabel.BRAIN
    canvas.paint(tumor.grown(9), GREY - 90, within=in_brain)
    canvas.paint(tumor, TUMOR, label_id=HeadLabel.TUMOR)
    if tumor.semi_axes_mm.min() > 9:
        canvas.paint(tumor.grown(-4.5), GREY + 110)
    return Lesion(label_id=HeadLabel.TUMOR, ellipsoid=tumor)
