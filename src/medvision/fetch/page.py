"""The page about all datasets, written from their declarations."""

import re
from collections.abc import Iterator, Sequence

from medvision.catalog.dataset import Dataset
from medvision.catalog.source import Source
from medvision.fetch.plan import needs
from medvision.fetch.space import gigabytes
from medvision.fetch.ways import chosen_way, wanted_of, ways_of

BUILD_S_PER_GB = {
    "one label map": {1: 18, 4: 20, 15: 22, 50: 22, 120: 27},
    "a file each": {1: 32, 4: 51, 15: 168, 50: 900},
}
"""Measured: how structures are stored, to number of labels, to seconds of a processor."""

INTRODUCTION = """# Datasets

This page is written from the declarations: `medvision catalog page --out docs/datasets.md`. What
no source states is said to be unknown; nothing is guessed. `medvision fetch --plan NAME` prints
what would be downloaded and what it takes, `medvision fetch NAME --accept-licence` does it,
`medvision catalog status` says where each dataset stands.

- **by itself**: `fetch` downloads, checks and unpacks; where a token is named, once it is set.
- **by hand**: a person gets the files; `fetch NAME --from DIR` goes on with archives or folders.
- Tokens come from `HF_TOKEN`, `SYNAPSE_AUTH_TOKEN`, `KAGGLE_API_TOKEN`, and stand in no log.
- `--mirror URL` takes the same file names from a copy below one address, `URL/NAME/FILE` or
  `URL/FILE`; `--source original` or `--source copy` says whose files.
- How long: 14 s per GB to download from the same machine, check and unpack, measured on two busy
  cores in November 2026 (`python -m benchmarks.bench_fetch`). A connection is slower than that.
- **build**: processor seconds per GB of packed files, measured there on drawn CT volumes with at
  least as many labels, in one label map or in a file each as the dataset has them
  (`python -m benchmarks.bench_labels`). Real masks, conversions and slow disks take longer; a build
  takes two seconds or so to start.
- A dataset may be declared outside the package: `--catalog DIR`, a folder of `NAME.toml`.
"""


def datasets_page(datasets: Sequence[Dataset]) -> str:
    """The page as Markdown: a table of all, then a section for each.

    Args:
        datasets: Declarations, in the order of the page.
    """
    samples = [one for one in datasets if one.in_packages]
    public = [one for one in datasets if not one.in_packages]
    blocks = [
        INTRODUCTION,
        f"## The {len(public)} public datasets\n",
        *_table(public),
        "\n## Samples that packages carry\n",
        *_table(samples),
        "\n## Each dataset\n",
        *("\n".join(_section(one)) for one in public),
    ]
    return "\n".join(blocks).rstrip() + "\n"


def _table(datasets: Sequence[Dataset]) -> Iterator[str]:
    yield "| dataset | images | asks | to fetch | how | access | licence | build, s/GB | quirks |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for one in datasets:
        size = gigabytes(one.size_mb * 1e6) if one.size_mb else "not known"
        anchor = re.sub(r"[^\w-]", "", one.name.lower())  # of a heading, as GitHub makes it
        name = one.name if one.in_packages else f"[{one.name}](#{anchor})"
        how = "by itself" if chosen_way(one).by_program else "by hand"
        images, asks = " ".join(one.modalities) or "not known", ", ".join(one.asks)
        facts = [name, images, asks, size, how, str(one.access), one.licence]
        quirks = " ".join(one.quirks) or "none known"
        yield f"| {' | '.join([*facts, build_s_per_gb(one), quirks])} |"


def build_s_per_gb(dataset: Dataset) -> str:
    """How long a build takes, measured with as many labels or the next larger number.

    Example:
        >>> from medvision.catalog.dataset import load_dataset
        >>> build_s_per_gb(load_dataset("KiTS23")) == str(BUILD_S_PER_GB["one label map"][4])
        True
        >>> build_s_per_gb(load_dataset("Ceph-Biometrics-400"))  # no masks
        'not measured'
    """
    n_labels = max(map(len, dataset.label_sets().values()), default=0)
    ways = [way for cohort in dataset.cohorts for way in cohort.ways]
    files = [one.files for way in ways for one in way.mask_files]
    if not n_labels or not files:
        return "not measured"
    each = any("{structure}" in pattern for pattern in files)
    measured = BUILD_S_PER_GB["a file each" if each else "one label map"]
    if n_labels > max(measured):
        return f"{measured[max(measured)]} or more"
    return str(measured[min(n for n in measured if n >= n_labels)])


def _section(dataset: Dataset) -> Iterator[str]:
    yield f"### {dataset.name}\n"
    yield f"{dataset.title}. [Homepage]({dataset.homepage})." + (
        f" Terms: {dataset.terms}." if dataset.terms else ""
    )
    if not chosen_way(dataset).by_program:
        yield f"\n{dataset.how_to_get}"
    yield ""
    chosen = chosen_way(dataset)
    for way in ways_of(dataset):
        taken = " (taken unless `--source` says otherwise)" if way == chosen else ""
        yield f"- {way.role}{taken}:"
        for source in way.sources:
            yield from _source(source)
    yield from (f"- {quirk}" for quirk in dataset.quirks)
    yield from (f"- Not verified: {doubt}" for doubt in dataset.unverified)
    if counts := dataset.published:
        listed = {
            "images": counts.images,
            "masks": counts.masks,
            "slices": counts.slices,
            "slice-label pairs": counts.slice_label_pairs,
            "single-instance samples": counts.single_instance_samples,
            "measurements": counts.measurements,
            "single tumour sizes (1.4.0)": counts.tl_single,
            "multiple tumour sizes (1.4.0)": counts.tl_multi,
        }
        said = (f"{number:,} {what}" for what, number in listed.items() if number)
        yield f"- Published: {', '.join(said)}."
    yield ""


def _source(source: Source) -> Iterator[str]:
    where = f"[{source.kind} {source.id}]({source.url})" if source.url else str(source.kind)
    revision = f", revision `{source.revision[:12]}`" if source.revision else ""
    yield f"  - {where}{revision}" + (f": {source.note}" if source.note else "")
    for words in needs(source):
        # Whether a token is set is no fact of the dataset.
        yield f"    - needs {words.partition(' (is ')[0]}"
    yield from (f"    - {rank}. {step}" for rank, step in enumerate(source.steps, start=1))
    for one in wanted_of([source]):
        declared = one.declared
        facts = [gigabytes(one.size_bytes)] if one.size_bytes else []
        facts += [f"sha256 `{declared.sha256[:12]}…`"] if declared.sha256 else []
        facts += [f"md5 `{declared.md5[:12]}…`"] if declared.md5 else []
        yield f"    - `{one.name}`: {', '.join(facts) or 'size and digest not known'}"
