"""A cephalogram-like X-ray of a head from the side, facing right, with exact landmarks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from medvision.frames import FloatArray
from medvision.phantoms.canvas import Values, blurred, smooth_noise

XRAY_SHAPE_HW = (480, 400)
XRAY_SPACING_YX_MM = (0.45, 0.55)

LANDMARK_NAMES: dict[str, str] = {
    "S": "sella",
    "N": "nasion",
    "Or": "orbitale",
    "Po": "porion",
    "A": "subspinale (A point)",
    "B": "supramentale (B point)",
    "Pog": "pogonion",
    "Me": "menton",
    "Go": "gonion",
    "Ar": "articulare",
}

BIOMETRICS = {
    "landmarks": LANDMARK_NAMES,
    "lines": {
        "SN": {"name": "anterior cranial base length (sella to nasion)", "landmarks": ["S", "N"]},
        "GoMe": {"name": "mandibular body length (gonion to menton)", "landmarks": ["Go", "Me"]},
        "NMe": {"name": "anterior face height (nasion to menton)", "landmarks": ["N", "Me"]},
        "SGo": {"name": "posterior face height (sella to gonion)", "landmarks": ["S", "Go"]},
        "NA": {"name": "", "landmarks": ["N", "A"]},
        "NB": {"name": "", "landmarks": ["N", "B"]},
        "PoOr": {"name": "", "landmarks": ["Po", "Or"]},
        "GoAr": {"name": "", "landmarks": ["Go", "Ar"]},
    },
    "angles": {
        "SNA": {"name": "SNA angle (sella, nasion, A point)", "lines": ["SN", "NA"]},
        "SNB": {"name": "SNB angle (sella, nasion, B point)", "lines": ["SN", "NB"]},
        "ANB": {"name": "ANB angle (A point, nasion, B point)", "lines": ["NA", "NB"]},
        "gonial": {
            "name": "acute angle at gonion between ramus and mandibular body",
            "lines": ["GoAr", "GoMe"],
        },
        "FMA": {
            "name": "angle between the Frankfort plane (porion to orbitale) and the mandibular "
            "plane (gonion to menton)",
            "lines": ["PoOr", "GoMe"],
        },
    },
    "measure": [
        *({"kind": "distance", "key": key} for key in ("SN", "GoMe", "NMe", "SGo")),
        *({"kind": "angle", "key": key} for key in ("SNA", "SNB", "ANB", "gonial", "FMA")),
    ],
}
"""Four distances and five angles, four of them at a landmark that both lines share."""

TEMPLATE_MM: dict[str, tuple[float, float]] = {
    "S": (94, 86),
    "N": (162, 73),
    "Or": (150, 104),
    "Po": (76, 106),
    "A": (161, 131),
    "B": (154, 168),
    "Pog": (156, 182),
    "Me": (147, 191),
    "Go": (94, 166),
    "Ar": (82, 118),
}
"""Landmarks of the average head, x to the right and y down from the picture's corner, in mm."""

Outline = tuple[tuple[float, float], ...]

_PROFILE: Outline = (
    *((30, 26), (62, 8), (104, 4), (144, 16), (166, 40), (171, 62), (169, 76), (178, 96)),
    *((191, 112), (188, 121), (177, 125), (179, 138), (182, 147), (176, 152), (180, 160)),
    *((172, 168), (172, 182), (163, 196), (146, 203), (122, 198), (112, 206), (108, 240)),
    *((36, 240), (38, 170), (20, 132), (8, 96), (12, 54)),
)
"""Skin, template mm."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhantomXray:
    """A 2D picture with its landmarks.

    Attributes:
        pixels: (height, width) uint8.
        spacing_yx_mm: Distance between rows, between columns.
        landmarks_xy: Key to (x, y), column and row, pixel centres, unrounded.
    """

    pixels: npt.NDArray[np.uint8]
    spacing_yx_mm: tuple[float, float]
    landmarks_xy: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Film:
    """A picture being exposed: strokes and areas add up, as absorption does."""

    values: Values
    x_mm: FloatArray
    y_mm: FloatArray

    def stroke(self, points_mm: FloatArray, width_mm: float, amount: float) -> None:
        """A soft line through points (n, 2)."""
        nearest = np.full(self.values.shape, np.inf, dtype=np.float32)
        reach_mm = 3 * width_mm
        for start, end in pairwise(points_mm):
            low, high = np.minimum(start, end) - reach_mm, np.maximum(start, end) + reach_mm
            rows = slice(*np.searchsorted(self.y_mm[:, 0], [low[1], high[1]]))
            columns = slice(*np.searchsorted(self.x_mm[0], [low[0], high[0]]))
            along = end - start
            x, y = self.x_mm[:, columns] - start[0], self.y_mm[rows] - start[1]
            part = np.clip((x * along[0] + y * along[1]) / max(along @ along, 1e-9), 0, 1)
            distance_mm2 = (x - part * along[0]) ** 2 + (y - part * along[1]) ** 2
            nearest[rows, columns] = np.minimum(nearest[rows, columns], distance_mm2)
        self.values[...] += amount * np.exp(-nearest / (2 * (width_mm / 2) ** 2))

    def area(self, points_mm: FloatArray, amount: float) -> None:
        """A filled polygon (n, 2): a pixel is inside if an odd number of edges lies right of it."""
        inside = np.zeros(self.values.shape, dtype=bool)
        for (x0, y0), (x1, y1) in zip(points_mm, np.roll(points_mm, -1, axis=0), strict=True):
            # Half-open: a row that meets a corner crosses one of its two edges, not both.
            crossed = (self.y_mm >= min(y0, y1)) & (self.y_mm < max(y0, y1))
            rows = np.flatnonzero(crossed)
            if rows.size:
                at_x = x0 + (self.y_mm[rows] - y0) * (x1 - x0) / (y1 - y0)
                inside[rows] ^= self.x_mm < at_x
        self.values[inside] += amount

    def spot(self, center_mm: FloatArray, radius_mm: float, amount: float) -> None:
        """A soft disc."""
        distance_mm2 = (self.x_mm - center_mm[0]) ** 2 + (self.y_mm - center_mm[1]) ** 2
        self.values[...] += (amount * np.exp(-distance_mm2 / (2 * radius_mm**2))).astype(np.float32)


def xray_phantom(rng: np.random.Generator) -> PhantomXray:
    """One cephalogram, uint8, varied by the generator; all landmarks inside the picture."""
    turn, scale = np.radians(rng.uniform(-7, 7)), rng.uniform(0.9, 1.04, 2)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix, offset_mm, pivot_mm = rotation @ np.diag(scale), rng.uniform(-4, 4, 2), (105.0, 110.0)

    def place(points: npt.ArrayLike) -> FloatArray:
        """Template mm to film mm: (..., 2) to (..., 2)."""
        moved: FloatArray = (np.asarray(points) - pivot_mm) @ matrix.T + pivot_mm + offset_mm
        return moved

    jaw, jaw_shift = {"B", "Pog", "Me", "Go"}, rng.normal(0, 3.0, 2)
    landmarks_mm = {
        key: place(np.array(point) + rng.normal(0, 1.5, 2) + jaw_shift * (key in jaw))
        for key, point in TEMPLATE_MM.items()
    }
    height, width = XRAY_SHAPE_HW
    spacing_y_mm, spacing_x_mm = XRAY_SPACING_YX_MM
    film = _Film(
        values=np.zeros(XRAY_SHAPE_HW, dtype=np.float32),
        x_mm=np.arange(width, dtype=np.float64)[None, :] * spacing_x_mm,
        y_mm=np.arange(height, dtype=np.float64)[:, None] * spacing_y_mm,
    )
    _expose_skull(film, landmarks_mm, place)
    _expose_face(film, landmarks_mm)
    for point in landmarks_mm.values():
        film.spot(point, 0.9, 90)
    # Bone bright, trabecular texture, scatter, and grain. What absorbs adds up and light falls off
    # exponentially (Beer and Lambert): thick bone saturates, as on film.
    soft = blurred(film.values, axes=(0, 1))
    texture = 1 + 0.05 * smooth_noise(rng, XRAY_SHAPE_HW, cell_voxels=(4, 4))
    texture += 0.06 * smooth_noise(rng, XRAY_SHAPE_HW, cell_voxels=(40, 40))
    grain = 3.0 * rng.standard_normal(XRAY_SHAPE_HW, dtype=np.float32)
    grey = 12 + 245 * (1 - np.exp(-soft * texture / 130)) + grain
    return PhantomXray(
        pixels=np.clip(np.round(grey), 0, 255).astype(np.uint8),
        spacing_yx_mm=XRAY_SPACING_YX_MM,
        landmarks_xy={
            key: (float(x / spacing_x_mm), float(y / spacing_y_mm))
            for key, (x, y) in landmarks_mm.items()
        },
    )


def _expose_skull(
    film: _Film, at: dict[str, FloatArray], place: Callable[[npt.ArrayLike], FloatArray]
) -> None:
    """Soft tissue, vault, base of the skull with the sella's cup, ear, neck."""
    film.area(_smoothed(place(_PROFILE), closed=True), 38)
    angle = np.linspace(0, 2 * np.pi, 90)
    vault = np.stack([88 + 74 * np.cos(angle), 73 + 58 * np.sin(angle)], axis=-1)
    film.area(place(vault), 24)
    front = np.stack(
        [
            88 + 72 * np.cos(np.linspace(-3.9, 0.0, 60)),
            73 + 56 * np.sin(np.linspace(-3.9, 0.0, 60)),
        ],
        axis=-1,
    )
    film.stroke(_smoothed(np.vstack([place(front), at["N"]])), 4.5, 70)
    sella, nasion, porion = at["S"], at["N"], at["Po"]
    rim = np.linspace(0.15, np.pi - 0.15, 15)
    cup = sella + 5.5 * np.stack([np.cos(rim), np.sin(rim)], axis=-1)
    film.stroke(cup, 2.0, 75)
    roof = np.vstack([cup[0], _beside(sella + 0.35 * (nasion - sella), 0, 3), nasion])
    film.stroke(_smoothed(roof), 3.0, 55)
    clivus = np.vstack([cup[-1], _beside(sella, -14, 16), _beside(sella, -22, 36)])
    film.stroke(_smoothed(clivus), 5.0, 45)
    film.spot(_beside(porion, 4, 3), 9.0, 45)
    film.stroke(porion + 3.0 * np.stack([np.cos(angle), np.sin(angle)], axis=-1), 1.5, 35)
    for level in range(5):
        body = place([(56, 142 + 19 * level), (78, 140 + 19 * level), (79, 155 + 19 * level)])
        corner = place([(57, 157 + 19 * level)])
        film.area(np.vstack([body, corner]), 42)
        film.stroke(place([(34, 152 + 19 * level), (56, 150 + 19 * level)]), 6.0, 30)


def _expose_face(film: _Film, at: dict[str, FloatArray]) -> None:
    """Orbit, upper jaw, teeth, lower jaw: all drawn through the landmarks."""
    nasion, orbitale, a_point, b_point = at["N"], at["Or"], at["A"], at["B"]
    articulare, gonion, menton = at["Ar"], at["Go"], at["Me"]
    spine = _beside(a_point, 6, -6)
    orbit = [_beside(nasion, -4, 6), _beside(orbitale, -12, -16), _beside(orbitale, -9, -3)]
    film.stroke(_smoothed(np.vstack([*orbit, orbitale])), 2.2, 50)
    # Upper jaw: from the nasal bone over spine and A point to the teeth, and back under the orbit.
    front = [nasion, _beside(orbitale, 4, 2), spine, a_point, _beside(a_point, 4, 12)]
    back = [_beside(a_point, -42, 10), _beside(a_point, -48, -6), _beside(orbitale, -34, 4)]
    film.area(_smoothed(np.vstack([*front, *back]), closed=True), 26)
    film.stroke(np.vstack([spine, _beside(a_point, -50, -5)]), 2.6, 60)
    film.stroke(_smoothed(np.vstack(front[2:])), 1.8, 55)
    # Lower jaw: ramus, body, chin.
    ramus = _beside((articulare + gonion) / 2, -3, 0)
    edge = [articulare, ramus, gonion, _beside((gonion + menton) / 2, 0, 3), menton]
    edge += [at["Pog"], b_point, _beside(b_point, 2, -11)]
    top = [_beside(b_point, -40, -11), _beside(gonion, 22, -28), _beside(articulare, 20, -4)]
    film.area(_smoothed(np.vstack([*edge, *top]), closed=True), 34)
    film.stroke(_smoothed(np.vstack(edge)), 2.8, 60)
    for tooth in range(6):
        upper, lower = _beside(a_point, -7.5 * tooth, 0), _beside(b_point, -7.5 * tooth, 0)
        film.stroke(np.vstack([_beside(upper, 3, 6), _beside(upper, 6, 20)]), 5.0, 50)
        film.stroke(np.vstack([_beside(lower, 1, -5), _beside(lower, 5, -17)]), 4.6, 46)


def _beside(point_mm: FloatArray, right_mm: float, down_mm: float) -> FloatArray:
    moved: FloatArray = point_mm + np.array([right_mm, down_mm])
    return moved


def _smoothed(points_mm: FloatArray, *, closed: bool = False, n_between: int = 6) -> FloatArray:
    """A smooth curve that passes through the points: (n, 2) to (m, 2).

    A Catmull-Rom spline (Catmull and Rom, 1974): the tangent at a point is half of the way from the
    one before it to the one after it, so that landmarks stay exactly on the bone they mark.
    """
    if closed:
        padded = np.vstack([points_mm[-1], points_mm, points_mm[:2]])
    else:
        padded = np.vstack([points_mm[0], points_mm, points_mm[-1]])
    before, start, end, after = (padded[s : len(padded) - 3 + s] for s in range(4))
    part = np.linspace(0, 1, n_between, endpoint=False)[None, :, None]
    tangent_in, tangent_out = (end - before) / 2, (after - start) / 2
    curve = (
        (2 * part**3 - 3 * part**2 + 1) * start[:, None]
        + (part**3 - 2 * part**2 + part) * tangent_in[:, None]
        + (3 * part**2 - 2 * part**3) * end[:, None]
        + (part**3 - part**2) * tangent_out[:, None]
    ).reshape(-1, 2)
    return curve if closed else np.vstack([curve, points_mm[-1]])
