"""The schema of declarations: as written beside the documents, and true of real declarations."""

import json
import re
from importlib import resources
from pathlib import Path

import pytest

from medvision.catalog.dataset import dataset_names
from medvision.catalog.schema import declaration_schema
from medvision.cli import main
from medvision.declarations import parsed_toml

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = declaration_schema()
TYPES = {"string": str, "boolean": bool, "array": list, "object": dict, "null": type(None)}


def fits(value, schema):
    """Whether a value fits, by the words of JSON schema that ours uses and no others."""
    if "$ref" in schema:
        rest = {key: one for key, one in schema.items() if key != "$ref"}
        return fits(value, SCHEMA["$defs"][schema["$ref"].split("/")[-1]]) and fits(value, rest)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    rules = {
        "type": lambda kind: (
            isinstance(value, TYPES[kind])
            if kind in TYPES
            else number and (kind == "number" or float(value).is_integer())
        ),
        "anyOf": lambda some: any(fits(value, one) for one in some),
        "enum": lambda words: value in words,
        "const": lambda word: value == word,
        "minimum": lambda least: not number or value >= least,
        "exclusiveMinimum": lambda below: not number or value > below,
        "minItems": lambda least: not isinstance(value, list) or len(value) >= least,
        "maxItems": lambda most: not isinstance(value, list) or len(value) <= most,
        "items": lambda one: not isinstance(value, list) or all(fits(v, one) for v in value),
        "prefixItems": lambda some: (
            not isinstance(value, list) or all(map(fits, value, some[: len(value)]))
        ),
        "required": lambda keys: not isinstance(value, dict) or set(keys) <= set(value),
        "properties": lambda keys: (
            not isinstance(value, dict)
            or all(fits(v, keys[k]) for k, v in value.items() if k in keys)
        ),
        "propertyNames": lambda one: (
            not isinstance(value, dict) or all(fits(k, one) for k in value)
        ),
        "additionalProperties": lambda one: (
            not isinstance(value, dict)
            or all(
                one is not False and (one is True or fits(v, one))
                for k, v in value.items()
                if k not in schema.get("properties", {})
            )
        ),
    }
    notes = {"$schema", "$defs", "title", "description", "default"}
    assert schema.keys() <= rules.keys() | notes, schema.keys() - rules.keys() - notes
    return all(rule(schema[word]) for word, rule in rules.items() if word in schema)


def test_the_file_beside_the_documents_is_what_the_command_writes(tmp_path, capsys):
    assert main(["catalog", "schema", "--out", str(tmp_path / "s.json")]) == 0
    written = (tmp_path / "s.json").read_text(encoding="utf-8")
    kept = ROOT / "docs" / "declaration.schema.json"
    cure = f"write it again: medvision catalog schema --out {kept.relative_to(ROOT)}"
    assert json.loads(kept.read_text(encoding="utf-8")) == json.loads(written), cure
    capsys.readouterr()
    assert main(["catalog", "schema"]) == 0
    assert capsys.readouterr().out == written


@pytest.mark.parametrize("name", dataset_names())
def test_real_declarations_fit(name):
    folder = resources.files("medvision.catalog") / "datasets"
    text = (folder / f"{name}.toml").read_text(encoding="utf-8")
    assert fits(parsed_toml(text, name), SCHEMA)


GOOD = """
name = "own"
[labels]
1 = "liver"
2 = { name = "tumor", target = true }
[[cohorts]]
images = [{ modality = "CT", files = "{case}.nii.gz" }]
landmarks = "{case}.json"
"""


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ('name = "own"', 'nam = "own"'),
        ('"CT"', '"ct"'),
        ("target = true", 'target = "yes"'),
        ('1 = "liver"', "1 = 5"),
        ('files = "{case}.nii.gz"', "number = -1"),
        ('"{case}.json"', "3"),
    ],
)
def test_what_building_refuses_does_not_fit(good, bad):
    assert fits(parsed_toml(GOOD, "good"), SCHEMA)
    assert good in GOOD
    assert not fits(parsed_toml(GOOD.replace(good, bad), "bad"), SCHEMA)


def test_every_key_is_explained_in_the_schema_and_in_the_documents():
    page = (ROOT / "docs" / "declaration.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"`([a-z_]+)(?: = [^`]+)?`", page))
    of_the_catalogue = {"Source", "Download", "PublishedCounts", "Overlap", "DatasetTask"}
    for name, record in {"": SCHEMA, **SCHEMA["$defs"]}.items():
        keys = record.get("properties", {})
        assert [key for key, one in keys.items() if not one.get("description")] == [], name
        if name not in of_the_catalogue:
            assert set(keys) - listed == set(), name
