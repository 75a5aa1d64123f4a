"""The quality page of a table folder: what it holds, what it left out, slices for the eye."""

from medvision.analysis.quality.page import write_quality_page

__all__ = ["write_quality_page"]
