"""Names of what the archives of the public datasets hold, a case or two of each.

Dataset and role to archive to members; the bytes say nothing, names and folders are what counts.
Trees with voxels, from which tables are built, are in `tests/raw_trees`.
"""

PAIR = ("image", "label")


def structures(case, image):
    return [f"{case}/{image}.nii.gz", f"{case}/segmentations/liver.nii.gz"]


def msd(task, case):
    folders = ("imagesTr", "labelsTr", "imagesTs")
    files = [f"{task}/{folder}/{case}.nii.gz" for folder in folders]
    hidden = [f"{task}/{folder}/._{case}.nii.gz" for folder in folders]
    return [*files, *hidden, f"{task}/dataset.json", f"{task}/._dataset.json"]


MSD_CASES = {
    "Task01_BrainTumour": "BRATS_001",
    "Task02_Heart": "la_003",
    "Task03_Liver": "liver_1",
    "Task04_Hippocampus": "hippocampus_001",
    "Task05_Prostate": "prostate_00",
    "Task06_Lung": "lung_001",
    "Task07_Pancreas": "pancreas_001",
    "Task08_HepaticVessel": "hepaticvessel_001",
    "Task09_Spleen": "spleen_2",
    "Task10_Colon": "colon_001",
}
ACDC = [
    f"ACDC/database/{part}/{case}/{case}{end}"
    for part, case in (("training", "patient001"), ("testing", "patient101"))
    for end in ("_frame01.nii.gz", "_frame01_gt.nii.gz", "_4d.nii.gz")
]
AMOS = [
    f"amos22/{kind}{part}/{case}.nii.gz"
    for part, case in (("Tr", "amos_0001"), ("Va", "amos_0507"))
    for kind in ("images", "labels")
]
HNTS = [
    f"HNTSMRG24_train/1/{time}/1_{name}.nii.gz"
    for time, names in {
        "preRT": ("preRT_T2", "preRT_mask"),
        "midRT": ("midRT_T2", "midRT_mask", "preRT_T2_registered", "preRT_mask_registered"),
    }.items()
    for name in names
]
TOPCOW = [
    f"TopCoW2024_Data_Release/{folder}/topcow_{kind}_001{end}"
    for kind in ("ct", "mr")
    for folder, end in (
        ("imagesTr", "_0000.nii.gz"),
        ("cow_seg_labelsTr", ".nii.gz"),
        ("roi_loc_labelsTr", ".txt"),
        ("antpos_edges_labelsTr", ".json"),
    )
]
AUTOPET = [
    f"2024-05-10_Autopet_v1.1/{name}"
    for name in (
        "imagesTr/psma_1a_2018-04-16_0000.nii.gz",
        "imagesTr/psma_1a_2018-04-16_0001.nii.gz",
        "labelsTr/psma_1a_2018-04-16.nii.gz",
    )
]
FETA = [
    "feta_2.4/sub-001/anat/sub-001_rec-mial_T2w.nii.gz",
    "feta_2.4/sub-001/anat/sub-001_rec-mial_dseg.nii.gz",
    "feta_2.4/derivatives/biometry/sub-001/anat/sub-001_rec-mial_meas.nii.gz",
    "feta_2.4/derivatives/biometry/sub-001/anat/sub-001_rec-mial_transform.txt",
]
COPY = {"Images.zip": ["Images/case.nii.gz"], "Masks.zip": ["Masks/case.nii.gz"]}

ORIGINALS = {
    "ACDC": {"ACDC.zip": ACDC},
    "AMOS22": {
        "amos22.zip": [*AMOS, "amos22/imagesTs/amos_0003.nii.gz", "__MACOSX/amos22/._imagesTr"]
    },
    "AbdomenAtlas1.0Mini": {
        f"BDMAP_0000000{n}/{name}.nii.gz": None
        for n in (1, 2)
        for name in ("ct", "combined_labels", "segmentations/aorta")
    },
    "AbdomenCT-1K": {
        **{
            f"AbdomenCT-1K-ImagePart{n}.zip": [
                f"AbdomenCT-1K-ImagePart{n}/Case_0000{n}_0000.nii.gz"
            ]
            for n in (1, 2, 3)
        },
        "Mask.7z": [f"Case_0000{n}.nii.gz" for n in (1, 2, 3)],
    },
    "BCV15": {
        "RawData.zip": [
            "RawData/Training/img/img0001.nii.gz",
            "RawData/Training/label/label0001.nii.gz",
            "RawData/Testing/img/img0061.nii.gz",
        ],
        "CervixRawData.zip": [
            "RawData/Training/img/0507-4330-Image.nii.gz",
            "RawData/Training/label/0507-4330-Mask.nii.gz",
        ],
    },
    "CAMUS": {
        "CAMUS.zip": [
            f"CAMUS_public/database_nifti/patient0001/patient0001_2CH_{name}{end}.nii.gz"
            for name in ("ED", "ES", "half_sequence")
            for end in ("", "_gt")
        ]
    },
    "Ceph-Biometrics-400": {
        "Cephalogram400.zip": {
            "RawImage.rar": ["RawImage/TrainingData/001.bmp", "RawImage/Test1Data/151.bmp"],
            "400_senior.rar": ["400_senior/001.txt", "400_senior/151.txt"],
            "400_junior.rar": ["400_junior/001.txt"],
        }
    },
    "CrossMoDA": {
        "crossmoda_training.zip": [
            "source_training/crossmoda_1_ceT1.nii.gz",
            "source_training/crossmoda_1_Label.nii.gz",
            "target_training/crossmoda_106_hrT2.nii.gz",
        ]
    },
    "FLARE22": {
        "FLARE22_LabeledCase50/images.zip": ["FLARE22_Tr_0001_0000.nii.gz"],
        "FLARE22_LabeledCase50/labels.zip": ["FLARE22_Tr_0001.nii.gz"],
    },
    "FeTA24": {"feta_2.4.zip": FETA},
    "HNTSMRG24": {"HNTSMRG24_train.zip": HNTS},
    "ISLES24": {
        "train.7z": [
            "train/rawdata/sub-stroke0001/ses-01/sub-stroke0001_ses-01_ncct.nii.gz",
            "train/rawdata/sub-stroke0001/ses-02/dwi/sub-stroke0001_ses-02_dwi.nii.gz",
            "train/rawdata/sub-stroke0001/ses-02/dwi/sub-stroke0001_ses-02_adc.nii.gz",
            "train/derivatives/sub-stroke0001/ses-02/sub-stroke0001_ses-02_lesion-msk.nii.gz",
        ]
    },
    "KiTS23": {
        "dataset": [
            "case_00000/imaging.nii.gz",
            "case_00000/segmentation.nii.gz",
            "case_00000/instances/kidney_instance-1_annotation-1.nii.gz",
        ]
    },
    "MSD": {f"{task}.tar": msd(task, case) for task, case in MSD_CASES.items()},
    "OAIZIB-CM": {
        "train.zip": ["imagesTr/oaizib_001_0000.nii.gz", "labelsTr/oaizib_001.nii.gz"],
        "test.zip": ["imagesTs/oaizib_405_0000.nii.gz", "labelsTs/oaizib_405.nii.gz"],
    },
    "SKM-TEA": {
        "SKM-TEA-nii.zip": [
            f"SKM-TEA-nii/{folder}/MTR_001.nii.gz"
            for folder in ("img_nii_E1", "img_nii_E2", "seg-nii")
        ]
    },
    "ToothFairy2": {
        "ToothFairy2_Dataset.zip": [
            f"Dataset112_ToothFairy2/{folder}/{case}{end}"
            for case in ("ToothFairy2F_001", "ToothFairy2P_077")
            for folder, end in (("imagesTr", "_0000.mha"), ("labelsTr", ".mha"))
        ]
    },
    "TopCoW24": {"TopCoW2024_Data_Release.zip": TOPCOW},
    "TotalSegmentator": {
        "Totalsegmentator_dataset_v201.zip": [*structures("s0000", "ct"), "meta.csv"],
        "TotalsegmentatorMRI_dataset_v200.zip": [*structures("s0000", "mri"), "meta.csv"],
    },
    "autoPET-III": {"Autopet_v1.1.tgz": AUTOPET},
    "AFIDs": {
        name: [
            "sub-103111/anat/sub-103111_T1w.nii.gz",
            "derivatives/afids_groundtruth/sub-103111/anat/"
            "sub-103111_space-T1w_desc-groundtruth_afids.fcsv",
        ]
        for name in ("ds004470", "ds004471")
    },
    "DEEP-PSMA": {
        f"{n:04d}-{n + 19:04d}.zip": [
            f"train_{n:04d}/{tracer}/{name}.nii.gz"
            for tracer in ("PSMA", "FDG")
            for name in ("CT", "PET", "TTB")
        ]
        for n in (1, 21, 41, 61, 81)
    },
    "LIDC-IDRI": {"LIDC-XML-only.zip": ["tcia-lidc-xml/157/158.xml", "tcia-lidc-xml/185/068.xml"]},
    "MSWAL": {"imagesTr/MSWAL_0001_0000.nii.gz": None, "labelsTr/MSWAL_0001.nii.gz": None},
    "PDDCA": {
        f"PDDCA-1.4.1_part{n}.zip": [
            f"0522c000{n}/img.nrrd",
            f"0522c000{n}/structures/BrainStem.nrrd",
        ]
        for n in (1, 2, 3)
    },
    "PI-CAI": {
        **{
            f"picai_public_images_fold{n}.zip": [f"1000{n}/1000{n}_100000{n}_t2w.mha"]
            for n in range(5)
        },
        "picai_labels.zip": [
            "picai_labels-3e5673a/csPCa_lesion_delineations/human_expert/resampled/"
            "10000_1000000.nii.gz"
        ],
    },
    "VerSe": {
        f"dataset-verse{year}{part}.zip": [
            f"dataset-verse{year}{part}/rawdata/sub-verse004/sub-verse004_ct.nii.gz",
            f"dataset-verse{year}{part}/derivatives/sub-verse004/sub-verse004_seg-vert_msk.nii.gz",
        ]
        for year in (19, 20)
        for part in ("training", "validation", "test")
    },
}
"""Archives of the owners. None: a file that is no archive. A table: archives within an archive."""

COPIES = {
    "ACDC": COPY,
    "BCV15": {"all.zip": ["BCV15-Abdomen/Images/img0001.nii.gz"]},
    "BraTS24": {"GLI.zip": ["BraTS24-GLI/Images-t1c/BraTS-GLI-00005-100-t1c.nii.gz"]},
    "CAMUS": COPY,
    "Ceph-Biometrics-400": {
        "Images.zip": ["Images/001.bmp"],
        "Landmarks.zip": ["Landmarks/001.json"],
        "Landmarks-fig.zip": ["Landmarks-fig/001.png"],
    },
    "CrossMoDA": COPY,
    "FLARE22": COPY,
    "FeTA24": {"all.zip": ["Images-reoriented/sub-001_rec-mial_T2w.nii.gz"]},
    "ISLES24": {
        "Images-DWI.zip": ["Images-DWI/sub-stroke0001_dwi.nii.gz"],
        "Images-ADC.zip": ["Images-ADC/sub-stroke0001_adc.nii.gz"],
        "Masks.zip": ["Masks/sub-stroke0001_lesion-msk.nii.gz"],
    },
    "KiPA22": {"train.zip": ["train/image/1.nii.gz", "train/label/1.nii.gz"]},
    "KiTS23": {"KiTS23.zip": ["Images/case_00000.nii.gz", "Masks/case_00000.nii.gz"]},
    "MAMA-MIA": {
        "data-part001.zip": ["Images/DUKE_001.nii.gz", "Masks/DUKE_001.nii.gz"],
        "data-part002.zip": ["Images/NACT_01.nii.gz", "Masks/NACT_01.nii.gz"],
    },
    "TopCoW24": {"TopCoW24.zip": ["TopCoW24-CT/Images/topcow_ct_001_0000.nii.gz"]},
    "TotalSegmentator": COPY,
    "autoPET-III": {
        "Images-CT.zip": ["Images-CT/psma_1a_2018-04-16_0000.nii.gz"],
        "Images-PET.zip": ["Images-PET/psma_1a_2018-04-16_0001.nii.gz"],
        "Masks.zip": ["Masks/psma_1a_2018-04-16.nii.gz"],
    },
}
"""Archives of the copies, as the file patterns of the catalogue expect them."""
