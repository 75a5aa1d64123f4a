"""The cases of a page that is one file: as many as it may hold, with pictures within a budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medvision.analysis.case_index import case_index
from medvision.analysis.case_picks import picked_cases
from medvision.analysis.cases import TEXT_LIMITS, Row, case_details, rows_of_samples
from medvision.analysis.drawing.shapes import Role
from medvision.analysis.drawing.slice import PALETTE
from medvision.analysis.drawing.svg import COLOURS
from medvision.analysis.order import turn_by_turn
from medvision.analysis.pictures import Picture, embedded_pictures
from medvision.analysis.run_scores import RunScores
from medvision.tasks import TASKS, Task

CT_WINDOWS = {
    "soft tissue": (400, 40),
    "lung": (1500, -600),
    "bone": (1800, 400),
    "brain": (80, 40),
    "liver": (150, 30),
}
"""Width and level in HU that the browser offers."""

DRAWN_WORDS = (
    "Boxes are drawn where answers put them; lengths and angles state no place and are drawn on "
    "the truth, as long or as wide as answered; the legend says what is drawn of each model."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserLimits:
    """How much of the cases a file may hold.

    Attributes:
        max_cases: Most cases.
        pictures_per_task: So many of each task's most wanted cases have a picture; then others of
            the images read for them.
        picture_budget_bytes: Most bytes of all pictures as data addresses.
        text_budget_bytes: Most signs of all prompts and replies.
    """

    max_cases: int = 5000
    pictures_per_task: int = 24
    picture_budget_bytes: int = 10_000_000
    text_budget_bytes: int = 12_000_000


def browser_head(runs: Sequence[RunScores], ids: Sequence[str]) -> dict[str, Any]:
    """What the case browser needs of all its cases at once, as JSON types."""
    return {
        "tasks": [[task.value, TASKS[task].title] for task in Task],
        "box_tasks": [task.value for task in Task if TASKS[task].headline_column == "iou"],
        "models": [{"name": run.name, "is_baseline": run.is_baseline} for run in runs],
        "colours": {"truth": COLOURS[Role.TRUTH], "answers": PALETTE[1:]},
        "ct_windows": CT_WINDOWS,
        **case_index(runs, ids),
    }


def browser_cases(
    runs: Sequence[RunScores], picture: Picture, limits: BrowserLimits
) -> dict[str, Any]:
    """All that the case browser shows of a page that is one file, as JSON types."""
    picked = picked_cases(runs, per_task=limits.max_cases)
    found = rows_of_samples([run.samples for run in runs], [p.sample_id for p in picked])
    samples: dict[str, Row] = {i: rows[0] for i, rows in found.items() if rows}
    queues = [[p for p in picked if p.task is task and p.sample_id in samples] for task in Task]
    picks = turn_by_turn(queues)[: limits.max_cases]  # every task has its share
    wanted = {p.sample_id for queue in queues for p in queue[: limits.pictures_per_task]}
    # Another slice of an image that is read anyway costs little; another image is read whole.
    read = {samples[i]["image_uri"] for i in wanted}
    ids = [p.sample_id for p in picks]
    others = set(ids) - wanted
    pictures = embedded_pictures(
        {i: samples[i] for i in ids if i in wanted},
        picture,
        budget_bytes=limits.picture_budget_bytes,
        then={i: row for i, row in samples.items() if i in others and row["image_uri"] in read},
    )
    return {
        **browser_head(runs, ids),
        **case_details(runs, picks, samples, text_budget_bytes=limits.text_budget_bytes),
        "pictures": list(pictures.urls),
        "picture": [pictures.place_of.get(i, -1) for i in ids],
        "no_picture": {
            str(at): pictures.missing[i] for at, i in enumerate(ids) if i in pictures.missing
        },
        "shrunk": [pictures.n_shrunk, pictures.side_px],
    }


def cases_note(cases: Mapping[str, Any], n_samples: int) -> str:
    """What the browser of a file holds and what was left out."""
    n_cases, n_pictures = len(cases["id"]), sum(place >= 0 for place in cases["picture"])
    if not n_cases:
        return "No case to show."
    words = f"{n_cases} of {n_samples} samples"
    if n_cases < n_samples:
        words += ": every failure status, each model's worst, median and best answer, then others"
    parts = [f"{words}; {n_pictures} with a picture."]
    if n_pictures < n_samples:
        parts.append("`medvision report RUN --serve` shows all samples with all pictures.")
    n_shrunk, side_px = cases["shrunk"]
    if n_shrunk:
        parts.append(f"{n_shrunk} pictures are shrunk to {side_px} px on their longer side.")
    if cases["max_text_signs"] < TEXT_LIMITS[0]:
        parts.append(f"Prompts and replies are cut after {cases['max_text_signs']} signs.")
    return " ".join([*parts, DRAWN_WORDS])
