"""Tables and data as one HTML page: the template filled, its scripts the only ones allowed to run.

Names of structures, models and datasets and all replies are untrusted: HTML is escaped by the
template, data islands by `html.island_json`, and the page's policy runs no script but its own.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pyarrow.compute as pc
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from medvision import __version__
from medvision.analysis.confusion import ANSWERED_BINS
from medvision.analysis.html import asset, content_policy, filled, island_json
from medvision.analysis.outcomes import OUTCOME_MEANING
from medvision.analysis.process import PROCESS_TITLES
from medvision.analysis.run_scores import RunScores
from medvision.analysis.sections import ReportTables, overview
from medvision.analysis.standing import Standing
from medvision.analysis.verdicts.section import AnalysisSection
from medvision.models.spelling import is_same_model
from medvision.tasks import TASKS, Task

SCRIPTS = (
    "page.js",
    "print.js",
    "tables.js",
    "compare.js",
    "plots.js",
    "case_data.js",
    "case_list.js",
    "case_picture.js",
    "viewer.js",
)
"""Our scripts in the order they run; the plotting library runs before them."""

DATE_KEYS = ("finished_at", "created_at", "started_at", "created", "date")
"""Where a manifest may say when its run was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHead:
    """A run as the top of the page lists it."""

    name: str
    model: str
    is_baseline: bool
    protocol: str
    n: int
    date: str
    served_as: str
    manifest: str

    @classmethod
    def of_run(cls, run: RunScores) -> Self:
        """What the page says of one run."""
        dates = (str(run.manifest[key]) for key in DATE_KEYS if run.manifest.get(key))
        return cls(
            name=run.name,
            model=run.model,
            is_baseline=run.is_baseline,
            protocol=run.protocol,
            n=run.scores.num_rows,
            date=next(dates, "")[:16].replace("T", " "),
            served_as=_other_names(run),
            manifest=json.dumps(run.manifest, indent=2, ensure_ascii=False, default=str),
        )


def _other_names(run: RunScores) -> str:
    """Names by which the server called the model, where they are not all the one asked for."""
    names, asked = run.manifest.get("served_models") or [], run.model.removeprefix("openai/")
    if all(is_same_model(asked, name) for name in names):
        return ""
    return f"responses name {', then '.join(names)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetHead:
    """A dataset as the top of the page lists it: distinct samples over all runs."""

    name: str
    modalities: str
    planes: str
    n_cases: int
    n_of: Mapping[Task, int]


def page_html(
    runs: Sequence[RunScores],
    tables: ReportTables,
    *,
    title: str,
    created: str,
    analyses: Sequence[AnalysisSection],
    stands: Standing,
    cases_note: str,
    islands: Mapping[str, Any],
    served: bool = False,
) -> str:
    """The page as text.

    Args:
        runs: In the order of the page.
        tables: Everything the tables show.
        title: Head of the page.
        created: When it was made, as printed.
        analyses: What each analysis says.
        stands: Which numbers are best, and which beat nothing.
        cases_note: What the case viewer holds and what it leaves out.
        islands: Data for the scripts by element id, JSON types; None where there is none.
        served: Whether a server of ours gives it what it asks for; else it loads nothing.
    """
    scripts = [_script_text(get_plotlyjs()), *(_script_text(asset(name)) for name in SCRIPTS)]
    facts = ["sample_id", "task", "dataset", "subject_id", "case_id", "modality", "plane"]
    # One row for each sample, however many runs and repeats asked it.
    of_id = {row["sample_id"]: row for run in runs for row in run.scores.select(facts).to_pylist()}
    samples = list(of_id.values())
    plot_places: dict[str, list[int]] = {task.value: [] for task in Task}
    for place, plot in enumerate(islands["plots"]["truth"]):
        plot_places[plot["task"]].append(place)
    return filled(
        "report.html",
        title=title,
        created=created,
        version=__version__,
        policy=content_policy(scripts, served=served),
        css=Markup(asset("report.css")),  # noqa: S704 our own file
        scripts=[Markup(script) for script in scripts],  # noqa: S704 our own and plotly's
        islands={name: island_json(data) for name, data in islands.items() if data is not None},
        runs=[RunHead.of_run(run) for run in runs],
        datasets=_dataset_heads(samples),
        warnings=coverage_warnings(runs),
        n_samples=tables.n_samples,
        n_subjects=len({(row["dataset"], row["subject_id"]) for row in samples}),
        overview=overview(runs, tables),
        sections=tables.sections,
        analyses=analyses,
        standing=stands,
        overall=stands.overall(table for one in tables.sections for table in one.tables),
        # Drawn by us, with every name escaped (`drawing.chart_parts`).
        charts={one.name: Markup(one.chart) for one in analyses},  # noqa: S704
        plot_places=plot_places,
        # A column's name may break after its underscores, a model's after its slashes.
        broken=lambda name: Markup("_<wbr>").join(name.split("_")),
        named=lambda name: Markup("<bdi>%s</bdi>") % Markup("/<wbr>").join(name.split("/")),
        outcome_meaning=OUTCOME_MEANING,
        answered_bins=ANSWERED_BINS,
        process_titles=PROCESS_TITLES,
        cases_note=cases_note,
        served=served,
    )


def coverage_warnings(runs: Sequence[RunScores]) -> list[str]:
    """A sentence for several protocols, and for each task whose runs hold other samples."""
    warnings = []
    if len({run.protocol for run in runs}) > 1:
        named = "; ".join(f"{run.name}: {run.protocol}" for run in runs)
        warnings.append(
            f"The runs are of different protocols ({named}): what was shown, asked or read differs,"
            " so their rows are not comparable, and nothing is averaged over them."
        )
    for run in runs:
        trained, asked_by = (run.manifest.get("profile") or {}).get("protocol"), run.protocol
        if trained and trained != asked_by:
            warnings.append(
                f"{run.name} was trained under the protocol {trained} and is scored under "
                f"{asked_by}: its numbers say as much of other pictures, prompts or readings as of "
                "the model."
            )
    for task in Task:
        asked: dict[str, frozenset[str]] = {}
        for run in runs:
            of_task = run.scores.filter(pc.equal(run.scores["task"], task.value))
            if of_task.num_rows:
                asked[run.name] = frozenset(of_task["sample_id"].to_pylist())
        if len(set(asked.values())) > 1:
            shared = len(frozenset.intersection(*asked.values()))
            counts = ", ".join(f"{name} {len(ids)}" for name, ids in asked.items())
            warnings.append(
                f"{TASKS[task].title}: the runs do not hold the same samples ({counts}; {shared} "
                "shared), so their rows are not directly comparable."
            )
    return warnings


def _dataset_heads(samples: Sequence[Mapping[str, Any]]) -> list[DatasetHead]:
    """Each dataset of the samples, by name."""
    heads = []
    for name in sorted({row["dataset"] for row in samples}):
        rows = [row for row in samples if row["dataset"] == name]
        counts = Counter(Task(row["task"]) for row in rows)
        heads.append(
            DatasetHead(
                name=name,
                modalities=", ".join(sorted({row["modality"] for row in rows})),
                planes=", ".join(sorted({row["plane"] for row in rows})),
                n_cases=len({row["case_id"] for row in rows}),
                n_of={task: counts[task] for task in Task},
            )
        )
    return heads


def _script_text(text: str) -> str:
    """A script as an HTML parser reads it: one kind of line end, nothing that ends the element."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("</script", "<\\/script")
