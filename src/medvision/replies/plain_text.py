"""A reply's text brought to plain signs: one minus, ASCII digits, no markup around the numbers.

Every step is linear in the text's length, whatever the text.
"""

import html
import re
import unicodedata

from medvision.replies.markup import named_tags, with_inch_signs, with_siunitx

LETTERS = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0370-\u03ff\u0400-\u04ff"
"""Letters that make a name of the digits beside them, as a regex class body. Scripts written
without spaces (Chinese, Japanese, Thai, …) are not among them: there a number may touch words."""

THIN_SPACE = "\u2009"
"""Stands for every space that may group digits: no-break, thin, narrow and figure space."""

_SIGNS = (
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-")
    | dict.fromkeys("\u00a0\u2007\u2009\u202f", THIN_SPACE)
    | dict.fromkeys("\u2018\u2019\u02bc\u201b", "'")
    | dict.fromkeys("\u201c\u201d\u201e", '"')
    | dict.fromkeys("\u00ba\u02da\u2218", "°")
    | dict.fromkeys("\u2044\u2215", "/")
    | dict.fromkeys("\u2715\u2716\u2a2f\u2a09\u2573", "×")
    | dict.fromkeys("\u22c5\u2219", "·")
    | dict.fromkeys("\u301c\uff5e\u223c", "~")
    | dict.fromkeys("\u2243\u2245\u2248", "≈")
    | {"\u2236": ":", "\u066b": ".", "\u066c": ",", "\u060c": ",", "\u3001": ",", "\u066a": "%"}
)
_ENUMERATORS = (
    (0x2460, 0x249B),
    (0x24EA, 0x24FF),
    (0x2776, 0x2793),
    (0x3251, 0x325F),
    (0x32B1, 0x32BF),
    (0x1F100, 0x1F10C),
)
_SUBSCRIPTS = range(0x2080, 0x208A)
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-", strict=True))
_SUPERSCRIPT_RUN = re.compile(f"[{''.join(_SUPERSCRIPTS)}]+")
_DASH_AFTER_WORD = re.compile(f"(?<=[{LETTERS}])[—―](?=[0-9])")


class _FoldTable(dict[int, str]):
    """Code point to its plain signs, filled as code points are met."""

    def __missing__(self, code: int) -> str:
        self[code] = plain = _fold_character(chr(code))
        return plain


def _fold_character(character: str) -> str:
    code = ord(character)
    if character in _SIGNS:
        return _SIGNS[character]
    if any(first <= code <= last for first, last in _ENUMERATORS):
        return " "
    if code in _SUBSCRIPTS:
        return f"_{code - _SUBSCRIPTS.start}"
    if unicodedata.category(character) == "Nd":
        return str(unicodedata.decimal(character))
    kept = (
        _SIGNS.get(part, part)
        for part in unicodedata.normalize("NFKD", character)
        if unicodedata.category(part) not in {"Mn", "Me", "Cf"}
    )
    return "".join(kept)


_FOLD = _FoldTable({code: chr(code) for code in range(128)})


def fold(text: str) -> str:
    """Compatibility forms, accents, dashes and spaces replaced by their plain signs.

    Character by character, so the time is linear even for endless combining marks. Superscripts
    become `^` and digits, so that 10² is not 102; circled numbers, which only enumerate, a space.

    Example:
        fold("−３１．２ mm²") is "-31.2 mm^2".
    """
    if text.isascii():
        return text
    text = _SUPERSCRIPT_RUN.sub(
        lambda run: "^" + "".join(_SUPERSCRIPTS[sign] for sign in run.group()), text
    )
    return _DASH_AFTER_WORD.sub(" - ", text).translate(_FOLD)


_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_LATEX = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([A-Za-z]+)|(.))", re.DOTALL)
_LATEX_SIGNS = (
    dict.fromkeys(("times", "ast"), "×")
    | dict.fromkeys(("pm", "mp"), "±")
    | dict.fromkeys(("circ", "degree"), "°")
    | dict.fromkeys(("frac", "dfrac", "tfrac", "sqrt"), "√")
    | dict.fromkeys(("approx", "sim", "simeq"), "≈")
    | dict.fromkeys(("lt", "le", "leq", "gt", "ge", "geq"), "≤")
    | dict.fromkeys((",", ";", ":", "!", " "), THIN_SPACE)
    | {
        "to": "→",
        "rightarrow": "→",
        "div": "/",
        "cdot": "·",
        "mu": "μ",
        "pi": "π",
        "min": "min",
        "max": "max",
    }
    | {"%": "%"}
)
_DEGREE_POWER = re.compile(rf"\^[ ]?\{{?[ ]?(?:°|o(?![{LETTERS}0-9_]))[ ]?\}}?")
_SUBSCRIPT_BRACES = re.compile(r"_\{(\w{1,12})\}")
_LIST_MARKER = re.compile(
    r"^([ \t>*#-]{0,8})(?<![+-])\(?([0-9]{1,2})[.)、](?=\**[ \t]+[^\s])", re.MULTILINE
)


def _latex_sign(command: re.Match[str]) -> str:
    if command[1]:
        return fold(chr(int(command[1], 16)))
    return _LATEX_SIGNS.get(command[2] or command[3], " ")


def _without_list_markers(text: str) -> str:
    """Blanks `1.`, `2)`, `(3)` that open lines and count up from 1; other numbers stay."""
    expected = 1

    def blank(marker: re.Match[str]) -> str:
        nonlocal expected
        number = int(marker[2])
        if number not in (1, expected):
            return marker.group()
        expected = number + 1
        return marker[1]

    return _LIST_MARKER.sub(blank, text)


def plain_text(text: str) -> str:
    r"""The text with entities, tags, LaTeX and list markers resolved, folded to plain signs.

    Example:
        plain_text(r"1. $45^\circ$") is " $45°$".
    """
    if "&" in text:
        text = _ENTITY.sub(lambda entity: html.unescape(entity.group()), text)
    text = fold(text)
    if "<" in text:
        text = named_tags(text)
    if '"' in text:
        text = with_inch_signs(text)
    if "\\" in text:
        text = _LATEX.sub(_latex_sign, with_siunitx(text))
    if "{" in text:
        text = _SUBSCRIPT_BRACES.sub(r"_\1", text.replace("{,}", ","))
    if "^" in text:
        text = _DEGREE_POWER.sub("°", text)
    return _without_list_markers(text)
