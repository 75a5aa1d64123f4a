"""Cephalogram400.zip: RAR archives of pictures and of text files, nineteen points in each."""

import cv2
import numpy as np

from tests.raw_trees import RawCase

DATASET = "Ceph-Biometrics-400"
PLACES = {"001": "TrainingData", "150": "TrainingData", "151": "Test1Data", "301": "Test2Data"}
WIDTH, HEIGHT = 60, 80
MM = 0.1
DISTANCES = ("1-10", "2-8", "1-2", "2-5", "2-6", "2-7", "3-4", "5-6", "8-10", "9-10", "17-18")
ANGLES = (
    ("2-5", "2-6"),
    ("1-2", "2-6"),
    ("1-2", "2-5"),
    ("5-6", "8-10"),
    ("3-4", "2-7"),
    ("3-4", "17-18"),
    ("2-7", "5-6"),
    ("1-2", "9-10"),
)


def points(seed):
    rng = np.random.default_rng(seed)
    at = rng.permutation(WIDTH * HEIGHT)[:19]
    return [(int(n % WIDTH), int(n // WIDTH)) for n in at]


def members():
    pictures, first, second = {}, {}, {}
    for seed, (case, place) in enumerate(PLACES.items()):
        rng = np.random.default_rng(seed)
        picture = rng.integers(0, 255, (HEIGHT, WIDTH)).astype(np.uint8)
        pictures[f"RawImage/{place}/{case}.bmp"] = cv2.imencode(".bmp", picture)[1].tobytes()
        for reader, files, more in (("senior", first, 0), ("junior", second, 500)):
            lines = [f"{x},{y}" for x, y in points(seed + more)]
            # Classes of malformation stand below the points.
            text = "\r\n".join([*lines, "1", "2", "1", ""])
            files[f"400_{reader}/{case}.txt"] = text.encode()
    rars = {"RawImage.rar": pictures, "400_senior.rar": first, "400_junior.rar": second}
    return {"Cephalogram400.zip": rars}


def read(folder):
    at = folder / "Cephalogram400.zip"
    for path in sorted(at.glob("400_senior.rar/400_senior/*.txt")):
        lines = path.read_text("utf-8").splitlines()[:19]
        points_mm = MM * np.array([[float(x) for x in text.split(",")] for text in lines])

        def line(name, points_mm=points_mm):
            start, end = map(int, name.split("-"))
            return points_mm[end - 1] - points_mm[start - 1]

        measured = {}
        for name in DISTANCES:
            ends = [tuple(points_mm[int(n) - 1] / MM) for n in name.split("-")]
            measured[f"L-{name}"] = (np.hypot(*line(name)), "sagittal", 0, ends)
        for one, other in ANGLES:
            u, v = line(one), line(other)
            cosine = abs(u @ v) / np.linalg.norm(u) / np.linalg.norm(v)
            key = f"A-L-{one}-L-{other}".replace("-", "_").replace("_L", "-L")
            measured[key] = (float(np.degrees(np.arccos(min(1, cosine)))), "sagittal", 0)
        (picture,) = at.glob(f"RawImage.rar/RawImage/*/{path.stem}.bmp")
        assert cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE).shape == (HEIGHT, WIDTH)
        yield RawCase(
            case_id=path.stem,
            subject_id=path.stem,
            images={"image": None},
            measured=measured,
            spacing_mm=(MM, MM),
        )
