"""Recurrent: any cell as a network over sequences."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Proxy
from torch.nn.utils.rnn import PackedSequence

from loopcell import cells
from loopcell.equations import Cell
from loopcell.errors import InputError, UsageError
from loopcell.layers.overwrite import overwrite
from loopcell.layers.stack import Stack, suffix
from loopcell.layers.state import State
from loopcell.layers.tools import as_leaf, known_to_opacus
from loopcell.runtime import WeightLayout, Weights

_WIDE = 80
"""Letters that a network's parameters may take in one line of its description."""


class Recurrent(Stack):
    """A stack of layers over any cell.

    Parameters keep the author's names: layer 0's W.i is `net.l0.W.i`, its reverse direction's `net.l0_reverse.W.i`.

    Args:
        cell: made by `@cell`, or one of `loopcell.cells`, itself or its name: "gru".
        input_size: I, the length of the input.
        hidden_size: H, the length of the hidden state.
        num_layers: L.
        batch_first: input and output are [B, T, ...] rather than [T, B, ...]. States never are.
        dropout: probability of dropping an output of every layer but the last, in training.
        bidirectional: read in both directions; the output holds both, [.., 2 * O].
        sizes: other sizes that the cell names, such as {"proj": 32}.
        device, dtype: of the parameters.

    Raises:
        InputError: an argument is out of range, or the cell needs a size that is missing.
        UsageError: no cell has that name; the message offers the nearest.
    """

    def __init__(  # noqa: PLR0913 - the arguments that torch.nn.LSTM has, and sizes
        self,
        cell: str | Cell,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        sizes: Mapping[str, int] | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        cell = cells.get(cell)
        super().__init__(
            cell,
            input_size,
            hidden_size,
            num_layers,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            sizes=sizes,
        )
        parameters = cell.graph.parameters
        for layer, direction in self.places():
            known = self.executable(layer).sizes
            shapes = {name: tuple(known[size] for size in shape) for name, shape in parameters.items()}
            self.add_module(suffix(layer, direction), _Namespaces(shapes, device, dtype))
        self.reset_parameters()

    def forward(
        self,
        x: Tensor | PackedSequence,
        state: State | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        reset: Tensor | None = None,
        **inputs: Tensor | PackedSequence,
    ) -> tuple[Tensor | PackedSequence, State]:
        """Run over a batch of sequences.

        Args:
            x: [T, B, I] ([B, T, I] with batch_first), [T, I] for one sequence, or a PackedSequence. T may be 0.
            state: what an earlier call returned; None starts at zero.
            lengths: whole numbers [B] from 0 to T, a list or on any device, in any order. Past a row's end its output
                is 0 and its state stays; the reverse direction starts at the row's last valid step. What stands there
                in the input has no influence, NaN included.
            reset: bool [T, B] ([B, T] with batch_first), true on the first step of an episode: the row's state becomes
                zero before that step.
            inputs: the cell's further inputs by their names in the equations, such as dt=..., each in the form of `x`;
                of one number a step also without the last axis. Every layer and direction reads them at the step of x.

        Returns:
            The output [T, B, D * O] in the input's form, and the state after each row's last valid step.

        Raises:
            InputError: a shape, dtype or device is off, or a further input is missing or unknown.
        """
        if isinstance(x, Proxy):
            return as_leaf(self, x, state, lengths=lengths, reset=reset, **inputs)
        y, states, _ = self.run(x, state, lengths, reset, (), inputs)
        return y, State.of(states)

    def reset_parameters(self) -> None:
        """Draw parameters anew: uniform in +-1/sqrt(H), as torch.nn, unless the cell says otherwise."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                # A name is layer.namespace.gate, and what the cell says holds for a namespace.
                how = self.cell.initial.get(name.split(".")[1], "uniform")
                if how == "uniform":
                    parameter.uniform_(-bound, bound)
                else:
                    parameter.fill_(1.0 if how == "ones" else 0.0)

    def weights(self, layer: int, direction: int) -> dict[str, Tensor]:
        """Return the parameters of one layer and direction, by the names of the equations."""
        spaces: _Namespaces = getattr(self, suffix(layer, direction))
        return spaces.all_by_name()

    def sources(self, layer: int, direction: int) -> Weights:
        """Return the same as the tensors that hold them: one each."""
        spaces: _Namespaces = getattr(self, suffix(layer, direction))
        return Weights(tuple(spaces.all_by_name().values()), spaces.layout)

    def __prepare_scriptable__(self) -> nn.Module:
        """Say to torch.jit.script, which asks for this, that there is nothing for it to read."""
        raise UsageError(
            "torch.jit.script reads Python, and a Recurrent is its equations: use torch.export or torch.jit.trace"
        )

    def _suffixes(self) -> list[str]:
        return [name for name, module in self._modules.items() if isinstance(module, _Namespaces)]

    def assign(self, layer: int, direction: int, name: str, value: Tensor) -> None:
        """Overwrite one parameter in place, or through the inverse of torch's parametrizations.

        Raises:
            InputError: the parameter is computed from others, and no values of those give this one.
        """
        space, _, gate = name.partition(".")
        spaces = getattr(self, suffix(layer, direction))
        overwrite(getattr(spaces, space), gate, lambda tensor: tensor.copy_(value))


class _Namespace(nn.Module):
    """The parameters of one of the author's namespaces; never called."""


known_to_opacus(_Namespace, "Recurrent")


class _Namespaces(nn.Module):
    """The parameters of one layer and direction, as the author's namespaces."""

    def __init__(
        self, shapes: Mapping[str, tuple[int, ...]], device: torch.device | str | None, dtype: torch.dtype | None
    ) -> None:
        super().__init__()
        self._places = tuple((name, *name.split(".", 1)) for name in shapes)
        self.layout = WeightLayout.separate(shapes)
        for name, space, gate in self._places:
            shape = shapes[name]
            if space not in self._modules:
                self._add_space(space)
            try:
                getattr(self, space).register_parameter(
                    gate, nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
                )
            except (KeyError, AttributeError):
                raise InputError(
                    f"a parameter cannot be named {name!r}: torch modules have an attribute {gate!r}; pick another name"
                ) from None

    def _add_space(self, space: str) -> None:
        if hasattr(self, space):
            raise InputError(
                f"a namespace cannot be named {space!r}: torch modules have an attribute {space!r}; pick another name"
            )
        self.add_module(space, _Namespace())

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what a pickle holds, also one from before there was a `WeightLayout`."""
        names = dict.fromkeys(name for name, _, _ in state["_places"])
        super().__setstate__({"layout": WeightLayout.separate(names), **state})  # type: ignore[no-untyped-call]  # torch's

    def all_by_name(self) -> dict[str, Tensor]:
        """Return every parameter under its own name.

        Asked for by name, not taken from what is registered: torch's parametrizations compute parameters, and a
        shared one is registered under one of its names only.
        """
        spaces = {space: getattr(self, space) for space in self._modules}
        for space in spaces.values():
            # These modules are never called, and torch.nn.utils.prune computes a parameter before a call.
            for hook in space._forward_pre_hooks.values():  # noqa: SLF001
                hook(space, ())
        return {name: getattr(spaces[space], gate) for name, space, gate in self._places}

    def extra_repr(self) -> str:
        """List the parameters, a line for each namespace where they are many."""
        spaces: dict[str, list[str]] = {}
        for name, tensor in self.all_by_name().items():
            spaces.setdefault(name.partition(".")[0], []).append(f"{name}: {list(tensor.shape)}")
        lines = [", ".join(space) for space in spaces.values()]
        one = ", ".join(lines)
        return one if len(one) <= _WIDE else ",\n".join(lines)

    def __repr__(self) -> str:
        """Show the parameters; the modules that hold them say nothing more."""
        text = self.extra_repr()
        return f"Parameters(\n{textwrap.indent(text, '  ')}\n)" if "\n" in text else f"Parameters({text})"
