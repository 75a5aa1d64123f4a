"""`python -m benchmarks.audit`: known weaknesses of what is installed, as pip-audit finds them.

pip-audit asks the package index for each package. An index that keeps no weaknesses (most mirrors)
answers "not found" for all of them, which pip-audit counts as no fault; here it is one. Exit status
0: none is known; 1: some are, a line each; 2: the database cannot be reached, nothing was checked.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

UNREACHABLE = "audit: the database of weaknesses cannot be reached from here; nothing was checked"
WORDS = ("--skip-editable", "--progress-spinner", "off", "--desc", "off", "--format", "json")


def known_weaknesses(dependencies: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each."""
    for one in dependencies:
        for weakness in one.get("vulns", ()):
            mended = ", ".join(weakness["fix_versions"]) or "no version yet"
            yield f"{one['name']} {one['version']}: {weakness['id']}, mended in {mended}"


def audit(report: str) -> int:
    """Tell what a report of pip-audit in JSON says; the exit status."""
    try:
        dependencies = json.loads(report)["dependencies"]
    except (ValueError, KeyError):  # it ended before it could write one
        dependencies = []
    checked = [one for one in dependencies if "vulns" in one]
    if not checked:
        print(UNREACHABLE)
        return 2
    found = list(known_weaknesses(checked))
    skipped = [one["name"] for one in dependencies if "vulns" not in one]
    print(*found, f"audit: {len(checked)} packages checked, {len(found)} weaknesses", sep="\n")
    if skipped:
        print(f"audit: not in the database: {', '.join(skipped)}")
    return int(bool(found))


def main() -> int:
    """Ask for everything that is installed beside this interpreter."""
    words = [sys.executable, "-m", "pip_audit", *WORDS]
    ran = subprocess.run(words, check=False, capture_output=True, encoding="utf-8")
    if "No module named pip_audit" in ran.stderr:
        print("audit: pip-audit is not installed; run: make audit")
        return 2
    return audit(ran.stdout)


if __name__ == "__main__":
    sys.exit(main())
