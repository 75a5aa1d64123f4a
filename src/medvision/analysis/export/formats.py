"""A table as CSV, Markdown and LaTeX."""

import csv
import io
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from medvision.analysis.drawing.svg import printable
from medvision.analysis.export.plain_table import PlainTable, printed, printed_interval

LONG_TABLE = 40
"""Rows from which a LaTeX table goes on over pages."""

_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    **{sign: rf"\{sign}" for sign in "&%$#_{}"},
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''",
    "–": "--", "…": r"\ldots{}", "≥": r"$\geq$", "≤": r"$\leq$", "°": r"$^\circ$", "²": "$^2$",
    "³": "$^3$", "×": r"$\times$", "−": "$-$", "±": r"$\pm$", "·": r"$\cdot$", "µ": r"$\mu$",
}  # fmt: skip
"""What LaTeX reads as a command, or what the plain fonts of pdfLaTeX lack."""

_MARKDOWN = re.compile(r"([\\`*_\[\]<>|])")


def csv_text(table: PlainTable) -> str:
    """Every column, numbers unrounded and unscaled, an empty field for none; ends in columns.

    Example:
        >>> from medvision.analysis.export.plain_table import Column, Entry
        >>> columns = (Column(key="model", title="model"),
        ...            Column(key="iou", title="IoU", decimals=2, has_interval=True))
        >>> row = (Entry(value="a, b"), Entry(value=0.5, interval=(0.25, 0.75)))
        >>> print(csv_text(PlainTable(name="t", caption="", columns=columns, rows=(row,))))
        model,iou,iou_low,iou_high
        "a, b",0.5,0.25,0.75
        <BLANKLINE>
    """
    written = io.StringIO()
    # Readers of types take a lone carriage return for the end of a row.
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(
        [
            name
            for one in table.columns
            for name in (one.key, *((f"{one.key}_low", f"{one.key}_high") * one.has_interval))
        ]
    )
    for row in table.rows:
        fields: list[object] = []
        for entry, column in zip(row, table.columns, strict=True):
            value = entry.value
            fields.append(printable(value) if isinstance(value, str) else value)
            if column.has_interval:
                fields += entry.interval or (None, None)
        writer.writerow(["" if one is None else one for one in fields])
    return written.getvalue()


def markdown_text(table: PlainTable) -> str:
    """A pipe table below its caption; an interval follows its value in brackets."""
    shown = table.shown
    heads, marks = [], []
    for at in shown:
        column = table.columns[at]
        heads.append(_markdown(column.title + (f" ({column.note})" if column.note else "")))
        marks.append("---:" if column.is_number else "---")
    lines = [heads, marks]
    for row in table.rows:
        cells = []
        for at in shown:
            interval = printed_interval(row[at], table.columns[at])
            text = printed(row[at], table.columns[at])
            cells.append(_markdown(text) + (f" \\[{interval}\\]" if interval else ""))
        lines.append(cells)
    body = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"{_markdown(table.caption)}\n\n{body}\n"


def latex_text(table: PlainTable) -> str:
    """A booktabs table with caption and label; an interval stands in small print below its value.

    A table of many rows is a longtable; a wide one is shrunk to the line.
    """
    shown = table.shown
    columns = [table.columns[at] for at in shown]
    marks = "".join("r" if column.is_number else "l" for column in columns)
    heads = [_row([_latex(column.title) for column in columns])]
    if any(column.note for column in columns):
        notes = [_small(_latex(column.note)) if column.note else "" for column in columns]
        heads.append(_row(notes))
    body = []
    for row in table.rows:
        entries = [row[at] for at in shown]
        pairs = list(zip(entries, columns, strict=True))
        body.append(_row([_latex(printed(entry, column)) for entry, column in pairs]))
        intervals = [printed_interval(entry, column) for entry, column in pairs]
        if any(intervals):
            body.append(_row([_small(_latex(one)) if one else "" for one in intervals]))
    caption = rf"\caption{{{_latex(table.caption)}}}"
    # A label is no text: it holds no signs at all.
    label = rf"\label{{tab:{re.sub('[^A-Za-z0-9]+', '-', table.name)}}}"
    head = [r"\toprule", *heads, r"\midrule"]
    if len(table.rows) > LONG_TABLE:
        lines = [
            r"% \usepackage{booktabs,longtable}",
            r"{\footnotesize\setlength{\tabcolsep}{3pt}",
            rf"\begin{{longtable}}{{{marks}}}",
            rf"{caption}{label}\\",
            *head,
            r"\endhead",
            *body,
            r"\bottomrule",
            r"\end{longtable}}",
        ]
    else:
        lines = [
            r"% \usepackage{booktabs,adjustbox}",
            r"\begin{table}",
            r"\centering",
            rf"{caption}{label}",
            r"\begin{adjustbox}{max width=\linewidth}",
            rf"\begin{{tabular}}{{{marks}}}",
            *head,
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{adjustbox}",
            r"\end{table}",
        ]
    return "\n".join(lines) + "\n"


FORMATS: Mapping[str, Callable[[PlainTable], str]] = MappingProxyType(
    {"csv": csv_text, "md": markdown_text, "tex": latex_text}
)
"""By the ending of the file."""


def _markdown(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", printable(text))


def _latex(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in printable(text))


def _row(cells: list[str]) -> str:
    # A bracket or star that begins a row would be read as an argument of the row end above it.
    guard = "{}" if cells and cells[0].startswith(("[", "*")) else ""
    return guard + " & ".join(cells) + r" \\"


def _small(text: str) -> str:
    return rf"{{\scriptsize {text}}}"
