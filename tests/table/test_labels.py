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


@pytest.mark.parametrize("labels", [{"liver": "1"}, {"1": "a", "2": "a"}, {"a": 1, "b": 1}])
def test_bad_labels_are_refused(labels):
    with pytest.raises(UsageError, match="f: expected"):
        structures_from_labels(labels, "f")


def test_label_file_must_be_a_json_object(tmp_path):
    path = tmp_path / "labels.json"
    path.write_text("[1, 2]")
    with pytest.raises(UsageError, match="expected a JSON object"):
        read_labels(path)


def test_target_labels_by_id_or_name():
    structures = structures_from_labels({"1": "liver", "6": "liver tumor"}, "f")
    assert target_ids("6", structures) == (6,)
    assert target_ids("liver tumor, 1", structures) == (6, 1)
    with pytest.raises(UsageError, match="no label 'x'"):
        target_ids("x", structures)
