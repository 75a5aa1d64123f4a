"""Slices as PNG for the page: each picture once, all of them within a budget of bytes."""

import base64
import hashlib
import io
import itertools
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from medvision.errors import ItemError

logger = logging.getLogger(__name__)

SIDES_PX = (640, 448, 320, 224)
"""Longest sides tried in turn until all pictures fit the budget."""

Row = dict[str, Any]
PictureArray = npt.NDArray[np.uint8]
Picture = Callable[[Row], PictureArray]
"""The rendered slice of a row of `samples`: uint8, [y, x] or [y, x, 3]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedPictures:
    """Pictures as the page holds them.

    Attributes:
        urls: PNG data addresses, each picture once.
        place_of: sample_id to its place in `urls`; samples without a picture are absent.
        missing: sample_id to why it has no picture.
        side_px: Longest side after shrinking.
        n_shrunk: How many of `urls` were shrunk to `side_px`.
    """

    urls: tuple[str, ...]
    place_of: Mapping[str, int]
    missing: Mapping[str, str]
    side_px: int
    n_shrunk: int


def embedded_pictures(
    samples: Mapping[str, Row],
    picture: Picture,
    *,
    budget_bytes: int,
    then: Mapping[str, Row] | None = None,
) -> EmbeddedPictures:
    """Render samples and encode their pictures, shrunk step by step to fit the budget.

    Samples on one slice under one window share a picture. A picture that cannot be rendered is
    logged and noted. What exceeds the budget at the smallest size is left out, last samples first.

    Args:
        samples: sample_id to row of `samples`, most wanted first.
        picture: Renders one row; an `ItemError` concerns that row only.
        budget_bytes: For all data addresses together.
        then: Others, which take what is left of the budget at the size found for the first.
    """
    digest_of: dict[str, str] = {}
    missing: dict[str, str] = {}
    longest: dict[str, int] = {}
    rendered: dict[str, PictureArray] = {}
    for sample_id, digest, array in _rendered(samples, picture, missing):
        digest_of[sample_id] = digest
        longest[digest] = max(array.shape[:2])
        # Of large pictures many would not fit into memory.
        rendered[digest] = shrunk(array, SIDES_PX[0])
    wanted = dict.fromkeys(digest_of[i] for i in samples if i in digest_of)
    side_px, urls = _within_budget({digest: rendered[digest] for digest in wanted}, budget_bytes)
    n_bytes = sum(map(len, urls.values()))
    for sample_id, digest, array in _rendered(then or {}, picture, missing):
        if digest not in urls:
            url = _url(array, side_px)
            n_bytes += len(url)
            if n_bytes > budget_bytes:
                break
            urls[digest], longest[digest] = url, max(array.shape[:2])
        digest_of[sample_id] = digest
    places = {digest: place for place, digest in enumerate(urls)}
    for sample_id in [i for i, digest in digest_of.items() if digest not in places]:
        missing[sample_id] = "the page's budget for pictures is used up"
        del digest_of[sample_id]
    return EmbeddedPictures(
        urls=tuple(urls.values()),
        place_of={sample_id: places[digest] for sample_id, digest in digest_of.items()},
        missing=missing,
        side_px=side_px,
        n_shrunk=sum(longest[digest] > side_px for digest in urls),
    )


def _rendered(
    samples: Mapping[str, Row], picture: Picture, missing: dict[str, str]
) -> Iterator[tuple[str, str, PictureArray]]:
    """Id, digest and pixels of each sample, by image, so that each is read once."""
    for sample_id, row in sorted(samples.items(), key=lambda item: item[1].get("image_uri", "")):
        try:
            array = picture(row)
        except ItemError as error:
            logger.warning("%s: no picture: %s", sample_id, error)
            missing[sample_id] = f"{error.reason}: {error}"
            continue
        # With the shape: 2 × 3 and 3 × 2 pixels may hold the same bytes.
        digest = hashlib.sha256(str(array.shape).encode() + array.tobytes()).hexdigest()
        yield sample_id, digest, array


def shrunk(picture: PictureArray, side_px: int | None) -> PictureArray:
    """A picture whose longer side has at most `side_px` pixels; each is a mean of those it covers.

    Example:
        >>> shrunk(np.full((20, 40), 7, np.uint8), 10).shape
        (5, 10)
    """
    longest = max(picture.shape[:2])
    if side_px is None or longest <= side_px:
        return picture
    image = Image.fromarray(picture)
    width, height = (max(1, round(side * side_px / longest)) for side in image.size)
    return np.asarray(image.resize((width, height), Image.Resampling.BOX))


def png_bytes(picture: PictureArray, *, side_px: int | None = None) -> bytes:
    """A picture as PNG, shrunk so that its longer side has at most `side_px` pixels."""
    written = io.BytesIO()
    Image.fromarray(shrunk(picture, side_px)).save(written, format="PNG", optimize=True)
    return written.getvalue()


def _within_budget(
    arrays: Mapping[str, PictureArray], budget_bytes: int
) -> tuple[int, dict[str, str]]:
    """The largest side at which all fit, and the addresses; at the smallest side those that fit."""
    for side_px in SIDES_PX:
        urls = {digest: _url(array, side_px) for digest, array in arrays.items()}
        if sum(map(len, urls.values())) <= budget_bytes:
            return side_px, urls
    used = itertools.accumulate(map(len, urls.values()))
    kept = {
        digest: url
        for (digest, url), so_far in zip(urls.items(), used, strict=True)
        if so_far <= budget_bytes
    }
    return SIDES_PX[-1], kept


def _url(array: PictureArray, side_px: int) -> str:
    encoded = base64.b64encode(png_bytes(array, side_px=side_px)).decode("ascii")
    return f"data:image/png;base64,{encoded}"
