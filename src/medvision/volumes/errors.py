"""Why an image, a label map or a pair of them cannot be used: one class per cause."""

from medvision.errors import ItemError


class MissingFileError(ItemError):
    """No such file, or a header whose data file is not there."""

    reason = "missing_file"


class EmptyFileError(ItemError):
    """The file holds no byte."""

    reason = "empty_file"


class UnreadableFileError(ItemError):
    """The system refuses to read the file."""

    reason = "unreadable_file"


class OutOfMemoryError(ItemError):
    """The voxels do not fit into this machine's memory."""

    reason = "out_of_memory"


class ReaderFailedError(ItemError):
    """The library that reads such files stopped with an error of its own."""

    reason = "reader_failed"


class OutsideFolderError(ItemError):
    """A header names a data file that is not below its own folder."""

    reason = "outside_folder"


class TruncatedFileError(ItemError):
    """The file ends before the voxels its header announces."""

    reason = "truncated_file"


class CorruptFileError(ItemError):
    """The file is of the announced kind, but its content is damaged."""

    reason = "corrupt_file"


class NotAnImageError(ItemError):
    """The file's content is not of the kind its name announces."""

    reason = "not_an_image"


class UnsupportedFormatError(ItemError):
    """A kind of file that is not read here."""

    reason = "unsupported_format"


class BadHeaderError(ItemError):
    """A header field has a value the format does not allow."""

    reason = "bad_header"


class UnsupportedPixelsError(ItemError):
    """Pixels that are not one real number each (complex, vectors, colour label maps)."""

    reason = "unsupported_pixels"


class DimensionsError(ItemError):
    """Neither a 2D image nor a 3D volume."""

    reason = "not_2d_or_3d"


class InvalidSpacingError(ItemError):
    """Spacing that is zero, negative, not finite, or stated for an image that has its own."""

    reason = "invalid_spacing"


class MissingSpacingError(ItemError):
    """The file says nothing reliable about pixel size."""

    reason = "missing_spacing"


class AmbiguousSpacingError(ItemError):
    """The header contradicts itself about spacing, and no rule decides."""

    reason = "ambiguous_spacing"


class NonOrthogonalAxesError(ItemError):
    """Voxel axes that do not stand at right angles."""

    reason = "non_orthogonal_axes"


class LabelValuesError(ItemError):
    """A label map whose values are not integers from 0 to 2³¹ − 1."""

    reason = "bad_label_values"


class ShapeMismatchError(ItemError):
    """Image and mask have different numbers of voxels."""

    reason = "shape_mismatch"


class AffineMismatchError(ItemError):
    """Image and mask have the same shape, but do not lie at the same place."""

    reason = "affine_mismatch"


class SliceIndexError(ItemError):
    """No such slice on that plane."""

    reason = "slice_out_of_range"


class SeveralSeriesError(ItemError):
    """A DICOM folder with more than one series."""

    reason = "several_series"


class NonUniformSlicesError(ItemError):
    """DICOM slices at unequal distances, at one place, or turned against each other."""

    reason = "non_uniform_slices"


class MissingSlicesError(ItemError):
    """A DICOM series with a gap."""

    reason = "missing_slices"


class GantryTiltError(ItemError):
    """DICOM slices stacked along a direction that is not their normal."""

    reason = "gantry_tilt"
