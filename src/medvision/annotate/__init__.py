"""Label maps and landmarks to annotation rows.

What measures is loaded when it is first used: it compiles, and most commands only read tables.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medvision.annotate.ellipse import EllipseStatus as EllipseStatus
    from medvision.annotate.regions import native_region_table as native_region_table
    from medvision.annotate.regions import region_table as region_table

_HOME_OF = {
    "EllipseStatus": "medvision.annotate.ellipse",
    "native_region_table": "medvision.annotate.regions",
    "region_table": "medvision.annotate.regions",
}

__all__ = ["EllipseStatus", "native_region_table", "region_table"]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        msg = f"module 'medvision.annotate' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_HOME_OF[name]), name)
