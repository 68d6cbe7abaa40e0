"""Build: C text to a loaded library, compiled unless the cache has it."""

from __future__ import annotations

import ctypes
import hashlib
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from loopcell.backends.c.toolchain import cache
from loopcell.backends.c.toolchain.target import ADVICE, Target, compiler, run, target, vector_bytes
from loopcell.errors import LoopcellError

__all__ = ["BuildError", "build", "compiler", "vector_bytes"]

# A first use of Zig builds parts of a C library: seconds on Linux, minutes on Windows.
_SECONDS = 900


class BuildError(LoopcellError, RuntimeError):
    """There is no compiler, or it refused generated code, or its result cannot be loaded."""


def build(
    source: str, name: str, functions: Sequence[str] = (), parts: Callable[[], Sequence[str]] = tuple
) -> ctypes.CDLL:
    """Return the loaded library of a C source, compiled unless the cache has it.

    Calls into it release the interpreter lock. An entry that cannot be loaded, or lacks a function, is removed and
    compiled again: a compiler that fails may still say that it did not.

    Args:
        source: the whole text.
        name: what the entry is called in the cache, for those who look there; letters, digits and underscores.
        functions: those that the library has to have.
        parts: returns texts that are the same library together, to be compiled side by side; or none. Asked only when
            there is something to compile.

    Raises:
        BuildError: the compiler failed, or its result cannot be loaded.
        FileWriteError: no folder can be written.
        UsageError: LOOPCELL_TARGET, LOOPCELL_CFLAGS or CC cannot be.
    """
    chosen = target()
    if chosen is None:
        raise BuildError(f"there is no C compiler: {ADVICE}")
    key = _key(source, chosen)
    cached = cache.find(name, key)
    if cached is not None:
        with suppress(BuildError):
            return _loaded(cached, chosen, functions)
    return _loaded(cache.keep(name, key, _compiled(parts() or [source], chosen)), chosen, functions)


def _loaded(path: Path, chosen: Target, functions: Sequence[str]) -> ctypes.CDLL:
    """Load a library; one that cannot be used leaves the cache. BuildError says why."""
    try:
        library = ctypes.CDLL(str(path))
        missing = [function for function in functions if not hasattr(library, function)]
    except OSError as error:  # no library, one for another machine, a folder from which nothing may be run
        cache.remove(path)
        raise BuildError(
            f"a compiled kernel cannot be loaded: {error}; LOOPCELL_CACHE names another folder, and CC another "
            f"compiler than {chosen.command[0]}"
        ) from error
    if missing:
        cache.remove(path)
        raise BuildError(f"{chosen} made a library without the function {missing[0]}; CC names another compiler")
    return library


def _key(source: str, chosen: Target) -> str:
    made_from = "\0".join([source, *chosen.command, *chosen.flags, chosen.identity])
    return hashlib.sha256(made_from.encode()).hexdigest()[:32]


def _compiled(sources: Sequence[str], chosen: Target) -> bytes:
    """Return the bytes of the library; of several sources each is compiled by a process of its own."""
    try:
        with tempfile.TemporaryDirectory(prefix="loopcell-") as scratch:
            texts = [Path(scratch) / f"kernel{place}.c" for place in range(len(sources))]
            for text, source in zip(texts, sources, strict=True):
                text.write_text(source, encoding="utf-8")
            if len(texts) > 1:
                with ThreadPoolExecutor(len(texts)) as pool:
                    given = list(pool.map(lambda text: _made(chosen, ("-c", str(text)), text.with_suffix(".o")), texts))
            else:
                given = texts
            made = _made(chosen, ("-shared", *map(str, given)), Path(scratch) / "kernel.so", "-lm")
            return made.read_bytes()
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildError(f"{chosen} could not be run: {error}") from error


def _made(chosen: Target, given: Sequence[str], made: Path, *libraries: str) -> Path:
    """Have the compiler make a file."""
    result = run((*chosen.command, *chosen.flags, *given, "-o", str(made), *libraries), seconds=_SECONDS)
    if result.returncode:
        raise BuildError(f"{chosen} refused a generated kernel:\n{result.stderr[:2000]}")
    return made
