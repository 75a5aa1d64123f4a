"""Painting a volume phantom: solids with a grey value and a label, then blur and noise."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from medvision.phantoms.ellipsoid import Ellipsoid, Grid

Values = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Window = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesion:
    """A tumour, lesion or cyst whose every section is known in closed form."""

    label_id: int
    ellipsoid: Ellipsoid


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhantomVolume:
    """A phantom in canonical RAS+.

    Attributes:
        image: (I, J, K) voxels.
        label_map: (I, J, K) uint8 label ids, 0 for none.
        grid: Shape and spacing.
        lesions: Label map and image hold each of them whole.
    """

    image: npt.NDArray[np.generic]
    label_map: npt.NDArray[np.uint8]
    grid: Grid
    lesions: tuple[Lesion, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Canvas:
    """A volume being painted; later solids cover earlier ones.

    Attributes:
        grid: Shape and spacing.
        image: (I, J, K) grey values.
        label_map: (I, J, K) label ids.
    """

    grid: Grid
    image: Values
    label_map: npt.NDArray[np.uint8] = field(init=False)

    def __post_init__(self) -> None:
        """Start without labels."""
        object.__setattr__(self, "label_map", np.zeros(self.grid.shape_ijk, dtype=np.uint8))

    def paint(
        self,
        solid: Ellipsoid,
        value: float,
        *,
        label_id: int | None = None,
        within: Mask | None = None,
    ) -> None:
        """Fill an ellipsoid.

        Args:
            solid: In grid mm.
            value: Grey value.
            label_id: None leaves the labels as they are.
            within: (I, J, K) voxels that may be painted; None for all.
        """
        window = self.window(solid)
        inside = self.level(solid, window) <= 1
        if within is not None:
            inside &= within[window]
        self.image[window][inside] = value
        if label_id is not None:
            self.label_map[window][inside] = label_id

    def fill(self, inside: Mask, value: float, *, label_id: int | None = None) -> None:
        """Fill a mask of the whole volume."""
        self.image[inside] = value
        if label_id is not None:
            self.label_map[inside] = label_id

    def window(self, solid: Ellipsoid) -> Window:
        """The part of the array that holds the solid's bounding box.

        Painting looks at no voxel outside it: a body has some hundred solids.
        """
        shape, spacing = np.array(self.grid.shape_ijk), np.array(self.grid.spacing_mm)
        center = solid.center_mm / spacing + (shape - 1) / 2
        reach = solid.half_extent_mm / spacing
        start = np.clip(np.floor(center - reach), 0, shape).astype(int)
        stop = np.clip(np.ceil(center + reach) + 1, 0, shape).astype(int)
        i, j, k = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
        return i, j, k

    def level(self, solid: Ellipsoid, window: Window) -> npt.NDArray[np.float64]:
        """`Ellipsoid.level` of the voxel centres in a window."""
        offsets = [
            self.grid.axis_mm(axis)[
                tuple(window[axis] if each == axis else slice(None) for each in range(3))
            ]
            - solid.center_mm[axis]
            for axis in range(3)
        ]
        total = np.zeros(tuple(part.stop - part.start for part in window))
        for direction, semi_axis_mm in zip(solid.rotation.T, solid.semi_axes_mm, strict=True):
            along = sum(d * offset for d, offset in zip(direction, offsets, strict=True))
            total += (along / semi_axis_mm) ** 2
        return total


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, ...], *, cell_voxels: tuple[float, ...]
) -> Values:
    """Noise of about unit variance that varies over cells of the given size, interpolated."""
    counts = [max(2, int(n / cell) + 2) for n, cell in zip(shape, cell_voxels, strict=True)]
    noise = rng.standard_normal(counts).astype(np.float32)
    # One axis after the other, so that a volume costs three passes and not eight corners a voxel.
    for axis, (size, count) in enumerate(zip(shape, counts, strict=True)):
        position = np.linspace(0, count - 1.001, size, dtype=np.float32)
        knot = position.astype(int)
        part = position - knot
        part = (part * part * (3 - 2 * part)).astype(np.float32)  # no kinks at the knots
        part = part.reshape([-1 if each == axis else 1 for each in range(noise.ndim)])
        lower = np.take(noise, knot, axis=axis)
        noise = lower + part * (np.take(noise, knot + 1, axis=axis) - lower)
    scaled: Values = noise / np.float32(noise.std())
    return scaled


def blurred(values: Values, *, axes: tuple[int, ...]) -> Values:
    """Values smoothed by (1, 2, 1) / 4 along each of the axes, as partial volume does.

    Example:
        >>> blurred(np.array([0, 0, 4, 0, 0], dtype=np.float32), axes=(0,)).tolist()
        [0.0, 1.0, 2.0, 1.0, 0.0]
    """
    for axis in axes:
        padding = [(int(each == axis),) * 2 for each in range(values.ndim)]
        padded: Values = np.moveaxis(np.pad(values, padding, "edge"), axis, 0)
        smoothed: Values = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) * np.float32(0.25)
        values = np.moveaxis(smoothed, 0, axis)
    return values
