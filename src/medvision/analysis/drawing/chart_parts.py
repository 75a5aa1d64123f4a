"""Elements of charts as SVG: words that fit, lines, bars, signs."""

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from medvision.analysis.drawing.chart import XY, LegendEntry, Sign, Tone
from medvision.analysis.drawing.svg import printable

LETTER_WIDTH = 0.58
"""About how wide a letter is, as a share of its size, whatever the font."""

SMALL, PLAIN, LARGE = 11.0, 12.0, 15.0
"""Sizes of letters, drawing units."""


def text_width(words: str, size: float = PLAIN) -> float:
    """About how wide words are, drawing units."""
    return LETTER_WIDTH * size * len(words)


def shortened(words: str, width: float, size: float = PLAIN) -> str:
    """Words that fit a width: what is too long loses its middle, since names differ at both ends.

    Example:
        >>> shortened("baseline/train-best (second run)", 120)
        'baseline…ond run)'
    """
    # A width worked out for these very words may fall short of it by rounding.
    most = max(4, int(width / (LETTER_WIDTH * size) + 1e-6))
    if len(words) <= most:
        return words
    # one sign for what is left out
    end = (most - 1) // 2
    return f"{words[: most - 1 - end].rstrip()}…{words[-end:].lstrip()}"


def wrapped(words: str, width: float, size: float) -> list[str]:
    """Words as lines that fit a width; a word that is longer than a line is shortened."""
    lines: list[str] = []
    for word in words.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(shortened(word, width, size))
    return lines


def text(
    words: str,
    at: XY,
    *,
    size: float = PLAIN,
    anchor: str = "start",
    tone: Tone = Tone.TEXT,
    width: float = 0,
    is_bold: bool = False,
    turned: bool = False,
) -> str:
    """Words with their baseline at a place; shortened to `width`, they are whole on hovering."""
    whole = printable(words)
    shown = shortened(whole, width, size) if width else whole
    title = _title(whole) if shown != whole else ""
    weight = ' font-weight="600"' if is_bold else ""
    turn = f' transform="rotate(-90 {at[0]:.1f} {at[1]:.1f})"' if turned else ""
    return (
        f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" font-size="{size:g}" text-anchor="{anchor}" '
        f'fill="{tone}"{weight}{turn}>{title}{escape(shown)}</text>'
    )


def line(start: XY, end: XY, *, tone: Tone, width: float = 1.0, dashes: str = "") -> str:
    """A straight line."""
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" '
        f'stroke="{tone}" stroke-width="{width:g}"{dashed}/>'
    )


def faint(start: XY, end: XY) -> str:
    """A line of the grid: of the text's colour, so that it shows on any paper."""
    return line(start, end, tone=Tone.TEXT, width=1).replace("/>", ' stroke-opacity="0.13"/>')


def box(corner: XY, other: XY, *, tone: Tone, opacity: float = 1.0, words: str = "") -> str:
    """A filled rectangle between two corners."""
    (x0, x1), (y0, y1) = (sorted(pair) for pair in zip(corner, other, strict=True))
    return (
        f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}" '
        f'fill="{tone}" fill-opacity="{opacity:g}">{_title(words)}</rect>'
    )


def polyline(points: Iterable[XY], *, tone: Tone, width: float = 1.6, dashes: str = "") -> str:
    """Points joined."""
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (
        f'<polyline points="{places}" fill="none" stroke="{tone}" stroke-width="{width:g}"'
        f'{dashed} stroke-linejoin="round"/>'
    )


def sign(kind: Sign, at: XY, *, tone: Tone, radius: float = 4.0, words: str = "") -> str:
    """A mark of a shape."""
    x, y = at
    if kind == "cross":
        ends = [((x - radius, y - s * radius), (x + radius, y + s * radius)) for s in (1, -1)]
        return "".join(line(a, b, tone=tone, width=1.6) for a, b in ends)
    if kind in ("diamond", "square"):
        r = radius * (1.25 if kind == "diamond" else 0.9)
        corners = [(0, -r), (r, 0), (0, r), (-r, 0)]
        if kind == "square":
            corners = [(-r, -r), (r, -r), (r, r), (-r, r)]
        places = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
        return f'<polygon points="{places}" fill="{tone}">{_title(words)}</polygon>'
    # A ring keeps clear of what lies behind it by its thick edge alone: its paper is not known.
    fill = "none" if kind == "ring" else tone
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius - (kind == "ring") * 0.6:.1f}" '
        f'fill="{fill}" stroke="{tone}" stroke-width="{1.8 if kind == "ring" else 0:g}">'
        f"{_title(words)}</circle>"
    )


def _title(words: str) -> str:
    """What an element says on hovering."""
    return f"<title>{escape(printable(words))}</title>" if words else ""


def legend_parts(
    entries: Sequence[LegendEntry], *, y: float, width: float
) -> tuple[list[str], float]:
    """A legend from x = 0 in as many lines as it needs, and the y below it."""
    parts: list[str] = []
    x = 0.0
    for entry in entries:
        needed = 26 + text_width(entry.text, SMALL) + 16
        if x and x + needed > width:
            x, y = 0.0, y + 17
        at = (x + 9, y - 4)
        if entry.sign in ("bar", "band"):
            opacity = 0.22 if entry.sign == "band" else 1.0
            parts.append(box((x + 2, y - 9), (x + 17, y), tone=entry.tone, opacity=opacity))
        elif entry.sign in ("line", "dashes"):
            dashes = "5 3" if entry.sign == "dashes" else ""
            parts.append(
                line((x, y - 4), (x + 19, y - 4), tone=entry.tone, width=1.8, dashes=dashes)
            )
        else:
            parts.append(sign(entry.sign, at, tone=entry.tone))
        parts.append(text(entry.text, (x + 25, y), size=SMALL, width=width - 25))
        x += needed
    return parts, y + 12
