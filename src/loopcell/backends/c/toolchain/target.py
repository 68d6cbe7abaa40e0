"""Target: a compiler, its flags and the vectors that they allow; what kernels are built with.

Three variables of the environment choose another than the machine's own:

    LOOPCELL_TARGET   native (what this CPU has; the default), avx512, avx2 or plain (what every such CPU has)
    CC                the compiler, as a shell reads it: "clang-18", "ccache gcc"
    LOOPCELL_CFLAGS   flags after ours: "-O2 -g"

Nothing here looks at the CPU: the compiler is asked for the macros that it predefines under the flags, which say what
"native" means on every system, and also where flags take something away (-mno-avx512f).
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from loopcell.backends.c.toolchain import cache as library_cache
from loopcell.errors import UsageError, quoted

ADVICE = "`pip install loopcell[compiler]` brings one, or install gcc or clang"
"""What to do about a missing compiler."""

# Products are fused with sums only where the C says so (mul_add in headers/vectors.h), not where a compiler sees fit.
# Loops over vectors are written as such. Looking for more of them took GCC 5 to 8 times as long as all the rest, for
# code that runs no faster.
FLAGS = (
    *("-std=gnu11", "-O2", "-fno-tree-vectorize", "-fPIC"),
    *("-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off"),
)

# What each target may be spelled like; a compiler takes the first that it understands. Zig's default is native, so it
# has to be told to be plain; GCC and Clang do not know that word, and are plain by themselves.
_ARM = platform.machine().lower() in ("aarch64", "arm64")
_NATIVE = (("-mcpu=native",), ("-march=native",)) if _ARM else (("-march=native",), ("-mcpu=native",))
_AVX2 = ("-mavx2", "-mfma", "-mf16c", "-mbmi", "-mbmi2")
TARGETS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "native": (*_NATIVE, ()),
    "avx512": ((*_AVX2, "-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl"),),
    "avx2": (_AVX2,),
    "plain": (("-mcpu=baseline",), ()),
}

# The headers of the kernels: a compiler without a C library is none.
_PROBE = "#include <math.h>\n#include <stdint.h>\n#include <stdlib.h>\n#include <string.h>\n"
_PROBE_SECONDS = 60
_VECTORS = {"__AVX512F__": 64, "__AVX2__": 32}
_ANY_VECTOR = 16


@dataclass(frozen=True)
class Target:
    """The compiler, flags and vector width that kernels are built with.

    Attributes:
        command: the compiler: its path, and words that come before any flag.
        flags: those of every kernel.
        vector_bytes: the widest vectors that the flags allow.
        bf16: whether there is an instruction for products of bfloat16.
        amx: whether there are instructions for products of tiles of bfloat16; a process has to ask before it uses them.
        identity: what its output depends on: every macro that the compiler and the C library's headers define, among
            them __VERSION__ and those of the CPU's features; and the program's size and date, which a rebuild of the
            same version changes (`--version` would say less, and takes another process).
    """

    command: tuple[str, ...]
    flags: tuple[str, ...]
    vector_bytes: int
    bf16: bool
    amx: bool
    identity: str

    def __str__(self) -> str:
        return shlex.join([*self.command, *self.flags])


def target() -> Target | None:
    """Return what kernels are built with, as the environment has it now; None where there is no compiler.

    Raises:
        UsageError: LOOPCELL_TARGET names none, or one that this machine or the compiler cannot have; the compiler
            refuses LOOPCELL_CFLAGS; a quote in that or in CC is not closed.
    """
    name = os.environ.get("LOOPCELL_TARGET", "") or "native"
    if name not in TARGETS:
        raise UsageError(f"LOOPCELL_TARGET names {name!r}; there are {', '.join(TARGETS)}")
    _words("CC")  # it is read as a shell reads it, or not at all
    asked = (os.environ.get("CC", ""), os.environ.get("PATH", ""))
    return _chosen(name, _words("LOOPCELL_CFLAGS"), *asked)


def compiler() -> str | None:
    """Return the C compiler's command, or None where there is none."""
    found = target()
    return None if found is None else shlex.join(found.command)


def vector_bytes() -> int:
    """Return the width of the widest vectors that kernels may use."""
    found = target()
    return _ANY_VECTOR if found is None else found.vector_bytes


def has_bf16() -> bool:
    """Say whether kernels may multiply numbers in bfloat16."""
    found = target()
    return found is not None and found.bf16


def run(command: tuple[str, ...], given: str = "", seconds: int = _PROBE_SECONDS) -> subprocess.CompletedProcess[str]:
    """Run a compiler, which never waits for us or for ever.

    Zig keeps what it has built of its C library, 50 MB, and runs in circles where it cannot: it gets a folder of ours.

    Raises:
        OSError, subprocess.TimeoutExpired: it cannot be run, or does not end.
    """
    folder = str(library_cache.folder() / "zig")
    environment = {"ZIG_GLOBAL_CACHE_DIR": folder, "ZIG_LOCAL_CACHE_DIR": folder} | os.environ
    return subprocess.run(  # noqa: S603 - the compiler that the user has, on our own text
        command,
        input=given,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=seconds,
        env=environment,
    )


@cache
def _chosen(name: str, further: tuple[str, ...], cc: str, path: str) -> Target | None:  # noqa: ARG001
    """Return the compiler and its flags, once a PATH: the answer depends on it, so it is the cache's key."""
    natives = (_probed(command, "native", further) for command in _commands(cc))
    native = next(filter(None, natives), None)
    if native is None and further:
        _demand_accepted(further, cc)
    if cc and (native is None or native.command != _resolved(cc)):
        instead = "" if native is None else f"; {shlex.join(native.command)} takes its place"
        sentence = f"CC names {cc!r}, which is not there or does not compile as gcc and clang do{instead}"
        warnings.warn(sentence, stacklevel=3)
    if native is None or name == "native":
        return native
    found = _probed(native.command, name, further)
    if found is None or found.vector_bytes > native.vector_bytes:
        cannot = "cannot build for" if found is None else "can build for, and this CPU cannot run"
        raise UsageError(f"LOOPCELL_TARGET names {name!r}, which {shlex.join(native.command)} {cannot}")
    return found


def _demand_accepted(further: tuple[str, ...], cc: str) -> None:
    """Refuse flags of the user without which there would be a compiler; UsageError says what it has against them."""
    for command in _commands(cc):
        found = _probed(command, "native", ())
        if found is not None:
            said = run((*command, *found.flags, *further, "-dM", "-E", "-x", "c", "-"), _PROBE).stderr.strip()
            reason = next(iter(said.splitlines()), "it gives no reason")
            flags = os.environ.get("LOOPCELL_CFLAGS", "")
            raise UsageError(f"LOOPCELL_CFLAGS says {quoted(flags)}, which {command[0]} refuses: {reason}")


def _commands(cc: str) -> Iterator[tuple[str, ...]]:
    """Yield every compiler there may be, best first: the user's, the system's, the one that comes as a wheel."""
    # Windows: GCC's stack is not aligned for wide vectors there, so only what the user names, and Zig's Clang.
    system = () if os.name == "nt" or _only_asks_for_xcode() else ("cc", "gcc", "clang")
    for named in (cc, *system):
        if words := _resolved(named):
            yield words
    wheel = importlib.util.find_spec("ziglang")
    for folder in (wheel.submodule_search_locations or ()) if wheel else ():
        zig = shutil.which(str(Path(folder) / "zig"))
        if zig:
            yield (zig, "cc")


def _resolved(named: str) -> tuple[str, ...]:
    """Return the words of a command, the first one as a path; nothing where there is no such program."""
    words = shlex.split(named, posix=os.name != "nt")
    found = shutil.which(words[0]) if words else None
    return (found, *words[1:]) if found else ()


def _only_asks_for_xcode() -> bool:
    """Say whether this is a Mac whose /usr/bin/cc would open a window that offers to install the real one."""
    if sys.platform != "darwin" or shutil.which("cc") != "/usr/bin/cc":
        return False
    return subprocess.run(["/usr/bin/xcode-select", "-p"], capture_output=True, check=False).returncode != 0


def _probed(command: tuple[str, ...], name: str, further: tuple[str, ...]) -> Target | None:
    for spelling in TARGETS[name]:
        flags = (*FLAGS, *spelling, *further)
        try:
            macros = run((*command, *flags, "-dM", "-E", "-x", "c", "-"), _PROBE)
            build = Path(command[0]).stat()
        except (OSError, subprocess.SubprocessError):
            return None
        defined = {words[1] for words in map(str.split, macros.stdout.splitlines()) if len(words) > 1}
        if macros.returncode == 0 and "__VERSION__" in defined:
            width = next((width for macro, width in _VECTORS.items() if macro in defined), _ANY_VECTOR)
            bf16, amx = "__AVX512BF16__" in defined, {"__AMX_TILE__", "__AMX_BF16__"} <= defined
            return Target(command, flags, width, bf16, amx, f"{build.st_size} {build.st_mtime_ns}\n{macros.stdout}")
    return None


def _words(variable: str) -> tuple[str, ...]:
    """Return the words of a variable of the environment; UsageError where a quote in it is not closed."""
    text = os.environ.get(variable, "")
    try:
        return tuple(shlex.split(text, posix=variable != "CC" or os.name != "nt"))
    except ValueError as error:
        raise UsageError(
            f"{variable} says {quoted(text)}, which cannot be read as a shell reads it ({error}); close the quote"
        ) from None
