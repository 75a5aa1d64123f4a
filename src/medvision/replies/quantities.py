"""The numbers a plain text states, each with its unit: found, never interpreted.

A number counts only as a single plain value. Ranges, ratios, sums, bounds, tolerances and powers
are no values at all, and digits inside names (`x0`, `T1`, `L4-L5`, `mm2`) are no numbers.
"""

import re
from dataclasses import dataclass

from medvision.replies.plain_text import LETTERS
from medvision.replies.units import Unit, unit_at

_MAX_DIGITS = 400
"""Longest run of digits and separators taken for one value; the largest float written with two
decimals has 312."""
_MAX_EXPONENT = 9999

_NAME = f"{LETTERS}_"
_TOKEN = re.compile(
    rf"""
      (?P<run>[0-9]+(?:[.,'\u2009][0-9]+)*)(?:[eE](?P<exponent>[+-]?[0-9]+))?
    | (?P<name>(?<![{_NAME}0-9])_*[{LETTERS}][{_NAME}]*
        (?: (?:-|\^\{{?[+-]?)? [0-9][{_NAME}0-9]* (?:(?<=[0-9])[.-][0-9][{_NAME}0-9]*)*
          | \*\*[23](?![.0-9]) ))
    | (?P<endless>(?<![{_NAME}0-9])(?i:nan|inf(?:inity)?)(?![{_NAME}0-9-])|∞)
    """,
    re.VERBOSE,
)
_BEFORE_UNIT = re.compile(
    r"[^\S\n\r]{0,8}[*`$\\{}~_)\]]{0,4}[^\S\n\r]{0,4}[\[({]{0,2}[^\S\n\r]{0,2}(?:-(?=[^\W\d_]))?"
)
_POWER_OF_TEN = re.compile(r"\s{0,3}[xX×*·]\s{0,3}10\s?(?:\^|\*\*)\s?\{?\s?([+-]?[0-9]+)\s?\}?")
_POWER = re.compile(r"(?:[)\]}]{0,2}\s?\^\s?\{?|\*\*)([+-]?[0-9]+)\}?")
_BY = re.compile(
    rf"[xX](?=\.?[0-9])|[xX](?![{_NAME}0-9])|[^\S\n]{{1,4}}[xX](?=[0-9]{{1,6}}\.[0-9])"
)
_TIMES_A_DECIMAL = re.compile(r"[^\S\n]{0,3}[xX×][^\S\n]{0,3}[0-9]{1,4},[0-9]{1,2}(?![0-9,.])")
"""What follows the 31,2 of "31,2 x 18,0 mm"."""
_REST_OF_NAME = re.compile(rf"[{_NAME}][{_NAME}0-9]*(?:\.[0-9][{_NAME}0-9]*)*")
_LETTER = re.compile(f"[{LETTERS}]")

_NOTHING_FOLLOWS = frozenset(("", ",", ";", "."))
_PLAIN_BEFORE = frozenset(("", ",", ";", ".", ":", "=", "|"))
_PLAIN_GAPS = frozenset((", ", ",", "; ", " ", " x "))
"""Signs around numbers that settle a question without a search."""

_PLAIN = re.compile(r"[0-9]+\.[0-9]+")
_CHAIN = re.compile(r"[0-9]+(?:[,'\u2009][0-9]+)*(?:\.[0-9]+)?")
_GROUPED = re.compile(r"[1-9][0-9]{0,2}([,'\u2009])[0-9]{3}(?:\1[0-9]{3})*(?:\.[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"[0-9]+,[0-9]{1,2}")
_POINT_GROUPS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]{1,2}")

_SIDE = r"[^\S\n]*[*_`$\"'{}\\]*[^\S\n]*"
_JOINED = re.compile(
    rf"{_SIDE}(?i:-+|~|/|:|\+|=|≈|±|\+/-|\+-|÷|·|\.{{2,}}|->|=>|→|to|or|through|until|bis|oder"
    rf"|a|o|ou|至|到|或)\s*[*_`$\"'{{}}\\]*\s*"
)
_AND = re.compile(r"\s*(?i:and|und|y|et|和)\s*")
_RESTATED = re.compile(
    r"[*`$]{0,2}\s*[(\[]\s*(?i:≈|~|=|or|i\.?e\.?,?|about|approx(?:\.|imately)?|ca\.?)?\s*"
)
_BOUND = re.compile(
    r"(?:[±√≤≥≪≫/^÷≠<]|(?<![-=])>|\+/-|\+-|-\+"
    r"|(?i:\b(?:less|more|greater|larger|smaller) than|\bat (?:least|most)|\bup to"
    r"|大于|小于|至少|不超过))[\s$({\[*_`\"'~]*\Z"
)
_BETWEEN = re.compile(r"(?i:\b(?:between|zwischen|entre))[\s*_`$]*\Z")
_PREFIX_LENGTH = 24
_LONGEST_JOINT = 200


class _NotOneValueError(Exception):
    """The text states a number that is no single plain value, or too many numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One number as written.

    Attributes:
        digits: Decimal digits with at most one point and a leading minus; "nan" if endless.
        exponent: Power of ten.
        unit: The unit written directly after it, if any.
        start: Where its sign or first digit is in the plain text.
        end: Where it ends there, unit included.
    """

    digits: str
    exponent: int
    unit: Unit | None
    start: int
    end: int


def find_quantities(text: str, most: int) -> list[Quantity] | None:
    """All numbers of a plain text in order.

    Args:
        text: As `plain_text` returns it.
        most: The number of values asked for; the search ends at the first beyond it.

    Returns:
        At most `most` quantities; None when there are more, or when one of the numbers is no
        single plain value: a range, fraction, sum, bound, tolerance or power.
    """
    try:
        return _Search(text, most).quantities()
    except _NotOneValueError:
        return None


class _Search:
    """One pass over one text."""

    __slots__ = ("_between", "_by", "_found", "_most", "_text")

    def __init__(self, text: str, most: int) -> None:
        self._text = text
        self._most = most
        self._found: list[Quantity] = []
        self._by = False
        self._between = False

    def quantities(self) -> list[Quantity]:
        position = 0
        while token := _TOKEN.search(self._text, position):
            if token["run"]:
                position = self._take_number(token)
            elif token["endless"]:
                start = self._start_and_minus(token.start())[0]
                self._add(
                    Quantity(digits="nan", exponent=0, unit=None, start=start, end=token.end())
                )
                position = token.end()
            else:
                position = token.end()
        return self._found

    def _take_number(self, token: re.Match[str]) -> int:
        """Takes the number a token starts, returns where to search on."""
        text, end, run = self._text, token.end(), token["run"]
        if len(run) > _MAX_DIGITS:
            raise _NotOneValueError
        if text[end : end + 1] in _NOTHING_FOLLOWS:
            exponent, unit, by = _bounded(token["exponent"] or "0"), None, None
        else:
            exponent, end = self._exponent(token["exponent"], run, end)
            unit, end = self._unit(end)
            by = _BY.match(text, end)
        if by is None and unit is None and _LETTER.match(text, end):
            return self._skip_name(end)
        marked = unit is not None or text[end : end + 4].lstrip().startswith(";")
        marked = marked or ("," in run and _TIMES_A_DECIMAL.match(text, end) is not None)
        self._add_run(run, exponent, unit, (token.start(), end), marked=marked)
        self._by = by is not None
        return by.end() if by else end

    def _unit(self, end: int) -> tuple[Unit | None, int]:
        """The unit after a number that ends there, and where the two end."""
        noise = _BEFORE_UNIT.match(self._text, end)
        return unit_at(self._text, noise.end() if noise else end) or (None, end)

    def _skip_name(self, end: int) -> int:
        if self._by:
            raise _NotOneValueError
        rest = _REST_OF_NAME.match(self._text, end)
        return rest.end() if rest else end

    def _exponent(self, written: str | None, run: str, end: int) -> tuple[int, int]:
        if written is None and (power := _POWER_OF_TEN.match(self._text, end)):
            written, end = power[1], power.end()
        if power := _POWER.match(self._text, end):
            if run != "10" or written is not None:
                raise _NotOneValueError
            # 10^3 is 1000; the run itself brings the first power of ten.
            return _bounded(power[1]) - 1, power.end()
        return (_bounded(written) if written else 0), end

    def _add_run(
        self, run: str, exponent: int, unit: Unit | None, span: tuple[int, int], *, marked: bool
    ) -> None:
        """Adds the values of one run of digits; only the last bears the exponent and the unit."""
        start, end = span
        if self._text[start - 1 : start] == ".":
            run, start = self._with_leading_point(run, start)
        start, minus = self._start_and_minus(start)
        values = _values_of_run(run, marked=marked)
        last = len(values) - 1
        for index, digits in enumerate(values):
            self._add(Quantity(
                digits=minus + digits if index == 0 else digits,
                exponent=exponent if index == last else 0,
                unit=unit if index == last else None,
                start=start if index == 0 else end,
                end=end,
            ), is_first_of_run=index == 0)  # fmt: skip

    def _with_leading_point(self, run: str, start: int) -> tuple[str, int]:
        before = self._text[start - 2 : start - 1] if start >= 2 else ""
        if before == ".":
            return run, start  # an ellipsis, then the number
        if not _LETTER.match(before):
            return f"0.{run}", start - 1
        if "." not in run:  # "approx.5" may be 5 or 0.5
            raise _NotOneValueError
        return run, start

    def _start_and_minus(self, start: int) -> tuple[int, str]:
        """Where the number starts, its sign included, and "-" if it is negative.

        A dash apart from the number is a sign only after an opening mark ("= - 5"); after a word
        or at the start of a line it is punctuation.
        """
        text = self._text
        previous_end = self._found[-1].end if self._found else 0
        if start > previous_end and text[start - 1] in "+-":
            if self._found and previous_end == start - 1:
                return start, ""  # "12-15": the dash joins
            if text[start - 2 : start - 1] in {"+", "-", "/"}:
                raise _NotOneValueError
            return start - 1, text[start - 1].replace("+", "")
        before = text[max(previous_end, start - _PREFIX_LENGTH) : start].rstrip(" \t\u2009")
        if (
            len(before) > 1
            and before[-1] == "-"
            and before[:-1].rstrip(" \t")[-1:] in set("=:([{,;$")
        ):
            return start - 1, "-"
        return start, ""

    def _add(self, quantity: Quantity, *, is_first_of_run: bool = True) -> None:
        if len(self._found) == self._most:
            raise _NotOneValueError
        if is_first_of_run:
            self._check_before(quantity)
        self._found.append(quantity)

    def _check_before(self, quantity: Quantity) -> None:
        """Refuses a number joined to the one before it, or a bound or tolerance."""
        previous = self._found[-1] if self._found else None
        gap_start = previous.end if previous else 0
        before = self._text[max(gap_start, quantity.start - _PREFIX_LENGTH) : quantity.start]
        if previous is not None:
            self._check_gap(previous, quantity)
        if before.rstrip()[-1:] in _PLAIN_BEFORE:
            self._between = False
            return
        if _BOUND.search(before):
            raise _NotOneValueError
        self._between = _BETWEEN.search(before) is not None

    def _check_gap(self, previous: Quantity, quantity: Quantity) -> None:
        gap = self._text[previous.end : quantity.start]
        if gap in _PLAIN_GAPS or len(gap) > _LONGEST_JOINT:
            return
        joined = _JOINED.fullmatch(gap) or (self._between and _AND.fullmatch(gap))
        two_units = None not in (quantity.unit, previous.unit) and quantity.unit != previous.unit
        if joined or (two_units and _RESTATED.fullmatch(gap)):
            raise _NotOneValueError


def _bounded(exponent: str) -> int:
    if len(exponent) > 5:
        return -_MAX_EXPONENT if exponent.startswith("-") else _MAX_EXPONENT
    return max(-_MAX_EXPONENT, min(_MAX_EXPONENT, int(exponent)))


def _values_of_run(run: str, *, marked: bool) -> list[str]:
    """The values in digits joined by points, commas, apostrophes or thin spaces.

    Args:
        run: As in `1,234.5` or `0.1,0.2`.
        marked: Whether a unit or `;` follows, so that a comma may be a decimal mark.
    """
    if run.isdigit() or _PLAIN.fullmatch(run):
        return [run]
    if marked and _DECIMAL_COMMA.fullmatch(run):
        return [run.replace(",", ".")]
    if marked and _POINT_GROUPS.fullmatch(run):
        raise _NotOneValueError
    values: list[str] = []
    position = 0
    while chain := _CHAIN.match(run, position):
        values += _values_of_chain(chain.group())
        position = chain.end()
        if run[position : position + 1] not in {"", ",", "\u2009"}:
            raise _NotOneValueError
        position += 1
    return values


def _values_of_chain(chain: str) -> list[str]:
    if _GROUPED.fullmatch(chain):
        return [re.sub("[,'\u2009]", "", chain)]
    if "'" in chain:
        raise _NotOneValueError
    return re.split("[,\u2009]", chain)
