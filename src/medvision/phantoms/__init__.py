"""Images with closed-form truth, for the demo and for tests."""

from medvision.phantoms.abdomen import ABDOMEN_GRID, AbdomenLabel, abdomen_phantom
from medvision.phantoms.canvas import Lesion, PhantomVolume
from medvision.phantoms.datasets import (
    ABDOMEN,
    DEMO_DATASETS,
    HEAD,
    STORED_ORIENTATIONS,
    XRAY,
    PhantomDataset,
    phantom_affine,
    write_demo_datasets,
    write_phantom_volume,
)
from medvision.phantoms.ellipsoid import (
    EllipseSection,
    Ellipsoid,
    Grid,
    ellipse_mask,
    ellipsoid,
    plane_section,
    slice_section,
)
from medvision.phantoms.head import HEAD_GRID, HeadLabel, head_phantom
from medvision.phantoms.xray import BIOMETRICS, PhantomXray, xray_phantom

__all__ = [
    "ABDOMEN",
    "ABDOMEN_GRID",
    "BIOMETRICS",
    "DEMO_DATASETS",
    "HEAD",
    "HEAD_GRID",
    "STORED_ORIENTATIONS",
    "XRAY",
    "AbdomenLabel",
    "EllipseSection",
    "Ellipsoid",
    "Grid",
    "HeadLabel",
    "Lesion",
    "PhantomDataset",
    "PhantomVolume",
    "PhantomXray",
    "abdomen_phantom",
    "ellipse_mask",
    "ellipsoid",
    "head_phantom",
    "phantom_affine",
    "plane_section",
    "slice_section",
    "write_demo_datasets",
    "write_phantom_volume",
    "xray_phantom",
]
