"""Build: the system's C compiler, and a cache that several processes may share."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from loopcell.errors import LoopcellError
from loopcell.files import atomic_write

FLAGS = ("-std=gnu11", "-O3", "-march=native", "-fPIC", "-shared", "-fno-math-errno", "-fno-trapping-math", "-Wall")


class BuildError(LoopcellError, RuntimeError):
    """The C compiler refused generated code: a fault of loopcell, or a broken compiler."""


@cache
def compiler() -> str | None:
    """Return the C compiler's path: $CC, else cc, gcc or clang; None if there is none."""
    names = [os.environ.get("CC", ""), "cc", "gcc", "clang"]
    return next((found for name in names if name and (found := shutil.which(name))), None)


@cache
def vector_bytes() -> int:
    """Return the width of the widest vectors that the compiler may use on this machine."""
    features = _cpu_features()
    if "avx512f" in features:
        return 64
    return 32 if "avx2" in features else 16


def cache_folder() -> Path:
    """Return where compiled kernels are kept: $LOOPCELL_CACHE, else the user's cache folder."""
    named = os.environ.get("LOOPCELL_CACHE", "")
    if named:
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME", "") or str(Path.home() / ".cache")
    return Path(home) / "loopcell"


def build(source: str, name: str) -> ctypes.CDLL:
    """Return the loaded library of a C source, compiled unless the cache has it.

    Raises:
        BuildError: the compiler failed, or its result cannot be loaded.
    """
    path = _cached(source, name)
    if not path.exists():
        _compile(source, path)
    try:
        return ctypes.CDLL(str(path))
    except OSError:  # a damaged entry is built again, once
        _compile(source, path)
        return ctypes.CDLL(str(path))


def _cached(source: str, name: str) -> Path:
    key = "\n".join([source, *FLAGS, _compiler_version(), " ".join(sorted(_cpu_features()))])
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(folder, os.W_OK):
            raise PermissionError
    except OSError:
        folder = _private_folder()
    return folder / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:32]}.so"


@cache
def _private_folder() -> Path:
    """A folder for this process alone, where the user has no cache folder that may be written."""
    return Path(tempfile.mkdtemp(prefix="loopcell-"))


def _compile(source: str, target: Path) -> None:
    command = compiler()
    if command is None:
        raise BuildError("there is no C compiler: install gcc or clang")
    with tempfile.TemporaryDirectory() as scratch, atomic_write(target) as library:
        text = Path(scratch) / "kernel.c"
        text.write_text(source, encoding="utf-8")
        made = Path(scratch) / "kernel.so"
        result = subprocess.run(  # noqa: S603 - the compiler that the user has, on our own text
            [command, *FLAGS, str(text), "-o", str(made), "-lm"], capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise BuildError(f"{command} refused a generated kernel:\n{result.stderr[:2000]}")
        shutil.copyfile(made, library)
        library.chmod(0o700)


@cache
def _compiler_version() -> str:
    command = compiler()
    if command is None:
        return ""
    result = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    return result.stdout


@cache
def _cpu_features() -> frozenset[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset({platform.machine()})
    found = next((line.partition(":")[2] for line in lines if line.startswith(("flags", "Features"))), "")
    return frozenset(found.split()) | {platform.machine()}
