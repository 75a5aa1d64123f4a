"""Finished pictures of slices, each drawn once for its digest and for sending."""

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from medvision.pictures.render import SlicePictures, pixel_sha256, png_bytes, slice_identity
from medvision.pictures.view import PictureFamily
from medvision.samples import Sample

N_KEPT = 64
"""Pictures kept: questions about one slice stand together, and so do repeats of one question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnPicture:
    """A slice's picture as a model of one family gets it.

    Attributes:
        slice_sha256: Digest of the slice's pixels on its stored grid.
        png: The picture sent.
    """

    slice_sha256: str
    png: bytes


@dataclass(slots=True, eq=False)
class _Place:
    """Where one picture is kept; who draws it holds the lock, the others wait."""

    lock: Lock = field(default_factory=Lock)
    picture: DrawnPicture | None = None


class DrawnPictures:
    """Draws pictures for one family; safe to call from several threads.

    Samples of one image should come one after another: two volumes are kept.
    """

    def __init__(self, family: PictureFamily) -> None:
        """Start with nothing drawn."""
        self._family = family
        self._slices = SlicePictures()
        self._places: OrderedDict[str, _Place] = OrderedDict()
        self._lock = Lock()

    def drawn(self, sample: Sample) -> DrawnPicture:
        """The picture of a sample's slice; who asks while another draws it waits for that.

        Raises:
            ItemError: The image cannot be read, has no such slice, or it cannot be shown.
        """
        identity = slice_identity(sample)
        with self._lock:
            place = self._places.setdefault(identity, _Place())
            self._places.move_to_end(identity)
            while len(self._places) > N_KEPT:
                self._places.popitem(last=False)
        with place.lock:
            if place.picture is None:
                stored = self._slices.image(sample)
                place.picture = DrawnPicture(
                    slice_sha256=pixel_sha256(stored.pixels),
                    png=png_bytes(self._family.sent_pixels(stored)),
                )
            return place.picture
