"""How far measured axes lie from the truth of drawn ellipses, by size, elongation and spacing.

Run: python -m benchmarks.bench_resolution [--all] [--figure docs/figures/resolution.svg]

Each shape is an ellipse of known axes at a random angle and sub-pixel place; a pixel belongs to it
if its centre does. px is the larger pixel side. Errors are measured minus true.
"""

import argparse
import html
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medvision.annotate.regions import native_region_table
from medvision.frames import Plane
from medvision.phantoms.ellipsoid import EllipseSection, ellipse_mask

SEED = 1024
N_SHAPES = 400
MAJOR_PX = (3, 4, 5, 6, 8, 10, 13, 16, 20, 26, 32, 40, 56, 80, 120)
ELONGATIONS = (1.0, 1.5, 2.0, 4.0)
SPACING_RATIOS = (1.0, 2.0, 4.0)
TABLE_PX = (5, 10, 20, 40, 80)
MIN_SHARE = 0.5
"""Errors are printed where at least this share of the shapes could be measured."""

LARGER_SPACING_MM = 3.0
"""Above the floor of 2 mm for every ellipse of two pixels and more."""

MEASURES = {
    "fitted": ("ellipse_major_mm", "ellipse_minor_mm"),
    "moment": ("moment_major_mm", "moment_minor_mm"),
    "feret": ("feret_max_mm", "feret_perp_mm"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Shapes of one kind: truth in px of the larger pixel side, rows `spacing_ratio` × columns."""

    major_px: float
    elongation: float
    spacing_ratio: float

    @property
    def minor_px(self) -> float:
        return self.major_px / self.elongation


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Measured minus true in px, of the shapes that one method could measure; n of all drawn."""

    n: int
    major_px: np.ndarray
    minor_px: np.ndarray


def drawn(setting, n_shapes):
    """Shapes of one setting below each other, numbered from 1, and their spacing (y, x) in mm."""
    rng = np.random.default_rng([SEED, *(int(100 * value) for value in vars_of(setting))])
    larger_mm = LARGER_SPACING_MM
    spacing_yx_mm = (larger_mm, larger_mm / setting.spacing_ratio)
    major_mm, minor_mm = setting.major_px * larger_mm, setting.minor_px * larger_mm
    height_px, width_px = (math.ceil(major_mm / step) + 4 for step in spacing_yx_mm)
    canvas = np.zeros((n_shapes * height_px, width_px), np.int32)
    for n in range(n_shapes):
        place_xy = rng.uniform(-0.5, 0.5, 2)
        section = EllipseSection(
            center_x_mm=((width_px - 1) / 2 + place_xy[0]) * spacing_yx_mm[1],
            center_y_mm=((height_px - 1) / 2 + place_xy[1]) * spacing_yx_mm[0],
            major_mm=major_mm,
            minor_mm=minor_mm,
            angle_deg=rng.uniform(0, 180),
        )
        inside = ellipse_mask(section, (height_px, width_px), spacing_yx_mm=spacing_yx_mm)
        canvas[n * height_px : (n + 1) * height_px][inside] = n + 1
    return canvas, spacing_yx_mm


def vars_of(setting):
    return setting.major_px, setting.elongation, setting.spacing_ratio


def errors_of(setting, n_shapes=N_SHAPES):
    """Errors by method for one setting; the same numbers on every call."""
    canvas, spacing_yx_mm = drawn(setting, n_shapes)
    table = native_region_table(canvas, spacing_yx_mm, Plane.NATIVE, range(1, n_shapes + 1))
    whole = [row for row in table.to_pylist() if row["n_components"] == 1]
    errors = {}
    for method, (major, minor) in MEASURES.items():
        found = [(row[major], row[minor]) for row in whole if row["ellipse_status"] == "ok"]
        values = np.array(found, dtype=float).reshape(-1, 2) / LARGER_SPACING_MM
        errors[method] = Errors(
            n=n_shapes,
            major_px=values[:, 0] - setting.major_px,
            minor_px=values[:, 1] - setting.minor_px,
        )
    return errors


def study(sizes_px):
    """Setting to errors by method."""
    settings = [
        Setting(major_px=major, elongation=elongation, spacing_ratio=ratio)
        for ratio in SPACING_RATIOS
        for elongation in ELONGATIONS
        for major in sizes_px
    ]
    return {setting: errors_of(setting) for setting in settings}


def span(values):
    """Mean, and between which bounds 90 % of the single shapes lie."""
    low, high = np.percentile(values, (5, 95))
    return f"{values.mean():+.2f} ({low:+.2f} … {high:+.2f})".replace("-", "−")


def table_rows(found):
    """Markdown rows: setting, share measured, errors of each method's major and minor axis."""
    for setting, errors in found.items():
        share = len(errors["fitted"].major_px) / errors["fitted"].n
        cells = [
            f"{setting.spacing_ratio:g} : 1",
            f"{setting.elongation:g} : 1",
            f"{setting.major_px}",
            f"{100 * share:.0f} %",
        ]
        for method in MEASURES:
            both = (errors[method].major_px, errors[method].minor_px)
            cells += [span(values) if share >= MIN_SHARE else "–" for values in both]
        yield f"| {' | '.join(cells)} |"


def print_table(found):
    heads = ["spacing", "axes", "major px", "measured"]
    heads += [f"{method} {axis}" for method in MEASURES for axis in ("major", "minor")]
    print(f"| {' | '.join(heads)} |")
    print("|" + " ---: |" * len(heads))
    for row in table_rows(found):
        print(row)


def verdict_rows(found):
    """Shares of single shapes of equal spacing for which two rules of thumb hold."""
    equal = {setting: errors for setting, errors in found.items() if setting.spacing_ratio == 1}
    for low, high in ((5, 9), (10, 19), (20, 39), (40, 79), (80, 120)):
        for kind, least, most in (("up to 2 : 1", 1, 2), ("4 : 1", 4, 4)):
            chosen = [
                errors
                for setting, errors in equal.items()
                if least <= setting.elongation <= most and low <= setting.major_px <= high
            ]
            if not chosen:
                continue
            fitted = np.concatenate([errors["fitted"].major_px for errors in chosen])
            moments = [
                np.concatenate([getattr(errors["moment"], name) for errors in chosen])
                for name in ("major_px", "minor_px")
            ]
            within = [f"{100 * np.mean(np.abs(values) <= 0.1):.0f} %" for values in moments]
            short = 100 * np.mean((fitted >= -0.9) & (fitted <= -0.6))
            cells = [f"{low}–{high}", kind, span(fitted), f"{short:.0f} %", *within]
            yield f"| {' | '.join(cells)} |"


def print_verdict(found):
    print(
        "| major px | axes | fitted major | 0.6–0.9 px short | moment major within 0.1 px | "
        "moment minor within 0.1 px |"
    )
    print("|" + " ---: |" * 6)
    for row in verdict_rows(found):
        print(row)


PANEL_W, PANEL_H, LEFT, TOP, GAP_X, GAP_Y = 270, 200, 58, 62, 34, 58
Y_LOW, Y_HIGH = -2.0, 1.0
COLOURS = {1.0: "#0b62c4", 1.5: "#12784a", 2.0: "#b3541e", 4.0: "#8a2be2"}
DRAWN_RATIOS = {1.0: "", 4.0: "5 3"}


def figure_svg(found):
    """Mean error against size; bands hold 90 % of the single shapes of equal spacing."""
    width = LEFT + 3 * PANEL_W + 2 * GAP_X + 16
    height = TOP + 2 * PANEL_H + GAP_Y + 92
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#1c2430">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="24" font-size="15" font-weight="600">Measured minus true length of '
        "drawn ellipses</text>",
    ]
    for column, method in enumerate(MEASURES):
        for row, axis in enumerate(("major", "minor")):
            x0, y0 = LEFT + column * (PANEL_W + GAP_X), TOP + row * (PANEL_H + GAP_Y)
            parts.append(panel(found, method, axis, x0, y0))
    parts.append(legend(LEFT, height - 44))
    return "".join([*parts, "</svg>\n"])


def at(x0, y0, size_px, error_px):
    """Place of a point in a panel; the axis of sizes is logarithmic."""
    low, high = math.log(MAJOR_PX[0] * 0.9), math.log(MAJOR_PX[-1] * 1.1)
    x = x0 + PANEL_W * (math.log(size_px) - low) / (high - low)
    clipped = min(max(error_px, Y_LOW), Y_HIGH)
    return x, y0 + PANEL_H * (Y_HIGH - clipped) / (Y_HIGH - Y_LOW)


def panel(found, method, axis, x0, y0):
    title = {"fitted": "fitted ellipse", "moment": "moment ellipse", "feret": "Feret diameter"}
    perp = method == "feret" and axis == "minor"
    words = f"{title[method]}, {'perpendicular' if perp else axis}"
    parts = [f'<text x="{x0}" y="{y0 - 8}" font-weight="600">{html.escape(words)}</text>']
    for tick in np.arange(Y_LOW, Y_HIGH + 0.01, 0.5):
        y = at(x0, y0, 10, tick)[1]
        colour = "#5d6878" if tick == 0 else "#e3e7ec"
        parts.append(f'<path d="M{x0} {y:.1f}h{PANEL_W}" stroke="{colour}"/>')
        if x0 == LEFT:
            label = f"{tick:+.1f}".replace("-", "−").replace("+0.0", "0")
            parts.append(f'<text x="{x0 - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    for tick in (3, 5, 10, 20, 40, 80, 120):
        x = at(x0, y0, tick, 0)[0]
        parts.append(f'<path d="M{x:.1f} {y0}v{PANEL_H}" stroke="#f0f2f5"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{y0 + PANEL_H + 16}" text-anchor="middle">{tick}</text>'
        )
    for elongation, colour in COLOURS.items():
        for ratio, dash in DRAWN_RATIOS.items():
            chosen = points(found, method, axis, elongation, ratio)
            parts.append(curve(chosen, (x0, y0), colour, dash))
    parts.append(
        f'<rect x="{x0}" y="{y0}" width="{PANEL_W}" height="{PANEL_H}" fill="none" '
        'stroke="#b9c0c9"/>'
    )
    return "".join(parts)


def points(found, method, axis, elongation, ratio):
    """Size, mean, 5th and 95th percentile of errors, where enough shapes could be measured."""
    chosen = []
    for setting, errors in found.items():
        if (setting.elongation, setting.spacing_ratio) != (elongation, ratio):
            continue
        values = getattr(errors[method], f"{axis}_px")
        if len(values) >= MIN_SHARE * errors[method].n:
            bounds = np.percentile(values, (5, 95))
            chosen.append((setting.major_px, values.mean(), *bounds))
    return chosen


def curve(chosen, corner, colour, dash):
    if not chosen:
        return ""
    mean = " ".join("{:.1f},{:.1f}".format(*at(*corner, s, m)) for s, m, _, _ in chosen)
    band = ""
    if not dash:
        lows = [at(*corner, s, low) for s, _, low, _ in chosen]
        highs = [at(*corner, s, high) for s, _, _, high in chosen]
        edge = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*lows, *reversed(highs)])
        band = f'<polygon points="{edge}" fill="{colour}" fill-opacity="0.1"/>'
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    line = f'<polyline points="{mean}" fill="none" stroke="{colour}" stroke-width="1.8"{dashed}/>'
    return band + line


def legend(x, y):
    parts = [
        f'<text x="{x}" y="{y - 14}">x: true major axis in px (larger pixel side); y: error in px; '
        "line: mean; band: 90 % of single shapes</text>"
    ]
    for elongation, colour in COLOURS.items():
        parts.append(f'<path d="M{x} {y + 6}h24" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{x + 30}" y="{y + 10}">{elongation:g} : 1</text>')
        x += 92
    for words, dash in (("equal spacing", ""), ("rows 4 × as far apart as columns", "5 3")):
        style = f' stroke-dasharray="{dash}"' if dash else ""
        parts.append(f'<path d="M{x} {y + 6}h24" stroke="#1c2430" stroke-width="2"{style}/>')
        parts.append(f'<text x="{x + 30}" y="{y + 10}">{words}</text>')
        x += 140
    return "".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="every size, not those of the docs")
    parser.add_argument("--figure", type=Path, metavar="FILE.svg")
    args = parser.parse_args()
    found = study(MAJOR_PX)
    print(f"{N_SHAPES} shapes for each of {len(found)} settings, seed {SEED}\n")
    print_verdict(found)
    print()
    print_table(found if args.all else {s: e for s, e in found.items() if s.major_px in TABLE_PX})
    if args.figure:
        args.figure.write_text(figure_svg(found), encoding="utf-8")
        print(f"\n{args.figure}: written")


if __name__ == "__main__":
    main()
