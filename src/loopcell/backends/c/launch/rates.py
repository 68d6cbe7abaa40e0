"""Rates: how fast this machine multiplies, in each form that kernels may take; measured once, kept beside the kernels.

What an instruction is called says little: the dot product of pairs in bfloat16 has twice the rate of float32 on one CPU
and half of it on another. So the products of the kernels themselves run for some milliseconds, in turns, on one thread.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import math
import platform
import stat
import time
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path

import torch

from loopcell.backends.c.codegen.layout import Factors
from loopcell.backends.c.launch.library import TILE_LANES, beginning
from loopcell.backends.c.toolchain import cache as library_cache, tile_permission
from loopcell.backends.c.toolchain.build import build
from loopcell.backends.c.toolchain.target import Target
from loopcell.errors import LoopcellError
from loopcell.files import atomic_write

_FORM = 1
"""Of the file; another form, or another way to measure, has another number."""
_MOST_BYTES = 4096
_DEPTH, _VECTORS, _ROWS, _GROUP = 256, 4, 30, 6
_TIMES, _ROUNDS = 8, 12

# Rows as kernels take them: six and six with vectors, up to 32 on tiles.
_VECTOR_LOOP = f"""
PRODUCT({_VECTORS}, {_GROUP}, {_VECTORS})
void rate(const factor *w, const factor *a, int64_t K, vec *out, int64_t times) {{
    for (; times > 0; times--)
        for (int r = 0; r < {_ROWS}; r += {_GROUP}) {{
            const factor *rows[{_GROUP}];
            for (int i = 0; i < {_GROUP}; i++) rows[i] = a + (r + i) * OPERAND(K);
            product_{_VECTORS}_{_GROUP}(w, rows, K, out + r * {_VECTORS});
        }}
}}
"""
_TILE_LOOP = f"""
void rate(const factor *w, const factor *a, int64_t K, vec *out, int64_t times) {{
    tiles_begin();
    for (; times > 0; times--) tile_products({_ROWS}, {_VECTORS}, w, a, K, out, 0);
    tiles_end();
}}
"""


@dataclass(frozen=True)
class MultiplyRates:
    """Multiplications and additions of one thread, in 1e9 a second; None of what this machine has not.

    Attributes:
        fp32: of float32 vectors.
        dot: of pairs in bfloat16 (AVX512-BF16).
        amx: of tiles in bfloat16.
    """

    fp32: float
    dot: float | None
    amx: float | None


@cache
def rates(chosen: Target) -> MultiplyRates:
    """Return what was measured here, by this process or an earlier one.

    Raises:
        BuildError: the compiler refuses the products.
    """
    permitted = chosen.amx and tile_permission.granted()
    made_from = _made_from(chosen, permitted=permitted)
    path = library_cache.folder() / f"rates-{made_from}.json"
    found = _read(path, made_from)
    if found is None:
        fp32, dot, amx = _measured(chosen.bf16, permitted)
        assert fp32 is not None  # every machine multiplies float32
        found = MultiplyRates(fp32, dot, amx)
        _write(path, made_from, found)
    return found


def _made_from(chosen: Target, *, permitted: bool) -> str:
    """Return a hash over what the rates depend on: the CPU, the compiler and its flags, and the products' text."""
    text = "\0".join([_cpu(), str(chosen), chosen.identity, str(permitted), str(_FORM), *map(_text, _FORMS)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


_CPU_FIELDS = frozenset(
    ("vendor_id", "cpu family", "model", "model name", "stepping", "microcode", "flags", "CPU part", "Features")
)


def _cpu() -> str:
    """Return what tells one kind of CPU from another, virtual ones included."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n", 1)[0].splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    return "\n".join(line for line in lines if line.partition(":")[0].strip() in _CPU_FIELDS)


_FORMS = (Factors.FULL, Factors.PAIRS, Factors.TILES)


def _text(factors: Factors) -> str:
    """Return the C that is timed."""
    loop = _TILE_LOOP if factors.on_tiles else _VECTOR_LOOP
    return f"{beginning(torch.float32, TILE_LANES, factors)}{loop}"


def _measured(dot: bool, amx: bool) -> list[float | None]:
    """Return the rates of `MultiplyRates`, in order: the best of some rounds, in which all take turns."""
    wanted = [factors for factors, there in zip(_FORMS, (True, dot, amx), strict=True) if there]
    functions = {factors: build(_text(factors), "rates", ["rate"]).rate for factors in wanted}
    # As many numbers as the widest form reads; zeros are multiplied as fast as others.
    weights, operands = torch.zeros(_DEPTH * _VECTORS * TILE_LANES), torch.zeros((_ROWS + 32) * _DEPTH)
    sums = torch.zeros(32 * _VECTORS * TILE_LANES)
    addresses = [ctypes.c_void_p(tensor.data_ptr()) for tensor in (weights, operands)]
    given = (*addresses, ctypes.c_int64(_DEPTH), ctypes.c_void_p(sums.data_ptr()), ctypes.c_int64(_TIMES))
    best = dict.fromkeys(wanted, math.inf)
    for _ in range(_ROUNDS):
        for factors, function in functions.items():
            start = time.perf_counter()
            function(*given)
            best[factors] = min(best[factors], time.perf_counter() - start)
    work = _TIMES * _ROWS * _VECTORS * TILE_LANES * _DEPTH / 1e9
    return [round(work / best[factors], 2) if factors in best else None for factors in _FORMS]


def _read(path: Path, made_from: str) -> MultiplyRates | None:
    """Return what an earlier process has kept; None where that is not there, or not what one would have written."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    names = [field.name for field in fields(MultiplyRates)]
    if not isinstance(content, dict) or content.get("made_from") != made_from or {*content} != {"made_from", *names}:
        return None
    numbers = [content[name] for name in names]
    if not all(number is None or _is_rate(number) for number in numbers) or numbers[0] is None:
        return None
    return MultiplyRates(*numbers)


def _is_rate(number: object) -> bool:
    return isinstance(number, float) and math.isfinite(number) and number > 0


def _write(path: Path, made_from: str, found: MultiplyRates) -> None:
    """Keep the rates for later processes, where that can be."""
    try:
        if path.is_symlink():  # which would be followed
            path.unlink()
        with atomic_write(path, mode=0o644) as temporary:
            temporary.write_text(json.dumps({"made_from": made_from, **asdict(found)}) + "\n", encoding="utf-8")
    except (OSError, LoopcellError):  # the next process measures again: it takes milliseconds
        return
