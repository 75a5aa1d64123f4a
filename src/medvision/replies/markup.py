r"""Names and units that markup states, written out as words before the markup is taken off.

An XML name, a `unit=` attribute or a siunitx macro says what a number is: `<minor>18</minor>`,
`<value unit="cm">2.8</value>`, `\SI{2.8}{\centi\meter}`. Every pattern is bounded, so the time is
linear.
"""

import re

_SILENT = frozenset(
    {
        *("a", "abbr", "answer", "b", "big", "blockquote", "body", "br", "center", "code", "div"),
        *("em", "font", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "html", "i", "kbd", "li", "mark"),
        *("math", "mn", "mo", "mrow", "ol", "p", "pre", "s", "small", "span", "strong", "style"),
        *("sub", "sup", "table", "tbody", "td", "th", "thead", "think", "tr", "tt", "u", "ul"),
    }
)
"""Elements that only shape the text: their names say nothing of a value."""

_TAG = re.compile(r"<(/?)([A-Za-z|!][^\s<>/]{0,40})((?:\s[^<>]{0,160})?)/?>")
_TAG_SIGNS = {"sup": ("^", ""), "sub": ("_", ""), "br": ("\n", "\n"), "answer": (" ", "\n")}
_ATTRIBUTE = re.compile(
    r"""([A-Za-z][\w:-]{0,30})\s{0,2}=\s{0,2}("[^"]{0,80}"|'[^']{0,80}'|[^\s"'>]+)"""
)
_ELEMENT_WITH_UNIT = re.compile(
    r"<([A-Za-z][\w:.-]{0,30})(\s[^<>]{0,100}?\b(?:units?|uom)\s{0,2}=[^<>]{1,100})>"
    r"([^<>]{0,60})</\1\s{0,2}>"
)
_UNIT_NAMES = frozenset({"unit", "units", "uom", "data-unit"})
_NUMBER = re.compile(r"[\d.,+-]*\d[\d.,]*\Z")


def named_tags(text: str) -> str:
    """A text whose elements are written as `name: value`, with the unit of each behind it.

    Example:
        >>> named_tags('<value unit="cm">2.8</value>').split()
        ['value:', '2.8', 'cm', ';']
    """
    text = _ELEMENT_WITH_UNIT.sub(_element, text)
    return _TAG.sub(_tag, text)


def _attributes(written: str) -> tuple[dict[str, str], str]:
    """Attributes without those of the unit, and the unit."""
    found = {name: value.strip("\"'") for name, value in _ATTRIBUTE.findall(written)}
    units = [value for name, value in found.items() if name.lower() in _UNIT_NAMES]
    kept = {name: value for name, value in found.items() if name.lower() not in _UNIT_NAMES}
    return kept, " ".join(units)


def _element(element: re.Match[str]) -> str:
    attributes, unit = _attributes(element[2])
    names = " ".join([element[1], *(f"{name} {value}" for name, value in attributes.items())])
    return f" {names}: {element[3].strip()} {unit} ; "


def _tag(tag: re.Match[str]) -> str:
    closes, name, written = tag.groups()
    lower = name.lower()
    if lower in _TAG_SIGNS:
        return _TAG_SIGNS[lower][bool(closes)]
    if lower in _SILENT or not name[0].isalpha():
        return " "
    if closes:
        return " ; "
    attributes, unit = _attributes(written)
    numbers = [value for value in attributes.values() if _NUMBER.match(value)]
    if unit and len(numbers) == 1:
        kinds = " ".join(value for value in attributes.values() if value != numbers[0])
        return f" {name} {kinds}: {numbers[0]} {unit} ; "
    stated = ", ".join(f"{key}: {value}" for key, value in attributes.items())
    return f" {name}: {stated} {f'unit: {unit}' if unit else ''}"


_BRACES = r"\{((?:[^{}]|\{[^{}]{0,12}\}){0,80})\}"
_OPTIONS = r"\s{0,2}(?:\[[^\]]{0,40}\])?\s{0,2}"
_SIUNITX = re.compile(
    rf"\\(SIrange|qtyrange|SIlist|qtylist|qtyproduct|SI|qty|numrange|numlist|numproduct|num"
    rf"|ang|si|unit)(?![A-Za-z]){_OPTIONS}{_BRACES}(?:{_OPTIONS}{_BRACES})?(?:{_OPTIONS}{_BRACES})?"
)
_UNIT_TOKEN = re.compile(r"\\([A-Za-z]+)(?:\{([^{}]*)\})?|([^\\\s{}]+)")
_UNIT_MACROS = {
    **{"milli": "m", "centi": "c", "deci": "d", "kilo": "k", "micro": "μ", "nano": "n"},
    **{"meter": "m", "metre": "m", "meters": "m", "degree": "°", "degrees": "°", "arcdegree": "°"},
    **{"radian": "rad", "squared": "^2", "cubed": "^3", "per": "/", "percent": "%", "micron": "μm"},
    **{"um": "μm", "inch": "inch", "square": "", "cubic": ""},
}


def with_siunitx(text: str) -> str:
    r"""A text whose siunitx macros are written as number and unit.

    Example:
        >>> with_siunitx(r"\SI{2.8}{\centi\meter}").split()
        ['2.8', 'cm']
    """
    return _SIUNITX.sub(_quantity, text)


def _quantity(macro: re.Match[str]) -> str:
    name, *arguments = macro.groups()
    first, second, third = (argument or "" for argument in arguments)
    if name in {"si", "unit"}:
        return f" {_unit_words(first)} " + "".join(f"{{{one}}}" for one in (second, third) if one)
    if name == "ang":
        return f" {first.strip(';').replace(';', '/')}° "
    if name.endswith("range"):
        return f" {first} - {second} {_unit_words(third)} "
    unit = "" if name.startswith("num") else _unit_words(second)
    left_over = [second, third] if name.startswith("num") else [third]
    return f" {first} {unit} " + "".join(f"{{{one}}}" for one in left_over if one)


def _unit_words(written: str) -> str:
    r"""The unit of a siunitx argument as text: `\centi\meter\squared` is cm^2."""
    words, power = "", ""
    for macro, argument, plain in _UNIT_TOKEN.findall(written):
        if macro in {"square", "cubic"}:
            power = "^2" if macro == "square" else "^3"
        elif macro in {"tothe", "raiseto"}:
            words += f"^{argument}"
        else:
            words += _UNIT_MACROS.get(macro, macro) if macro else plain.replace(".", "")
    return words + power


def with_inch_signs(text: str) -> str:
    """A text whose inch signs are words: quotes after a number that no quote opened.

    Example:
        >>> with_inch_signs('1.2" x 0.7"'), with_inch_signs('{"major": "31.2"}')
        ('1.2 inch x 0.7 inch', '{"major": "31.2"}')
    """
    parts, at = [], 0
    is_open = {False: False, True: False}  # plain quotes, and those behind a backslash
    for quote in _QUOTE.finditer(text):
        escaped = quote[2] is not None
        if quote[1] and not is_open[escaped]:
            parts += [text[at : quote.start()], quote[1], " inch"]
            at = quote.end()
        else:
            is_open[escaped] = not is_open[escaped]
    return "".join([*parts, text[at:]])


_QUOTE = re.compile(r'(?:([0-9]) ?)?(\\)?"')
