"""Names that users give to runs: `--name RUN=NAME`."""

from collections.abc import Sequence
from pathlib import Path

from medvision.errors import UsageError


def named_runs(words: Sequence[str]) -> dict[Path, str]:
    """Names by run folder.

    Raises:
        UsageError: Not of the form RUN=NAME, or two names for one run.

    Example:
        >>> named_runs(["runs/a=Model A", "runs/b=lr=0.1"])
        {PosixPath('runs/a'): 'Model A', PosixPath('runs/b'): 'lr=0.1'}
    """
    found: dict[Path, str] = {}
    for one in words:
        run, _, name = one.partition("=")
        if not run or not name.strip():
            msg = f"--name: expected RUN=NAME, such as runs/a='Model A', found {one!r}"
            raise UsageError(msg)
        if Path(run) in found:
            msg = f"--name: {run} has two names, {found[Path(run)]!r} and {name!r}; give it one"
            raise UsageError(msg)
        found[Path(run)] = name.strip()
    return found
