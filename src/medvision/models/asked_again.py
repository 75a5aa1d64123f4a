"""The questions of a run asked again with another pixel size stated, or with none.

Each is a run of its own in a folder inside the run: `RUN/spacing-0.5`, `RUN/spacing-withheld`. The
pictures are the same; what changes is the prompt, and with it what a perfect answer is.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from medvision.errors import UsageError
from medvision.models.evaluate import EvalRequest
from medvision.samples.pixel_size import of_pixel_size, with_pixel_size_scaled
from medvision.table.manifest import MANIFEST

FOLDER_PREFIX = "spacing-"
"""Of the folders inside a run."""


def asked_again(
    request: EvalRequest, *, factors: Sequence[float] = (), withheld: bool = False
) -> dict[str, EvalRequest]:
    """What to ask again, by the name of its folder inside the run.

    Angles and counts do not depend on the pixel size, and boxes do not ask for it: left out.

    Args:
        request: What is asked with the true pixel size.
        factors: By which the stated pixel size is multiplied.
        withheld: Whether all is asked without a pixel size, too.

    Raises:
        UsageError: A factor that is not positive, is 1 or comes twice, or no question whose prompt
            states the pixel size.
    """
    names = [f"{FOLDER_PREFIX}{factor:g}" for factor in factors]
    odd = [factor for factor in factors if not 0 < factor < math.inf or factor == 1]
    if odd or len(set(names)) < len(names):
        found = ", ".join(f"{factor:g}" for factor in factors)
        msg = f"expected different factors above 0 other than 1, such as 0.5,2; found {found}"
        raise UsageError(msg)
    if not names and not withheld:
        return {}
    facts = request.protocol.prompt
    samples = of_pixel_size(request.samples, facts.sizes_of if facts.pixel_size else ())
    if not samples.num_rows:
        msg = (
            f"no prompt states a pixel size: expected questions about lengths or areas, of a task "
            f"whose sizes protocol {request.protocol.name!r} states; leave out --scale-spacing and "
            "--withhold-spacing"
        )
        raise UsageError(msg)
    again = {
        name: replace(
            request, samples=with_pixel_size_scaled(samples, factor), spacing_scale=factor
        )
        for name, factor in zip(names, factors, strict=True)
    }
    if withheld:
        again[f"{FOLDER_PREFIX}withheld"] = replace(
            request, samples=samples, protocol=request.protocol.without_pixel_size()
        )
    return again


def folders_asked_again(run: Path) -> list[Path]:
    """The folders inside a run that hold a finished evaluation of the kind above."""
    return [
        folder for folder in sorted(run.glob(f"{FOLDER_PREFIX}*")) if (folder / MANIFEST).exists()
    ]
