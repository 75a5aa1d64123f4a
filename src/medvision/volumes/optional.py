"""Optional libraries."""

import importlib
from types import ModuleType

from medvision.volumes.errors import MissingExtraError


def require(module: str, extra: str, *, item: str) -> ModuleType:
    """An optional library, or an error that says how to install it.

    Args:
        module: Name to import.
        extra: Of this package, that installs it.
        item: The file that needs it, for the message.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:  # also for a library that is there, but lacks one of its own
        msg = f"{item}: needs {module}, not installed; run: pip install 'medvision[{extra}]'"
        raise MissingExtraError(msg) from error
