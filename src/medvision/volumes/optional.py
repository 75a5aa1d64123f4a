"""Optional libraries."""

import importlib
from types import ModuleType

from medvision.volumes.errors import MissingExtraError


def require(module: str, extra: str) -> ModuleType:
    """An optional library, or an error that says how to install it.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        msg = f"{module} is not installed; run: pip install 'medvision[{extra}]'"
        raise MissingExtraError(msg) from error
