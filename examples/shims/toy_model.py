"""A model for trying the shim out: boxes whatever is brighter than the picture's mean."""

import io

from PIL import Image


def generate(images: list[bytes], prompt: str, max_tokens: int, temperature: float) -> str:  # noqa: ARG001
    """One box in relative coordinates, lower-left origin, as a detection question asks for."""
    picture = Image.open(io.BytesIO(images[0])).convert("L")
    mean = sum(picture.getdata()) / (picture.width * picture.height)
    x0, y0, x1, y1 = picture.point(lambda level: 255 if level > mean else 0).getbbox()
    box = (
        x0 / picture.width,
        1 - y1 / picture.height,
        x1 / picture.width,
        1 - y0 / picture.height,
    )
    return ", ".join(f"{value:.4f}" for value in box)
