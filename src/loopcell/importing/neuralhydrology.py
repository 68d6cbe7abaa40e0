"""NeuralHydrology's CudaLSTM and EmbCudaLSTM: embeddings, an LSTM over days, a head.

The module is that of `neuralhydrology/modelzoo` (cudalstm, embcudalstm, inputlayer, fc, head): the dynamic
inputs of a step, through their embedding, then the static ones, through theirs, go into the LSTM; its outputs, after a
dropout, into a linear head.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from loopcell.errors import FileFormatError, InputError, UsageError, escaped, quoted
from loopcell.importing.building import Network, check_shape, linear_of
from loopcell.importing.contents import Contents, listed
from loopcell.importing.imported import Imported
from loopcell.importing.torch_files import read_state
from loopcell.importing.torch_state import network_from
from loopcell.layers import State

_MODELS = ("cudalstm", "embcudalstm")
_BETWEEN = {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "relu": nn.ReLU, "linear": nn.Identity}
_AFTER = {"linear": nn.Identity, "relu": nn.ReLU, "softplus": nn.Softplus}
_LINEAR = re.compile(r"net\.(\d{1,3})\.(weight|bias)")
_PLACES = 3
"""A linear layer, its activation and its dropout: so many places in NeuralHydrology's lists of modules."""


class HydrologyNetwork(nn.Module):
    """Embeddings of dynamic and static inputs, an LSTM, and a head.

    Args:
        lstm: the network, time first.
        dynamics: the embedding of the dynamic inputs; an identity where there is none.
        statics: of the static inputs, likewise.
        head: from units to targets.
        dropout: probability of dropping an output of the LSTM in training.
    """

    def __init__(self, lstm: Network, dynamics: nn.Module, statics: nn.Module, head: nn.Module, dropout: float) -> None:
        super().__init__()
        self.dynamics, self.statics, self.lstm, self.head = dynamics, statics, lstm, head
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, dynamic: Tensor, static: Tensor | None = None, state: tuple[Tensor, Tensor] | State | None = None
    ) -> tuple[Tensor, State]:
        """Predict every step.

        Args:
            dynamic: [B, T, features], in the order of the configuration's `dynamic_inputs`.
            static: [B, features] of each basin, in the order of `static_attributes`; None where the model has none.
            state: what an earlier call returned; None starts at zero.

        Returns:
            The targets [B, T, O], and the state after the last step.
        """
        x = self.dynamics(dynamic.transpose(0, 1))
        if static is not None:
            x = torch.cat([x, self.statics(static).expand(x.shape[0], -1, -1)], -1)
        before = (state["h"], state["c"]) if isinstance(state, State) else state
        y, (h, c) = self.lstm(x, before)
        return self.head(self.dropout(y.transpose(0, 1))), State(h=h, c=c)


def from_neuralhydrology(source: str | os.PathLike[str] | Mapping[str, Any], *, config: Mapping[str, Any]) -> Imported:
    """Read a CudaLSTM or EmbCudaLSTM of NeuralHydrology.

    Args:
        source: the state dict, or the file `model_epoch030.pt` of a run.
        config: the run's configuration, which is what `yaml.safe_load` makes of its `config.yml`. What it says of
            model, embeddings, head and dropout is read; all else is of data and training; `initial_forget_bias` is
            in the weights.

    Returns:
        The result; its model is a `HydrologyNetwork`, and the network goes by "lstm".

    Raises:
        FileFormatError: the file is damaged or hostile; a tensor is not read, which is named, or does not fit.
        UsageError: the configuration is of a model, head or input that is not read.
    """
    state, left_out = read_state(source, None)
    where = "the state dict" if isinstance(source, Mapping) else str(Path(source))
    tensors = Contents(where, _without_copies(state, where))
    _check_config(config)
    net = network_from(f"`lstm` of {where}", _below(tensors, "lstm."), None, batch_first=False)
    dynamics = _embedding(tensors, where, ("embedding_net.dynamics_embeddings.0.", "embedding_net.dynamics_embedding."),
                          config, "dynamics_embedding")  # fmt: skip
    statics = _embedding(tensors, where, ("embedding_net.statics_embedding.",), config, "statics_embedding")
    head = _head(tensors, where, net, config)
    tensors.finish()
    model = HydrologyNetwork(net, dynamics, statics, head, float(config.get("output_dropout") or 0.0))
    facts = {
        name: config[name] for name in ("dynamic_inputs", "static_attributes", "target_variables") if name in config
    }
    return Imported(model.eval(), {"lstm": net}, tuple(state), left_out, facts)


def _without_copies(state: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """Return the state dict of a CudaLSTM: an EmbCudaLSTM has the same tensors twice, as `cudalstm.X` and as `X`."""
    inner = {name.removeprefix("cudalstm."): tensor for name, tensor in state.items() if name.startswith("cudalstm.")}
    if not inner:
        return dict(state)
    outer = {name: tensor for name, tensor in state.items() if not name.startswith("cudalstm.")}
    for name, tensor in outer.items():
        if name not in inner or not torch.equal(inner[name], tensor):
            raise FileFormatError(
                f"{where} has `{escaped(name, 80)}`, which is no copy of `cudalstm.{escaped(name, 80)}`"
            )
    return inner


def _check_config(config: Mapping[str, Any]) -> None:
    if not isinstance(config, Mapping):
        raise InputError(f"config is what yaml.safe_load makes of the run's config.yml, not {type(config).__name__}")
    for name, read, usual in (("model", _MODELS, "cudalstm"), ("head", ("regression",), "regression")):
        found = str(config.get(name) or usual).lower()
        if found not in read:
            raise UsageError(f"the configuration has {name}={quoted(found)}; read is {' and '.join(read)}")
    for name in ("autoregressive_inputs", "nan_handling_method", "mass_inputs"):
        if config.get(name):
            raise UsageError(f"the configuration has {name}={quoted(config[name])}, which is not read")


def _below(tensors: Contents, start: str) -> dict[str, Tensor]:
    return {name.removeprefix(start): tensors.take(name) for name in tensors.names() if name.startswith(start)}


def _embedding(
    tensors: Contents, where: str, starts: tuple[str, ...], config: Mapping[str, Any], entry: str
) -> nn.Module:
    """Return an embedding; an identity where there are no weights of one and the configuration has none."""
    found = next((below for start in starts if (below := _below(tensors, start))), {})
    asked = config.get(entry)
    if bool(found) != bool(asked):
        raise UsageError(
            f"{where} has {'an' if found else 'no'} embedding, and the configuration says {entry}={quoted(asked)}"
        )
    if not found or not isinstance(asked, Mapping):
        return nn.Identity()
    settings = Contents(f"{entry} of the configuration", asked)
    settings.expect("type", "fc", why="and only fully connected embeddings are read")
    settings.take_or("hiddens", None)
    name, dropout = str(settings.take_or("activation", "tanh")).lower(), float(settings.take_or("dropout", 0.0))
    settings.finish()
    if name not in _BETWEEN:
        raise UsageError(f"{entry} has activation={quoted(name)}; NeuralHydrology's are {listed(_BETWEEN)}")
    linears = _linears(found, f"{entry} of {where}")
    layers: list[nn.Module] = []
    for linear in linears:
        layers += [linear, _BETWEEN[name](), nn.Dropout(dropout)]
    return nn.Sequential(*layers[:-2])  # none after the last one


def _linears(found: Mapping[str, Tensor], where: str) -> list[nn.Linear]:
    """Return linear layers of the tensors net.0.weight, net.0.bias, net.3.weight, ..."""
    odd = [name for name in found if not _LINEAR.fullmatch(name)]
    if odd:
        raise FileFormatError(f"{where} has {listed(odd)}, which belong to no linear layer")
    places = sorted({int(name.split(".")[1]) for name in found})
    if places != [_PLACES * place for place in range(len(places))] or len(found) != 2 * len(places):
        raise FileFormatError(f"{where} has {listed(found)}, which are not weights and biases of layers in order")
    return [_linear(found[f"net.{place}.weight"], found[f"net.{place}.bias"], where) for place in places]


def _linear(weight: Tensor, bias: Tensor, where: str) -> nn.Linear:
    check_shape(where, "weight", weight, None, None)
    check_shape(where, "bias", bias, weight.shape[0])
    return linear_of(weight, bias)


def _head(tensors: Contents, where: str, net: Network, config: Mapping[str, Any]) -> nn.Module:
    linears = _linears(_below(tensors, "head."), f"the head of {where}")
    if len(linears) != 1 or linears[0].in_features != net.hidden_size:
        raise FileFormatError(f"the head of {where} is not one linear layer of {net.hidden_size} inputs")
    name = str(config.get("output_activation") or "linear").lower()
    if name not in _AFTER:
        raise UsageError(f"the configuration has output_activation={quoted(name)}; read are {listed(_AFTER)}")
    return nn.Sequential(linears[0], _AFTER[name]())
