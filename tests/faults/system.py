"""Processes started by tests: what they are not allowed, and how they ended."""

import ctypes
import os
import resource
import signal
from collections.abc import Callable

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1


def limited(n_bytes: int) -> Callable[[], None]:
    """Before a program starts: none of its files may be larger, as on a disk that is full."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))

    return limit


def obey_permissions() -> None:
    """Root passes over them, unless it gives that right up before another program starts."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


def silence() -> None:
    """Let nothing of this process be seen any more; libraries warn past Python."""
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)


def how_it_ended(status: int) -> str:
    """The exit status of a process that should have gone on, in words."""
    how = signal.Signals(-status).name if status < 0 else f"status {status}"
    return f"the process ended ({how})"
