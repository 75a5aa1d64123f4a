"""Libraries that only an extra of this package installs."""

import importlib
from types import ModuleType

from medvision.errors import MissingExtraError


def require(module: str, extra: str, *, item: str) -> ModuleType:
    """An optional library, or an error that says how to install it.

    Args:
        module: Name to import.
        extra: Of this package, that installs it.
        item: What needs it (a file, a model, a command), for the message.

    Raises:
        MissingExtraError: It is not installed.

    Example:
        >>> require("math", "formats", item="a.dcm").sqrt(9.0)
        3.0
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:  # also for a library that is there, but lacks one of its own
        msg = f"{item}: needs {module}, not installed; run: pip install 'medvision[{extra}]'"
        raise MissingExtraError(msg) from error
