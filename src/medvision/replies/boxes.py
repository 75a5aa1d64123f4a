"""The layout in which a reply states a box, and the box it is in the layout asked for.

Asked for are x0, y0, x1, y1, counted from the lower left. A reply that states another layout is
converted only where it says what each of the four numbers is; a corner that may be any of two, or
an origin without names, leaves it unread.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from medvision.replies.naming import Slots, gaps_fit, names_by_gap
from medvision.replies.plain_text import LETTERS, fold
from medvision.replies.words import BOX_JOINTS, WORDS

Box = tuple[float, float, float, float]
Spans = Sequence[tuple[int, int]]
Roles = tuple[str, ...]
"""What each number is: x0 and x1 the left and right edge, y0 and y1 the lower and upper one, cx and
cy the centre, w and h the size; x and y a coordinate that may be either edge's."""

ASKED: Roles = ("x0", "y0", "x1", "y1")

LAYOUTS: dict[str, Roles | None] = {
    "xyxy": ASKED,
    "yxyx": ("y0", "x0", "y1", "x1"),
    "xxyy": ("x0", "x1", "y0", "y1"),
    "yyxx": ("y0", "y1", "x0", "x1"),
    "ltrb": ("x0", "y1", "x1", "y0"),
    "tlbr": ("y1", "x0", "y0", "x1"),
    "lbrt": ASKED,
    "cxcywh": ("cx", "cy", "w", "h"),
    **dict.fromkeys(("xywh", "cxywh", "yxhw", "xyhw", "ltwh", "tlwh", "lbwh", "ltrb_top")),
    **dict.fromkeys(("yolo", "coco", "voc", "albumentations", "box_2d")),
}
"""Names of layouts; None where the name leaves open which corner or axis is meant."""

_LAYOUT = re.compile(
    rf"(?<![{LETTERS}0-9])(?:{'|'.join(LAYOUTS)}|[xywhc]{{4,6}}|[ltrbwh]{{4}})(?![{LETTERS}0-9])"
)

_START = f"(?<![{LETTERS}0-9_])"
_END = f"(?![{LETTERS}0-9])"
_LOW = "min|left|bottom|start|lo|low|lower"
_HIGH = "max|right|top|end|hi|high|upper"
_WORD = "left|right|top|bottom|width|height"
_COORDINATE = re.compile(
    rf"""(?ix)
      {_START} (?:
        (?P<size>[wh]|c_?[xy]|[xy][_ ]?c(?:enter|entre)?|cent(?:er|re)[_ ]?[xy]) {_END}
      | (?P<axis>[xy]) (?: [_ ]?(?:(?P<number>[012])|(?P<low>{_LOW})|(?P<high>{_HIGH})) )? {_END}
          (?![ -](?:axis|axes|direction|coord))
      | (?P<low2>min)_?(?P<axis2>[xy]){_END} | (?P<high2>max)_?(?P<axis3>[xy]){_END}
      | (?P<center>cent(?:er|re)) (?= ["'*`]{{0,3}} \s{{0,3}} (?:[:=]\s{{0,2}})?[(\[])
      | (?P<corner>(?:top|upper|bottom|lower)[-_ ]?(?:left|right))
          (?= (?:[ ]corner)? ["'*`]{{0,3}} \s{{0,3}} (?:[:=(\[),.;\]]|is\b|at\b|and\b|\Z) )
      | (?P<word>{_WORD})
          (?= ["'*`]{{0,3}} \s{{0,3}} (?: [:=)\]] | [,|] \s{{0,3}} ["'*`]{{0,3}} (?:{_WORD}|[wh]\b)
                | (?:of\s|is\s)?\.?[0-9] ) )
      )""",
)
_WORD_ROLES = {
    "left": "x0",
    "bottom": "y0",
    "right": "x1",
    "top": "y1",
    "width": "w",
    "height": "h",
}

_OTHER_CORNERS = re.compile(
    fold(
        r"(?i:(?:top|upper)[-_ ]?left\b.{0,200}(?:bottom|lower)[-_ ]?right\b"
        r"|(?:(?:top|upper)[-_ ]?left|(?:bottom|lower)[-_ ]?right)[-_ ]"
        r"(?:[xy]\b|corner|point|vertex)"
        r"|\b(?:row|col|column)s?[_ ]?(?:min|max|start|end|[0-2])\b"
        r"|\bcent(?:er|re|roid)(?:ed|d)?\s{0,2}(?:at\b|point|[:(=\[]|[0-9])"
        r"|\bx\s?,\s?y\s?,\s?(?:w|width)\b|\b(?:size|extent|dimensions?)\s{0,2}[:(=\[]"
        r"|oben links|links oben|unten rechts|rechts unten|\bbreite\b|\bhöhe\b|mittelpunkt"
        r"|haut,? (?:à )?gauche|supérieur gauche|inférieur droit|bas,? (?:à )?droite|largeur"
        r"|hauteur"
        r"|superior izquierd|inferior derech|\bancho\b|anchura|\balto\b|\baltura\b|\bcentro\b"
        r"|superior esquerd|inferior direit|\blargura\b|superiore sinistr|inferiore destr"
        r"|larghezza|altezza|верхн\w{2,3} лев|лев\w{2,3} верхн|нижн\w{2,3} прав|прав\w{2,3} нижн"
        r"|ширин|высот|центр|左上|右下|宽度?|寬度?|高度|中心|幅|왼쪽 위|좌상|우하|너비|높이|중심"
        r"|أعلى اليسار|أسفل اليمين|العرض|الارتفاع|المركز|ऊपर.{0,3} बा|निचल.{0,3} दा|चौड़ाई|ऊंचाई|केंद्र)"
    ),
    re.DOTALL,
)
"""Other corners, sizes and centres that no name beside a number makes clear."""

_ORIGIN = re.compile(
    fold(
        r"(?i:\borigin(?:e|en)?\b|\borigem\b|ursprung|начал\w{1,2} координат|原点|原點|원점"
        r"|نقطة الأصل|मूल बिंदु|\b(?:from|to) the (?:top|upper)\b|\bdown\b"
        r"|\bdownwards?\b|\bvon oben\b|depuis le haut|à partir du haut|desde arriba"
        r"|a partir do topo"
        r"|dall'alto|сверху|从上|從上|上から|위에서)"
    )
)
_ASKED_ORIGIN = re.compile(
    r"(?i:\borigin\b[^.\n]{0,40}\b(?:lower|bottom)[- ]left\b"
    r"|\b(?:lower|bottom)[- ]left\b[^.\n]{0,20}\borigin\b|原点[^\W\d_]{0,6}左下"
    r"|左下[^\W\d_]{0,6}原点)"
)
_TOP_LEFT_ORIGIN = re.compile(
    r"(?i:\borigin\b[^.\n]{0,40}\b(?:top|upper)[- ]left\b"
    r"|\b(?:top|upper)[- ]left\b[^.\n]{0,20}\borigin\b)"
)

LAYOUT_HINTS = (
    *("wh", "xy", "yx", "xx", "yy", "hw", "tr", "lb", "lt", "tl", "yolo", "coco", "voc", "alb"),
    "box_",
)
CORNER_HINTS = (
    *(
        "left",
        "right",
        "row",
        "col",
        "cent",
        "size",
        "extent",
        "dimens",
        "width",
        " w",
        ",w",
        "oben",
    ),
    *("unten", "breit", "hohe", "mittel", "gauch", "droit", "larg", "haut", "izq", "derec", "anch"),
    *("alt", "esq", "direit", "inist", "estr"),
)
ORIGIN_HINTS = (
    *("orig", "ursp", "down", "the top", "the up", "von oben", "haut", "arriba", "topo", "alto"),
)
"""What ASCII texts must hold for these patterns to be looked for: most hold none."""

_EDGE = r"(?<![0-9.])(?:[0-9]{1,4}(?:\.[0-9]{1,12})?|\.[0-9]{1,12})(?![0-9])"
_RANGE = re.compile(rf"(?i)({_EDGE})\s{{0,3}}(?:-|~|\.{{2,3}}|→|->|to|through)\s{{0,3}}(?={_EDGE})")
_RANGE_AXIS = re.compile(
    r"(?i)\b(?:x(?:[- ](?:axis|range|direction|coordinates?|extent))?|horizontal(?:ly)?)"
    r"|\b(?:y(?:[- ](?:axis|range|direction|coordinates?|extent))?|vertical(?:ly)?)"
)


_GROUPED_LIKE = re.compile(r"(?<![0-9.])([1-9][0-9]{0,4}),(?=[0-9])")


def without_groups(text: str) -> str:
    """A box's text with its commas between numbers: no coordinate has thousands.

    Example:
        >>> without_groups("(588,499),(725,789)")
        '(588, 499),(725, 789)'
    """
    return _GROUPED_LIKE.sub(r"\1, ", text)


def with_ranges_listed(plain: str) -> str:
    """A text that states a range along x and one along y, with the ends as `x: …, …; y: …, …`.

    Example:
        >>> with_ranges_listed("x from 0.1 to 0.5, y from 0.2 to 0.6")
        'x: 0.1, 0.5, y: 0.2, 0.6'
    """
    ranges = list(_RANGE.finditer(plain))
    if len(ranges) != 2:
        return plain
    parts = [plain[: ranges[0].start()], plain[ranges[0].end() : ranges[1].start()]]
    named = [list(_RANGE_AXIS.finditer(part)) for part in parts]
    if [len(found) for found in named] != [1, 1]:
        return plain
    axes = ["x" if found[0].group()[0].lower() in "xh" else "y" for found in named]
    before = parts[0][: named[0][0].start()]
    first_end = parts[1][: named[1][0].start()].strip(" ,;.\n").removesuffix("and").strip(" ,;")
    second_end = plain[ranges[1].end() :]
    return (
        f"{before}{axes[0]}: {ranges[0][1]}, {first_end}, {axes[1]}: {ranges[1][1]}, {second_end}"
    )


def box_roles(plain: str, spans: Spans) -> Roles | None:
    """What each of four numbers is, by all that the text says of its layout.

    Args:
        plain: Plain text.
        spans: (start, end) of each number in it.

    Returns:
        Four roles that make a box; None where the text leaves one open or says two things.

    Example:
        >>> box_roles("y0=0.2 x0=0.1 y1=0.6 x1=0.5", [(3, 6), (10, 13), (17, 20), (24, 27)])
        ('y0', 'x0', 'y1', 'x1')
    """
    matches = _coordinates(plain)
    if not _gaps_are_joints(plain, spans, matches):
        return None
    roles: Roles | None = ASKED
    lowered, foreign = plain.lower(), not plain.isascii()
    layouts = set()
    if foreign or any(map(lowered.__contains__, LAYOUT_HINTS)):
        layouts = {LAYOUTS.get(word) for word in _LAYOUT.findall(lowered)}
    if layouts:
        (roles, *others) = layouts
        if others or roles is None or (matches and roles != ASKED):
            return None
    if matches and not gaps_fit(names_by_gap(_slots(matches), spans)):
        roles = _named_roles(matches, spans)
    elif (foreign or any(map(lowered.__contains__, CORNER_HINTS))) and _OTHER_CORNERS.search(
        _TOP_LEFT_ORIGIN.sub(" ", plain)
    ):
        return None
    if not foreign and not any(map(lowered.__contains__, ORIGIN_HINTS)):
        return roles
    if not _ORIGIN.search(plain) or _ASKED_ORIGIN.search(plain):
        return roles
    # From the top, the smaller y is the upper edge. "top" and "bottom" are edges from either end.
    flipped = {"y0": "down1", "y1": "down0", "cy": "down"}
    are_numbers = len(matches) == len(ASKED) and not any(m["word"] or m["corner"] for m in matches)
    if not are_numbers or roles is None or not _TOP_LEFT_ORIGIN.search(plain):
        return None
    return tuple(flipped.get(role, role) for role in roles)


def box_of_roles(roles: Roles, values: Sequence[float]) -> Box | None:
    """The box asked for of four numbers with roles; None where it is none, or none of one sense.

    Example:
        >>> box_of_roles(("cx", "cy", "w", "h"), (0.5, 0.5, 0.5, 0.25))
        (0.25, 0.375, 0.75, 0.625)
    """
    stated = dict(zip(roles, values, strict=True))
    for low, down in (("y0", "down0"), ("y1", "down1"), ("cy", "down")):
        if down in stated:
            stated[low] = 1 - stated.pop(down)
    edges: list[float] = []
    for low, high, center, size in (("x0", "x1", "cx", "w"), ("y0", "y1", "cy", "h")):
        if {low, high} <= stated.keys():
            edges += [stated[low], stated[high]]
        elif {low, size} <= stated.keys():
            edges += [stated[low], stated[low] + stated[size]]
        elif {center, size} <= stated.keys():
            edges += [stated[center] - stated[size] / 2, stated[center] + stated[size] / 2]
        else:
            return None
    x0, x1, y0, y1 = edges
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _coordinates(plain: str) -> list[re.Match[str]]:
    matches = list(_COORDINATE.finditer(plain))
    words = {match["word"].lower() for match in matches if match["word"]}
    corners = {match["corner"].lower() for match in matches if match["corner"]}
    # A side or a corner named alone is a place in the body or the picture.
    return [
        match
        for match in matches
        if not (match["word"] and len(words) < 2) and not (match["corner"] and len(corners) < 2)
    ]


def _gaps_are_joints(plain: str, spans: Spans, matches: list[re.Match[str]]) -> bool:
    """Whether between the numbers stand only names of coordinates and words that join."""
    for (_, start), (end, _) in pairwise(spans):
        gap = plain[start:end]
        if gap == ", ":
            continue
        for match in matches:
            if start <= match.start() and match.end() <= end:
                blank = " " * (match.end() - match.start())
                gap = gap[: match.start() - start] + blank + gap[match.end() - start :]
        if not all(word.lower() in BOX_JOINTS for word in WORDS.findall(gap)):
            return False
    return True


def _first_numbers(matches: list[re.Match[str]]) -> dict[str, int]:
    # x1, y1 are the second corner beside x0, y0 and the first beside x2, y2.
    numbers = {match["number"] for match in matches} - {None}
    return {"0": 0, "1": 1} if "0" in numbers else {"1": 0, "2": 1} if "2" in numbers else {}


def _roles_of(match: re.Match[str], first: dict[str, int]) -> Roles:
    if match["word"]:
        return (_WORD_ROLES[match["word"].lower()],)
    if match["center"]:
        return "cx", "cy"
    if match["corner"]:
        corner = match["corner"].lower()
        across = "x0" if corner.endswith("left") else "x1"
        return across, "y0" if corner.startswith(("bottom", "lower")) else "y1"
    if match["size"]:
        size = match["size"].lower()
        return (size if size in {"w", "h"} else "cx" if "x" in size else "cy",)
    axis = (match["axis"] or match["axis2"] or match["axis3"]).lower()
    if match["low"] or match["low2"]:
        return (f"{axis}0",)
    if match["high"] or match["high2"]:
        return (f"{axis}1",)
    return (f"{axis}{first[match['number']]}" if match["number"] in first else axis,)


def _slots(matches: list[re.Match[str]]) -> list[tuple[int, Slots]]:
    """Names as places of the layout asked for; of a corner, its first coordinate's."""
    first = _first_numbers(matches)
    slots: list[tuple[int, Slots]] = []
    for match in matches:
        roles = _roles_of(match, first)
        places: Slots = frozenset(
            at for at, asked in enumerate(ASKED) if asked.startswith(roles[0])
        )
        if match["corner"] and roles not in {ASKED[:2], ASKED[2:]}:
            places = frozenset()
        slots.append((match.start(), places))
    return slots


def _named_roles(matches: list[re.Match[str]], spans: Spans) -> Roles | None:
    """The roles of four numbers of which each has exactly one name, before it or after it."""
    first = _first_numbers(matches)
    gaps: list[list[str]] = [[] for _ in range(len(spans) + 1)]
    for match in matches:
        gap = sum(start <= match.start() for start, _ in spans)
        gaps[gap] += _roles_of(match, first)
    if gaps[0] and gaps[-1]:
        return None
    is_after = not gaps[0]
    if is_after:  # the same, read from the end
        gaps = [names[::-1] for names in gaps[::-1]]
    roles: list[str] = []
    named = [index for index, names in enumerate(gaps[:-1]) if names]
    for start, stop in pairwise([*named, len(spans)]):
        names = gaps[start]
        if len(names) == 1 and stop - start == 2 and names[0] in {"x", "y"}:
            names = [f"{names[0]}{end}" for end in ("10" if is_after else "01")]
        if len(names) != stop - start:
            return None
        roles += names
    if is_after:
        roles.reverse()
    if roles in (["x", "x", "y", "y"], ["y", "y", "x", "x"]):
        # As in: from x = 0.1 to x = 0.5 and from y = 0.2 to y = 0.6.
        roles = [f"{axis}{place % 2}" for place, axis in enumerate(roles)]
    return tuple(roles)
