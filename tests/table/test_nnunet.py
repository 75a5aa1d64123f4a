import json

from medvision.table.nnunet import find_nnunet_cases


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
    cases, unpaired = find_nnunet_cases(tmp_path, target_labels="tumor")
    assert [(i.image_id, i.modality) for i in cases[0].images] == [("T1", "MRI"), ("CT", "CT")]
    assert cases[0].target_labels == (1,)
    assert not unpaired
