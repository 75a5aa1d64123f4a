"""PET values as standardised uptake values (SUV), where the image's header allows it.

SUV by body weight = activity concentration × body weight / injected activity, the activity taken
at the time to which the image is decay-corrected. What is read, and nothing is guessed beyond it:

- NIfTI and other volumes: a JSON file of the image's name beside it, above the folder's
  `pet.json`, with the fields of BIDS and of common DICOM converters. `Units` is enough where it
  says that values are SUV already; from Bq/mL the weight, the activity and both times are needed.
- DICOM: `Units` GML (SUV by body weight). Activity and times lie in a sequence that the reader
  used here does not give, so a DICOM series in Bq/mL is not converted.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medvision.errors import ItemError
from medvision.volumes.dicom import header_texts
from medvision.volumes.dicom_folder import has_preamble, slice_files
from medvision.volumes.suffixes import DICOM as DICOM_SUFFIXES
from medvision.volumes.suffixes import IMAGE_SUFFIXES, ending

SUV_WINDOW = (0.0, 10.0)
"""SUV shown as black and as white."""

_DICOM_UNITS, _DICOM_SUV_TYPE = "0054|1001", "0054|1006"

_SUV_UNITS = frozenset({"suv", "suvbw", "g/ml", "gml"})
_CONCENTRATION_BQ_ML = {"bq/ml": 1.0, "bqml": 1.0, "kbq/ml": 1e3}
_ACTIVITY_BQ = {"bq": 1.0, "kbq": 1e3, "mbq": 1e6, "gbq": 1e9}


class PetHeaderError(ItemError):
    """A PET image's sidecar file is no JSON object."""

    reason = "pet_header"


@dataclass(frozen=True, slots=True, kw_only=True)
class PetHeader:
    """What a PET header says of its values; None or "" where it says nothing.

    Attributes:
        units: Of the stored values, in lower case, such as "bq/ml" or "suv".
        weight_kg: Body weight.
        injected_bq: Activity at the time of injection.
        since_injection_s: From the injection to the time the image is decay-corrected to.
        half_life_s: Of the radionuclide.
    """

    units: str = ""
    weight_kg: float | None = None
    injected_bq: float | None = None
    since_injection_s: float | None = None
    half_life_s: float | None = None


def suv_per_unit(header: PetHeader) -> float | None:
    """SUV by body weight of one stored unit; None where the header does not allow it.

    Rounded to nine digits, so that no machine's power function shows.

    Example:
        370 MBq in 74 kg, image corrected to the injection: 1 Bq/mL is 74,000 g / 370e6 Bq, so
        5,000 Bq/mL is SUV 1. One half-life later half of the activity is left.

        >>> known = {"units": "bq/ml", "weight_kg": 74, "injected_bq": 370e6, "half_life_s": 6586}
        >>> suv_per_unit(PetHeader(**known, since_injection_s=0)) * 5000
        1.0
        >>> suv_per_unit(PetHeader(**known, since_injection_s=6586)) * 5000
        2.0
    """
    if header.units in _SUV_UNITS:
        return 1.0
    unit_bq_ml, since_s = _CONCENTRATION_BQ_ML.get(header.units), header.since_injection_s
    if unit_bq_ml is None or header.weight_kg is None or header.injected_bq is None:
        return None
    if since_s == 0:
        left_frac = 1.0
    elif since_s is None or header.half_life_s is None:
        return None
    else:
        left_frac = 2.0 ** (-since_s / header.half_life_s)
    factor = unit_bq_ml * header.weight_kg * 1000 / (header.injected_bq * left_frac)
    return float(f"{factor:.9g}")


def image_suv_per_unit(image: Path) -> float | None:
    """SUV of one stored unit of a PET image by its own header or sidecar file.

    Args:
        image: Image file, or DICOM folder.

    Raises:
        ItemError: The sidecar file is no JSON object, or the DICOM file cannot be read.
        MissingExtraError: DICOM, and its reader is not installed.
    """
    is_dicom = (
        image.is_dir()
        or image.name.lower().endswith(DICOM_SUFFIXES)
        or (image.is_file() and has_preamble(image))
    )
    return suv_per_unit(dicom_header(image) if is_dicom else sidecar_header(image))


def sidecar_header(image: Path) -> PetHeader:
    """What the JSON beside an image says, over what the folder's `pet.json` says.

    Raises:
        PetHeaderError: One of them is no JSON object.
    """
    name = image.name
    suffix = ending(name, IMAGE_SUFFIXES) or image.suffix
    own = image.with_name(name[: len(name) - len(suffix)] + ".json")
    return header_from_fields({**_fields(image.with_name("pet.json")), **_fields(own)})


def header_from_fields(fields: Mapping[str, Any]) -> PetHeader:
    """A header of the fields that BIDS and DICOM converters write.

    Example:
        >>> header = header_from_fields(
        ...     {
        ...         "Units": "Bq/mL",
        ...         "InjectedRadioactivity": 370,
        ...         "InjectedRadioactivityUnits": "MBq",
        ...         "DecayCorrection": "ADMIN",
        ...     }
        ... )
        >>> header.units, header.injected_bq, header.since_injection_s, header.weight_kg
        ('bq/ml', 370000000.0, 0.0, None)
    """
    since_s: float | None = None
    # DICOM PS3.3, C.8.9.1: ADMIN is corrected to the injection; BIDS states two times instead.
    if str(fields.get("DecayCorrection", "")).upper() == "ADMIN":
        since_s = 0.0
    elif fields.get("ImageDecayCorrected") is True:
        corrected_s = _number(fields.get("ImageDecayCorrectionTime"))
        injected_s = _number(fields.get("InjectionStart"))
        if corrected_s is not None and injected_s is not None:
            since_s = corrected_s - injected_s
    injected_bq = _positive(fields.get("InjectedRadioactivity"))
    unit_bq = _ACTIVITY_BQ.get(str(fields.get("InjectedRadioactivityUnits", "")).strip().lower())
    if injected_bq is None or unit_bq is None:
        # DICOM's RadionuclideTotalDose is in Bq for PET.
        injected_bq, unit_bq = _positive(fields.get("RadionuclideTotalDose")), 1.0
    return PetHeader(
        units=_units(fields.get("Units"), fields.get("SUVType")),
        weight_kg=_positive(fields.get("PatientWeight")),
        injected_bq=None if injected_bq is None else injected_bq * unit_bq,
        since_injection_s=since_s,
        half_life_s=_positive(fields.get("RadionuclideHalfLife")),
    )


def dicom_header(image: Path) -> PetHeader:
    """What the plain tags of a DICOM file, or of a folder's first slice, say.

    Raises:
        ItemError: It cannot be read.
        MissingExtraError: The DICOM reader is not installed.
    """
    files = slice_files(image) if image.is_dir() else [image]
    units, suv_type = header_texts((files or [image])[0], _DICOM_UNITS, _DICOM_SUV_TYPE)
    return PetHeader(units=_units(units, suv_type))


def _units(units: object, suv_type: object) -> str:
    """Units in lower case; "" for an SUV by anything but body weight."""
    found = str(units or "").strip().lower()
    by_weight = str(suv_type or "BW").strip().upper() == "BW"
    return found if by_weight or found not in _SUV_UNITS else ""


def _fields(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{path}: expected a JSON object that describes the PET image, found {error}; mend it"
        raise PetHeaderError(msg) from error
    if not isinstance(found, dict):
        msg = f"{path}: expected a JSON object, found {type(found).__name__}; mend it"
        raise PetHeaderError(msg)
    return found


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def _positive(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and number > 0 else None
