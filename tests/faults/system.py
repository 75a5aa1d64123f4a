"""What a process started by a test is not allowed: files that grow, rights of root."""

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
