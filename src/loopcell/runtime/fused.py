"""Calling a cell's kernels on tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from loopcell.backends.c import Call, KernelRows, Kernels, Recipe, plain
from loopcell.backends.c.toolchain.threads import granted
from loopcell.backends.weights import Weights
from loopcell.runtime.programs import Programs, kernels_of
from loopcell.runtime.rows import Rows

_MOST_RECIPES = 64
_MOST_WORK_ALONE = 200_000
"""Multiplications below which waking a second thread costs more than it gives."""


class FusedCaller:
    """A cell's kernels with known sizes.

    Args:
        programs: the cell.
        sizes: every size by name.
    """

    def __init__(self, programs: Programs, sizes: Mapping[str, int]) -> None:
        self.programs = programs
        self.sizes = sizes
        self._recipes: dict[object, Recipe] = {}
        self._calls: dict[tuple[Recipe, int, int, int], Call] = {}
        shapes = programs.fused.core.parameters.values()
        self._multiplications = sum(math.prod(sizes[size] for size in shape) for shape in shapes if len(shape) > 1)

    def kernels(self, dtype: torch.dtype) -> Kernels | None:
        """Return the compiled loops; None where they cannot be built."""
        return kernels_of(self.programs, dtype)

    def call(
        self, kernels: Kernels, leaves: dict[str, Tensor], weights: Weights, rows: Rows
    ) -> tuple[Call, list[Tensor]]:
        """Return what to run, and on which tensors.

        Args:
            kernels: what `kernels` returned.
            leaves: the input, the states, the draws, by key; the input first.
            weights: the parameters.
            rows: lengths and resets.
        """
        if self.programs.once is not None:
            leaves = {**leaves, **self.programs.held(leaves, weights, self.sizes)}
        recipe = self._recipe(kernels, tuple(leaves), weights)
        tensors = [plain(tensor) for tensor in (*leaves.values(), *weights.bases)]
        batch = tensors[0].shape[1]
        threads = 1
        if batch > 1 and rows.steps * batch * self._multiplications > _MOST_WORK_ALONE:
            threads = granted(min(torch.get_num_threads(), batch))
        order, reset = rows.order, rows.plain_reset
        if order is None and reset is None:
            return self._plain_call(recipe, rows.steps, batch, threads), tensors
        if order is None:
            told = KernelRows(rows.steps, batch, None, None, None, reset, threads)
            return Call(recipe, told, rows, None, rows.steps * batch), tensors
        told = KernelRows(rows.steps, batch, order.rows, order.length, order.first, reset, threads)
        return Call(recipe, told, rows, order.index, order.index.shape[0]), tensors

    def _plain_call(self, recipe: Recipe, steps: int, batch: int, threads: int) -> Call:
        """Return what to run where no row ends early or starts afresh: the same at every such call."""
        key = (recipe, steps, batch, threads)
        call = self._calls.get(key)
        if call is None:
            told = KernelRows(steps, batch, None, None, None, None, threads)
            if len(self._calls) > _MOST_RECIPES:
                self._calls.clear()
            call = self._calls.setdefault(key, Call(recipe, told, Rows(steps), None, steps * batch))
        return call

    def _recipe(self, kernels: Kernels, keys: tuple[str, ...], weights: Weights) -> Recipe:
        """Return how to call kernels on such tensors, made once."""
        key = (kernels, keys, id(weights.parts))
        recipe = self._recipes.get(key)
        if recipe is None or recipe.parts is not weights.parts:  # an id may be taken again by another mapping
            reference = self.programs.reference
            recipe = Recipe(kernels, reference, keys, weights.parts, weights.bases, self.sizes)
            if len(self._recipes) > _MOST_RECIPES:
                self._recipes.clear()
            self._recipes[key] = recipe
        return recipe
