"""Data as a job: any estimator, trained with each cell, and scored on what it holds out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from loopcell.comparison.budget import own_sizes
from loopcell.comparison.contents import arguments_of, content_hash, data_arguments, shown_arguments
from loopcell.comparison.gradients import norms_back
from loopcell.comparison.results import ComparedRun
from loopcell.equations import Cell
from loopcell.errors import InputError
from loopcell.insight.capture import LayersCall
from loopcell.layers.stack import Stack
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.core.verdict import MODEL, headline

LOOK_AT = 32
"""Sequences over which the gradient is taken."""
LETTERS = 4_000
"""Of a text, over which the gradient of a language model is taken."""
NOTHING_HELD_OUT = (
    "cells are compared by what is held out, and nothing is; try validation_fraction=..., or validation=..."
)
PER_RUN = ("cell", "hidden_size", "sizes", "random_state", "progress", "warm_start", "callbacks")
"""Arguments of an estimator that are set for each run, or say nothing of what is learned."""


@dataclass(kw_only=True, eq=False)
class OnData:
    """An estimator and its data, as a job to compare cells on.

    `score_held_out` decides, as after `loopcell train`: the part that `fit` holds out of the data by the seed, the same
    for every cell, or `validation`. The best weights are chosen by the same part, so that the scores are a little
    better than on new data, for every cell alike.

    Args:
        estimator: with its arguments, not fitted; `cell` and `random_state` are those of each run.
        examples: what its `fit` takes by position: (X, y), or (texts,), or (table,).
        validation: what its `fit` takes as `validation`; None holds out a part.
        data: where the data come from, in words.

    Raises:
        InputError: nothing is held out.
    """

    estimator: Any
    examples: tuple[Any, ...]
    validation: Any = None
    data: str = ""
    solved: None = None

    def __post_init__(self) -> None:
        if self.validation is None and self.estimator.validation_fraction == 0:
            raise InputError(NOTHING_HELD_OUT)

    @property
    def name(self) -> str:
        """The task of the estimator."""
        return str(self.estimator.task)

    @property
    def hidden_size(self) -> int:
        """H, of the estimator."""
        return int(self.estimator.hidden_size)

    @property
    def sizes(self) -> Mapping[str, int] | None:
        """Further sizes, of the estimator."""
        found: Mapping[str, int] | None = self.estimator.sizes
        return found

    @property
    def tried(self) -> tuple[None]:
        """No distance."""
        return (None,)

    def contents(self) -> str:
        """Return a hash of the examples, of those of the validation, and of arguments that are data: word vectors."""
        data = data_arguments(arguments_of(self.estimator, PER_RUN))
        return content_hash(self.examples, self.validation, data)

    def shared(self) -> dict[str, Any]:
        """Return the arguments of the estimator that all cells share."""
        return {"hidden_size": self.hidden_size, **shown_arguments(arguments_of(self.estimator, PER_RUN))}

    def train(self, cell: Cell, hidden_size: int, seed: int, distance: int | None) -> ComparedRun:
        """Train the estimator once with a cell, and score it on what it held out.

        Raises:
            InputError: nothing was held out.
        """
        arguments = {**self.estimator.get_params(), "cell": cell, "hidden_size": hidden_size, "random_state": seed}
        arguments["sizes"] = own_sizes(cell, self.sizes or {}) or None
        estimator = type(self.estimator)(**arguments)
        estimator.fit(*self.examples, validation=self.validation)
        with first_call(estimator.network_) as calls:
            table = estimator.score_held_out(*self.examples, validation=self.validation)
            if table is None:
                raise InputError(NOTHING_HELD_OUT)
            if not calls:  # a language model is scored at the end of its training
                estimator.score(_beginning(self.examples[0]))
        return _run(estimator, table, calls[0], seed)


@contextmanager
def first_call(network: nn.Module) -> Iterator[list[LayersCall]]:
    """Keep the first call of a network's recurrent layers within the block, with copies of its tensors."""
    calls: list[LayersCall] = []

    def keep(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any], result: object) -> None:
        if not calls:
            assert isinstance(module, Stack)  # it is hooked to nothing else
            calls.append(LayersCall.of(module, given, named, result).copied())

    stacks = [module for module in network.modules() if isinstance(module, Stack)]
    handles = [module.register_forward_hook(keep, with_kwargs=True) for module in stacks]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _run(estimator: Any, table: ScoreTable, call: LayersCall, seed: int) -> ComparedRun:
    metric = headline(table.rows)
    layers, position = call.layers, estimator.outcome_.position
    return ComparedRun(
        cell=layers.cell.name,
        seed=seed,
        distance=None,
        metric=metric,
        score=round(float(table.model[metric]), 6),
        solved=None,
        updates=position.update,
        seconds=round(position.seconds, 2),
        hidden_size=layers.hidden_size,
        parameters=sum(parameter.numel() for parameter in layers.parameters()),
        start="as torch.nn" if getattr(estimator, "chrono", None) is None else "chrono",
        shape=_shape(estimator, call.layers, len(call.x) if not call.layers.batch_first else call.x.shape[1]),
        gradient={"end": _gradient(call)},
        baselines={name: row[metric] for name, row in table.rows.items() if name != MODEL and metric in row},
    )


def _shape(estimator: Any, layers: Stack, steps: int) -> dict[str, Any]:
    """Return the shape of the layers, and of a batch of the training: texts are read in chunks."""
    found = {"input_size": layers.input_size, "num_layers": layers.num_layers, "bidirectional": layers.bidirectional}
    return {**found, "steps": getattr(estimator, "chunk", steps), "batch": estimator.pace_.batch_size}


def _beginning(texts: Any) -> str:
    """Return the first letters of the first text: a text, a path, or a list of these."""
    first = texts if isinstance(texts, str | Path) else texts[0]
    if isinstance(first, str):
        return first[:LETTERS]
    with first.open(encoding="utf-8", errors="replace") as file:
        return file.read(LETTERS)


def _gradient(call: LayersCall) -> list[float]:
    """Return the norms over some of the sequences that are read first."""
    axis = 0 if call.layers.batch_first else 1
    count, lengths = min(LOOK_AT, call.x.shape[axis]), call.others["lengths"]
    further = {name: call.others[name].narrow(axis, 0, count) for name in call.layers.spec.further}
    lengths = None if lengths is None else torch.as_tensor(lengths)[:LOOK_AT]
    with torch.enable_grad():
        return norms_back(call.layers, call.x.narrow(axis, 0, count), None, lengths, further)
