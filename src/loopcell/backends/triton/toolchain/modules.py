"""Modules: the text of a kernel as a function that Triton compiles, or that its interpreter runs."""

from __future__ import annotations

import hashlib
import linecache
from functools import lru_cache
from typing import Any

MISSING = "triton is not installed"
ADVICE = "pip install loopcell[gpu]"


@lru_cache(maxsize=1)
def version() -> str | None:
    """Return Triton's version; None where it is not installed."""
    try:
        import triton
    except ImportError:
        return None
    return str(triton.__version__)


def interpreting() -> bool:
    """Say whether kernels run in Triton's interpreter, on any device: TRITON_INTERPRET=1, set before its import."""
    if version() is None:
        return False
    import triton

    return bool(triton.knobs.runtime.interpret) if hasattr(triton, "knobs") else _asked_by_the_process()


def _asked_by_the_process() -> bool:
    import os

    return os.environ.get("TRITON_INTERPRET", "0") == "1"


@lru_cache(maxsize=1024)
def function(source: str, name: str) -> Any:
    """Return the kernel of a module's text, the same one at every call.

    Triton reads a function's text by its file. The text is registered under a name that says what it is, so no code
    is written to a disk and none is read from there; what Triton compiles lies in Triton's own cache.
    """
    import triton
    import triton.language as tl

    file = f"<loopcell {name} {hashlib.sha256(source.encode()).hexdigest()[:16]}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace: dict[str, Any] = {"triton": triton, "tl": tl, "__name__": "loopcell.generated"}
    exec(compile(source, file, "exec"), namespace)  # noqa: S102 - our own text, made from the closed op table
    return namespace[name]
