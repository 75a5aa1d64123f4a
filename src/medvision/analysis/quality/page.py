"""The quality page of a table folder: one HTML file that loads nothing and runs no script."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from markupsafe import Markup

from medvision import __version__
from medvision.analysis.html import asset, content_policy, filled
from medvision.analysis.quality.counts import QualityCounts, quality_counts
from medvision.analysis.quality.landmarks import landmark_sheet
from medvision.analysis.quality.measured import MEANINGS, OUTCOMES
from medvision.analysis.quality.sheets import (
    BOX_COLOUR,
    ELLIPSE_COLOUR,
    FERET_COLOUR,
    OUTLINE_COLOUR,
    Sheets,
    contact_sheets,
)
from medvision.analysis.quality.tile import Tile
from medvision.storage import write_text
from medvision.table.build import QUALITY_PAGE

LEGEND = {"box": BOX_COLOUR, "outline in the mask file": OUTLINE_COLOUR}
TARGET_LEGEND = {"fitted ellipse and its axes": ELLIPSE_COLOUR, "Feret diameter": FERET_COLOUR}
"""Of the lines that only target labels have."""

MAX_PROBLEMS = 60


def write_quality_page(tables: Path, root: Path | None = None) -> Path:
    """Write `quality.html` into a table folder; it appears whole or not at all.

    Args:
        tables: A complete table folder.
        root: Data root that re-bases the images' paths, or None.

    Returns:
        The page's path.

    Raises:
        UsageError: The folder holds no complete tables.
    """
    drawings = contact_sheets(tables, root), landmark_sheet(tables, root)
    html = quality_html(quality_counts(tables), *drawings)
    out = tables / QUALITY_PAGE
    # Names may hold lone surrogates, which UTF-8 cannot: they become "?".
    write_text(out, html.encode("utf-8", "replace").decode("utf-8"))
    return out


def quality_html(counts: QualityCounts, sheets: Sheets, landmarks: Sequence[Tile] = ()) -> str:
    """The page as text; everything from files is escaped.

    Args:
        counts: What the tables hold.
        sheets: Drawings of structures.
        landmarks: Drawings of slices with landmarks.
    """
    css = "\n".join(asset(name) for name in ("report.css", "quality.css"))
    return filled(
        "quality.html",
        counts=counts,
        outcomes=OUTCOMES,
        meanings=MEANINGS,
        problems=counts.problems[:MAX_PROBLEMS],
        sheets=sheets,
        landmarks=landmarks,
        # Markup: a drawing is ours; its words were escaped when it was drawn.
        drawing=Markup,
        legend=LEGEND | TARGET_LEGEND if counts.measured.n else LEGEND,
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        version=__version__,
        policy=content_policy(),
        css=Markup(css),  # noqa: S704 our own files
    )
