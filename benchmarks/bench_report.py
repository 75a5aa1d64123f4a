"""How fast a page of many cases is in a browser: `python -m benchmarks.bench_report [N] [SERVED]`.

Writes a file of N cases (5,000) and serves SERVED (100,000), three models each, drives headless
Chromium over them and prints what a reader waits for. Needs Chromium and the test suite's builders.
"""

import sys
import tempfile
import threading
import time
from pathlib import Path

from medvision.analysis import write_report
from medvision.analysis.case_server import CaseServer, ServedCases
from tests.analysis.conftest import build_run, build_samples, drawn_body
from tests.analysis.devtools import Chromium

PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
TIMED = """(async () => {{
  const times = [];
  for (let turn = 0; turn < {turns}; turn += 1) {{
    const start = performance.now();
    {act}
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    while ({until}) await new Promise((done) => setTimeout(done));
    times.push(performance.now() - start);
  }}
  return times.sort((a, b) => a - b);
}})()"""
SELECT = (
    "const e = document.getElementById('case-filters').querySelector('[data-word={word}]');"
    "e.selectedIndex = (turn % (e.options.length - 1)) + 1; e.dispatchEvent(new Event('change'));"
)
SORT = (
    "const e = document.getElementById('case-sort');"
    "e.value = ['size', 'case_id', 'error', 'slice'][turn % 4];"
    "e.dispatchEvent(new Event('change'));"
)
RESET = "document.getElementById('case-reset').click()"


def runs_of(n_cases: int) -> list:
    """Three models asked the same questions, most of them boxes."""
    counts = {"detection": n_cases // 2, "tl": n_cases // 4, "ad": n_cases // 8}
    counts["area"] = n_cases - sum(counts.values())
    samples = build_samples(counts)
    kinds = (("good", "good"), ("clumsy", "clumsy"), ("other", "good"))
    return [build_run(name, samples, kind, seed=seed) for seed, (name, kind) in enumerate(kinds)]


def timings(page: Chromium, address: str, *, turns: int = 12) -> dict[str, float]:
    """Milliseconds: until painted and until ready; then the median and the longest of each act."""
    page.open("about:blank", ready="!document.documentElement?.dataset.ready")
    start = time.monotonic()
    page.open(address)
    found = {"interactive": 1000 * (time.monotonic() - start), "painted": page.js(PAINTED)}
    page.js("document.getElementById('cases').scrollIntoView()")
    seen = "document.getElementById('viewer').dataset.shown"
    for name, act in (
        ("filter by plane", SELECT.format(word="plane")),
        ("filter by structure", SELECT.format(word="name")),
        ("all again", RESET),
        ("sort", SORT),
        ("next case", f"const was = {seen}; document.getElementById('case-next').click();"),
    ):
        # A case is there when it is drawn; a filter's list is, within the same frame.
        until = f"was === {seen}" if name == "next case" else "false"
        times = page.js(TIMED.format(turns=turns, act=act, until=until))
        found[name], found[f"{name}, longest"] = times[len(times) // 2], times[-1]
    return found


def show(title: str, found: dict[str, float]) -> None:
    print(title)
    for name, value in found.items():
        print(f"  {name:32s}{value:9.1f} ms")


def main(n_file: int = 5000, n_served: int = 100_000) -> None:
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Chromium("chromium", Path(folder) / "profile", offline=False) as page,
    ):
        out = write_report(runs_of(n_file), Path(folder) / "report.html", picture=drawn_body)
        size_mb = out.stat().st_size / 1e6
        show(f"file of {n_file} cases, {size_mb:.1f} MB", timings(page, out.as_uri()))
        if not n_served:
            return
        start = time.monotonic()
        with CaseServer(ServedCases(runs_of(n_served))) as server:
            print(f"server of {n_served} cases ready after {time.monotonic() - start:.0f} s")
            threading.Thread(target=server.serve_forever, daemon=True).start()
            show(f"served {n_served} cases", timings(page, server.url))
            server.shutdown()
        print("errors:", page.errors)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
