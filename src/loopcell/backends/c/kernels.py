"""Kernels: a program's loop and reverse loop as one compiled library, and calling it on tensors."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from loopcell.backends.c.build import build, vector_bytes
from loopcell.backends.c.emit import emit, forward, products_needed, reverse
from loopcell.backends.c.layout import Layout, Pack
from loopcell.equations.names import ascii_name
from loopcell.equations.printing import text
from loopcell.errors import LoopcellError
from loopcell.passes.program import Program

Values = Mapping[str, Tensor | int]
"""Tensors and sizes by key; results to be written have "=" before the key."""

_BYTES = {torch.float32: 4, torch.float64: 8}
HEADERS = ("vectors", "functions", "products", "rows")
"""What every kernel begins with, in this order; the files lie in headers/."""
_MOST_WORK_ALONE = 200_000
"""Multiplications below which waking a second thread costs more than it gives."""


class Kernels:
    """A program's loops in C, for one dtype.

    Attributes:
        program: what is run.
        dtype: torch.float32 or torch.float64.
        source: the generated text, without the skeleton.
        back: the reverse step, each value stored once.
        alias: results of the reverse step that are another one's: {key: the other's key}.
    """

    def __init__(self, program: Program, dtype: torch.dtype) -> None:
        self.program = program
        self.dtype = dtype
        self.lanes = vector_bytes() // _BYTES[dtype]
        registers = 24 if vector_bytes() == 64 else 12
        back, self.alias = _deduplicated(program)
        self.layouts = {
            "forward": Layout(program.loop, registers),
            "forward_and_keep": Layout(program.loop_and_keep(), registers),
            "reverse": Layout(back, registers),
        }
        self.back = back
        self.added = frozenset(key for key in back.results if _is_added(key, program.varying))
        self.source = self._emit()
        self._library = build(self.text(), ascii_name(program.cell.name)[:60])

    def text(self) -> str:
        """Return the whole C file: definitions, the skeleton, and the loops."""
        return self._defines() + _skeleton() + self.source

    def call(self, name: str, values: Values, masks: tuple[Tensor | None, Tensor | None], steps: int) -> None:
        """Run one of the loops.

        Args:
            name: "forward", "forward_and_keep" or "reverse".
            values: every tensor of the loop's layout, and "parameter.NAME" for the packed ones.
            masks: lengths int64 [B] and resets bool [T, B], or None.
            steps: T.

        Raises:
            LoopcellError: memory ran out.
        """
        layout = self.layouts[name]
        tensors = [_tensor(values[key]) for key in layout.tensors]
        packs = [self._pack(pack, values) for pack in layout.packs]
        sizes = [int(values[f"size.{size}"]) for size in layout.sizes]
        lengths, reset = masks
        batch = _tensor(values[f"=state.{self.program.loop.states[0]}"]).shape[1]
        work = steps * batch * sum(pack.numel() for pack in packs)
        threads = min(torch.get_num_threads(), batch) if work > _MOST_WORK_ALONE and _parallel() else 1
        strides = [
            stride for key, tensor in zip(layout.tensors, tensors, strict=True) for stride in self._strides(key, tensor)
        ]
        arguments = _Arguments(
            parallel=_parallel(),
            threads=threads,
            T=steps,
            B=batch,
            size=_array(sizes),
            at=_array([tensor.data_ptr() for tensor in [*tensors, *packs]]),
            stride=_array(strides),
            reset=reset.data_ptr() if reset is not None else None,
            length=lengths.data_ptr() if lengths is not None else None,
            slots=self._slots(values),
        )
        self._library[name](ctypes.byref(arguments))
        if arguments.failed:
            raise LoopcellError("there is not enough memory to run this network")

    def _slots(self, values: Values) -> int:
        return _tensor(values[f"=state.{self.program.loop.states[0]}"]).shape[0]

    def _strides(self, key: str, tensor: Tensor) -> tuple[int, int]:
        """Return the elements from step to step and from row to row; 0 where the value is the same."""
        if key.lstrip("=") in self.added and key.startswith("="):
            return 0, tensor.stride(0)
        if tensor.dim() == 3:
            return tensor.stride(0) * (tensor.shape[0] > 1), tensor.stride(1) * (tensor.shape[1] > 1)
        return 0, tensor.stride(0) * (tensor.shape[0] > 1) if tensor.dim() == 2 else 0

    def _pack(self, pack: Pack, values: Values) -> Tensor:
        """Return a contraction's weights in the kernel's order.

        Done anew at every call: a write through `parameter.data` leaves no trace by which a kept pack could be known
        to be old, and old weights would be silently wrong results.
        """
        names = [parameter for _, parameters in pack.contraction.segments for parameter in parameters]
        return self._arranged(pack, [_tensor(values[f"parameter.{parameter}"]) for parameter in names])

    def _arranged(self, pack: Pack, matrices: list[Tensor]) -> Tensor:
        """Arrange weights as [blocks of units, K, G, N, lanes], zeros past the last unit."""
        with torch.no_grad():
            if pack.contraction.transposed:
                stacked = torch.cat([matrix.detach() for matrix in matrices]).unsqueeze(0)  # [1, K, n]
            else:
                stacked = torch.stack([matrix.detach().T for matrix in matrices])  # [G, K, n]
            gates, depth, units = stacked.shape
            width = pack.blocking.neighbours * self.lanes
            blocks = -(-units // width)
            padded = torch.nn.functional.pad(stacked, (0, blocks * width - units))
            shaped = padded.reshape(gates, depth, blocks, pack.blocking.neighbours, self.lanes)
            return shaped.permute(2, 1, 0, 3, 4).contiguous()

    def _emit(self) -> str:
        kernels = [
            emit(self.layouts["forward"], forward("forward")),
            emit(self.layouts["forward_and_keep"], forward("forward_and_keep")),
            emit(self.layouts["reverse"], reverse("reverse", self.added)),
        ]
        shapes = products_needed(list(self.layouts.values()))
        products = "\n".join(f"PRODUCT({vectors}, {rows})" for vectors, rows in shapes)
        return "\n".join(["", _comment(self.program), products, "", *kernels])

    def _defines(self) -> str:
        double = int(self.dtype == torch.float64)
        return f"#define REAL_IS_DOUBLE {double}\n#define LANES {self.lanes}\n"


class _Arguments(ctypes.Structure):
    """The struct `arguments` of the skeleton."""

    _fields_ = (
        ("parallel", ctypes.c_void_p),
        ("threads", ctypes.c_int64),
        ("T", ctypes.c_int64),
        ("B", ctypes.c_int64),
        ("size", ctypes.POINTER(ctypes.c_int64)),
        ("at", ctypes.POINTER(ctypes.c_int64)),
        ("stride", ctypes.POINTER(ctypes.c_int64)),
        ("reset", ctypes.c_void_p),
        ("length", ctypes.c_void_p),
        ("slots", ctypes.c_int64),
        ("next", ctypes.c_int64),
        ("failed", ctypes.c_int64),
    )


def _array(numbers: Sequence[int]) -> Any:
    return (ctypes.c_int64 * max(1, len(numbers)))(*numbers)


def _tensor(value: Tensor | int) -> Tensor:
    assert isinstance(value, Tensor)  # sizes are the only values that are not tensors
    return value


def _deduplicated(program: Program) -> tuple[Any, dict[str, str]]:
    """Return the reverse step with each value stored once, and which results share a store."""
    graph = program.backward.graph
    apart = {key: i for key, i in graph.results.items() if key.startswith("state.") or _is_added(key, program.varying)}
    first: dict[int, str] = {}
    for key, index in graph.results.items():
        if key not in apart:
            first.setdefault(index, key)
    alias = {key: first[i] for key, i in graph.results.items() if key not in apart and first[i] != key}
    results = apart | {key: index for index, key in first.items()}
    return replace(graph, results=results), alias


def _is_added(key: str, varying: frozenset[str]) -> bool:
    """Say whether a gradient belongs to what holds still, and so is summed over the steps."""
    kind, _, name = key.partition(".")
    return kind == "parameter" or (kind == "hoisted" and name not in varying)


def _comment(program: Program) -> str:
    """Return the equations as a C comment; a cell's name is free text, and must not be able to end it."""
    lines = [ascii_name(program.cell.name), "", *text(program.cell).replace("*/", "* /").splitlines()]
    return "\n".join(["/*", *(f" * {line}".rstrip() for line in lines), " */"])


@cache
def _skeleton() -> str:
    folder = Path(__file__).parent / "headers"
    return "\n".join((folder / f"{name}.h").read_text(encoding="utf-8") for name in HEADERS)


@cache
def _parallel() -> int | None:
    """Return the entry of the thread pool that torch itself uses: one pool, and torch.set_num_threads holds."""
    for path in sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*")):
        try:
            return ctypes.cast(ctypes.CDLL(str(path)).GOMP_parallel, ctypes.c_void_p).value
        except (OSError, AttributeError):
            continue
    return None
