"""What declarations say of files and labels: images, masks, landmarks, conversions, cases."""

from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, get_args

from annotated_types import Ge

from medvision.declarations import AtLeastOne, Count, NonEmpty, OneOrMore, Short
from medvision.errors import UsageError
from medvision.frames import Plane
from medvision.names import Name

Modality = Literal["CT", "MRI", "US", "XR", "PET"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)
Axis = Annotated[int, Ge(0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What one value of a mask means.

    Attributes:
        name: Canonical name of the structure.
        group: Anatomy group; "" where `anatomy_groups.json` or the dataset says it.
        was: The name in the original benchmark, where we correct it.
        note: Why it was corrected, or what to mind.
        asked: Whether questions ask for it.
        target: Whether it is a tumour or lesion, which gets axis lengths and counts.
        image: Id of the image that it is asked on; "" for every image in detection, and for the
            first in all other tasks.
        values: Values of the mask that make it up, where these are not its id alone.
        found_as: What structure files, segments, regions or classes call it, where that is not its
            name; several are joined.
    """

    name: Name
    group: str = ""
    was: str = ""
    note: str = ""
    asked: bool = True
    target: bool = False
    image: Name = ""
    values: tuple[AtLeastOne, ...] = ()
    found_as: OneOrMore[Name] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One conversion of a file: one of its fields, the others are left out.

    Attributes:
        channel: This channel of a 4D file, counted from 0.
        transpose: Stored axes in this order; the header stays as it is.
        geometry: "image": the mask takes spacing, axes and origin of its image, which has the
            same size.
        transform: Pattern of a transform file of the case (ITK, text): the image is resampled by
            it on its own grid, linearly, with 0 from outside.
    """

    channel: Count | None = None
    transpose: tuple[Axis, Axis, Axis] | None = None
    geometry: Literal["image"] | None = None
    transform: str | None = None

    def __post_init__(self) -> None:
        """Refuse none, several, and axes that repeat."""
        given = [self.channel, self.transpose, self.geometry, self.transform]
        if sum(one is not None for one in given) != 1:
            words = "channel, transpose, geometry and transform"
            msg = f"expected one of {words}; write a step for each"
            raise UsageError(msg)
        if self.transpose is not None and sorted(self.transpose) != [0, 1, 2]:
            msg = f"transpose: expected 0, 1 and 2 in some order, found {list(self.transpose)}"
            raise UsageError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One kind of image of a cohort's cases.

    Attributes:
        id: Name of the sequence or modality; "image" where there is only one.
        modality: CT, MRI, PET, US or XR.
        description: What it shows, as prompts say it (follows "Kind of image:"); "" where the
            dataset's description says it.
        files: Pattern of its files; `{image}` stands for `id`, or for `number`.
        number: Number of the channel in file names, in any number of digits.
        optional: Whether cases may lack it.
        steps: Conversions, in order.
        ct_window: Whether values are Hounsfield units, so that CT windows apply. Not so for
            cone-beam CT; off for angiography, whose vessels a window would saturate.
        was: The original description, where we correct it.
    """

    id: Name = "image"
    modality: Modality
    description: str = ""
    files: str
    number: Count | None = None
    optional: bool = False
    steps: tuple[Step, ...] = ()
    ct_window: bool = True
    was: str = ""

    @property
    def transforms(self) -> tuple[str, ...]:
        """Patterns of the transform files that its steps name: one, or none."""
        return tuple(step.transform for step in self.steps if step.transform is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskFiles:
    """Masks of a cohort, one of several of each case.

    Attributes:
        files: Pattern; with `{structure}`, of one file per structure.
        label: Name of the label that all voxels other than 0 have; "" for a label map.
        optional: Whether cases may lack it.
        steps: Conversions, in order.
    """

    files: str
    label: Name = ""
    optional: bool = False
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkVoxels:
    """Two landmarks that are the two voxels of one value in a label map.

    Attributes:
        value: Of both voxels.
        landmarks: Their keys; the voxel that lies more `towards` is the first.
        towards: The patient's right, left, anterior, posterior, superior or inferior.
    """

    value: AtLeastOne
    landmarks: tuple[str, str]
    towards: Literal["R", "L", "A", "P", "S", "I"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkTable:
    """One table with the landmarks of all cases.

    Attributes:
        file: CSV, or TSV by its suffix.
        case: Column that names the case, by its id or by a file name.
        form: A row for each landmark, or a row for each case.
        landmark: Column of a long table that names the landmark.
        x: Column of a long table.
        y: Column of a long table.
        z: Column of a long table, unless "" or absent.
        columns: Of a wide table: landmark key to the columns of its coordinates.
        space: What the coordinates are, in the words of landmark files.
    """

    file: str
    case: Name = "case"
    form: Literal["long", "wide"] = "long"
    landmark: Name = "landmark"
    x: Name = "x"
    y: Name = "y"
    z: Name = "z"
    columns: dict[Name, NonEmpty[Name]] = field(default_factory=dict)
    space: Literal["voxel", "RAS", "LPS"] = "voxel"

    def __post_init__(self) -> None:
        """Refuse columns that the form has no use for, and a wide table without any."""
        if (self.form == "wide") != bool(self.columns):
            msg = "columns: expected in a wide table, {landmark: [its columns]}, and only there"
            raise UsageError(msg)
        named = (self.landmark, self.x, self.y, self.z)
        if self.form == "wide" and named != ("landmark", "x", "y", "z"):
            msg = "landmark, x, y, z: expected in a long table only; a wide one has columns"
            raise UsageError(msg)
        if not {len(names) for names in self.columns.values()} <= {2, 3}:
            msg = "columns: expected two or three for each landmark: x, y and perhaps z"
            raise UsageError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceRange:
    """Which slices of one plane are measured.

    Attributes:
        first: Lowest `slice_index`.
        last: Highest one; None for all.
        every: Each so many-th, counted from `first`.
        with_label: Only slices on which this label is; "" for all.
    """

    first: Count = 0
    last: Count | None = None
    every: AtLeastOne = 1
    with_label: Name = ""

    def __post_init__(self) -> None:
        """Refuse a range without a slice."""
        if self.last is not None and self.last < self.first:
            msg = f"last: expected {self.first} or more, as first says, found {self.last}"
            raise UsageError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpacingTable:
    """Pixel spacing of pictures, from a file beside them.

    Attributes:
        file: CSV, TSV or JSON of all cases, or JSON of each case, with `{case}`.
        case: Column that names the case, by its id or by a file name.
        mm: Column of square pixels; else both `y_mm` and `x_mm`.
        y_mm: Column with the distance between rows.
        x_mm: Column with the distance between columns.
    """

    file: str
    case: Name = "case"
    mm: Name = ""
    y_mm: Name = ""
    x_mm: Name = ""

    def __post_init__(self) -> None:
        """Refuse a table without the columns of both directions, or with two for one."""
        if bool(self.mm) == bool(self.y_mm and self.x_mm) or bool(self.y_mm) != bool(self.x_mm):
            msg = "expected the column mm of square pixels, or both y_mm and x_mm"
            raise UsageError(msg)

    @property
    def columns_yx(self) -> tuple[str, str]:
        """Columns of the spacing between rows and between columns."""
        return (self.y_mm or self.mm, self.x_mm or self.mm)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidOut:
    """Files of one image of a cohort, as another layout has them.

    Attributes:
        files: Pattern.
        steps: Conversions, in order, instead of those of the image.
    """

    files: str
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Another way in which the files of a cohort may lie, as owners pack them.

    Attributes:
        images: Image id to pattern; only images that are optional may be left out.
        mask: Instead of the cohort's.
        masks: Several of them, instead.
        landmarks: Instead of the cohort's.
        landmark_lines: Of text files, the landmark that each line from the first on states.
        landmark_voxels: Of label maps, the landmarks that voxels are.
        winner: Where structures overlap, who keeps the voxel.
        case_id: Template of case ids; "" joins the parts.
    """

    images: dict[str, Short[LaidOut]]
    mask: str = ""
    masks: tuple[Short[MaskFiles], ...] = ()
    landmarks: OneOrMore[str] = ()
    landmark_lines: tuple[str, ...] = ()
    landmark_voxels: tuple[LandmarkVoxels, ...] = ()
    winner: Literal["first", "last"] | None = None
    case_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Cases of a dataset that share images, a mask's labels and measurements.

    Attributes:
        name: "" where a dataset has only one.
        images: The images of a case; they share one grid. The first is the reference.
        mask: Pattern of the mask; "" for none.
        masks: Several of them, instead.
        boxes: Pattern of YOLO files, or one COCO file; "" for none.
        landmarks: Patterns of landmark files, which are read together.
        landmark_lines: Of text files, the landmark that each line from the first on states: `x,y`,
            pixels counted from 0.
        landmark_voxels: Of label maps, the landmarks that voxels are.
        landmark_table: One table for all cases, instead.
        landmark_image: Image on which the landmarks were set; "" for the first.
        labels: Label id to label, where they differ from the dataset's.
        ignore: Values left out like background, where they differ from the dataset's.
        colours: Colour to label name, where they differ from the dataset's.
        colour_tolerance: Largest difference, in any channel, from a declared colour.
        points_at: What 0, 0 is for keypoints of a COCO file: the centre of the first pixel, or the
            corner of the picture.
        winner: Where structures overlap, who keeps the voxel; None where all of them do.
        frames: "cases": each frame of 4D files is a case of its own.
        planes: Planes that may be measured; empty for all. A plane that mixes space with time
            is left out here.
        slices: Plane to the slices that are measured; planes without an entry are whole.
        case_id: Template of case ids, of the named parts of patterns; "" joins them by `_`.
        numbers: Lowest and highest number that case ids may end in; other cases are of another
            cohort.
        unlabelled: "left_out": cases without any mask or landmark file are no problems.
        layouts: Other ways in which the files may lie, looked for first and in this order: of a
            case that several hold, the first counts.
        excluded: Case ids left out, each with the reason.
        placeholder_spacing: Case ids whose headers are known to carry a made-up spacing.
    """

    name: Name = ""
    images: tuple[Image, ...]
    mask: str = ""
    masks: tuple[Short[MaskFiles], ...] = ()
    boxes: str = ""
    landmarks: OneOrMore[str] = ()
    landmark_lines: tuple[str, ...] = ()
    landmark_voxels: tuple[LandmarkVoxels, ...] = ()
    landmark_table: LandmarkTable | None = None
    landmark_image: Name = ""
    labels: dict[str, Short[Label]] = field(default_factory=dict)
    ignore: tuple[AtLeastOne, ...] = ()
    colours: dict[str, Name] = field(default_factory=dict)
    colour_tolerance: Count = 0
    points_at: Literal["centre", "corner"] = "centre"
    winner: Literal["first", "last"] | None = None
    frames: Literal["cases"] | None = None
    planes: tuple[Plane, ...] = ()
    slices: dict[Plane, SliceRange] = field(default_factory=dict)
    case_id: Name = ""
    numbers: tuple[Count, Count] | None = None
    unlabelled: Literal["left_out"] | None = None
    layouts: tuple[Layout, ...] = ()
    excluded: dict[Name, str] = field(default_factory=dict)
    placeholder_spacing: tuple[Name, ...] = ()

    def __post_init__(self) -> None:
        """Refuse layouts whose images are not those of the cohort."""
        known = [image.id for image in self.images]
        needed = {image.id for image in self.images if not image.optional}
        for layout in self.layouts:
            unknown, missing = layout.images.keys() - set(known), needed - layout.images.keys()
            if unknown or missing:
                msg = (
                    f"layouts: images: expected {', '.join(known)}, as the cohort has them, found "
                    f"{', '.join(layout.images) or 'none'}"
                )
                raise UsageError(msg)

    @property
    def ways(self) -> tuple["Cohort", ...]:
        """The cohort in each of its layouts, and last as its own patterns say."""
        own = replace(self, layouts=())
        return (*(own.laid_out(layout) for layout in self.layouts), own)

    def laid_out(self, layout: Layout) -> "Cohort":
        """The cohort with the files of one layout."""
        return replace(
            self,
            images=tuple(
                replace(image, files=at.files, steps=at.steps)
                for image in self.images
                if (at := layout.images.get(image.id)) is not None
            ),
            mask=layout.mask,
            masks=layout.masks,
            landmarks=layout.landmarks,
            landmark_lines=layout.landmark_lines,
            landmark_voxels=layout.landmark_voxels,
            winner=layout.winner,
            case_id=layout.case_id,
        )

    @property
    def mask_files(self) -> tuple[MaskFiles, ...]:
        """All masks, also the one that stands alone."""
        return (MaskFiles(files=self.mask),) if self.mask else self.masks

    @property
    def has_structures(self) -> bool:
        """Whether cases have masks or boxes."""
        return bool(self.mask or self.masks or self.boxes)

    @property
    def has_landmarks(self) -> bool:
        """Whether cases have landmarks."""
        return bool(self.landmarks or self.landmark_table)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFiles:
    """One case of a dataset that lists its cases: file names below its raw folder.

    Attributes:
        case_id: Unique in its cohort.
        subject: "" for the case itself.
        modality: Of the one image.
        image: Of the one image, which also has `modality`; else there are `images`.
        cohort: Cases of one cohort are scored together.
        mask: Label map, segmentation, or folder with a file for each structure.
        masks: Several of them, instead.
        boxes: YOLO or COCO file, instead of masks.
        labels: Label id to label, where they differ from the dataset's.
        target_labels: Ids of labels that get axis lengths and counts, beside those marked.
        images: With paths as `files`.
        landmarks: Landmark files, which are read together.
        mask_from_probabilities: Label id to probability map: a voxel takes the label of its
            largest map where that is at least 0.5. Used where a source has maps, not a mask.
    """

    case_id: Name
    subject: Name = ""
    modality: Modality | None = None
    image: str = ""
    images: tuple[Image, ...] = ()
    cohort: Name = ""
    mask: str = ""
    masks: tuple[Short[MaskFiles], ...] = ()
    boxes: str = ""
    landmarks: OneOrMore[str] = ()
    mask_from_probabilities: dict[str, str] = field(default_factory=dict)
    labels: dict[str, Short[Label]] = field(default_factory=dict)
    target_labels: tuple[AtLeastOne, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a case without an image, or with one stated twice."""
        alone = bool(self.image and self.modality)
        if alone == bool(self.images) or bool(self.image) != bool(self.modality):
            msg = f"case {self.case_id!r}: expected image and modality, or images"
            raise UsageError(msg)

    @property
    def image_files(self) -> tuple[Image, ...]:
        """All images, also the one that stands alone."""
        if self.image and self.modality:
            return (Image(files=self.image, modality=self.modality),)
        return self.images

    @property
    def mask_files(self) -> tuple[MaskFiles, ...]:
        """All masks, also the one that stands alone."""
        return (MaskFiles(files=self.mask),) if self.mask else self.masks
