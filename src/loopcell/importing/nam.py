"""NAM's files (Neural Amp Modeler) of the architecture LSTM.

The format is that of `nam/models/recurrent.py` in neural-amp-modeler: one list of numbers, for each layer the matrix
[4 H, I + H] of input and past side by side, gates in the order i f g o, the bias, the hidden and the cell state at
which a stream starts, and after all layers the head's weight and bias.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from loopcell import cells
from loopcell.errors import FileFormatError, InputError, quoted
from loopcell.files import atomic_write
from loopcell.importing.audio_layers import Model, cell_name, layers_in, packed, weights_of
from loopcell.importing.building import Network, gatewise, linear_of, network_of
from loopcell.importing.chain import Chain
from loopcell.importing.contents import Contents
from loopcell.importing.imported import Imported
from loopcell.importing.json_files import read_json, tensor_of
from loopcell.layers import State

GATES = ("i", "f", "g", "o")
WRITTEN_VERSION = "0.5.4"
"""The format that is written; NAM's readers take it, and the LSTM is the same in all versions that are read."""

_VERSIONS = re.compile(r"0\.[567]\.\d{1,4}")
_MOST_LAYERS, _MOST_UNITS = 1 << 8, 1 << 14


def from_nam(source: str | os.PathLike[str] | Mapping[str, Any]) -> Imported:
    """Read a NAM model whose architecture is LSTM.

    Args:
        source: the `.nam` file, or the object in it.

    Returns:
        The result; its model takes samples [B, T, I] and returns [B, T, 1] and the state. A stream starts at the state
        that the file has, which `model.initial_state(batch_size)` returns. `facts` has sample rate and metadata.

    Raises:
        FileFormatError: the file is damaged or hostile, of another architecture, or has more than what is read.
    """
    where = "the model" if isinstance(source, Mapping) else str(Path(source))
    top = Contents(where, source if isinstance(source, Mapping) else read_json(Path(source), "a NAM file"))
    architecture, version = top.take("architecture"), top.take("version")
    if architecture != "LSTM":
        raise FileFormatError(
            f"{where} is of the architecture {quoted(architecture)}; only LSTM is a recurrent network"
        )
    if not isinstance(version, str) or not _VERSIONS.fullmatch(version):
        raise FileFormatError(f"{where} is of version {quoted(version)} of the format; 0.5 to 0.7 are read")
    facts = top.take_all(("sample_rate", "metadata"))
    settings = top.take("config")
    if not isinstance(settings, dict):
        raise FileFormatError(f"config of {where} is {quoted(settings)}, which is no object")
    config = Contents(f"config of {where}", settings)
    input_size, hidden, layers = (
        config.whole("input_size", most=_MOST_UNITS), config.whole("hidden_size", most=_MOST_UNITS),
        config.whole("num_layers", most=_MOST_LAYERS),
    )  # fmt: skip
    config.finish()
    numbers = _Numbers(where, top.take("weights"), _count(input_size, hidden, layers))
    top.finish()
    chain = _chain(where, numbers, input_size, hidden, layers)
    return Imported(chain, chain.networks, ("weights",), (), facts)


def _count(input_size: int, hidden: int, layers: int) -> int:
    widths = [input_size, *[hidden] * (layers - 1)]
    return sum(4 * hidden * (width + hidden + 1) + 2 * hidden for width in widths) + hidden + 1


class _Numbers:
    """The list of numbers, from which one tensor after the other is taken."""

    def __init__(self, where: str, weights: Any, count: int) -> None:
        found = len(weights) if isinstance(weights, list) else 0
        if found != count:
            raise FileFormatError(f"{where} has {found:,} weights, and its config asks for {count:,}")
        self._left = tensor_of(f"the list of weights of {where}", weights, count)

    def take(self, *shape: int) -> Tensor:
        count = int(torch.Size(shape).numel())
        taken, self._left = self._left[:count].reshape(shape), self._left[count:]
        return taken


def _chain(where: str, numbers: _Numbers, input_size: int, hidden: int, layers: int) -> Chain:
    stacked, starts = [], []
    for layer in range(layers):
        width = hidden if layer else input_size
        both = numbers.take(4 * hidden, width + hidden)
        named = gatewise("W", GATES, both[:, :width]) | gatewise("U", GATES, both[:, width:])
        stacked.append([named | gatewise("b", GATES, numbers.take(4 * hidden))])
        starts.append((numbers.take(1, hidden), numbers.take(1, hidden)))
    net = network_of(where, cells.get("lstm"), stacked, batch_first=True)
    head = linear_of(numbers.take(1, hidden), numbers.take(1))
    h, c = (torch.stack(parts) for parts in zip(*starts, strict=True))
    return Chain({"lstm": net, "head": head}, {"lstm": State(h=h, c=c)}).eval()


def to_nam(
    model: Model,
    path: str | os.PathLike[str],
    *,
    sample_rate: float | None = None,
    state: State | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write an LSTM and its head as a NAM file.

    Args:
        model: what `from_nam` returned as its model, or `[net, head]`: an LSTM of one direction, and a
            `torch.nn.Linear` from its units to one number.
        path: the `.nam` file to write, whole or not at all.
        sample_rate: in Hz; None leaves it out, as NAM does where it is not known.
        state: at which a stream starts, [L, 1, H]; None for that of the model, or zeros. NAM's own trainer takes the
            state after a second of silence.
        metadata: about the recording, as NAM has it: "name", "gear_type", "loudness", ...

    Raises:
        InputError: the model is no LSTM with such a head, or the state does not fit.
        FileWriteError: the file cannot be written.
    """
    net, head = _parts(model)
    start = _start(model, net, state)
    numbers: list[Tensor] = []
    for layer in range(net.num_layers):
        weights = weights_of(net, layer)
        both = torch.cat([packed(weights, "W", GATES), packed(weights, "U", GATES)], 1)
        numbers += [both, packed(weights, "b", GATES), start["h"][layer], start["c"][layer]]
    numbers += [head.weight, head.bias]
    content: dict[str, Any] = {
        "version": WRITTEN_VERSION,
        "metadata": dict(metadata or {}),
        "architecture": "LSTM",
        "config": {"input_size": net.input_size, "hidden_size": net.hidden_size, "num_layers": net.num_layers},
        "weights": torch.cat([part.detach().cpu().float().flatten() for part in numbers]).tolist(),
    }
    if sample_rate is not None:
        content["sample_rate"] = sample_rate
    try:
        text = json.dumps(content, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"the model or its metadata holds what JSON has not: {error}") from error
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _parts(model: Model) -> tuple[Network, nn.Linear]:
    layers = layers_in(model)
    if len(layers) != 2 or not isinstance(layers[0], Network) or not isinstance(layers[1], nn.Linear):
        found = ", ".join(type(layer).__name__ for layer in layers)
        raise InputError(f"NAM has an LSTM and a linear head, [net, head]; the model is {found or 'empty'}")
    net, head = layers[0], layers[1]
    if cell_name(net) != "lstm":
        raise InputError("NAM has an LSTM, and the network is a GRU")
    if head.bias is None or head.out_features != 1 or head.in_features != net.hidden_size:
        raise InputError(
            f"NAM's head is Linear({net.hidden_size}, 1) with a bias; got {head.in_features} to {head.out_features}"
        )
    return net, head


def _start(model: Model, net: Network, state: State | None) -> State:
    if state is None and isinstance(model, Chain):
        state = next(iter(model.initial_state(1).values()))
    if state is None:
        return net.initial_state(1)
    wanted = [net.num_layers, 1, net.hidden_size]
    if set(state) != {"h", "c"} or any(list(tensor.shape) != wanted for tensor in state.values()):
        raise InputError(f"state must have h and c of {wanted}; got {state}")
    return state
