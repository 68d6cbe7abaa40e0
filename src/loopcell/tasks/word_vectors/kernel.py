"""The learning itself as C, compiled and kept as the cells' kernels are."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.backends.c.toolchain.build import build, vector_bytes
from loopcell.data.stored import StoredArray
from loopcell.tasks.word_vectors.settings import MOST_NEGATIVES
from loopcell.tasks.word_vectors.task import LearningTask, Matrix

_BYTES = 4  # of a float
_LINE = 64  # bytes that come from memory together

_POINTERS = ("rows", "contexts", "first", "parts", "keep", "below", "other")


class _Model(ctypes.Structure):
    """As negative_sampling.c has it."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in _POINTERS),
        *((name, ctypes.c_int32) for name in ("words", "window", "negatives", "cbow")),
    )


class _Walk(ctypes.Structure):
    """The same."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("ids", "offsets", "kept", "inputs")),
        ("random", ctypes.c_uint64),
    )


class Kernel:
    """The compiled way to learn.

    Args:
        task: what is learned; its matrices are copied, and read back with `finish`.
        seeds: one for each worker.

    Raises:
        BuildError: the compiler failed.
    """

    def __init__(self, task: LearningTask, seeds: Sequence[int]) -> None:
        lanes = vector_bytes() // _BYTES
        width = -(-task.rows.shape[1] // lanes)
        self._task = task
        self._library = build(_source(lanes, width), f"word_vectors_{width * lanes}", ["train"])
        self._rows, self._contexts = (_padded(matrix, width * lanes) for matrix in (task.rows, task.contexts))
        arrays = (self._rows, self._contexts, *task.parts, task.keep, *task.noise)
        whole = (len(task.contexts), task.window, task.negatives, task.cbow)
        self._model = _Model(*(array.ctypes.data for array in arrays), *whole)
        self._held = [self._walk(seed) for seed in seeds]

    def learn(self, worker: int, start: int, end: int, rate: float) -> None:
        """Learn from sentences `start` to `end - 1`; the interpreter lock is not held meanwhile."""
        walk = self._held[worker][0]
        whole = ctypes.c_int64(start), ctypes.c_int64(end), ctypes.c_float(rate)
        self._library.train(ctypes.byref(self._model), ctypes.byref(walk), *whole)

    def finish(self) -> None:
        """Bring what was learned into the task's matrices."""
        for own, given in ((self._rows, self._task.rows), (self._contexts, self._task.contexts)):
            given[:] = own[:, : given.shape[1]]

    def _walk(self, seed: int) -> tuple[_Walk, list[Any]]:
        task, sentences = self._task, self._task.sentences
        kept = np.zeros(max(1, int(sentences.lengths.max())), dtype=np.int32)
        inputs = np.zeros(task.parts.most * (2 * task.window if task.cbow else 1), dtype=np.int32)
        values = sentences.values.mapped() if isinstance(sentences.values, StoredArray) else sentences.values
        arrays = [values, sentences.offsets, kept, inputs]
        return _Walk(*(array.ctypes.data for array in arrays), seed), arrays


def _source(lanes: int, width: int) -> str:
    named = {"REAL_IS_DOUBLE": 0, "LANES": lanes, "WIDTH": width, "MOST_NEGATIVES": MOST_NEGATIVES}
    sizes = "".join(f"#define {name} {value}\n" for name, value in named.items())
    headers = files("loopcell.backends.c.codegen") / "headers" / "vectors.h"
    own = files("loopcell.tasks.word_vectors") / "negative_sampling.c"
    return sizes + headers.read_text(encoding="utf-8") + own.read_text(encoding="utf-8")


def _padded(matrix: Matrix, width: int) -> Matrix:
    """Return a copy whose rows are whole vectors, with zeros at their ends, and begin where a line of memory does."""
    count = len(matrix) * width
    room = np.zeros(count + _LINE // _BYTES, dtype=np.float32)
    start = -room.ctypes.data % _LINE // _BYTES
    found: npt.NDArray[np.float32] = room[start : start + count].reshape(len(matrix), width)
    found[:, : matrix.shape[1]] = matrix
    return found
