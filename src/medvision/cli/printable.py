"""Names from files and servers, as a terminal may show them."""

from unicodedata import category

UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories of what moves a cursor, turns text around, or cannot be written out."""


def printable(text: str, *, keep: str = "") -> str:
    r"""Text with whatever a terminal would obey instead of show written out.

    Names come from files and servers: one may hold a line end, an escape sequence, or half a
    character.

    Args:
        text: Text of any origin.
        keep: Characters to leave as they are.

    Example:
        >>> printable("c\x1b[2J\nno problem")
        'c\\x1b[2J\\nno problem'
        >>> printable("Größe, 1 × 2 µm")
        'Größe, 1 × 2 µm'
    """
    return "".join(
        one
        if one in keep or category(one) not in UNSEEN
        else one.encode("unicode_escape").decode("ascii")
        for one in text
    )
