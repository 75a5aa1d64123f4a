"""Templates filled to pages that load nothing and run no script but their own."""

import base64
import hashlib
import json
from collections.abc import Iterable
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

ISLAND_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
"""Signs that could end a script element early, as JSON writes them otherwise."""


def filled(template: str, **given: Any) -> str:
    """A template of the folder `templates` as text; what it is given is escaped."""
    environment = Environment(
        loader=PackageLoader("medvision.analysis"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template(template).render(**given)


def asset(name: str) -> str:
    """A file of the folder `templates`."""
    folder = resources.files("medvision.analysis") / "templates"
    return (folder / name).read_text(encoding="utf-8")


def island_json(data: Any) -> Markup:
    r"""JSON that is safe inside a script element, whatever text it holds.

    Raises:
        ValueError: A number is not finite: JSON has no such number.

    Example:
        >>> print(island_json({"reply": "</script>"}))
        {"reply":"\u003c/script\u003e"}
    """
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for sign, escape in ISLAND_ESCAPES.items():
        text = text.replace(sign, escape)
    return Markup(text)  # noqa: S704 nothing in it can end the element


def content_policy(scripts: Iterable[str] = (), *, served: bool = False) -> str:
    """Content security policy: no network, and no script but those given, by their digests.

    A served page may ask the server it came from for data and pictures, and nobody else.

    Example:
        >>> content_policy().split("; ")[:2]
        ["default-src 'none'", "style-src 'unsafe-inline'"]
    """
    digests = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    own = f"script-src {digests}; " if digests else ""
    pictures, asked = ("'self' ", "connect-src 'self'; ") if served else ("", "")
    return (
        f"default-src 'none'; {own}{asked}style-src 'unsafe-inline'; "
        f"img-src {pictures}data: blob:; base-uri 'none'; form-action 'none'"
    )
