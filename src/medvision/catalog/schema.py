"""The language of declarations as a JSON schema, for editors to complete, check and explain it."""

import re
from typing import Any

from medvision.catalog.dataset import Dataset
from medvision.declarations import json_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def declaration_schema() -> dict[str, Any]:
    """The schema of declarations; each key is explained as in the docstring of its record.

    Example:
        >>> label = declaration_schema()["$defs"]["Label"]
        >>> label["properties"]["target"]["description"]
        'Whether it is a tumour or lesion, which gets axis lengths and counts.'
    """
    schema = json_schema(Dataset)
    for record in (schema, *schema["$defs"].values()):
        # Examples of docstrings are Python, which says nothing to who writes TOML.
        text, _, keys = record.get("description", "").partition("\n\nAttributes:\n")
        record["description"] = " ".join(text.split("\n\nExample")[0].split())
        keys = keys.split("\n\n")[0]
        for key, meaning in re.findall(r"(?m)^    (\w+): ((?:.*\n?(?!    \w+: ))*)", keys):
            record["properties"][key]["description"] = " ".join(meaning.split())
        record.pop("title", None)
        for entry in record.get("properties", {}).values():
            entry.pop("title", None)
    return {"$schema": DIALECT, "title": "MedVision declaration", **schema}
