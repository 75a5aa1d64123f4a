"""Layouts of boxes: what each number is, and that the quick way finds what the patterns find."""

import json
from pathlib import Path

import pytest

from medvision.replies import boxes, read_answer
from medvision.replies.boxes import box_of_roles

TEXTS = [
    reply["text"]
    for reply in map(
        json.loads,
        (Path(__file__).parents[1] / "data" / "replies.jsonl")
        .read_text(encoding="utf-8")
        .splitlines(),
    )
    if reply["task"] == "detection"
]
FOREIGN = (
    *("oben links", "unten rechts", "Breite", "Höhe", "Mittelpunkt", "haut gauche", "bas droite"),
    *("largeur", "hauteur", "superior izquierda", "inferior derecha", "ancho", "altura", "centro"),
    *("superior esquerdo", "inferior direito", "largura", "superiore sinistro", "larghezza"),
    *("inferiore destro", "altezza", "Ursprung", "origem", "von oben", "depuis le haut"),
    *("desde arriba", "a partir do topo", "dall'alto", "xywh", "yolo", "coco", "tlbr", "box_2d"),
    *("row_min", "column", "size:", "centroid", "from the upper", "to the top", "downwards"),
)


@pytest.mark.parametrize("text", [*TEXTS, *(f"{word} 0.1, 0.2, 0.5, 0.6" for word in FOREIGN)])
def test_hints_hide_no_layout(text, monkeypatch):
    quick = read_answer("detection", text)
    for hints in ("LAYOUT_HINTS", "CORNER_HINTS", "ORIGIN_HINTS"):
        monkeypatch.setattr(boxes, hints, ("",))
    assert read_answer("detection", text) == quick


@pytest.mark.parametrize(
    ("roles", "values", "box"),
    [
        (("x0", "y0", "x1", "y1"), (0.1, 0.2, 0.5, 0.6), (0.1, 0.2, 0.5, 0.6)),
        (("y1", "x1", "y0", "x0"), (0.6, 0.5, 0.2, 0.1), (0.1, 0.2, 0.5, 0.6)),
        (("cx", "cy", "w", "h"), (0.5, 0.5, 0.5, 0.25), (0.25, 0.375, 0.75, 0.625)),
        (("x0", "y0", "w", "h"), (0.25, 0.25, 0.5, 0.25), (0.25, 0.25, 0.75, 0.5)),
        (("x0", "down1", "x1", "down0"), (0.1, 0.25, 0.5, 0.75), (0.1, 0.25, 0.5, 0.75)),
        (("x0", "down1", "x1", "down0"), (0.1, 0.0, 0.5, 0.25), (0.1, 0.75, 0.5, 1.0)),
    ],
)
def test_box_of_each_layout_by_hand(roles, values, box):
    assert box_of_roles(roles, values) == box


@pytest.mark.parametrize(
    ("roles", "values"),
    [
        (("x", "y", "w", "h"), (0.1, 0.2, 0.4, 0.4)),
        (("x0", "x0", "x1", "y1"), (0.1, 0.2, 0.4, 0.4)),
        (("x0", "y1", "x1", "y0"), (0.1, 0.2, 0.5, 0.6)),
        (("x1", "y0", "w", "h"), (0.1, 0.2, 0.4, 0.4)),
    ],
)
def test_what_is_open_or_contradicts_itself_is_no_box(roles, values):
    assert box_of_roles(roles, values) is None
