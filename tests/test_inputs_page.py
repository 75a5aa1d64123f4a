"""docs/inputs.md: its examples run, its lists are complete, its statements are shown by tests."""

import ast
import importlib
import pkgutil
import re
import shlex
from pathlib import Path

import nibabel as nib
import numpy as np
import pyarrow.parquet as pq
import pytest

import medvision.annotate
import medvision.table
import medvision.volumes
from medvision.annotate.biometrics import BiometricProblemReason
from medvision.cli import main
from medvision.errors import ItemError
from medvision.table.labels import read_labels
from medvision.table.read import read_biometrics
from medvision.volumes.volume import UNFLAGGED_SOURCES, SpacingSource

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "inputs.md").read_text(encoding="utf-8")

# Where each format's row, and each paragraph with rules of its own, is shown to hold.
SHOWN_BY = {
    "NIfTI `.nii`, `.nii.gz`": (
        "volumes/test_nifti.py",
        "test_unscaled_voxels_keep_value_and_dtype",
        "test_scaling_is_nibabels",
        "test_nifti_2_reads_like_nifti_1",
        "test_singleton_axes_beyond_the_third_are_dropped",
        "test_voxels_of_several_numbers_are_an_error",
        "test_bytes_after_a_gzip_stream_or_the_voxels_are_no_voxels",
    ),
    "NIfTI pairs `.hdr`, `.img`": (
        "volumes/test_nifti.py",
        "test_header_and_data_pair_reads_from_either_name",
        "test_pair_of_gzipped_files_is_read",
        "test_two_data_files_of_one_header_are_an_error",
        "test_analyze_file_is_refused_for_its_unknown_orientation",
    ),
    "NRRD `.nrrd`, `.nhdr`": (
        "volumes/test_nrrd_file.py",
        "test_every_encoding_gives_the_voxels_that_pynrrd_gives",
        "test_data_in_several_files_are_joined",
        "test_one_changed_byte_of_a_stream_is_an_error",
        "test_layers_are_an_error",
        "test_sheared_directions_are_an_error",
        "test_unknown_space_unit_is_an_error",
    ),
    "MetaImage `.mha`, `.mhd`": (
        "volumes/test_metaimage.py",
        "test_every_type_and_byte_order_reads_as_itk_does",
        "test_data_in_several_files_are_joined_as_itk_does",
        "test_one_changed_byte_of_a_stream_is_an_error",
        "test_voxels_that_are_not_the_stored_numbers_are_an_error",
        "test_vectors_are_an_error",
        "test_absent_spacing_is_an_error_though_itk_assumes_one",
    ),
    "DICOM slices": (
        "volumes/test_dicom.py",
        "test_series_equals_the_nifti_that_itk_makes_of_it",
        "test_non_uniform_slices_are_an_error",
        "test_gantry_tilt_is_an_error",
        "test_missing_slice_is_an_error",
        "test_several_frames_are_refused",
        "test_a_table_of_values_is_refused",
        "test_pixel_data_shorter_than_the_picture_is_an_error",
    ),
    "DICOM pictures": (
        "volumes/test_dicom.py",
        "test_colour_spaces_become_luminance",
        "test_palette_pictures_become_luminance",
        "test_palettes_of_more_colours_are_refused",
        "test_spacing_that_holds_at_the_detector_is_flagged",
    ),
    "PNG": (
        "volumes/test_pictures.py",
        "test_grey_pngs_hold_the_label_numbers_they_store",
        "test_palettes_of_any_depth_hold_label_numbers",
        "test_interlaced_pngs_read_alike",
        "test_animated_png_is_an_error",
        "test_pixels_per_metre_of_a_png_are_no_spacing",
        "volumes/test_whole_pictures.py",
        "test_no_changed_byte_of_a_png_goes_unseen",
        "test_pixels_of_a_png_whose_chunks_are_whole_are_counted_and_summed",
    ),
    "JPEG": (
        "volumes/test_pictures.py",
        "test_jpeg_reads_rows_and_columns_the_right_way_round",
        "test_jpeg_of_four_inks_becomes_luminance",
        "test_lossy_label_maps_are_refused",
        "volumes/test_whole_pictures.py",
        "test_a_jpeg_without_its_end_is_cut_short",
        "test_a_part_that_is_missing_from_a_jpeg_is_told_by_its_restarts",
    ),
    "TIFF, BigTIFF": (
        "volumes/test_pictures.py",
        "test_tiff_numbers_keep_sign_and_order",
        "test_unsigned_32_bits_of_a_tiff_are_no_negative_numbers",
        "test_big_tiff_is_read",
        "test_tiled_and_compressed_tiffs_read_as_another_library_reads_them",
        "test_colour_tiffs_of_either_plane_order_become_luminance",
        "test_planes_behind_the_first_are_not_left_out",
        "test_tiff_numbers_that_pillow_lacks_are_named_as_such",
        "test_tiff_with_an_orientation_tag_is_an_error",
        "test_several_frames_are_an_error",
        "volumes/test_whole_pictures.py",
        "test_no_changed_byte_of_packed_tiff_pixels_goes_unseen",
        "test_a_tiff_whose_numbers_contradict_each_other_is_an_error",
    ),
    "BMP": (
        "volumes/test_pictures.py",
        "test_grey_pictures_read_as_stored",
        "test_bmp_of_few_bits_holds_label_numbers",
        "volumes/test_whole_pictures.py",
        "test_a_picture_that_is_cut_anywhere_has_all_pixels_or_is_an_error",
    ),
    "A picture of another format": (
        "volumes/test_whole_pictures.py",
        "test_another_format_under_the_name_of_one_is_refused",
    ),
    "TIFF, BMP without packing": (
        "volumes/test_whole_pictures.py",
        "test_a_picture_that_is_cut_anywhere_has_all_pixels_or_is_an_error",
        "test_what_no_checksum_covers_goes_unseen",
    ),
    "TIFF by PackBits or LZW": (
        "volumes/test_whole_pictures.py",
        "test_a_changed_run_of_an_unsummed_tiff_is_told_by_its_length",
        "test_a_picture_that_is_cut_anywhere_has_all_pixels_or_is_an_error",
    ),
    "JPEG, also inside a TIFF": (
        "volumes/test_whole_pictures.py",
        "test_a_picture_that_is_cut_anywhere_has_all_pixels_or_is_an_error",
        "test_what_no_checksum_covers_goes_unseen",
    ),
    "TIFF by fax codes, LZMA, Zstandard": (
        "volumes/test_whole_pictures.py",
        "test_tiffs_of_other_packing_are_read",
    ),
    "A label map holds": (
        "volumes/test_labels.py",
        "test_values_that_are_no_integers_are_an_error",
        "test_negative_labels_are_an_error",
        "test_labels_beyond_32_bits_are_an_error",
        "test_label_file_of_any_type_reads_as_one_label_map",
    ),
    "An image and its mask": ("volumes/test_grid.py",),
    "**A folder is one series.**": (
        "volumes/test_dicom_folder.py",
        "test_the_last_slice_damaged_is_an_error_that_names_it",
        "test_the_last_slice_as_another_kind_of_file_is_an_error",
        "test_other_files_beside_a_series_are_no_slices",
        "test_a_second_series_is_an_error_that_counts_both",
        "test_slices_in_a_folder_below_are_an_error",
        "test_a_copy_of_a_slice_is_an_error_that_names_both",
        "test_a_second_acquisition_is_an_error",
        "test_a_localizer_in_the_series_is_an_error_that_names_it",
        "test_a_slice_without_a_position_is_an_error_that_names_it",
    ),
    "**Values are stored": (
        "volumes/test_dicom.py",
        "test_each_slice_is_rescaled_by_its_own_slope",
        "test_measured_values_are_stored_times_slope_plus_intercept",
        "test_a_radiograph_is_read_as_a_viewer_shows_it",
        "test_a_capture_of_a_ct_screen_is_a_picture",
        "test_padding_values_are_kept_as_stored",
        "test_bits_above_the_stored_ones_are_no_value",
    ),
    "**Pixel size of radiographs.**": (
        "volumes/test_dicom.py",
        "test_spacing_that_holds_at_the_detector_is_flagged",
        "test_spacing_that_was_calibrated_is_the_headers",
        "test_stated_spacing_replaces_that_of_the_detector",
    ),
    "**Pixel size of ultrasound.**": (
        "volumes/test_ultrasound.py",
        "test_regions_that_agree_give_the_spacing",
        "test_a_spacing_that_is_not_one_is_unknown",
        "test_without_a_length_the_spacing_is_what_else_is_stated",
    ),
    "Images are read as a viewer": (
        "volumes/test_pictures.py",
        "test_colour_becomes_luminance",
        "test_tiffs_whose_least_value_is_white_are_shown_so",
        "test_one_bit_tiffs_are_one_where_they_are_white",
        "test_what_a_png_says_of_display_changes_no_number",
    ),
    "A picture that asks viewers": (
        "volumes/test_pictures.py",
        "test_exif_rotation_is_flagged_and_not_applied",
        "test_a_picture_to_be_turned_has_no_mask_that_is_not",
    ),
    "Dots per inch": (
        "volumes/test_pictures.py",
        "test_dots_per_inch_are_no_spacing",
        "test_dots_of_a_tiff_are_no_spacing_in_any_unit",
        "test_imagej_units",
    ),
    "lengths are at the detector": (
        "table/test_flags.py",
        "test_spacing_at_the_detector_is_told_and_lengths_are_in_its_plane",
    ),
    "Text is UTF-8": (
        "annotate/test_landmarks.py",
        "test_bad_file_is_one_clear_error",
        "test_text_that_is_no_utf_8_is_told_so",
        "test_keys_are_compared_in_composed_form",
    ),
    "Refused, in one line each": (
        "table/test_labels.py",
        "test_a_label_file_that_cannot_be_meant_is_one_line",
    ),
    "What `describe`, and `build` of a folder, read": (
        "describe/test_side_files.py",
        "test_a_side_file_in_another_encoding_is_one_line",
        "test_tables_may_begin_with_the_mark_that_spreadsheets_write",
        "test_a_dataset_json_of_another_form_is_told_alike_by_both_ways",
    ),
    "A file that only some cases need": (
        "describe/test_side_files.py",
        "test_a_broken_file_of_some_cases_is_described_with_its_name_and_exit_1",
        "test_a_broken_file_is_named_by_a_build_that_keeps_all_other_cases",
    ),
    "A second build measures": (
        "table/test_staged.py",
        "test_only_new_cases_are_measured_and_the_tables_are_those_of_a_whole_build",
    ),
}


def section(title):
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title):
    """Cells of the first column of a section's table, its head left out."""
    first = re.findall(r"^\| (.+?) \|", section(title), re.MULTILINE)
    return first[1:]


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def files():
    """Named examples: `name`, then the block that is in it."""
    found = re.findall(r"^`([\w.]+)`[^\n]*:\n\n```\w+\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
    return dict(found)


def test_every_format_and_rule_is_shown_by_tests_that_exist():
    for statement, shown_by in SHOWN_BY.items():
        assert statement in PAGE
        defined: set[str] = set()
        for name in shown_by:  # files, each followed by tests in it
            if name.endswith(".py"):
                tree = ast.parse((ROOT / "tests" / name).read_text(encoding="utf-8"))
                defined = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
            else:
                assert name in defined, f"{statement}: {name}"
    for title in ("Images and label maps", "Damage"):
        assert [row for row in rows(title) if row not in SHOWN_BY] == []


def test_no_cell_of_the_tables_is_blank():
    lines = [line for line in PAGE.splitlines() if line.startswith("|")]
    assert [line for line in lines if not all(c.strip() for c in line.strip("|").split("|"))] == []


def test_all_reasons_and_no_others_are_listed():
    for package in (medvision.annotate, medvision.table, medvision.volumes):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    reasons, waiting = set(), [ItemError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        reasons.add(kind.reason)
    listed = {row.strip("`") for row in rows("Reasons")}
    assert listed - reasons == {"unpaired"}
    of_files = {
        kind.reason
        for kind in _subclasses(ItemError)
        if kind.__module__.startswith("medvision.volumes.errors")
        or kind.__module__ in {"medvision.annotate.landmarks", "medvision.table.mask_layers"}
    }
    assert of_files - listed == {"slice_out_of_range"}  # of `render`, not of a build


def _subclasses(kind):
    for sub in kind.__subclasses__():
        yield sub
        yield from _subclasses(sub)


def test_all_flags_of_spacing_are_listed():
    flags = " ".join(rows("Flags"))
    for source in set(SpacingSource) - UNFLAGGED_SOURCES:
        known = source is not SpacingSource.UNKNOWN
        assert (f"`spacing_from_{source}`" if known else "`spacing_unknown`") in flags
    assert all(f"`{reason}`" in PAGE for reason in BiometricProblemReason)


@pytest.fixture
def heads(tmp_path, monkeypatch):
    """The folder in which the page's commands are typed."""
    monkeypatch.chdir(tmp_path)
    found = files()
    for name in ("images", "landmarks"):
        Path(name).mkdir()
    for name in ("biometrics.json", "labels.json", "mine.toml"):
        Path(name).write_text(found[name], encoding="utf-8")
    for name in ("p1.json", "p2.csv"):
        Path("landmarks", name).write_text(found[name], encoding="utf-8")
        image = nib.Nifti1Image(np.zeros((12, 30, 20), np.int16), np.diag([2.0, 1.0, 1.5, 1.0]))
        if name == "p2.csv":  # the same head, in LPS: x and y change their signs
            image = nib.Nifti1Image(image.dataobj, np.diag([2.0, -1.0, 1.5, 1.0]))
        nib.save(image, Path("images", f"{Path(name).stem}.nii.gz"))
    return tmp_path


def test_the_examples_of_landmarks_and_suites_run_and_give_what_they_state(heads):
    build, evaluate = (shlex.split(block)[1:] for block in blocks("sh"))
    assert main(build) == 0
    values = {
        (row["case_id"], row["name"], row["plane"]): row["value"]
        for row in read_biometrics(heads / "tables").to_pylist()
    }
    for case in ("p1", "p2"):
        found = {key[1:]: round(value, 6) for key, value in values.items() if key[0] == case}
        depth = "distance between anterior point and posterior point"
        height = "height of the anterior edge"
        angles = [value for (name, _), value in found.items() if name not in {depth, height}]
        assert f"`{depth}`" in PAGE.replace("\n", " ")
        assert found[(depth, "sagittal")] == 16
        assert (found[(height, "sagittal")], found[(height, "coronal")]) == (9, 9)
        assert angles == [90]
        assert len(found) == 4
    assert main(evaluate) == 0
    samples = pq.read_table(heads / "run" / "samples.parquet")
    assert samples.num_rows == 6
    assert "asks six questions" in PAGE


def test_the_label_file_is_one(heads):
    assert [one.name for one in read_labels(heads / "labels.json")] == ["liver", "liver tumor"]
