"""Build: C text to a loaded library, compiled unless the cache has it."""

from __future__ import annotations

import ctypes
import hashlib
import subprocess
import tempfile
from pathlib import Path

from loopcell.backends.c import cache
from loopcell.backends.c.target import ADVICE, Target, compiler, run, target, vector_bytes
from loopcell.errors import LoopcellError

__all__ = ["BuildError", "build", "compiler", "vector_bytes"]

# A first use of Zig builds parts of a C library: seconds on Linux, minutes on Windows.
_SECONDS = 900


class BuildError(LoopcellError, RuntimeError):
    """There is no compiler, or it refused generated code, or its result cannot be loaded."""


def build(source: str, name: str) -> ctypes.CDLL:
    """Return the loaded library of a C source, compiled unless the cache has it.

    Calls into it release the interpreter lock.

    Args:
        source: the whole text.
        name: what the entry is called in the cache, for those who look there; letters, digits and underscores.

    Raises:
        BuildError: the compiler failed, or its result cannot be loaded.
        FileWriteError: no folder can be written.
        UsageError: LOOPCELL_TARGET cannot be.
    """
    chosen = target()
    if chosen is None:
        raise BuildError(f"there is no C compiler: {ADVICE}")
    key = _key(source, chosen)
    path = cache.find(name, key) or cache.keep(name, key, _compiled(source, chosen))
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:  # a folder from which nothing may be run, a compiler for another machine
        raise BuildError(f"a compiled kernel cannot be loaded: {error}; LOOPCELL_CACHE names another folder") from error


def _key(source: str, chosen: Target) -> str:
    made_from = "\0".join([source, *chosen.command, *chosen.flags, chosen.identity])
    return hashlib.sha256(made_from.encode()).hexdigest()[:32]


def _compiled(source: str, chosen: Target) -> bytes:
    """Return the bytes of the library."""
    try:
        with tempfile.TemporaryDirectory(prefix="loopcell-") as scratch:
            text, made = Path(scratch) / "kernel.c", Path(scratch) / "kernel.so"
            text.write_text(source, encoding="utf-8")
            command = (*chosen.command, *chosen.flags, "-shared", str(text), "-o", str(made), "-lm")
            result = run(command, seconds=_SECONDS)
            if result.returncode:
                raise BuildError(f"{chosen} refused a generated kernel:\n{result.stderr[:2000]}")
            return made.read_bytes()
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildError(f"{chosen} could not be run: {error}") from error
