"""What a model really sees: canvas and content per family, and the picture to send."""

from medvision.pictures.perceived.families import (
    FAMILIES,
    LimitsError,
    UnknownFamilyError,
    family_named,
    perceived_size,
    resolved_limits,
)
from medvision.pictures.perceived.family import Family, Limits, LimitsLike, Preparation
from medvision.pictures.perceived.sending import (
    PictureFormatError,
    SentPicture,
    box_on_sent_from_slice,
    box_on_slice_from_sent,
    picture_to_send,
    point_on_sent_from_slice,
    point_on_slice_from_sent,
    prepared_picture,
)
from medvision.pictures.perceived.sizes import (
    AspectRatioError,
    EmptyPictureError,
    PerceivedSize,
    StatedFrame,
    stated_frame,
)

__all__ = [
    "FAMILIES",
    "AspectRatioError",
    "EmptyPictureError",
    "Family",
    "Limits",
    "LimitsError",
    "LimitsLike",
    "PerceivedSize",
    "PictureFormatError",
    "Preparation",
    "SentPicture",
    "StatedFrame",
    "UnknownFamilyError",
    "box_on_sent_from_slice",
    "box_on_slice_from_sent",
    "family_named",
    "perceived_size",
    "picture_to_send",
    "point_on_sent_from_slice",
    "point_on_slice_from_sent",
    "prepared_picture",
    "resolved_limits",
    "stated_frame",
]
