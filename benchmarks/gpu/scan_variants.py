"""The scan's kernels, as they are compiled for calls."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from itertools import product
from typing import Any

from benchmarks.gpu.compiled import Variant

STEPS = ("step", "row", "unit")
DTYPES = ("fp32", "fp16", "bf16", "fp64")


def scan_variants() -> Iterator[Variant]:
    """Yield every kernel, forward and reverse, with restarts and without, in every dtype."""
    from loopcell.backends.triton.scan import kernels, launch

    for dtype, reverse, restarts in product(DTYPES, (False, True), (False, True)):
        constants = {
            "REVERSE": reverse,
            "RESTARTS": restarts,
            "LANES": launch.MOST_LANES,
            "DOUBLE": dtype == "fp64",
            "coefficient_unit": 1,  # a size or stride of 1 is a constant to Triton
            "offset_unit": 1,
        }
        how = f"{'reverse' if reverse else 'forward'}{', restarts' if restarts else ''}"
        yield _variant(kernels.states_kernel, f"states, {how}", dtype, constants)
        if dtype != "fp64":  # which has no blocks
            yield _variant(kernels.share_kernel, f"share, {how}", dtype, constants)
    yield _variant(kernels.carry_kernel, "carry", "fp32", {"LANES": launch.CARRY_LANES})


def _variant(function: Any, kind: str, dtype: str, constants: dict[str, Any]) -> Variant:
    sums = "fp64" if dtype == "fp64" else "fp32"
    types = dict.fromkeys(("coefficient", "offset", "states"), f"*{dtype}")
    types |= dict.fromkeys(("share", "mantissa", "carry", "first"), f"*{sums}")
    types |= {"restart": "*i32", "exponent": "*i32"}
    types |= {f"{tensor}_{axis}": "i32" for tensor in ("coefficient", "offset") for axis in STEPS}
    constants = {name: value for name, value in constants.items() if name in function.arg_names}
    signature = {name: "constexpr" if name in constants else types.get(name, "i32") for name in function.arg_names}
    loose = {"steps", "blocks", "block_steps", *constants}
    places = (place for place, name in enumerate(function.arg_names) if name not in loose)
    aligned: dict[tuple[int, ...], list[list[Any]]] = {(place,): [["tt.divisibility", 16]] for place in places}
    text = inspect.getsource(sys.modules[function.fn.__module__])
    return Variant("scan", kind, dtype, function, text, signature, constants, {"num_warps": 1}, aligned)
