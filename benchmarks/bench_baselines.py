"""Asking a baseline some 3,000 demo questions, beside drawing their slices, which it does not do.

Run from the repository root: `python -m benchmarks.bench_baselines [--times 5] [--before SRC]`.
`--before` names the `src` folder of another version: both then take turns, each in processes of
its own, on tables that it built itself and on the same task list.
"""

import argparse
import contextlib
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def asked(folder):
    """Seconds of `evaluate`, of the whole command, and questions; runs in a process of its own."""
    from medvision.cli import eval as command
    from medvision.cli import main as medvision

    taken = {}
    evaluate = command.evaluate

    def timed(*arguments):
        start_s = time.perf_counter()
        summary = evaluate(*arguments)
        taken.update(evaluate_s=time.perf_counter() - start_s, n=summary.n_total)
        return summary

    command.evaluate = timed
    suite = folder / "suite.toml"
    words = ["eval", "--suite", suite, "--root", folder / "demo", "--split", "all"]
    words += ["--model", "baseline/oracle", "--run", tempfile.mkdtemp(dir=folder)]
    start_s = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        medvision([str(word) for word in words])
    return {**taken, "command_s": time.perf_counter() - start_s}


def drawn_s(folder):
    """Seconds to draw each distinct slice of a run's questions once."""
    import pyarrow.parquet as pq

    from medvision.pictures.drawn import DrawnPictures
    from medvision.pictures.view import PictureFamily
    from medvision.samples.sample import each_sample

    run = next(path for path in folder.glob("tmp*") if (path / "samples.parquet").exists())
    pictures = DrawnPictures(PictureFamily(name="as_sent"))
    start_s = time.perf_counter()
    for sample in each_sample(pq.read_table(run / "samples.parquet")):
        pictures.drawn(sample)
    return time.perf_counter() - start_s


def worker(folder, *, draws):
    """Best of three in one warm process, as JSON on the last line."""
    asked(folder)
    best = min((asked(folder) for _ in range(3)), key=lambda taken: taken["evaluate_s"])
    print(json.dumps(best | ({"drawn_s": drawn_s(folder)} if draws else {})))


def of_version(source, folder, *options):
    """What a worker of the version in `source` measures."""
    words = [sys.executable, "-m", "benchmarks.bench_baselines", "--worker", folder, *options]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def prepared(source, folder):
    """Demo tables of a version and the suite of four tasks that every version knows."""
    folder.mkdir()
    suite = (Path(source) / "medvision/samples/suites/demo.toml").read_text()
    blocks = suite.replace("cap_per_config = 200", "cap_per_config = 520").split("\n[[")
    known = [block for block in blocks if 'task = "count"' not in block]
    (folder / "suite.toml").write_text("\n[[".join(known))
    words = [sys.executable, "-m", "medvision.cli", "demo", "--cases", "20"]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    words += ["--out", str(folder / "demo")]
    subprocess.run(words, check=True, capture_output=True, env=environment)
    return folder


def main():
    """Print microseconds a question and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--worker", type=Path)
    parser.add_argument("--draws", action="store_true")
    options = parser.parse_args()
    if options.worker:
        return worker(options.worker, draws=options.draws)
    print(
        f"{platform.machine()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )
    sources = {"now": Path("src").absolute()}
    if options.before:
        sources["before"] = options.before.absolute()
    with tempfile.TemporaryDirectory() as place:
        folders = {name: prepared(source, Path(place) / name) for name, source in sources.items()}
        taken = {name: [] for name in sources}
        for _ in range(options.times):
            for name, source in sources.items():
                draws = ["--draws"] if name == "now" else []
                taken[name].append(of_version(source, folders[name], *draws))
    each_us = {}
    for name, runs in taken.items():
        each_us[name] = [run["evaluate_s"] / run["n"] * 1e6 for run in runs]
        whole_us = [run["command_s"] / run["n"] * 1e6 for run in runs]
        words = f"evaluate {min(each_us[name]):.0f}-{max(each_us[name]):.0f} us a question"
        print(f"{name:7} {runs[0]['n']} questions: {words}, whole command {min(whole_us):.0f} us")
    drawing_us = min(run["drawn_s"] / run["n"] for run in taken["now"]) * 1e6
    print(
        f"drawing their slices: {drawing_us:.0f} us a question, ratio "
        f"{drawing_us / min(each_us['now']):.1f}"
    )
    if options.before:
        print(f"ratio before / now {min(each_us['before']) / min(each_us['now']):.2f}")
    return None


if __name__ == "__main__":
    main()
