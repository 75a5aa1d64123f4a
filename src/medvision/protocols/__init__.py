"""Protocols: what is shown, said, read, left out and averaged, under one name.

The project's own is `medvision`; `paper` is that of the original benchmark, so that a model's
numbers can stand beside published ones. A run keeps its protocol whole, and scores of different
protocols are never averaged together.
"""

from medvision.protocols.protocol import (
    MEDVISION,
    PIXEL_SIZE_WITHHELD,
    Averages,
    Filters,
    Instances,
    PromptFacts,
    Protocol,
    Reading,
    SeveralPieces,
    Suspect,
    Weighting,
    load_protocol,
    protocol_from,
    protocol_names,
)

__all__ = [
    "MEDVISION",
    "PIXEL_SIZE_WITHHELD",
    "Averages",
    "Filters",
    "Instances",
    "PromptFacts",
    "Protocol",
    "Reading",
    "SeveralPieces",
    "Suspect",
    "Weighting",
    "load_protocol",
    "protocol_from",
    "protocol_names",
]
