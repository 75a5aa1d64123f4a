"""The options of `eval --refine`: find, then look again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from medvision.cli.options import Option, given_options
from medvision.errors import UsageError
from medvision.models.baselines import TrainConstant
from medvision.models.evaluate import EvalRequest
from medvision.pictures.render import MAX_SIDE_PX
from medvision.scoring.zoomed import (
    COARSE,
    Refine,
    Zoom,
    about_structures,
    coarse_request,
    make_room,
    zoom_request,
)

NextRequest = EvalRequest | Callable[[], EvalRequest]
"""What is asked next, or what makes it of the replies before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefineOptions:
    """Whether questions are asked again about crops around structures, and how these are made."""

    refine: Annotated[
        Refine | None,
        Option(
            help="ask again about a crop around the box that the model states, or the true one",
            alone=Refine.MODEL,
        ),
    ] = None
    refine_margin: Annotated[
        float, Option("F", help="around a box, as a share of each of its sides", at_least=0)
    ] = 0.5
    refine_px: Annotated[
        int | None,
        Option("N", help="enlarge crops to N px; else to the length of slices", at_least=1,
               at_most=MAX_SIDE_PX),
    ] = None  # fmt: skip

    def requests(self, request: EvalRequest, run: Path) -> Mapping[str, NextRequest]:
        """What is asked after the run itself, by the name of its folder inside the run's.

        Raises:
            UsageError: An option without `--refine`, or nothing to zoom to.
        """
        if self.refine is None:
            if given := given_options(self):
                msg = f"{', '.join(given)}: only with --refine"
                raise UsageError(msg)
            return {}
        if isinstance(request.model, TrainConstant):
            msg = f"--refine: {request.model.model_id} says the same whatever is shown"
            raise UsageError(msg)
        zoom = Zoom(boxes=self.refine, margin_frac=self.refine_margin, picture_px=self.refine_px)
        about_structures(request.samples)  # refuses before anything is asked
        asked: dict[str, NextRequest] = {}
        if self.refine is Refine.MODEL and (coarse := coarse_request(request)):
            asked[COARSE] = coarse
        return {**asked, self.refine.folder: partial(_zoomed, request, zoom, run)}


def _zoomed(request: EvalRequest, zoom: Zoom, run: Path) -> EvalRequest:
    """The request about crops, its folder ready for them; what the crops are is printed."""
    zoomed = zoom_request(request, zoom, run)
    make_room(run / zoom.boxes.folder, zoomed.samples)
    print(zoomed.derived["zoom"])
    return zoomed
