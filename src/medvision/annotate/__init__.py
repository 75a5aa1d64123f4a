"""Label maps and landmarks to annotation rows."""

from medvision.annotate.ellipse import EllipseStatus
from medvision.annotate.regions import native_region_table, region_table

__all__ = ["EllipseStatus", "native_region_table", "region_table"]
