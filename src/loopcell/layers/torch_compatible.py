"""RNN, LSTM and GRU as replacements of torch.nn's: the same signatures, returns, parameter names and start values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.fx import Proxy
from torch.nn.utils import parametrize
from torch.nn.utils.rnn import PackedSequence

from loopcell import cells
from loopcell.equations import Cell
from loopcell.errors import TensorError, UsageError
from loopcell.layers import dynamo
from loopcell.layers.boundary import described
from loopcell.layers.overwrite import overwrite
from loopcell.layers.settings import whole
from loopcell.layers.stack import Stack, suffix
from loopcell.layers.state import State
from loopcell.layers.tools import as_leaf, known_to_opacus, left_unquantized
from loopcell.runtime import ParameterSlice, WeightLayout, Weights, autocast_dtype

_PACKED = {"W": "weight_ih", "U": "weight_hh", "b": "bias_ih", "d": "bias_hh", "P": "weight_hr"}
"""The packed tensor of torch.nn that holds each namespace of the equations."""

_CELLS = {"RNN_TANH": "rnn", "RNN_RELU": "rnn_relu", "LSTM": "lstm", "GRU": "gru"}
"""The cell of each of torch.nn's modes."""

_SIZES = {"input_size", "hidden_size", "num_layers", "proj_size"}
_OWN = {"cell", "sizes", "checkpoint_steps", "_spec", "_calls", "_packed_names", "_layout"}
"""The attributes that torch.nn's modules have not."""


class _TorchCompatible(Stack, nn.RNNBase):
    """Base class of the replacements: torch.nn's module holds settings and parameters, and ours runs it.

    Each class derives from torch.nn's of the same name, so that constructor, checks of arguments, start values, random
    draws, parameter names and description are torch's own: weight_ih_l0 [G * H, I], weight_hh_l0, bias_ih_l0,
    bias_hh_l0, weight_hr_l0, and the same with _reverse.
    """

    gates: tuple[str, ...]
    torch_class: ClassVar[type[nn.RNNBase]]
    structure = Stack.structure | {"mode", "bias", "proj_size"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Construct as torch.nn does; whole numbers of NumPy are whole numbers."""
        positional = [whole(value) if not isinstance(value, bool) else value for value in args]
        named = {name: whole(value) if name in _SIZES else value for name, value in kwargs.items()}
        construct: Callable[..., None] = self.torch_class.__init__
        construct(self, *positional, **named)
        self._prepare(self._cell_of_mode(), self._sizes_of_mode())
        self._take_names()

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; the equations, and where their parameters lie, follow the structure."""
        before = vars(self).get(name)
        super().__setattr__(name, value)
        if name == "qconfig":
            left_unquantized(self)
        if name not in self.structure or name in {"cell", "sizes"} or "_spec" not in vars(self):
            return
        if before != value:  # whichever setting it was, the cell of the mode and the sizes follow from all of them
            self.cell, self.sizes = self._cell_of_mode(), self._sizes_of_mode()
            self._take_names()

    def _cell_of_mode(self) -> Cell:
        cell = cells.get("lstm_projected" if self.proj_size else _CELLS[self.mode])
        return cell if self.bias else _unbiased(cell)

    def _sizes_of_mode(self) -> dict[str, int]:
        return {"proj": self.proj_size} if self.proj_size else {}

    def _take_names(self) -> None:
        """Note which packed tensors a layer has, and where in them each parameter of the equations lies."""
        self._packed_names = [
            [f"{name}_{suffix(layer, direction)}" for name in self._shapes(layer)] for layer, direction in self.places()
        ]
        self._layout = WeightLayout(self._make_slices())

    def _suffixes(self) -> list[str]:
        return [names[0].removeprefix("weight_ih_") for names in self._all_weights]

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what a pickle holds, also one from before these classes derived from torch.nn's."""
        # torch.nn's lists of weights, which these classes had not then.
        names = state.get("_all_weights") or state["_packed_names"]
        flat = [name for layer in names for name in layer]
        known = {**state["_parameters"], **state}
        lists = {"_all_weights": names, "_flat_weights_names": flat, "_flat_weights": list(map(known.get, flat))}
        super().__setstate__(lists | state)
        self._take_names()

    def as_torch(self) -> nn.RNNBase:
        """Return torch.nn's module of the same class, settings and parameters; the parameters are shared, not copied.

        For tools that go by the exact class: torch.jit.script, torch.ao.quantization.

        Raises:
            UsageError: parameters are computed by torch.nn.utils.parametrize.
        """
        if parametrize.is_parametrized(self):
            raise UsageError("remove the parametrizations first (torch.nn.utils.parametrize.remove_parametrizations)")
        net = self.torch_class.__new__(self.torch_class)
        vars(net).update({name: value for name, value in vars(self).items() if name not in _OWN})
        # The tensors are shared; the dicts are not, so that one module may lose or gain a parameter without the other.
        for name in ("_parameters", "_buffers", "_modules", "_flat_weights"):
            vars(net)[name] = vars(net)[name].copy()
        return net

    def __prepare_scriptable__(self) -> nn.RNNBase:
        """Return what torch.jit.script, which asks for this, compiles in our place."""
        return self.as_torch()

    def extra_repr(self) -> str:
        """Describe the module as torch.nn does."""
        return nn.RNNBase.extra_repr(self)

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
        names = self._packed_names[layer * (2 if self.bidirectional else 1) + direction]
        parameters = self._parameters  # getattr takes longer; parametrizations need it
        bases = [parameters.get(name) for name in names]
        found = [getattr(self, name) if base is None else base for name, base in zip(names, bases, strict=True)]
        return Weights(tuple(found), self._layout)

    def _make_slices(self) -> dict[str, tuple[ParameterSlice, ...]]:
        """Return the rows of the packed tensors that add up to each parameter of the equations, by name."""
        bases = list(self._shapes(0))
        slices: dict[str, tuple[ParameterSlice, ...]] = {}
        for space, packed in _PACKED.items():
            if packed not in bases:
                continue
            for gate, name in enumerate(self.gates):
                # The projection is one matrix [proj, H]; all others hold [G * H, ...], gate after gate.
                count = -1 if space == "P" else self.hidden_size
                part = ParameterSlice(bases.index(packed), 0 if space == "P" else gate * self.hidden_size, count)
                key = self._equations_name(space, name)
                slices[key] = (*slices.get(key, ()), part)
                if space == "P":
                    break
        return slices

    def _equations_name(self, space: str, gate: str) -> str:
        """Return which parameter of the equations a gate of a packed tensor is a part of."""
        if space == "P":
            return "P.h"
        # torch.nn adds bias_hh in every gate; the equations have d where something stands between it and b.
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

        overwrite(self, f"{_PACKED[space]}_{suffix(layer, direction)}", change)

    def _biases(self, bias_ih: Tensor, bias_hh: Tensor) -> dict[str, Tensor]:
        return self._gatewise("b", bias_ih + bias_hh)

    def _gatewise(self, space: str, packed: Tensor) -> dict[str, Tensor]:
        return {f"{space}.{gate}": part for gate, part in zip(self.gates, packed.chunk(len(self.gates)), strict=True)}

    def _packed(self, layer: int, direction: int) -> dict[str, Tensor]:
        return {name: getattr(self, f"{name}_{suffix(layer, direction)}") for name in self._shapes(layer)}

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


dynamo.allow(_TorchCompatible)


def _unbiased(cell: Cell) -> Cell:
    spaces = {name.partition(".")[0] for name in cell.graph.parameters}
    return cells.without(cell, *sorted(spaces & {"b", "d"}))


class RNN(_TorchCompatible, nn.RNN):
    """torch.nn.RNN's replacement.

    Args:
        input_size, hidden_size, num_layers, nonlinearity, bias, batch_first, dropout, bidirectional, device, dtype:
            as in torch.nn.RNN; nonlinearity is "tanh" or "relu".
    """

    gates = ("h",)
    torch_class = nn.RNN

    def forward(  # type: ignore[override]  # torch's two overloads in one, and lengths= and reset=
        self,
        input: Tensor | PackedSequence,  # noqa: A002 - torch.nn's name
        hx: Tensor | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        reset: Tensor | None = None,
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """Run as torch.nn.RNN does; lengths= and reset= as in `Recurrent.forward`."""
        if isinstance(input, Proxy):
            return as_leaf(self, input, hx, lengths=lengths, reset=reset)
        y, state, _ = self.run(input, None if hx is None else State(h=hx), lengths, reset)
        return y, state["h"]


class LSTM(_TorchCompatible, nn.LSTM):
    """torch.nn.LSTM's replacement.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype:
            as in torch.nn.LSTM.
    """

    gates = ("i", "f", "g", "o")
    torch_class = nn.LSTM

    def forward(  # type: ignore[override]  # torch's two overloads in one, and lengths= and reset=
        self,
        input: Tensor | PackedSequence,  # noqa: A002 - torch.nn's name
        hx: tuple[Tensor, Tensor] | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        reset: Tensor | None = None,
    ) -> tuple[Tensor | PackedSequence, tuple[Tensor, Tensor]]:
        """Run as torch.nn.LSTM does; lengths= and reset= as in `Recurrent.forward`."""
        if isinstance(input, Proxy):
            return as_leaf(self, input, hx, lengths=lengths, reset=reset)
        y, state, _ = self.run(input, None if hx is None else _pair(hx), lengths, reset)
        if isinstance(y, PackedSequence):
            y, state = _in_torchs_dtype(y, state, input.data.dtype if hx is None else hx[1].dtype)
        return y, (state["h"], state["c"])


def _in_torchs_dtype(
    y: PackedSequence, state: dict[str, Tensor], start: torch.dtype
) -> tuple[PackedSequence, dict[str, Tensor]]:
    """Return what came of a PackedSequence as torch.nn's LSTM does under autocast: its c, and all after it, stays long.

    Args:
        y: the output.
        state: after the last step.
        start: the dtype of c before the first step.
    """
    asked_for = autocast_dtype(y.data.device)
    if asked_for is None:
        return y, state
    dtype = torch.promote_types(start, asked_for)
    return y._replace(data=y.data.to(dtype)), {name: tensor.to(dtype) for name, tensor in state.items()}


def _pair(hx: object) -> State:
    if not isinstance(hx, (tuple, list)) or len(hx) != 2:
        came = f"a {type(hx).__name__} of {len(hx)}" if isinstance(hx, (tuple, list)) else described(hx)
        raise TensorError(f"hx must be the pair (h, c), as a call returns it; got {came}")
    return State(h=hx[0], c=hx[1])


class GRU(_TorchCompatible, nn.GRU):
    """torch.nn.GRU's replacement.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype:
            as in torch.nn.GRU.
    """

    gates = ("r", "z", "n")
    torch_class = nn.GRU
    autocast_keeps_dtype = True

    def forward(  # type: ignore[override]  # torch's two overloads in one, and lengths= and reset=
        self,
        input: Tensor | PackedSequence,  # noqa: A002 - torch.nn's name
        hx: Tensor | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        reset: Tensor | None = None,
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """Run as torch.nn.GRU does; lengths= and reset= as in `Recurrent.forward`."""
        if isinstance(input, Proxy):
            return as_leaf(self, input, hx, lengths=lengths, reset=reset)
        y, state, _ = self.run(input, None if hx is None else State(h=hx), lengths, reset)
        return y, state["h"]

    def _biases(self, bias_ih: Tensor, bias_hh: Tensor) -> dict[str, Tensor]:
        """Return the candidate's two biases apart: the reset gate stands between them."""
        ih, hh = self._gatewise("b", bias_ih), self._gatewise("d", bias_hh)
        return {"b.r": ih["b.r"] + hh["d.r"], "b.z": ih["b.z"] + hh["d.z"], "b.n": ih["b.n"], "d.n": hh["d.n"]}


for _kind in (RNN, LSTM, GRU):
    known_to_opacus(_kind, _kind.__name__, _kind.torch_class)
