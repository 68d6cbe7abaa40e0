"""Optional libraries, imported where they are used, with an error that says how to get them."""

from __future__ import annotations

import importlib
from types import ModuleType

from loopcell.errors import MissingExtraError

_PACKAGES = {"PIL": "Pillow"}  # the names that are not their module's


def require(module: str, extra: str, what: str) -> ModuleType:
    """Import an optional library.

    Args:
        module: its import name.
        extra: the extra of loopcell that brings it.
        what: what needs it, as the start of a sentence ("Parquet files need").

    Raises:
        MissingExtraError: it is not installed, or cannot be loaded.
    """
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:  # OSError: its shared library is missing
        package = _PACKAGES.get(module.partition(".")[0], module.partition(".")[0])
        raise MissingExtraError(f'{what} {package}: pip install "loopcell[{extra}]"') from error
