"""Ends of names of image files, in lower case: what opens a file, and what stands for an image.

Apart from the readers, which take long to load: most commands only list files.
"""

from collections.abc import Iterable

NIFTI_SINGLE = (".nii", ".nii.gz")
NIFTI_PAIR = (".hdr", ".img", ".hdr.gz", ".img.gz")
NIFTI = (*NIFTI_SINGLE, *NIFTI_PAIR)
NRRD = (".nrrd", ".nhdr")
METAIMAGE = (".mha", ".mhd")
PICTURE = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
DICOM = (".dcm", ".dicom", ".ima")

IMAGE_SUFFIXES = (*NIFTI, *NRRD, *PICTURE, *METAIMAGE, *DICOM)
"""Ends of the names of readable files; DICOM files and folders need none. No name has two of them:
`scan.nii.gz` does not end in `.nii`."""

LISTED_SUFFIXES = tuple(suffix for suffix in IMAGE_SUFFIXES if suffix not in (".img", ".img.gz"))
"""Ends of the names that stand for an image in a folder: of a .hdr/.img pair, the header."""


def ending(name: str, suffixes: Iterable[str]) -> str | None:
    """The one of some suffixes that a name ends in, in any case; None if none.

    Example:
        >>> ending("Scan.NII.GZ", NIFTI)
        '.nii.gz'
    """
    return next((suffix for suffix in suffixes if name.lower().endswith(suffix)), None)
