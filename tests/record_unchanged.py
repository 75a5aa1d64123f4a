"""Notes of what a change of the code's shape must leave as it is, and their digests.

All is done as users do it: by commands, the files that these write, and the names that the
documents call stable. A note is a text file, one row a line: a table's column, the prompts of a
run, what went over the wire. `data/unchanged.json` holds the notes' digests as one version gave
them, and which columns they are made of: a column, task or dataset that came later is not looked
at.

    PYTHONPATH=<checkout of the version>/src python -m tests.record_unchanged FOLDER

asks phantoms and real images below FOLDER, which is made, and writes `data/unchanged.json` and
`data/run_of_b1f02db`. That run names its images by their paths, so FOLDER should be one that is
nowhere else; it was `/srv/medvision`. Digests alone do not tell what differs, notes do:

    PYTHONPATH=<checkout of the version>/src python -m tests.record_unchanged FOLDER --notes-only
    diff -r FOLDER/notes OTHER/notes
"""

import argparse
import hashlib
import json
import shutil
import sqlite3
from collections import defaultdict
from contextlib import closing, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from medvision.annotate import region_table
from medvision.cli import main
from medvision.prompts import perceived_size, read_answer
from medvision.scoring import score
from tests.notes import Notes
from tests.scripted_server import FORMS, Server, picture_digest, scripted_server

DATA = Path(__file__).parent / "data"
DIGESTS = DATA / "unchanged.json"
STORED_RUN = DATA / "run_of_b1f02db"

PHANTOMS = ("phantom-abdomen", "phantom-head", "phantom-xray")
REAL = ("pyradiomics-tumors", "afids-mni", "colin27-aal", "mni152-tissue")

N_CASES = 6
"""Phantoms of each kind: every stored orientation once, two cases oblique."""

TABLES = ("cases", "structures", "regions", "biometrics")
PLANES = ("axial", "coronal", "sagittal")

OF_PICTURES = ("pixel_sha256", "renderer")
"""Columns of samples about their pictures, which baselines do not look at."""

WHO = ("sample_id", "repeat")

READ = ("status", "values")
"""Ends of the names of columns of scores that say how replies were read."""

SUITE = {
    "detection": PHANTOMS[:2],
    "tl": PHANTOMS[:2],
    "area": PHANTOMS[:2],
    "ad": PHANTOMS[2:],
    "ad-vertex": PHANTOMS[2:],
}
"""Tasks, and of which datasets they are asked; "ad-vertex" asks for angles at shared landmarks."""

REAL_SUITE = {
    "detection": ("colin27-aal", "mni152-tissue"),
    "tl": ("pyradiomics-tumors",),
    "area": ("pyradiomics-tumors",),
    "ad": ("afids-mni",),
    "ad-vertex": ("afids-mni",),
}

WITH_PROFILE = ("openai/Qwen/Qwen2.5-VL-7B-Instruct",)

PADDED_SQUARE = ("openai/tiny", "--family", "llava_onevision", "--square", "--style", "cot")

RUNS = {
    "cot": (*WITH_PROFILE, "--style", "cot"),
    "padded square cot": PADDED_SQUARE,
    "padded": ("openai/tiny", "--family", "mllama"),
    "sampled": (
        *("openai/tiny", "--family", "clip336_pad", "--revision", "r1", "--repeats", "2"),
        *("--temperature", "0.7", "--top-p", "0.9", "--max-tokens", "77", "--seed", "40"),
        *("--stop", "END", "--extra-body", '{"top_k": 7}'),
    ),
    "resized": ("openai/tiny", "--family", "gemma3", "--resize", "300x420"),
    "declared canvas": ("openai/tiny", "--family", "448x336"),
    "own profile": ("openai/own", "--profiles", "PROFILES"),
    "claude": ("openai/claude-sonnet-4-5",),
    "openai_patch": ("openai/gpt-4.1-mini",),
    "openai_tile": ("openai/gpt-4o", "--square"),
    "gemini": ("openai/gemini-2.5-flash", "--style", "cot"),
    "internvl3": ("openai/OpenGVLab/InternVL3-8B",),
    "qwen3_vl": ("openai/Qwen/Qwen3-VL-8B-Instruct",),
    "gemma4": ("openai/tiny", "--family", "gemma4"),
    "glm4v": ("openai/tiny", "--family", "glm4v"),
    "stretch448": ("openai/tiny", "--family", "stretch448"),
    "oracle cot": ("baseline/oracle", "--style", "cot"),
    "noise twice": ("baseline/noisy-oracle:0.5", "--repeats", "2"),
}
"""Model and options of runs over some questions of each kind."""

PROFILES = """
[[model]]
ids = ["own"]
family = "qwen2_5_vl"
limits = { min_pixels = 40000, max_pixels = 90000 }
style = "cot"
temperature = "server"
max_tokens = 500
system_text = "You measure, in µm if need be."
shape_hw = [320, 240]
"""

FAMILIES = {
    "claude": {"long_edge_px": 1568, "max_tokens": 1568},
    "openai_patch": {"long_edge_px": 2048, "patch_budget": 1536},
    **dict.fromkeys(("qwen2_5_vl", "qwen3_vl", "gemma3", "gemma4", "internvl3", "llava_onevision")),
    **dict.fromkeys(("mllama", "clip336_pad", "stretch448", "glm4v", "openai_tile", "gemini")),
    "448x336": None,
}
"""Families that see pictures, with their limits where these differ between models."""


def command(*words):
    """Run `medvision` with these words, which must succeed; what it printed."""
    printed = StringIO()
    with redirect_stdout(printed):
        status = main([str(word) for word in words])
    if status:
        msg = f"medvision {' '.join(map(str, words))}: exit status {status}: {printed.getvalue()}"
        raise RuntimeError(msg)
    return printed.getvalue()


def read_json(path):
    """The content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_parquet(path):
    """A Parquet file, or a folder of `plane=…/split=…`, as a table; None where there is none."""
    if path.is_dir():
        there = any(path.rglob("*.parquet"))
        return pads.dataset(path, partitioning="hive").to_table() if there else None
    return pq.read_table(path, partitioning=None) if path.exists() else None


def rows_of(table, ids, columns):
    """Rows of some samples, of those columns that are there."""
    own = table.filter(pc.is_in(table["sample_id"], pa.array(ids)))
    return own.select([name for name in columns if name in own.column_names]).to_pylist()


def note_tables(notes, what, tables):
    """Note every column of every table of a dataset, in the order of the rows."""
    for name in TABLES:
        files = (tables / f"{name}.parquet", tables / name)
        for table in (table for table in map(read_parquet, files) if table is not None):
            notes.add_columns(f"{what} {name} of {tables.name}", name, table)


def groups_of(what, samples):
    """Ids of a run's samples, by a name that tells task and dataset."""
    groups = defaultdict(list)
    columns = (samples[name].to_pylist() for name in ("sample_id", "task", "dataset"))
    for sample_id, task, dataset in zip(*columns, strict=True):
        groups[f"{what}, {task} of {dataset}"].append(sample_id)
    return groups


def note_run(notes, what, run):
    """Note the questions, replies and scores of a run, by task and dataset.

    Of baselines no keys, which hold their answers, and nothing of pictures, which they do not see.
    """
    is_served = not read_json(run / "manifest.json")["model"].startswith("baseline/")
    samples, scores = (read_parquet(run / f"{name}.parquet") for name in ("samples", "scores"))
    requests = stored_requests(run)
    score_columns = notes.names("scores", scores.column_names)
    sample_columns = notes.names("samples", samples.column_names)
    columns_of_samples = {
        "samples": [name for name in sample_columns if name not in OF_PICTURES],
        "pixels": ["sample_id", *OF_PICTURES],
    }
    columns_of_requests = {
        "prompts": [*WHO, "prompt"],
        "replies": [*WHO, "status", "text", "reasoning", "finish_reason", "error_kind", "model"],
        "outcomes": [*WHO, "http_code", "prompt_tokens", "completion_tokens"],
        "keys": [*WHO, "key"],
    }
    columns_of_scores = {
        "readings": [*WHO, *(name for name in score_columns if name.endswith(READ))],
        "scores": score_columns,
    }
    if not is_served:
        for columns, part in ((columns_of_samples, "pixels"), (columns_of_requests, "keys")):
            columns.pop(part)
    for group, ids in groups_of(what, samples).items():
        notes.add(group, "sample ids", ids)
        for part, names in columns_of_samples.items():
            notes.add(group, part, rows_of(samples, ids, names))
        own = [requests[who] for who in sorted(requests) if who[0] in set(ids)]
        for part, names in columns_of_requests.items():
            notes.add(group, part, ({name: row[name] for name in names} for row in own))
        for part, names in columns_of_scores.items():
            notes.add(group, part, rows_of(scores, ids, names))


def stored_requests(run):
    """(sample id, repeat) to the row of a run's store: the request and its reply."""
    query = "SELECT * FROM requests LEFT JOIN responses USING (key)"
    with closing(sqlite3.connect(run / "responses.sqlite")) as store:
        store.row_factory = sqlite3.Row
        return {(row["sample_id"], row["repeat"]): dict(row) for row in store.execute(query)}


def note_sent(notes, what, run, requests):
    """Note what went to the server, each once and sorted; no two groups share a prompt."""
    groups = groups_of(what, read_parquet(run / "samples.parquet"))
    group_of = {sample_id: group for group, ids in groups.items() for sample_id in ids}
    asked = stored_requests(run).values()
    group_of_prompt = {row["prompt"]: group_of[row["sample_id"]] for row in asked}
    sent = defaultdict(set)
    for request in requests:
        sent[group_of_prompt[request.text]].add(json.dumps(request.body, sort_keys=True))
    for group, bodies in sent.items():
        notes.add(group, "sent", sorted(bodies))


def write_suite(path, tasks, cap):
    """Write a suite of at most `cap` questions of each task, dataset and plane; its path."""
    lines = [f"cap_per_config = {cap}", 'name = "unchanged"']
    for task, datasets in tasks.items():
        is_biometry = task.startswith("ad")
        for dataset, plane in product(datasets, ("",) if is_biometry else PLANES):
            lines += ["[[configs]]", f'dataset = "{dataset}"']
            lines += [f'task = "{"ad" if is_biometry else task}"']
            lines += ["vertex_angles = true"] * (task == "ad-vertex")
            lines += [f'planes = ["{plane}"]'] * bool(plane)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Asks the server, or a baseline, the questions of one data root, and notes the runs."""

    notes: Notes
    server: Server
    root: Path

    def run(self, run, suite, words, *, split="all"):
        """Evaluate by `medvision eval`."""
        profiles = self.root / "profiles.toml"
        profiles.write_text(PROFILES, encoding="utf-8")
        command(
            *("eval", "--suite", suite, "--root", self.root, "--split", split, "--run", run),
            *("--base-url", self.server.base_url, "--max-error-rate", "1", "--model"),
            *(profiles if word == "PROFILES" else word for word in words),
        )

    def note(self, what, suite, words, *, split="all"):
        """Evaluate, and note the run with what was sent for it."""
        run, before = self.root / "asked" / what, len(self.server.requests)
        self.run(run, suite, words, split=split)
        note_run(self.notes, what, run)
        note_sent(self.notes, what, run, self.server.requests[before:])


def note_arithmetic(notes):
    """Note how this processor rounds what the X-ray phantoms are drawn with.

    NumPy takes float32 exponentials by the vector instructions at hand; some differ in the last
    bit, and then a few pixels in a million by one grey level.
    """
    powers = np.exp(np.linspace(-30, 0, 200_001, dtype=np.float32))
    notes.add("arithmetic", "float32 exp", [hashlib.sha256(powers.tobytes()).hexdigest()])


def note_demo(notes, root):
    """Build the demo's phantoms in a data root and ask about them in every way."""
    command("demo", "--out", root, "--cases", N_CASES)
    for name in PHANTOMS:
        note_tables(notes, "demo", root / "tables" / name)
    for run in sorted((root / "runs" / "demo").iterdir()):
        note_run(notes, f"demo baseline {run.name}", run)
    suite = write_suite(root / "suite.toml", SUITE, cap=2)
    with scripted_server() as server:
        asker = Asker(notes=notes, server=server, root=root)
        asker.note("demo suite", "demo", WITH_PROFILE, split="test")
        for name, words in RUNS.items():
            split = "all" if words == PADDED_SQUARE else "test"
            asker.note(f"demo run {name}", suite, words, split=split)
    note_pictures(notes, "demo", root, ("case_000", "case_002"))


def note_real(notes, root):
    """Build the real images in a data root and ask about them.

    The demo asks about Colin27 or, where that cannot be had, about the tissues of MNI152; here
    these are always asked about.
    """
    command("demo", "--real", "--out", root)
    command("build", "mni152-tissue", "--root", root)
    for name in REAL:
        note_tables(notes, "real", root / "tables" / name)
    for run in sorted((root / "runs" / "demo-real").iterdir()):
        note_run(notes, f"real baseline {run.name}", run)
    suite = write_suite(root / "suite.toml", REAL_SUITE, cap=8)
    with scripted_server() as server:
        asker = Asker(notes=notes, server=server, root=root)
        asker.note("real run direct", suite, WITH_PROFILE)
        asker.note("real run padded square cot", suite, PADDED_SQUARE)
        asker.note("real run oracle", suite, ("baseline/oracle",))
        asker.note("real run train-mean", suite, ("baseline/train-mean",))
    note_pictures(notes, "real", root, ("lung1", "brain1", "colin27", "mni152nlin2009casym"))


def note_pictures(notes, what, root, cases):
    """Note the pixels that `medvision render` draws: middle slices of cases, and samples."""
    out = root / "picture.png"
    for tables in sorted((root / "tables").iterdir()):
        drawn = {}
        rows = read_parquet(tables / "cases.parquet").to_pylist()
        regions = read_parquet(tables / "regions")
        planes = PLANES if regions is not None else ("sagittal",)
        for row, plane in product((row for row in rows if row["case_id"] in cases), planes):
            extent = row["shape_ijk"][PLANES[::-1].index(plane)] if len(row["shape_ijk"]) > 2 else 1
            words = ("--case", row["case_id"], "--plane", plane, "--slice", extent // 2)
            for options in ((), ("--square",)):
                command("render", "--tables", tables, *words, *options, "--out", out)
                drawn[f"{row['case_id']} {plane} {extent // 2} {options}"] = picture_digest(out)
        notes.add(f"{what} pictures of {tables.name}", "pixels", drawn.items())


def note_names(notes):
    """Note what the stable names of `medvision.annotate`, `.prompts` and `.scoring` give."""
    i, j, k = np.indices((40, 30, 12))
    labels = np.where((i + 2 * j) % 17 < 9, 1, 0) * (k > 2)
    labels = np.where(((i - 15) / 9) ** 2 + ((j - 16) / 7) ** 2 + ((k - 6) / 5) ** 2 < 1, 2, labels)
    table = region_table(labels.astype(np.uint8), (0.7, 0.9, 2.5), (2,))
    notes.add_columns("names region_table", "region_table", table)
    sizes = ((512, 512), (160, 384), (1, 1), (61, 2000), (3000, 700), (448, 448))
    for family, limits in FAMILIES.items():
        seen = [perceived_size(family, height, width, limits) for height, width in sizes]
        rows = ([one.canvas_hw, one.content_hw, one.content_origin_yx] for one in seen)
        notes.add("names perceived_size", family, rows)
    truths = {"detection": (0.1, 0.2, 0.5, 0.8), "tl": (40.0, 20.0), "ad": 30.0, "area": 400.0}
    for (task, truth), style in product(truths.items(), ("direct", "cot")):
        rows = []
        for form, text in sorted(FORMS.items()):
            answer = read_answer(task, text, style)
            row = score(task, truth, answer)
            metrics = ("iou", "precision", "recall", "f1", "absolute_error", "relative_error")
            given = {name: getattr(row, name) for name in metrics}
            rows.append({"form": form, "status": answer.status, "values": answer.values, **given})
        notes.add(f"names read_answer and score of {task}", style, rows)


def note_report(notes, run):
    """Note the tables that a report of a run prints as JSON."""
    content = json.loads(command("report", run, "--json"))
    for table in content["tables"]:
        by = " and ".join(table["by"]) or "nothing"
        sort = f"report by {by}"
        # Metrics of other tasks once stood in each row, empty; now they are left out.
        names = notes.names(sort, notes.columns.get(sort, list(table["rows"][0])))
        rows = ({name: row.get(name) for name in names} for row in table["rows"])
        notes.add(f"report, {table['task']} in {table['unit']}", f"by {by}", rows)
    for row in content["outcomes"]:
        names = notes.names(f"outcomes of {row['task']}", list(row))
        counts = [(name, row[name]) for name in names]
        notes.add(f"report, outcomes of {row['task']}", "counts", counts)


STORED_SUITE = {
    "detection": PHANTOMS[:2],
    "tl": PHANTOMS[1:2],
    "area": PHANTOMS[:1],
    "ad": PHANTOMS[2:],
    "ad-vertex": PHANTOMS[2:],
}

STORED_WORDS = (*PADDED_SQUARE, "--repeats", "2", "--seed", "15")


def ask_stored(server, root, run):
    """Ask the questions of the run to keep, or what it lacks, of a demo's phantoms."""
    suite = write_suite(root / "unchanged.toml", STORED_SUITE, cap=1)
    Asker(notes=Notes(folder=root), server=server, root=root).run(run, suite, STORED_WORDS)


def store_run(root, run):
    """Make the run to keep: asked, scored, and put to a judge."""
    with scripted_server() as server:
        ask_stored(server, root, run)
        judge = ("--judge", "openai/judge", "--base-url", server.base_url)
        command("score", run, "--max-error-rate", "1", *judge)


def record(folder, *, notes_only):
    """Make all notes in a new folder, and unless only these are wanted, what `data` keeps."""
    folder.mkdir(parents=True)
    notes = Notes(folder=folder / "notes")
    note_arithmetic(notes)
    note_names(notes)
    note_demo(notes, folder / "demo")
    note_real(notes, folder / "real")
    store_run(folder / "demo", folder / "run")
    note_report(notes, folder / "run")
    if notes_only:
        return
    shutil.rmtree(STORED_RUN, ignore_errors=True)
    shutil.copytree(folder / "run", STORED_RUN)
    content = {"columns": notes.columns, "digests": notes.digests}
    DIGESTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--notes-only", action="store_true")
    args = parser.parse_args()
    record(args.folder.resolve(), notes_only=args.notes_only)
