import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest

from medvision.declarations import (
    Count,
    DeclarationError,
    NoneAs,
    NonEmpty,
    Positive,
    Short,
    decoded,
    json_schema,
    parsed_json,
    parsed_toml,
    read_json,
    read_toml,
)
from medvision.errors import UsageError


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"
    GREEN = "green"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    name: str
    weight: Positive = 1.0

    def __post_init__(self) -> None:
        if self.name == "bad":
            msg = "no part may be called bad"
            raise DeclarationError(msg)
        if self.name == "worse":
            msg = "no part may be called worse"
            raise UsageError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    at: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    title: str
    colour: Colour = Colour.RED
    primary: Literal[Colour.RED, Colour.BLUE] = Colour.RED
    size: Literal["s", "l"] = "s"
    pair: tuple[float, float] | None = None
    parts: tuple[Part, ...] = ()
    by_key: dict[str, Short[Part]] = field(default_factory=dict)
    caps: Mapping[str, int] = field(default_factory=dict)
    inner: Inner = Inner()
    count: Count = 0
    heat: Annotated[float | None, NoneAs("server")] = 0.0
    shade: Annotated[Colour | None, NoneAs("any")] = None
    flag: bool = False
    some: NonEmpty[str] = ("x",)
    rest: dict[str, Any] = field(default_factory=dict)


def test_nested_values_become_dataclasses():
    values = {
        "title": "t",
        "colour": "blue",
        "primary": "blue",
        "pair": [1, 2.5],
        "parts": [{"name": "b", "weight": 2}],
        "by_key": {"1": "a", "2": {"name": "c"}},
        "caps": {"max": 3},
        "inner": {"at": [1, 2]},
        "heat": "server",
        "shade": "any",
        "rest": {"x": [1, {"y": None}]},
    }
    found = decoded(Whole, values, "f")
    assert found == Whole(
        title="t",
        colour=Colour.BLUE,
        primary=Colour.BLUE,
        pair=(1.0, 2.5),
        parts=(Part(name="b", weight=2.0),),
        by_key={"1": Part(name="a"), "2": Part(name="c")},
        caps={"max": 3},
        inner=Inner(at=(1, 2)),
        heat=None,
        shade=None,
        rest={"x": [1, {"y": None}]},
    )
    assert isinstance(found.primary, Colour)
    assert isinstance(found.parts[0].weight, float)


WRONG = [
    ({}, "f: missing key 'title'"),
    ({"title": 3}, "f: title: expected text, found 3"),
    ({"tittle": "t", "title": "t"}, "f: unknown key 'tittle'; did you mean 'title'? known: by_key"),
    ({"title": "t", "zzz": 1}, "f: unknown key 'zzz'; known: by_key, caps, colour, count"),
    ({"title": "t", "colour": "blu"}, 'f: colour: expected one of red, blue, green, found "blu"'),
    ({"title": "t", "colour": "blu"}, "did you mean 'blue'?"),
    ({"title": "t", "colour": 1}, "f: colour: expected one of red, blue, green, found 1"),
    ({"title": "t", "primary": "green"}, 'f: primary: expected one of red, blue, found "green"'),
    ({"title": "t", "size": "m"}, 'f: size: expected one of s, l, found "m"'),
    ({"title": "t", "pair": [1]}, "f: pair: expected 2 values, found 1"),
    ({"title": "t", "pair": []}, "f: pair: expected 2 values, found 0"),
    ({"title": "t", "pair": [1, 2, 3]}, "f: pair: expected 2 values, found 3"),
    ({"title": "t", "pair": 1}, "f: pair: expected a list, found 1"),
    ({"title": "t", "pair": [1, "2"]}, 'f: pair[1]: expected a number, found "2"'),
    ({"title": "t", "parts": {"name": "a"}}, 'f: parts: expected a list, found {"name": "a"}'),
    ({"title": "t", "parts": ["a"]}, 'f: parts[0]: expected a table of keys, found "a"'),
    ({"title": "t", "parts": [{"name": 1}]}, "f: parts[0].name: expected text, found 1"),
    ({"title": "t", "parts": [{"name": "bad"}]}, "f: parts[0]: no part may be called bad"),
    ({"title": "t", "parts": [{"name": "worse"}]}, "f: parts[0]: no part may be called worse"),
    (
        {"title": "t", "by_key": {"1": {"name": "a", "wait": 1}}},
        "f: by_key.1: unknown key 'wait'; did you mean 'weight'? known: name, weight",
    ),
    ({"title": "t", "by_key": {"1": {}}}, "f: by_key.1: missing key 'name'"),
    ({"title": "t", "by_key": {"1": 2}}, "f: by_key.1: expected text or a table of keys, found 2"),
    ({"title": "t", "by_key": {"1": "bad"}}, "f: by_key.1: no part may be called bad"),
    ({"title": "t", "by_key": "a"}, 'f: by_key: expected a table of keys, found "a"'),
    ({"title": "t", "caps": {"max": 1.5}}, "f: caps.max: expected a whole number, found 1.5"),
    ({"title": "t", "caps": {"max": 2.0}}, "f: caps.max: expected a whole number, found 2.0"),
    ({"title": "t", "inner": {"at": 1}}, "f: inner.at: expected a list, found 1"),
    ({"title": "t", "inner": "x"}, 'f: inner: expected a table of keys, found "x"'),
    ({"title": "t", "inner": {"At": [1]}}, "f: inner: unknown key 'At'"),
    ({"title": "t", "count": True}, "f: count: expected a whole number, found true"),
    ({"title": "t", "count": "5"}, 'f: count: expected a whole number, found "5"'),
    ({"title": "t", "count": None}, "f: count: expected a whole number, found null"),
    ({"title": "t", "count": -1}, "count: expected a value greater than or equal to 0, found -1"),
    ({"title": "t", "heat": "hot"}, 'f: heat: expected a number or "server", found "hot"'),
    ({"title": "t", "heat": True}, 'f: heat: expected a number or "server", found true'),
    ({"title": "t", "heat": None}, 'f: heat: expected a number or "server", found null'),
    ({"title": "t", "heat": float("nan")}, "f: heat: expected a finite number, found NaN"),
    ({"title": "t", "shade": "an"}, 'f: shade: expected one of red, blue, green, any, found "an"'),
    ({"title": "t", "flag": 1}, "f: flag: expected true or false, found 1"),
    ({"title": "t", "some": []}, "f: some: expected 1 or more, found 0"),
    ({"title": "t", "some": ["a", 1]}, "f: some[1]: expected text, found 1"),
    ({"title": "t", "rest": []}, "f: rest: expected a table of keys, found []"),
    ([], "f: expected a table of keys, found []"),
    ("t", 'f: expected a table of keys, found "t"'),
]


@pytest.mark.parametrize(("values", "words"), WRONG)
def test_wrong_values_are_named_with_their_place(values, words):
    with pytest.raises(DeclarationError) as caught:
        decoded(Whole, values, "f")
    text = str(caught.value)
    assert words in text
    assert len(text.splitlines()) == 1


def test_all_mistakes_of_a_file_are_told_at_once():
    values = {"count": "5", "flag": 0, "parts": [{"name": "bad"}, {"nam": 1}], "size": "xl"}
    with pytest.raises(DeclarationError) as caught:
        decoded(Whole, values, "f")
    assert str(caught.value).splitlines() == [
        "f: missing key 'title'",
        "f: size: expected one of s, l, found \"xl\"; did you mean 'l'?",
        "f: parts[0]: no part may be called bad",
        "f: parts[1]: missing key 'name'",
        "f: parts[1]: unknown key 'nam'; did you mean 'name'? known: name, weight",
        'f: count: expected a whole number, found "5"',
        "f: flag: expected true or false, found 0",
    ]


def test_long_values_are_cut():
    with pytest.raises(DeclarationError) as caught:
        decoded(Whole, {"title": ["x" * 1000]}, "f")
    assert str(caught.value) == f'f: title: expected text, found ["{"x" * 57}…'


def test_plain_types_are_decoded_too():
    assert decoded(dict[str, tuple[int, ...]], {"a": [1, 2]}, "f") == {"a": (1, 2)}
    with pytest.raises(DeclarationError, match=r"f: a\[1\]: expected a whole number, found \"2\""):
        decoded(dict[str, tuple[int, ...]], {"a": [1, "2"]}, "f")


def test_callers_name_the_class_of_the_error():
    class OwnError(DeclarationError):
        pass

    with pytest.raises(OwnError):
        decoded(Whole, {}, "f", OwnError)
    with pytest.raises(OwnError):
        decoded(Whole, {"title": "t", "parts": [{"name": "worse"}]}, "f", OwnError)
    with pytest.raises(OwnError):
        parsed_json('{"a": 1, "a": 2}', "f", OwnError)


@pytest.mark.parametrize("number", [1e-300, 0.1, 2 / 3, 123456789.123456789, 5e-324, -1.7e308])
def test_numbers_keep_every_digit(number):
    assert decoded(tuple[float, ...], [number, -number], "f") == (number, -number)


def test_dates_are_no_text():
    with pytest.raises(DeclarationError, match=r"f: title: expected text, found 2024-01-31$"):
        decoded(Whole, parsed_toml("title = 2024-01-31", "f"), "f")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", r"f: expected JSON, found: .*line 1 column 2"),
        ('{"a": 1,\n "b"}', "f: expected JSON, found: .*line 2"),
        ('{"a": {"b": 1, "c": 2, "b": 3}}', "f: key 'b' is given twice"),
        ("[" * 100_000, "f: expected JSON, found lists .* too deep to read"),
        ('{"a":' * 100_000, "f: expected JSON, found .* too deep to read"),
        ("[" * 100_000 + "]" * 100_000, "f: expected JSON, found .* too deep to read"),
        (f'{{"a": {"9" * 5000}}}', "f: expected JSON, found: "),
        (r'{"a": "\ud800"}', "f: expected JSON, found: .*surrogates not allowed"),
    ],
)
def test_damaged_json_is_refused_with_its_line(text, words):
    with pytest.raises(DeclarationError, match=words):
        parsed_json(text, "f")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = \n", "f: expected TOML, found: .*line 1, column 5"),
        ("a = 1\na = 2\n", "f: expected TOML, found: .*line 2"),
        ("a = " + "[" * 100_000, "f: expected TOML, found: "),
        ("a = " + "[" * 100_000 + "]" * 100_000, "f: expected TOML, found: "),
        ("a = " + "{b = " * 100_000, "f: expected TOML, found: "),
        ("a = " + "9" * 5000, "f: expected TOML, found: "),
    ],
)
def test_damaged_toml_is_refused_with_its_line(text, words):
    with pytest.raises(DeclarationError, match=words):
        parsed_toml(text, "f")


def test_files_are_read_with_or_without_a_byte_order_mark(tmp_path):
    (tmp_path / "a.json").write_text('{"é": 1}', encoding="utf-8-sig")
    (tmp_path / "a.toml").write_text('"é" = 1', encoding="utf-8")
    assert read_json(tmp_path / "a.json") == read_toml(tmp_path / "a.toml") == {"é": 1}


def test_unreadable_files_are_one_clear_error(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(
        DeclarationError, match=r"a\.json: expected a JSON file, found: .*utf-8.*save"
    ):
        read_json(tmp_path / "a.json")
    with pytest.raises(DeclarationError, match=r"none\.toml: expected a TOML file, found: .*No"):
        read_toml(tmp_path / "none.toml")


def test_a_list_whose_only_value_is_wrong_is_not_also_told_as_empty():
    with pytest.raises(DeclarationError) as found:
        decoded(dict[str, NonEmpty[Count]], {"liver": [-1], "spleen": []}, "f")
    assert str(found.value).splitlines() == [
        "f: liver[0]: expected a value greater than or equal to 0, found -1",
        "f: spleen: expected 1 or more, found 0",
    ]


def test_a_schema_tells_editors_the_same():
    schema = json_schema(Whole)
    assert schema["required"] == ["title"]
    assert schema["properties"]["by_key"]["additionalProperties"]["anyOf"][0] == {"type": "string"}
    assert schema["properties"]["count"]["minimum"] == 0
    assert schema["$defs"]["Part"]["properties"]["weight"]["exclusiveMinimum"] == 0
    assert {"const": "any"} in schema["properties"]["shade"]["anyOf"]
    json.dumps(schema)


def test_nothing_heavy_is_imported_before_a_file_is_read():
    import subprocess
    import sys

    code = "import medvision.declarations, sys; assert 'pydantic' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "text",
    [
        ".".join(["a"] * 100_000) + " = 1",
        "[" + ".".join(['"a"'] * 100_000) + "]",
        "x = {" + " . ".join(["'a b'"] * 100_000) + " = 1}",
    ],
)
def test_keys_of_very_many_parts_are_refused_before_they_are_parsed(text):
    with pytest.raises(DeclarationError, match="f: expected TOML, found a key of more than 100 "):
        parsed_toml(text, "f")


def test_long_names_and_texts_with_dots_are_no_such_keys():
    uid = ".".join(["1"] * 32)
    text = ". ".join(["a b"] * 1000)
    assert parsed_toml(f'"{uid}" = "{text}"\n{"a" * 10_000} = 1', "f")[uid] == text
