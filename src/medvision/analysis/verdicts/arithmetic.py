"""Arithmetic that a reply states, done again: "(0.7 - 0.6) * 128 * 2.5 = 32 mm"."""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

_STATED = re.compile(
    r"(?P<left>(?:sqrt|atan2|[-(]|\d)[\d\s.()+\-*/^,×·]*?)\s*=\s*(?P<right>-?\d+(?:\.\d+)?)"
)
_SQUARED = re.compile(r"(?<![\d.)])(-?\d+(?:\.\d+)?)\s*\^")
"""A sign before a squared number belongs to the number, as the steps of a reply write it."""

_MOST_CHARACTERS = 200
_MOST_POWER = 4

_OPERATORS: Mapping[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "sqrt": math.sqrt,
    "atan2": lambda y, x: math.degrees(math.atan2(y, x)),
}

TOLERANCE_FRAC = 0.01
"""Rounding on the way: a result this close to that of its own terms is right."""

_TOLERANCE = 0.01


def stated_sums(text: str) -> list[bool]:
    """Whether each equation in a text holds, in their order; what is no equation is left out.

    Example:
        >>> stated_sums("dx = (0.7 - 0.6) * 128 * 2.5 = 32 mm, sqrt(3^2 + -4^2) = 6 mm.")
        [True, False]
    """
    found = []
    for match in _STATED.finditer(text):
        value = evaluated(match["left"])
        if value is not None and re.search(r"[+\-*/^×·(]", match["left"].strip(" -")):
            right = float(match["right"])
            found.append(abs(value - right) <= TOLERANCE_FRAC * abs(value) + _TOLERANCE)
    return found


def evaluated(expression: str) -> float | None:
    """The value of numbers joined by + - * / ^, brackets, sqrt and atan2 (in degrees).

    Nothing else is evaluated, so that a reply can be looked at whatever it holds.

    Example:
        >>> evaluated("2 * (3 + 4)"), evaluated("__import__('os')")
        (14.0, None)
    """
    if len(expression) > _MOST_CHARACTERS:
        return None
    plain = _SQUARED.sub(r"(\1)**", expression.replace("×", "*").replace("·", "*"))
    try:
        value = _value(ast.parse(plain.replace("^", "**").strip(), mode="eval").body)
    except (SyntaxError, ValueError, ArithmeticError, LookupError, TypeError, RecursionError):
        return None
    return value if math.isfinite(value) else None


def _value(node: Any) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _value(node.left), _value(node.right)
        if isinstance(node.op, ast.Pow) and abs(right) > _MOST_POWER:
            msg = f"expected a power of at most {_MOST_POWER}, found {right}"
            raise ValueError(msg)
        result = _OPERATORS[type(node.op)](left, right)
        return float(result) if not isinstance(result, complex) else math.nan
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return float(_FUNCTIONS[node.func.id](*map(_value, node.args)))
    msg = "expected numbers and operators"
    raise ValueError(msg)
