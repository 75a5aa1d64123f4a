"""Tables and data as one HTML page: the template filled, its scripts the only ones allowed to run.

Names of structures, models and datasets and all replies are untrusted: HTML is escaped by the
template, data islands by `island_json`, and the page's policy runs no script but its own.
"""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import pyarrow.compute as pc
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from medvision import __version__
from medvision.analysis.outcomes import OUTCOME_MEANING
from medvision.analysis.run_scores import RunScores
from medvision.analysis.sections import ReportTables, overview
from medvision.tasks import TASKS, Task

SCRIPTS = ("page.js", "tables.js", "plots.js", "viewer.js")
"""Our scripts in the order they run; the plotting library runs before them."""

ISLAND_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
"""Signs that could end a script element early, as JSON writes them otherwise."""

DATE_KEYS = ("finished_at", "created_at", "started_at", "created", "date")
"""Where a manifest may say when its run was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHead:
    """A run as the top of the page lists it."""

    name: str
    model: str
    is_baseline: bool
    n: int
    date: str
    manifest: str


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
    cases_note: str,
    islands: Mapping[str, Any],
) -> str:
    """The page as text.

    Args:
        runs: In the order of the page.
        tables: Everything the tables show.
        title: Head of the page.
        created: When it was made, as printed.
        cases_note: What the case viewer holds and what it leaves out.
        islands: Data for the scripts by element id, JSON types.
    """
    environment = Environment(
        loader=PackageLoader("medvision.analysis"), autoescape=True, undefined=StrictUndefined
    )
    scripts = [_script_text(get_plotlyjs()), *(_script_text(_asset(name)) for name in SCRIPTS)]
    samples = _distinct_samples(runs)
    return environment.get_template("report.html").render(
        title=title,
        created=created,
        version=__version__,
        policy=content_policy(scripts),
        css=Markup(_asset("report.css")),  # noqa: S704 our own file
        scripts=[Markup(script) for script in scripts],  # noqa: S704 our own and plotly's
        islands={name: island_json(data) for name, data in islands.items()},
        runs=[_run_head(run) for run in runs],
        datasets=_dataset_heads(samples),
        warnings=coverage_warnings(runs),
        n_samples=tables.n_samples,
        n_subjects=len({(row["dataset"], row["subject_id"]) for row in samples}),
        overview=overview(runs, tables),
        sections=tables.sections,
        plot_places=_plot_places(islands),
        broken=_broken,
        outcome_meaning=OUTCOME_MEANING,
        cases_note=cases_note,
    )


def island_json(data: Any) -> Markup:
    """JSON that is safe inside a script element, whatever text it holds.

    Raises:
        ValueError: A number is not finite: JSON has no such number.
    """
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for sign, escape in ISLAND_ESCAPES.items():
        text = text.replace(sign, escape)
    return Markup(text)  # noqa: S704 nothing in it can end the element


def content_policy(scripts: Iterable[str]) -> str:
    """Content security policy: no network, and no script but those given, by their digests."""
    digests = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    return (
        f"default-src 'none'; script-src {digests}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def coverage_warnings(runs: Sequence[RunScores]) -> list[str]:
    """A sentence for each task whose runs were not asked the same samples."""
    warnings = []
    for task in Task:
        asked = {run.name: _ids_of_task(run, task) for run in runs}
        asked = {name: ids for name, ids in asked.items() if ids}
        if len({frozenset(ids) for ids in asked.values()}) > 1:
            shared = len(frozenset.intersection(*asked.values()))
            counts = ", ".join(f"{name} {len(ids)}" for name, ids in asked.items())
            warnings.append(
                f"{TASKS[task].title}: the runs do not hold the same samples ({counts}; {shared} "
                "shared), so their rows are not directly comparable."
            )
    return warnings


def _plot_places(islands: Mapping[str, Any]) -> dict[str, list[int]]:
    """Places of each task's truth plots in their data island."""
    places: dict[str, list[int]] = {task.value: [] for task in Task}
    for place, plot in enumerate(islands["plots"]["truth"]):
        places[plot["task"]].append(place)
    return places


def _ids_of_task(run: RunScores, task: Task) -> frozenset[str]:
    of_task = run.scores.filter(pc.equal(run.scores["task"], task.value))
    return frozenset(of_task["sample_id"].to_pylist())


def _run_head(run: RunScores) -> RunHead:
    dates = (str(run.manifest[key]) for key in DATE_KEYS if run.manifest.get(key))
    return RunHead(
        name=run.name,
        model=run.model,
        is_baseline=run.is_baseline,
        n=run.scores.num_rows,
        date=next(dates, "")[:16].replace("T", " "),
        manifest=json.dumps(run.manifest, indent=2, ensure_ascii=False, default=str),
    )


def _distinct_samples(runs: Sequence[RunScores]) -> list[dict[str, Any]]:
    """One row per sample over all runs."""
    names = ["sample_id", "task", "dataset", "subject_id", "case_id", "modality", "plane"]
    rows = {row["sample_id"]: row for run in runs for row in run.scores.select(names).to_pylist()}
    return list(rows.values())


def _dataset_heads(samples: Sequence[Mapping[str, Any]]) -> list[DatasetHead]:
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


def _broken(name: str) -> Markup:
    """A column name that may break after its underscores."""
    return Markup("_<wbr>").join(name.split("_"))


def _asset(name: str) -> str:
    """A file of the template folder."""
    folder = resources.files("medvision.analysis") / "templates"
    return (folder / name).read_text(encoding="utf-8")


def _script_text(text: str) -> str:
    """A script as an HTML parser reads it: one kind of line end, nothing that ends the element."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("</script", "<\\/script")
