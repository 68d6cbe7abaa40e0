"""The operator's text: a cell, its tensors and what runs it, so that an exported program is whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from loopcell.backends.c import Kernels
from loopcell.backends.lengths import Lengths
from loopcell.backends.weights import WeightLayout, Weights
from loopcell.equations import Cell
from loopcell.equations.keys import Key
from loopcell.equations.serialise import graph_from_json, graph_to_json
from loopcell.errors import UsageError
from loopcell.runtime import routes
from loopcell.runtime.asked import asked_for, demanded
from loopcell.runtime.kernels import KernelRunner, RunResults
from loopcell.runtime.products import kernel_choice
from loopcell.runtime.programs import Programs, recording


@dataclass(frozen=True, eq=False)
class OperatorSpec:
    """A run of the operator, less its tensors, read from its text.

    Attributes:
        runner: the cell's kernels.
        keys: what the tensors are; behind them come those of the weights.
        layout: where in these each parameter lies.
        products: what numbers are rounded to before they are multiplied, where kernels can do so; None: nothing.
        backend: the one that was demanded; None: the best that there is for the device of the tensors.
    """

    runner: KernelRunner
    keys: tuple[Key, ...]
    layout: WeightLayout
    products: torch.dtype | None
    backend: str | None

    def kernels(self, like: Tensor) -> Kernels | None:
        """Return the compiled loops of C for such tensors; None where they cannot be built, or another path runs."""
        if "c" not in self._backends(like.device):
            return None
        return self.runner.kernels(like.dtype, kernel_choice(like.dtype, self.products))

    def demand_the_same(self, device: torch.device) -> None:
        """Refuse to run where a back end is demanded that the program was not made for.

        Raises:
            UsageError: which one it was made for.
        """
        name, mine = demanded(), self._backends(device)
        if name is not None and name not in mine:
            raise UsageError(
                f'backend("{name}") is demanded, and this program was compiled or exported for {" or ".join(mine)}; '
                "compile or export it again inside of the block"
            )

    def _backends(self, device: torch.device) -> tuple[str, ...]:
        """Return the back ends that the program was made for, on a device."""
        return (self.backend,) if self.backend else routes.of_device(device)

    def run(self, tensors: Sequence[Tensor], rows: Lengths) -> RunResults:
        """Run where C does not: on another back end, differentiable once, or as PyTorch operations.

        Raises:
            UsageError: a back end is demanded, and cannot run.
        """
        leaves, weights = self.split(tensors)
        # Loop invariants are made for C; another path computes them from the other tensors.
        leaves = {key: tensor for key, tensor in leaves.items() if key.kind != "hoisted"}
        return routes.run_elsewhere(self.backend, self.runner, leaves, weights, rows)

    def split(self, tensors: Sequence[Tensor]) -> tuple[dict[Key, Tensor], Weights]:
        """Return the tensors by key, and the parameters."""
        count = len(self.keys)
        return dict(zip(self.keys, tensors[:count], strict=True)), Weights(tuple(tensors[count:]), self.layout)


_RUNNERS: WeakValueDictionary[str, KernelRunner] = WeakValueDictionary()
"""The cells of the networks that are alive; what a program names beyond these is read from its text."""


def name_of(cell: Cell, runner: KernelRunner, record: tuple[str, ...], *, training: bool) -> str:
    """Return the text by which the operator knows a cell: all of it, so that an exported program is whole."""
    described = {
        "graph": graph_to_json(cell.graph),
        "training": training,
        "record": record,
        "sizes": dict(runner.sizes),
    }
    text = json.dumps(described)
    _RUNNERS.setdefault(text, runner)
    return text


def describe(cell: str, keys: Iterable[str], layout: str, products: torch.dtype | None, backend: str) -> str:
    """Return the operator's text: the cell, what the tensors are, where in them the parameters lie, and what is asked.

    It asks for products in bfloat16, for a back end that was demanded, or for nothing; what a machine can do is seen
    where the operator runs. Programs that were exported hold this text, so its form stays; and torch.compile traces
    through here, so that all pieces come as text.
    """
    asked = " ".join(filter(None, ["bfloat16" if products == torch.bfloat16 else "", backend]))
    return "\n".join([cell, ",".join(keys), layout, asked])


def demanded_elsewhere() -> str:
    """Return the back end that is demanded here and now, where it is not C; "" where none is."""
    # C runs unless the text names another one: earlier programs hold no name, and kernels have refused already.
    name = asked_for()
    return name if name in ("native", "triton") else ""


# The compiler asks once; see `backend_of_operator`.
demanded_elsewhere._dynamo_marked_constant = True  # type: ignore[attr-defined]  # noqa: SLF001


def backend_of_operator(cell: str, device: torch.device, dtype: torch.dtype, *, resets: bool) -> str:
    """Return what runs in the operator's place, where torch.compile or torch.export reads a network; or "reference".

    Args:
        cell: the text by which the operator knows it.
        device: of the tensors.
        dtype: of the tensors.
        resets: rows start afresh.

    Raises:
        UsageError: a back end is demanded, and cannot run.
    """
    return routes.of_cell(device, dtype, _RUNNERS.get(cell) or _read(cell), resets=resets)


# The compiler asks once. torch.compiler.assume_constant_result does just this, and imports the whole compiler for it.
backend_of_operator._dynamo_marked_constant = True  # type: ignore[attr-defined]  # noqa: SLF001


@lru_cache(maxsize=256)
def spec_of(text: str) -> OperatorSpec:
    """Read what `describe` wrote."""
    cell, keys, layout, asked = text.split("\n")
    runner = _RUNNERS.get(cell) or _read(cell)
    parsed = tuple(map(Key.parse, keys.split(",")))
    words = asked.split()
    products = torch.bfloat16 if "bfloat16" in words else None
    backend = next((word for word in words if word in ("native", "triton")), None)
    return OperatorSpec(runner, parsed, WeightLayout.parse(layout), products, backend)


def _read(text: str) -> KernelRunner:
    """Make ready a cell that another process has named."""
    described = json.loads(text)
    graph = graph_from_json(described["graph"])
    record = tuple(described["record"])
    programs = Programs.of(recording(graph, record), training=bool(described["training"]))
    return KernelRunner(programs, {str(name): int(size) for name, size in described["sizes"].items()})
