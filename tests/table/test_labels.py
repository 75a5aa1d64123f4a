import pytest

from medvision.errors import UsageError
from medvision.table.labels import read_labels, structures_from_labels, target_ids


def test_labels_by_id_or_by_name():
    by_id = structures_from_labels({"1": "liver", "2": "spleen"}, "f")
    by_name = structures_from_labels({"background": 0, "liver": 1, "spleen": 2}, "f")
    assert by_id == by_name
    assert [(s.label_id, s.name, s.values) for s in by_id] == [
        (1, "liver", (1,)),
        (2, "spleen", (2,)),
    ]


def test_nnunet_regions_get_ids_in_declared_order():
    found = structures_from_labels({"background": 0, "whole": [1, 2, 3], "core": [2, 3]}, "f")
    assert [(s.label_id, s.name, s.values) for s in found] == [
        (1, "whole", (1, 2, 3)),
        (2, "core", (2, 3)),
    ]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"liver": "1"}, r'f: liver\[0\]: expected a whole number, found "1"'),
        ({"liver": True}, r"f: liver\[0\]: expected a whole number, found true"),
        ({"liver": -1}, r"f: liver\[0\]: expected a value greater than or equal to 0, found -1"),
        ({"liver": []}, "f: liver: expected 1 or more, found 0"),
        ({"liver": [1, 2.5]}, r"f: liver\[1\]: expected a whole number, found 2.5"),
        ({"1": 5}, "f: 1: expected text, found 5"),
        ({"1": "a", "2": "a"}, "f: expected each name once"),
        ({"1": "\u00e9", "2": "e\u0301"}, "f: two labels have the name '\u00e9'; names must"),
        ({"1": "a\nb"}, r"f: label 'a\\nb': expected a name of one line"),
        ({"1": "a\u202eb"}, "f: label .*: expected a name of one line"),
        ({"1": "?"}, r"f: the name of a label is still '\?': say what it is"),
        ({"a": 1, "b": 1}, "f: expected each label_id once"),
    ],
)
def test_bad_labels_are_refused(labels, words):
    with pytest.raises(UsageError, match=words):
        structures_from_labels(labels, "f")


def test_label_file_must_be_a_json_object(tmp_path):
    path = tmp_path / "labels.json"
    for text, words in {
        "[1, 2]": r"labels\.json: expected a table of keys, found \[1, 2\]",
        '{"1": "liver"': r"labels\.json: expected JSON, found: .*line 1",
        '{"1": "liver", "1": "spleen"}': r"labels\.json: key '1' is given twice",
    }.items():
        path.write_text(text)
        with pytest.raises(UsageError, match=words):
            read_labels(path)
    with pytest.raises(UsageError, match=r"none\.json: expected a JSON file"):
        read_labels(tmp_path / "none.json")


def test_target_labels_by_id_or_name():
    structures = structures_from_labels({"1": "liver", "6": "liver tumor"}, "f")
    assert target_ids("6", structures) == (6,)
    assert target_ids("liver tumor, 1", structures) == (6, 1)
    with pytest.raises(UsageError, match="no label 'x'"):
        target_ids("x", structures)


@pytest.mark.parametrize("labels", [{"3": ""}, {"1": "liver", "2": "  "}, {"background": 0, "": 1}])
def test_structures_without_a_name_are_refused(labels):
    with pytest.raises(UsageError, match="f: expected a name for value"):
        structures_from_labels(labels, "f")


def test_nnunets_ignore_is_known_and_not_asked():
    found = structures_from_labels({"background": 0, "liver": 1, "ignore": 2}, "f")
    assert [(s.name, s.values, s.asked) for s in found] == [
        ("liver", (1,), True),
        ("ignore", (2,), False),
    ]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('{"-1": "liver"}', "expected label ids from 0 to 2147483647, found -1"),
        ('{"1": "liver", "2147483648": "spleen"}', "found 2147483648"),
        ('{"liver": -1}', r"liver\[0\]: expected a value greater than or equal to 0, found -1"),
        ('{"liver": 1.5}', r"liver\[0\]: expected a whole number, found 1.5"),
        ('{"1.0": "liver"}', "expected a whole number"),
        ('{"3": ""}', "expected a name for value 3, found an empty one"),
        ('{"3": " "}', "expected a name for value 3"),
        ('{"": 3}', "expected a name for value 3"),
        ('{"1": "liver", "1": "spleen"}', "key '1' is given twice"),
        ('{"1": "liver", "01": "spleen"}', "each label_id once"),
        ('{"1": null}', "1: expected text, found null"),
        ("[" * 100_000, "too deep to read"),
        (r'{"1": "\ud800"}', "surrogates"),
    ],
)
def test_a_label_file_that_cannot_be_meant_is_one_line(tmp_path, text, match):
    path = tmp_path / "labels.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=match) as found:
        read_labels(path)
    assert len(str(found.value).splitlines()) == 1
    assert str(found.value).startswith(str(path))
