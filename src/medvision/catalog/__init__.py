"""Facts that need no file of the user's: anatomy groups, canonical names, CT windows."""

from medvision.catalog.anatomy import (
    FALLBACK_GROUP,
    Window,
    anatomy_group,
    canonical_label,
    ct_window,
    is_averaged,
    is_tumor_lesion,
)

__all__ = [
    "FALLBACK_GROUP",
    "Window",
    "anatomy_group",
    "canonical_label",
    "ct_window",
    "is_averaged",
    "is_tumor_lesion",
]
