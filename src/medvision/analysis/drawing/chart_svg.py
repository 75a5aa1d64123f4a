"""Charts drawn, once, as SVG: pages hold it, `drawing.raster` makes PNG of it."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from medvision.analysis.drawing.axes import Scale, scale_of
from medvision.analysis.drawing.chart import (
    CellsPanel,
    Chart,
    Layer,
    Mark,
    Panel,
    PlanePanel,
    RowsPanel,
    Rule,
    Tone,
)
from medvision.analysis.drawing.chart_parts import (
    LARGE,
    SMALL,
    box,
    faint,
    legend_parts,
    line,
    polyline,
    sign,
    text,
    text_width,
    wrapped,
)
from medvision.analysis.drawing.raster import raster_png
from medvision.analysis.drawing.svg import document_size, svg_document

WIDTH, GAP = 760.0, 24.0
"""Of a chart and between its panels, drawing units."""

ROW = 19.0
"""Height of a row, drawing units."""

PLANE_HEIGHT = 210.0
"""Of a plane between its axes, drawing units."""

PNG_ZOOM = 2.0

MARGIN_X, MARGIN_Y = 16, 10
"""Around a chart that is a file of its own, drawing units."""

INK = "#1c2430"
"""Of words on white paper."""

Drawn = tuple[list[str], float]
"""Elements from y = 0 down, and how high they are."""


def chart_svg(chart: Chart) -> str:
    """The chart as SVG without a ground: it takes on the text colour of the page it stands in."""
    parts = []
    y = 18.0
    for words in wrapped(chart.title, WIDTH, LARGE):
        parts.append(text(words, (0, y), size=LARGE, is_bold=True))
        y += 20
    drawn, y = legend_parts(chart.legend, y=y + 2, width=WIDTH)
    parts += drawn
    for panels in _lines(chart.panels):
        width = WIDTH if isinstance(panels[0], RowsPanel) else WIDTH / 2 - GAP
        each = [_panel(panel, width) for panel in panels]
        for place, (elements, _) in enumerate(each):
            x = place * (WIDTH + GAP) / 2
            parts.append(f'<g transform="translate({x:.1f} {y:.1f})">{"".join(elements)}</g>')
        y += max(height for _, height in each) + 14
    for words in wrapped(chart.caption, WIDTH, SMALL):
        y += 15
        parts.append(text(words, (0, y), size=SMALL, tone=Tone.TEXT))
    return svg_document(parts, width=WIDTH, height=y + 8, title=chart.title)


def on_paper(document: str) -> str:
    """A chart on white, with a margin, as a file of its own."""
    width, height = document_size(document)
    inner = document.replace(
        "<svg ", f'<svg x="{MARGIN_X}" y="{MARGIN_Y}" width="{width}" height="{height}" ', 1
    )
    ground = (width + 2 * MARGIN_X, height + 2 * MARGIN_Y)
    parts = [
        '<rect width="{:.1f}" height="{:.1f}" fill="#ffffff"/>'.format(*ground),
        f'<g color="{INK}">{inner}</g>',
    ]
    title = document.split('aria-label="', 1)[1].split('"', 1)[0]
    return svg_document(parts, width=ground[0], height=ground[1], title=title)


def chart_png(chart: Chart) -> bytes:
    """The chart on white as PNG."""
    return raster_png(on_paper(chart_svg(chart)), zoom=PNG_ZOOM)


def _lines(panels: Sequence[Panel]) -> Iterator[list[Panel]]:
    """Panels that stand side by side: one of rows, or two others."""
    line_of: list[Panel] = []
    for panel in panels:
        if line_of and (isinstance(panel, RowsPanel) or len(line_of) == 2):
            yield line_of
            line_of = []
        line_of.append(panel)
        if isinstance(panel, RowsPanel):
            yield line_of
            line_of = []
    if line_of:
        yield line_of


def _panel(panel: Panel, width: float) -> Drawn:
    match panel:
        case RowsPanel():
            return _rows(panel, width)
        case PlanePanel():
            return _plane(panel, width)
        case CellsPanel():
            return _cells(panel, width)


def _rows(panel: RowsPanel, width: float) -> Drawn:
    labels = [row.label for row in panel.rows if not row.is_head]
    label_width = min(230.0, 18 + max(map(text_width, labels), default=0.0))
    longest_note = max([panel.note_title, *(row.note for row in panel.rows)], key=len)
    note_width = 14 + text_width(longest_note, SMALL)
    n_axes = len(panel.axes)
    room = (width - label_width - note_width - GAP * (n_axes - 1)) / n_axes
    top, bottom = 26.0, 26.0 + ROW * len(panel.rows)
    parts = [
        text(panel.title, (0, 15), is_bold=True, width=width - note_width),
        text(panel.note_title, (width, 15), size=SMALL, anchor="end"),
    ]
    for at, (axis, reference) in enumerate(zip(panel.axes, panel.references, strict=True)):
        marks = [one for row in panel.rows if row.marks for one in row.marks[at]]
        values = [v for one in marks for v in (one.value, *(one.interval or ()))]
        start = label_width + at * (room + GAP)
        known = values if reference is None else [*values, reference]
        scale = scale_of(axis, known, start=start, end=start + room)
        parts += _foot(scale, axis.title, top=top, bottom=bottom)
        if reference is not None:
            x = scale.at(reference)
            parts.append(line((x, top), (x, bottom), tone=Tone.TEXT, width=1.2))
        for place, row in enumerate(panel.rows):
            for mark in row.marks[at] if row.marks else ():
                parts += _mark(mark, scale, top + (place + 0.5) * ROW)
    for place, row in enumerate(panel.rows):
        y = top + (place + 0.5) * ROW + 4
        # Beside a head there is no mark, so that it may be longer.
        indent, longest = (0, width - note_width) if row.is_head else (10, label_width - 18)
        parts.append(text(row.label, (indent, y), width=longest, is_bold=row.is_head))
        parts.append(text(row.note, (width, y), size=SMALL, anchor="end"))
    return parts, bottom + 40


def _mark(mark: Mark, scale: Scale, y: float) -> list[str]:
    x = scale.at(mark.value)
    ends = [scale.at(end) for end in mark.interval or ()]
    if mark.sign in ("bar", "band"):
        is_bar = mark.sign == "bar"
        half = 6.5 if is_bar else ROW / 2
        opacity = 1.0 if is_bar else 0.22
        return [
            box((ends[0], y - half), (ends[1], y + half), tone=mark.tone, opacity=opacity,
                words=mark.words)
        ]  # fmt: skip
    found = []
    if ends:
        found.append(line((ends[0], y), (ends[1], y), tone=mark.tone, width=1.8))
        found += [line((end, y - 3), (end, y + 3), tone=mark.tone, width=1.4) for end in ends]
    return [*found, sign(mark.sign, (x, y), tone=mark.tone, words=mark.words)]


def _foot(scale: Scale, title: str, *, top: float, bottom: float) -> list[str]:
    """An axis along the bottom with its grid."""
    parts = [line((scale.start, bottom), (scale.end, bottom), tone=Tone.GREY)]
    for value in scale.ticks():
        x = scale.at(value)
        parts.append(faint((x, top), (x, bottom)))
        parts.append(text(f"{value:g}", (x, bottom + 14), size=SMALL, anchor="middle"))
    middle, room = (scale.start + scale.end) / 2, scale.end - scale.start + 40
    parts.append(text(title, (middle, bottom + 30), size=SMALL, anchor="middle", width=room))
    return parts


def _plane(panel: PlanePanel, width: float) -> Drawn:
    top, bottom, left = 26.0, 26.0 + PLANE_HEIGHT, 52.0
    points = [point for layer in panel.layers for point in layer.points]
    across_x, across_y = ([r.value for r in panel.rules if r.axis == axis] for axis in ("x", "y"))
    whiskers = [e for layer in panel.layers for one in layer.intervals for e in one or ()]
    x = scale_of(panel.x, [*(p[0] for p in points), *across_x], start=left, end=width)
    y = scale_of(panel.y, [*(p[1] for p in points), *whiskers, *across_y], start=bottom, end=top)
    parts = [text(panel.title, (0, 15), is_bold=True, width=width)]
    parts += _foot(x, panel.x.title, top=top, bottom=bottom)
    parts += _side(y, panel.y.title, left=left, right=width)
    for rule in panel.rules:
        parts.append(_rule(rule, x, y))
    for layer in panel.layers:
        parts += _layer(layer, x, y)
    labelled: list[float] = []
    for rule in panel.rules:
        near = y.at(rule.value)
        # Of lines that lie on each other the first is named.
        if rule.words and rule.axis == "y" and all(abs(near - one) > 13 for one in labelled):
            labelled.append(near)
            # Beside its line, away from 0, but inside the panel.
            is_below = near < top + 14 or (rule.value < 0 and near < bottom - 14)
            at = (width - 3, near + 12 if is_below else near - 4)
            parts.append(text(rule.words, at, size=SMALL, anchor="end"))
    height = bottom + 47
    for words in wrapped(panel.note, width, SMALL):
        parts.append(text(words, (0, height), size=SMALL))
        height += 15
    return parts, height


def _side(scale: Scale, title: str, *, left: float, right: float) -> list[str]:
    parts = [line((left, scale.start), (left, scale.end), tone=Tone.GREY)]
    for value in scale.ticks():
        y = scale.at(value)
        parts.append(faint((left, y), (right, y)))
        parts.append(text(f"{value:g}", (left - 5, y + 4), size=SMALL, anchor="end"))
    middle, room = (scale.start + scale.end) / 2, abs(scale.end - scale.start)
    parts.append(text(title, (10, middle), size=SMALL, anchor="middle", width=room, turned=True))
    return parts


def _rule(rule: Rule, x: Scale, y: Scale) -> str:
    if rule.axis == "x":
        at = x.at(rule.value)
        start, end = (at, y.start), (at, y.end)
    else:
        at = y.at(rule.value)
        start, end = (x.start, at), (x.end, at)
    dashes = "5 3" if rule.is_dashed else ""
    return line(start, end, tone=rule.tone, width=1.4, dashes=dashes)


def _layer(layer: Layer, x: Scale, y: Scale) -> list[str]:
    places = [(x.at(px), y.at(py)) for px, py in layer.points]
    if layer.sign == "line" or layer.sign == "dashes":
        dashes = "5 3" if layer.sign == "dashes" else ""
        return [polyline(places, tone=layer.tone, dashes=dashes)]
    if layer.sign == "band":
        corners = " ".join(f"{px:.1f},{py:.1f}" for px, py in places)
        return [f'<polygon points="{corners}" fill="{layer.tone}" fill-opacity="0.2"/>']
    if layer.sign == "bar":
        return [
            box((x0, y.start), (x1, top), tone=layer.tone, opacity=0.45)
            for (x0, top), (x1, _) in pairwise(places)
        ]
    parts = [polyline(places, tone=layer.tone, width=1.2)] if layer.is_joined else []
    for (px, _), one in zip(places, layer.intervals, strict=False):
        if one and all(map(math.isfinite, one)):
            ends = [(px, y.at(end)) for end in one]
            parts.append(line(ends[0], ends[1], tone=layer.tone, width=1.4))
    radius = 2.2 if len(places) > 60 else 3.6
    return [*parts, *(sign(layer.sign, at, tone=layer.tone, radius=radius) for at in places)]


def _cells(panel: CellsPanel, width: float) -> Drawn:
    n = len(panel.classes)
    left = 18 + min(150.0, max(text_width(word, SMALL) for word in panel.classes) + 8)
    pitch, high, top = (width - left) / n, 34.0, 42.0
    parts = [
        text(panel.title, (0, 15), is_bold=True, width=width),
        text("answered", (left + n * pitch / 2, 34), size=SMALL, anchor="middle"),
        text("true", (10, top + n * high / 2), size=SMALL, anchor="middle", turned=True),
    ]
    for row, counts in enumerate(panel.counts):
        total, y = sum(counts), top + row * high
        label = panel.classes[row]
        at = (left - 6, y + high / 2 + 4)
        parts.append(text(label, at, size=SMALL, anchor="end", width=left - 22))
        for column, count in enumerate(counts):
            x = left + column * pitch
            share = count / total if total else 0.0
            tone = Tone.BLUE if row == column else Tone.ORANGE
            parts.append(box((x + 1, y + 1), (x + pitch - 1, y + high - 1), tone=tone,
                             opacity=0.06 + 0.5 * share))  # fmt: skip
            middle = (x + pitch / 2, y + high / 2 + 4)
            parts.append(text(f"{count}", middle, anchor="middle", is_bold=row == column))
    foot = top + n * high
    for column, word in enumerate(panel.classes):
        for place, words in enumerate(wrapped(word, pitch - 4, SMALL)[:2]):
            at = (left + (column + 0.5) * pitch, foot + 14 * (place + 1))
            parts.append(text(words, at, size=SMALL, anchor="middle"))
    height = foot + 50
    for words in wrapped(panel.note, width, SMALL):
        parts.append(text(words, (0, height), size=SMALL))
        height += 15
    return parts, height
