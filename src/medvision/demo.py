"""The whole flow in one call: images, tables, baselines, scores, report."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from medvision.analysis.read_run import read_runs, row_pictures
from medvision.analysis.report import write_report
from medvision.catalog.biometrics import read_biometrics_spec
from medvision.catalog.dataset import Dataset
from medvision.errors import UsageError
from medvision.fetch import FetchError, raw_folder
from medvision.frames import Plane
from medvision.models.baselines import make_baseline
from medvision.models.evaluate import EvalRequest, evaluate
from medvision.phantoms import DEMO_DATASETS, PhantomDataset, write_demo_datasets
from medvision.pictures.view import PictureFamily
from medvision.samples.select import Split, select_samples
from medvision.samples.suite import load_suite
from medvision.scoring.score_run import score_run
from medvision.table.build import BuildRequest, build_tables
from medvision.table.catalogue import catalogue_request
from medvision.table.declared import listed_request
from medvision.table.folders import Folders, checked_modality, find_cases
from medvision.table.labels import declared_labels, read_labels
from medvision.table.read import tables_folder

SEED = 1024
N_CASES = 10
BASELINES = ("oracle", "noisy-oracle:0.1", "train-mean", "constant:25", "center", "random-box")
REAL_DATASETS = ("pyradiomics-tumors", "afids-mni")
DETECTION_DATASETS = ("colin27-aal", "mni152-tissue")
"""For detection on real images: the first of these that can be fetched."""

OnStep = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """Where the demo's results are."""

    report: Path
    tables: dict[str, Path]
    scores: dict[str, pa.Table]


def run_demo(out: Path, on_step: OnStep, *, real: bool, n_cases: int = N_CASES) -> DemoResult:
    """Build, ask every baseline, score, report. A second run does only what is missing.

    Args:
        out: Folder for all of it, laid out like a data root.
        on_step: Told what is being done.
        real: Real sample images from package registries instead of phantoms.
        n_cases: Phantoms of each kind; case n is the same whatever the number.

    Raises:
        FetchError: A real sample dataset cannot be fetched.
        UsageError: The folder holds another number of phantoms.
    """
    built = real_tables(out, on_step) if real else phantom_tables(out, on_step, n_cases=n_cases)
    tables = dict(built)
    suite_name = "demo-real" if real else "demo"
    split: Split = "all" if real else "test"
    suite = load_suite(suite_name)
    selection = select_samples(suite, tables, split=split)
    train = select_samples(suite, tables, split="train").samples
    runs = {name: out / "runs" / suite_name / name.replace(":", "-") for name in BASELINES}
    scores = {}
    for name, run in runs.items():
        on_step(f"asking baseline/{name}")
        request = EvalRequest(
            samples=selection.table,
            model=make_baseline(name, train_samples=train),
            family=PictureFamily(name="as_sent"),
            selection={"suite": suite_name, "split": split, "dropped": selection.dropped},
        )
        evaluate(request, run)
        scores[name] = score_run(run)
    on_step("writing the report")
    page = out / f"report-{suite_name}.html"
    report = write_report(read_runs(list(runs.values())), page, picture=row_pictures())
    return DemoResult(report=report, tables=tables, scores=scores)


def real_tables(out: Path, on_step: OnStep) -> Iterator[tuple[str, Path]]:
    """Names and table folders of the real sample datasets, fetched and built.

    Raises:
        FetchError: A dataset, or each of those for detection, cannot be fetched.
    """
    *others, last = DETECTION_DATASETS
    for name in others:
        try:
            yield name, _built(name, out, on_step)
            break
        except FetchError as error:
            on_step(f"{name} cannot be fetched here, taking {last} instead: {error}")
    else:
        yield last, _built(last, out, on_step)
    for name in REAL_DATASETS:
        yield name, _built(name, out, on_step)


def _built(name: str, out: Path, on_step: OnStep) -> Path:
    on_step(f"fetching {name}")
    request = catalogue_request(name, out)
    return _tables(request, out, on_step)


def _tables(request: BuildRequest, out: Path, on_step: OnStep) -> Path:
    name = request.options.dataset
    on_step(f"building the tables of {name}")
    folder = tables_folder(out, name)
    for problem in build_tables(request, folder).problems:
        on_step(f"{name}: {problem.reason}: {problem.message}")
    return folder


def phantom_tables(
    out: Path, on_step: OnStep, *, n_cases: int = N_CASES
) -> Iterator[tuple[str, Path]]:
    """Names and table folders of the phantom datasets, drawn once and built.

    Raises:
        UsageError: The folder holds another number of phantoms.
    """
    on_step("drawing phantoms")
    for dataset in _phantoms(out, n_cases):
        yield dataset.name, _tables(_phantom_request(dataset, out), out, on_step)


def _phantoms(out: Path, n_cases: int) -> tuple[PhantomDataset, ...]:
    """The phantom datasets below the raw folder; drawn whole or not at all."""
    folders = [raw_folder(out, dataset.name) for dataset in DEMO_DATASETS]
    if all(folder.exists() for folder in folders):
        # The split is drawn over all cases: with more of them, test subjects would change sides.
        for folder in folders:
            if (found := len(list((folder / "images").iterdir()))) != n_cases:
                msg = (
                    f"{folder}: expected {n_cases} cases, found {found} of an earlier demo; choose "
                    f"another --out, or --cases {found}"
                )
                raise UsageError(msg)
        return DEMO_DATASETS
    # Drawn aside and moved when complete: a demo that is cut off draws again, never half a dataset.
    draft = out / "raw" / ".draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    datasets = write_demo_datasets(draft, np.random.default_rng(SEED), n_cases=n_cases)
    for dataset in datasets:
        target = raw_folder(out, dataset.name)
        shutil.rmtree(target, ignore_errors=True)
        (draft / dataset.name).replace(target)
    draft.rmdir()
    return datasets


def _phantom_request(dataset: PhantomDataset, out: Path) -> BuildRequest:
    raw = raw_folder(out, dataset.name)
    has_masks = bool(dataset.labels)
    cases, unpaired = find_cases(
        Folders(
            images=raw / "images",
            masks=raw / "masks" if has_masks else None,
            landmarks=None if has_masks else raw / "landmarks",
        ),
        modality=checked_modality(dataset.modality),
    )
    structures = read_labels(raw / "labels.json") if has_masks else ()
    declared = Dataset(
        name=dataset.name,
        description=dataset.description,
        labels=declared_labels(structures, dataset.target_labels),
        cases=cases,
        spacing_yx_mm=dataset.spacing_yx_mm,
        projection=dataset.plane or Plane.NATIVE,
        biometrics=None if has_masks else read_biometrics_spec(raw / "biometrics.json"),
    )
    return listed_request(declared, unpaired, root=out)
