"""A corpus as a model reads it: its steps part by part, with what the layers computed at each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from loopcell.errors import InputError, quoted
from loopcell.insight.capture import LayerView
from loopcell.layers.stack import Stack

STEPS = 4096
"""Steps of a part of a long text, and of a part of a file of states: as many are in memory at once."""


class CorpusPart(NamedTuple):
    """Consecutive steps of one sequence of a corpus, as a model saw them.

    Attributes:
        sequence: which sequence they belong to, from 0.
        tokens: the T steps in words.
        texts: for each the characters of the text that are whole with it: "" before a character is.
        unknown: bool [T], true where the model has no such token.
        layers: every layer and direction with the quantities that were asked for, [T, n] each.
        separator: what stands between the texts of two steps: nothing for the parts of a text.
    """

    sequence: int
    tokens: Sequence[str]
    texts: Sequence[str]
    unknown: npt.NDArray[np.bool_]
    layers: Sequence[LayerView]
    separator: str = ""


class CorpusReader(Protocol):
    """A model that can read a corpus: every estimator that has `inspect`."""

    def corpus_states(self, corpus: Any, quantities: Sequence[str] | None = None) -> Iterator[CorpusPart]:
        """Yield what the layers compute at every step of a corpus, in order, a part at a time.

        Args:
            corpus: for a language model a text, a `pathlib.Path` or a list of these, each read as one stream from a
                fresh state; for other estimators sequences in the form of those that `fit` was given.
            quantities: names in the cell's equations; None for the cell's states.

        Raises:
            DataError: a sequence or a text is empty, or does not fit the model.
            InputError: no layer has a quantity of that name.
        """
        ...


def column(layer: int, quantity: str) -> str:
    """Return the name of a column of states, which patterns are written with too."""
    return f"layer{layer}.{quantity}"


def chosen(layers: Iterable[LayerView], quantities: Sequence[str] | None) -> tuple[LayerView, ...]:
    """Return layers with some quantities alone; None for the states of each cell.

    Raises:
        InputError: no layer has a quantity of that name.
    """
    layers = tuple(layers)
    known = dict.fromkeys(name for layer in layers for name in layer.quantities)
    for name in quantities or ():
        if name not in known:
            raise InputError(f"no layer has a quantity {quoted(name)}; there is {', '.join(known)}")

    def wanted(layer: LayerView) -> dict[str, npt.NDArray[np.float32]]:
        names = layer.cell.states if quantities is None else quantities
        return {name: layer.quantities[name] for name in names if name in layer.quantities}

    return tuple(LayerView(layer.name, layer.cell, wanted(layer)) for layer in layers)


def fingerprint(model: Any) -> str:
    """Return a hash of what decides a model's states: its weights and the equations of its layers."""
    network: nn.Module = getattr(model, "network_", model)
    total = hashlib.sha256(type(model).__name__.encode())
    for module in network.modules():
        if isinstance(module, Stack):
            total.update(module.cell.to_json().encode())
    for name, value in network.state_dict().items():
        if isinstance(value, torch.Tensor):
            flat = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            total.update(f"{name} {value.dtype} {list(value.shape)}".encode())
            total.update(flat.numpy().data)
    return total.hexdigest()
