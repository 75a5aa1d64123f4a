"""Units of length as files write them."""

from unicodedata import normalize

_MM = {
    "nm": 1e-6,
    "um": 1e-3,
    "mm": 1.0,
    "cm": 10.0,
    "dm": 100.0,
    "m": 1000.0,
    "in": 25.4,
}
_WORDS = {
    "nanometer": "nm",
    "nanometre": "nm",
    "micron": "um",
    "micrometer": "um",
    "micrometre": "um",
    "millimeter": "mm",
    "millimetre": "mm",
    "centimeter": "cm",
    "centimetre": "cm",
    "decimeter": "dm",
    "decimetre": "dm",
    "meter": "m",
    "metre": "m",
    "inch": "in",
    "inches": "in",
}

LENGTH_UNITS = tuple(_MM)


def unit_mm(word: str) -> float | None:
    """Millimetres per unit; None of a word that is no unit of length known here.

    Args:
        word: Symbol or English name, in any case; the micro sign and the Greek letter mu are one.

    Example:
        >>> [unit_mm(word) for word in ("mm", "µm", "μm", "Microns", "cm", "pixel")]
        [1.0, 0.001, 0.001, 0.001, 10.0, None]
    """
    # NFKC makes the micro sign (U+00B5) the Greek mu (U+03BC): files have both.
    plain = normalize("NFKC", word).strip().lower().replace("\u03bc", "u")
    name = plain if plain in _WORDS else plain.removesuffix("s")
    return _MM.get(_WORDS.get(name, plain))
