"""RNN, LSTM and GRU as replacements of torch.nn's: the same signatures, returns, parameter names and start values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from loopcell import cells
from loopcell.equations import Cell
from loopcell.errors import InputError
from loopcell.layers.boundary import described
from loopcell.layers.overwrite import overwrite
from loopcell.layers.stack import Stack, whole
from loopcell.layers.state import State
from loopcell.runtime import Part, Weights, write_parts

_PACKED = {"W": "weight_ih", "U": "weight_hh", "b": "bias_ih", "d": "bias_hh", "P": "weight_hr"}
"""Where torch.nn keeps each namespace of the equations."""


@dataclass(frozen=True)
class _Options:
    """What torch.nn's constructors share beyond the sizes."""

    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool
    device: torch.device | str | None
    dtype: torch.dtype | None
    proj_size: int = 0


class _TorchCompatible(Stack):
    """Parameters packed as in torch.nn: weight_ih_l0 [G * H, I], weight_hh_l0, bias_ih_l0, bias_hh_l0, _reverse."""

    gates: tuple[str, ...]
    mode: str

    def __init__(self, cell: Cell, input_size: int, hidden_size: int, num_layers: int, options: _Options) -> None:
        super().__init__(
            cell if options.bias else _unbiased(cell),
            input_size,
            hidden_size,
            num_layers,
            batch_first=options.batch_first,
            dropout=options.dropout,
            bidirectional=options.bidirectional,
            sizes={"proj": options.proj_size} if options.proj_size else None,
        )
        self.bias = options.bias
        self.proj_size = self.sizes.get("proj", 0)
        for layer, direction in self.places():
            for name, shape in self._shapes(layer).items():
                parameter = nn.Parameter(torch.empty(shape, device=options.device, dtype=options.dtype))
                self.register_parameter(f"{name}_{_suffix(layer, direction)}", parameter)
        self._packed_names = [
            [f"{name}_{_suffix(layer, direction)}" for name in self._shapes(layer)]
            for layer, direction in self.places()
        ]
        self._parts = self._make_parts()
        self._parts_text = write_parts(self._parts)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw every parameter uniformly in +-1/sqrt(H), in torch.nn's order, so that one seed gives the same start."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Do nothing: torch.nn has it for cuDNN, and code that calls it keeps working."""

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters of every layer and direction, as torch.nn lists them."""
        return [list(self._packed(layer, direction).values()) for layer, direction in self.places()]

    def weights(self, layer: int, direction: int) -> dict[str, Tensor]:
        """Return the parameters of one layer and direction, by the names of the equations."""
        packed = self._packed(layer, direction)
        named = self._gatewise("W", packed["weight_ih"]) | self._gatewise("U", packed["weight_hh"])
        if self.bias:
            named |= self._biases(packed["bias_ih"], packed["bias_hh"])
        if self.proj_size:
            named["P.h"] = packed["weight_hr"]
        return named

    def sources(self, layer: int, direction: int) -> Weights:
        """Return the same as torch.nn packs them: one tensor for all gates of a product."""
        names = self._packed_names[layer * self.num_directions + direction]
        kept = self._parameters  # torch's own way to an attribute takes longer; parametrizations need it
        bases = [kept.get(name) for name in names]
        found = [getattr(self, name) if base is None else base for name, base in zip(names, bases, strict=True)]
        return Weights(tuple(found), self._parts, self._parts_text)

    def _make_parts(self) -> dict[str, tuple[Part, ...]]:
        """Of which rows of which packed tensor each parameter of the equations is the sum."""
        bases = list(self._shapes(0))
        parts: dict[str, tuple[Part, ...]] = {}
        for space, packed in _PACKED.items():
            if packed not in bases:
                continue
            for gate, name in enumerate(self.gates):
                count = -1 if space == "P" else self.hidden_size
                part = Part(bases.index(packed), 0 if space == "P" else gate * self.hidden_size, count)
                key = self._equations_name(space, name)
                parts[key] = (*parts.get(key, ()), part)
                if space == "P":
                    break
        return parts

    def _equations_name(self, space: str, gate: str) -> str:
        """Return which parameter of the equations a gate of a packed tensor is a part of."""
        if space == "P":
            return "P.h"
        apart = f"{space}.{gate}" in self.cell.graph.parameters
        return f"{space}.{gate}" if apart or space != "d" else f"b.{gate}"

    def assign(self, layer: int, direction: int, name: str, value: Tensor) -> None:
        """Overwrite one parameter of the equations in place; a bias goes to bias_ih, and bias_hh becomes 0 there."""
        space, _, gate = name.partition(".")
        self._overwrite(layer, direction, name, value)
        if space == "b" and f"d.{gate}" not in self.cell.graph.parameters:
            self._overwrite(layer, direction, f"d.{gate}", torch.zeros_like(value))

    def _overwrite(self, layer: int, direction: int, name: str, value: Tensor) -> None:
        space = name.partition(".")[0]

        def change(packed: Tensor) -> None:
            (packed if space == "P" else self._gatewise(space, packed)[name]).copy_(value)

        overwrite(self, f"{_PACKED[space]}_{_suffix(layer, direction)}", change)

    def _biases(self, bias_ih: Tensor, bias_hh: Tensor) -> dict[str, Tensor]:
        return self._gatewise("b", bias_ih + bias_hh)

    def _gatewise(self, space: str, packed: Tensor) -> dict[str, Tensor]:
        return {f"{space}.{gate}": part for gate, part in zip(self.gates, packed.chunk(len(self.gates)), strict=True)}

    def _packed(self, layer: int, direction: int) -> dict[str, Tensor]:
        return {name: getattr(self, f"{name}_{_suffix(layer, direction)}") for name in self._shapes(layer)}

    def _shapes(self, layer: int) -> dict[str, tuple[int, ...]]:
        rows = len(self.gates) * self.hidden_size
        output = self.proj_size or self.hidden_size
        inner = self.input_size if layer == 0 else output * self.num_directions
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, inner), "weight_hh": (rows, output)}
        if self.bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        if self.proj_size:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        return shapes


def _suffix(layer: int, direction: int) -> str:
    return f"l{layer}_reverse" if direction else f"l{layer}"


def _unbiased(cell: Cell) -> Cell:
    spaces = {name.partition(".")[0] for name in cell.graph.parameters}
    return cells.without(cell, *sorted(spaces & {"b", "d"}))


class RNN(_TorchCompatible):
    """torch.nn.RNN's replacement.

    Args:
        input_size, hidden_size, num_layers, nonlinearity, bias, batch_first, dropout, bidirectional, device, dtype:
            as in torch.nn.RNN; nonlinearity is "tanh" or "relu".
    """

    gates = ("h",)

    def __init__(  # noqa: PLR0913, PLR0917 - torch.nn.RNN's signature
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise InputError(f"nonlinearity is 'tanh' or 'relu', not {nonlinearity!r}")
        cell = cells.get("rnn" if nonlinearity == "tanh" else "rnn_relu")
        options = _Options(bias, batch_first, dropout, bidirectional, device, dtype)
        super().__init__(cell, input_size, hidden_size, num_layers, options)
        self.nonlinearity = nonlinearity
        self.mode = f"RNN_{nonlinearity.upper()}"

    def forward(
        self,
        input: Tensor | PackedSequence,  # noqa: A002 - torch.nn's name
        hx: Tensor | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        reset: Tensor | None = None,
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """Run as torch.nn.RNN does; lengths= and reset= as in `Recurrent.forward`."""
        y, state, _ = self.run(input, None if hx is None else State(h=hx), lengths, reset)
        return y, state["h"]


class LSTM(_TorchCompatible):
    """torch.nn.LSTM's replacement.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype:
            as in torch.nn.LSTM.
    """

    gates = ("i", "f", "g", "o")
    mode = "LSTM"

    def __init__(  # noqa: PLR0913, PLR0917 - torch.nn.LSTM's signature
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        proj_size, hidden_size = whole(proj_size), whole(hidden_size)
        inside = not proj_size or (isinstance(proj_size, int) and 0 <= proj_size < hidden_size)
        if isinstance(hidden_size, int) and not inside:
            raise InputError(f"proj_size lies between 0 and hidden_size - 1 = {hidden_size - 1}; got {proj_size}")
        cell = cells.get("lstm_projected" if proj_size else "lstm")
        options = _Options(bias, batch_first, dropout, bidirectional, device, dtype, proj_size)
        super().__init__(cell, input_size, hidden_size, num_layers, options)

    def forward(
        self,
        input: Tensor | PackedSequence,  # noqa: A002 - torch.nn's name
        hx: tuple[Tensor, Tensor] | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        reset: Tensor | None = None,
    ) -> tuple[Tensor | PackedSequence, tuple[Tensor, Tensor]]:
        """Run as torch.nn.LSTM does; lengths= and reset= as in `Recurrent.forward`."""
        y, state, _ = self.run(input, None if hx is None else _pair(hx), lengths, reset)
        return y, (state["h"], state["c"])


def _pair(hx: object) -> State:
    if not isinstance(hx, (tuple, list)) or len(hx) != 2:
        came = f"a {type(hx).__name__} of {len(hx)}" if isinstance(hx, (tuple, list)) else described(hx)
        raise InputError(f"hx must be the pair (h, c), as a call returns it; got {came}")
    return State(h=hx[0], c=hx[1])


class GRU(_TorchCompatible):
    """torch.nn.GRU's replacement.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype:
            as in torch.nn.GRU.
    """

    gates = ("r", "z", "n")
    mode = "GRU"

    def __init__(  # noqa: PLR0913, PLR0917 - torch.nn.GRU's signature
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        options = _Options(bias, batch_first, dropout, bidirectional, device, dtype)
        super().__init__(cells.get("gru"), input_size, hidden_size, num_layers, options)

    def forward(
        self,
        input: Tensor | PackedSequence,  # noqa: A002 - torch.nn's name
        hx: Tensor | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        reset: Tensor | None = None,
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """Run as torch.nn.GRU does; lengths= and reset= as in `Recurrent.forward`."""
        y, state, _ = self.run(input, None if hx is None else State(h=hx), lengths, reset)
        return y, state["h"]

    def _biases(self, bias_ih: Tensor, bias_hh: Tensor) -> dict[str, Tensor]:
        """Keep the candidate's two biases apart: the reset gate stands between them."""
        ih, hh = self._gatewise("b", bias_ih), self._gatewise("d", bias_hh)
        return {"b.r": ih["b.r"] + hh["d.r"], "b.z": ih["b.z"] + hh["d.z"], "b.n": ih["b.n"], "d.n": hh["d.n"]}
