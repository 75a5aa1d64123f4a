import json

from medvision.cli import main
from medvision.table.nnunet import nnunet_dataset


def folder(parent, name, *files):
    made = parent / name
    made.mkdir(parents=True)
    for file in files:
        (made / file).touch()
    return made


def test_nnunet_folder_is_understood(tmp_path):
    declared = {"channel_names": {"0": "T1", "1": "CT"}, "labels": {"background": 0, "tumor": 1}}
    (tmp_path / "dataset.json").write_text(json.dumps(declared))
    folder(tmp_path, "imagesTr", "x_0000.nii.gz", "x_0001.nii.gz")
    folder(tmp_path, "labelsTr", "x.nii.gz")
    dataset, unpaired = nnunet_dataset(tmp_path, target_labels="tumor")
    assert [(i.id, i.modality) for i in dataset.cases[0].images] == [("T1", "MRI"), ("CT", "CT")]
    assert {label_id for label_id, label in dataset.labels.items() if label.target} == {"1"}
    assert not unpaired


def raw_dataset(parent, channels, labels, images, masks):
    declared = {"channel_names": channels, "labels": labels}
    (parent / "dataset.json").write_text(json.dumps(declared))
    folder(parent, "imagesTr", *images)
    folder(parent, "labelsTr", *masks)
    return parent


def test_channels_are_named_by_number_where_one_is_missing(tmp_path):
    images = ("x_0000.nii.gz", "x_0001.nii.gz", "y_0001.nii.gz")
    channels = {"0": "CT", "1": "PET"}
    raw_dataset(tmp_path, channels, {"tumor": 1}, images, ("x.nii.gz", "y.nii.gz"))
    x, y = nnunet_dataset(tmp_path)[0].cases
    assert [(i.id, i.modality) for i in x.images] == [("CT", "CT"), ("PET", "PET")]
    assert [(i.id, i.modality) for i in y.images] == [("PET", "PET")]


def test_channels_of_one_name_stay_apart(tmp_path):
    images = ("x_0000.nii.gz", "x_0001.nii.gz")
    raw_dataset(tmp_path, {"0": "MRI", "1": "MRI"}, {"tumor": 1}, images, ("x.nii.gz",))
    [case] = nnunet_dataset(tmp_path)[0].cases
    assert [image.id for image in case.images] == ["MRI 0000", "MRI 0001"]


def test_sessions_of_one_subject_share_it(tmp_path):
    images = ("s1_a_0000.nii.gz", "s1_b_0000.nii.gz", "s2_a_0000.nii.gz")
    masks = ("s1_a.nii.gz", "s1_b.nii.gz", "s2_a.nii.gz")
    raw_dataset(tmp_path, {"0": "CT"}, {"tumor": 1}, images, masks)
    cases = nnunet_dataset(tmp_path, subject_pattern=r"^(s\d+)_")[0].cases
    assert [case.subject for case in cases] == ["s1", "s1", "s2"]
    assert [image.id for case in cases for image in case.images] == ["image"] * 3


def test_ignore_is_not_asked(tmp_path):
    labels = {"background": 0, "tumor": 1, "ignore": 2}
    raw_dataset(tmp_path, {"0": "CT"}, labels, ("x_0000.nii.gz",), ("x.nii.gz",))
    labels = nnunet_dataset(tmp_path)[0].labels
    assert {label.name: label.asked for label in labels.values()} == {
        "tumor": True,
        "ignore": False,
    }


def test_options_that_the_folder_answers_itself_are_refused(tmp_path, capsys):
    words = ["build", "--nnunet", str(tmp_path), "--labels", "l.json", "--out", str(tmp_path / "t")]
    assert main(words) == 2
    assert "--labels and --nnunet: the nnU-Net folder says it itself" in capsys.readouterr().err
