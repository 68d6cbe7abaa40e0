"""State dicts of PyTorch: RNN, LSTM and GRU found by the names of their tensors, in any module and any checkpoint."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from loopcell.errors import FileFormatError, InputError, UsageError, escaped, quoted
from loopcell.importing.building import FLOATS, Network, check_shape, demand_finite
from loopcell.importing.contents import listed
from loopcell.importing.imported import Imported
from loopcell.importing.torch_files import read_state
from loopcell.layers import GRU, LSTM, RNN

_OF_NETWORK = re.compile(r"(?P<kind>weight_ih|weight_hh|bias_ih|bias_hh|weight_hr)(?P<layer>_l\d{1,4}(_reverse)?)?")
_LAYER = re.compile(r"_l(\d+)(_reverse)?")
_GATES = {1: "RNN", 3: "GRU", 4: "LSTM"}

Nonlinearity = Literal["tanh", "relu"]


def from_torch(
    source: str | os.PathLike[str] | Mapping[str, Any] | nn.Module,
    *,
    prefix: str | None = None,
    entry: str | None = None,
    nonlinearity: Nonlinearity | None = None,
    batch_first: bool | None = None,
) -> Imported:
    """Read the recurrent networks of a PyTorch state dict, or of a module, as `loopcell.RNN`, `LSTM` and `GRU`.

    A group of tensors weight_ih_l0, weight_hh_l0, ... is a network, whatever stands before these names; so is one of
    weight_ih and weight_hh (an RNNCell, LSTMCell or GRUCell), which becomes a network of one layer. Layers, directions,
    biases and projections follow from the tensors.

    Args:
        source: a state dict, a whole checkpoint with one in it, or a file of either: safetensors, or what torch.save
            wrote, of which tensors and plain values are read and nothing is run. Or a module, which also says what
            its tensors do not: `batch_first` and the nonlinearity.
        prefix: reads the networks below this module alone, such as "encoder". None: the whole state dict, which then
            holds nothing but networks.
        entry: the checkpoint's entry that is the state dict, such as "ema"; None where there is one with a network.
        nonlinearity: of an RNN: its tensors do not say. None: that of the module.
        batch_first: whether the networks take [B, T, I]. Tensors do not say either, so that a state dict of a module
            with batch_first=True needs it here too. None: that of the module, and of a state dict False.

    Returns:
        The result; networks go by the module's name in the state dict, "" for the whole. With several, its model is an
        `nn.ModuleDict` of them. Its facts have the `batch_first` of each by name.

    Raises:
        FileFormatError: the file is damaged or hostile; there is no network; a tensor belongs to none, which is named,
            or has another shape than the others ask for.
        UsageError: it is not said which state dict, or which nonlinearity; or what is said is of no network, or not
            that of the module.
    """
    modules = dict(source.named_modules()) if isinstance(source, nn.Module) else {}
    state, left_out = read_state(source.state_dict() if isinstance(source, nn.Module) else source, entry)
    where = str(Path(source)) if isinstance(source, str | os.PathLike) else "the state dict"
    start = "" if prefix in (None, "") else f"{str(prefix).rstrip('.')}."
    chosen = {name: tensor for name, tensor in state.items() if name.startswith(start)}
    if not chosen:
        raise UsageError(f"{where} has nothing below prefix={prefix!r}; its modules are {_modules(state)}")
    groups, strays = _grouped(chosen)
    if not groups:
        raise FileFormatError(
            f"{where} has no recurrent network{_below(start)}: no tensor is named weight_ih or weight_hh"
        )
    if strays:
        raise FileFormatError(
            f"{where} has {listed(strays)}, which belong to no recurrent network: name what to read by prefix=, one of "
            f"{_modules(groups)}"
        )
    networks: dict[str, Network] = {}
    for name, group in groups.items():
        called, of = f"`{escaped(name, 80) or 'the network'}` of {where}", modules.get(name)
        networks[name] = network_from(
            called,
            group,
            _said(called, of, "nonlinearity", nonlinearity),
            batch_first=bool(_said(called, of, "batch_first", batch_first)),
        )
    if nonlinearity not in (None, "tanh") and not any(isinstance(net, RNN) for net in networks.values()):
        kinds = " and ".join(sorted({type(net).__name__ for net in networks.values()}))  # whose function is tanh
        raise UsageError(f"nonlinearity={nonlinearity!r} is of an RNN, and {where} has {kinds} alone: leave it out")
    others = [f"{name}: outside of prefix" for name in state if name not in chosen]
    left_out = (*left_out, *others, *_dropouts(networks, modules))
    facts = {"batch_first": {name: net.batch_first for name, net in networks.items()}}
    return Imported(_model(networks), networks, tuple(chosen), left_out, facts)


def _said(where: str, module: nn.Module | None, name: str, said: Any) -> Any:
    """Return a setting as it was said or, where it was not, as the module has it; UsageError where these differ.

    A cell has no batch_first, and a network of gates no nonlinearity, which then is what was said.
    """
    own = getattr(module, name, None)
    if said is None or own is None:
        return own if said is None else said
    if own != said and not (name == "nonlinearity" and not isinstance(module, nn.RNN | nn.RNNCell | RNN)):
        raise UsageError(f"{where} has {name}={own!r}, and {name}={said!r} was given: leave it out")
    return said


def _dropouts(networks: Mapping[str, Network], modules: Mapping[str, nn.Module]) -> list[str]:
    dropouts = {name: getattr(modules.get(name), "dropout", 0.0) for name in networks}
    return [f"{escaped(name, 80) or 'the network'}: dropout {p}, of training" for name, p in dropouts.items() if p]


def _below(start: str) -> str:
    return f" below {start[:-1]!r}" if start else ""


def _modules(names: Mapping[str, Any]) -> str:
    """Return the modules in which there are recurrent networks, for a sentence."""
    found = {name.rpartition(".")[0] for name in names if _OF_NETWORK.fullmatch(name.rpartition(".")[2])} or set(names)
    return listed(sorted(found))


def _grouped(state: Mapping[str, Tensor]) -> tuple[dict[str, dict[str, Tensor]], list[str]]:
    """Return the tensors of each network by the module's name, and the names of all that belong to none."""
    groups: dict[str, dict[str, Tensor]] = {}
    strays = []
    for name, tensor in state.items():
        module, _, own = name.rpartition(".")
        if _OF_NETWORK.fullmatch(own):
            groups.setdefault(module, {})[own] = tensor
        else:
            strays.append(name)
    return groups, strays


def network_from(
    where: str, tensors: Mapping[str, Tensor], nonlinearity: Nonlinearity | None, *, batch_first: bool
) -> Network:
    """Return the network of one group of tensors, all of which it needs.

    Args:
        where: the group, as the start of a sentence.
        tensors: by their names in torch.nn's module.
        nonlinearity: of an RNN.
        batch_first: of the network.

    Raises:
        FileFormatError: a tensor is missing, left over or of another shape.
        UsageError: it is an RNN, and the nonlinearity is not said.
    """
    cell = {f"{name}_l0": tensor for name, tensor in tensors.items()} if "weight_ih" in tensors else tensors
    for name in ("weight_ih_l0", "weight_hh_l0"):
        if name not in cell:
            raise FileFormatError(f"{where} has no {name}; it has {listed(tensors)}")
    demand_finite(where, tensors)
    input_size, hidden, proj = _sizes(where, cell)
    places = [_LAYER.search(name) for name in cell]
    layers = 1 + max(int(place[1]) for place in places if place)
    if layers > len(cell):
        raise FileFormatError(f"{where} has tensors of layer {layers - 1}, and not of all layers before")
    settings: dict[str, Any] = {
        "num_layers": layers,
        "bias": "bias_ih_l0" in cell,
        "bidirectional": any(name.endswith("_reverse") for name in cell),
        "batch_first": batch_first,
    }
    kind = _GATES[cell["weight_hh_l0"].shape[0] // hidden]
    net = _made(where, kind, input_size, hidden, settings, nonlinearity, proj, cell["weight_ih_l0"].dtype)
    _load(where, net, cell)
    return net


def _sizes(where: str, cell: Mapping[str, Tensor]) -> tuple[int, int, int]:
    """Return I, H and the size of the projection, 0 without one."""
    w, u, p = cell["weight_ih_l0"], cell["weight_hh_l0"], cell.get("weight_hr_l0")
    check_shape(where, "weight_ih_l0", w, None, None)
    check_shape(where, "weight_hh_l0", u, None, None)
    if w.dtype not in FLOATS:
        raise FileFormatError(f"{where} has weights of {w.dtype}, no floats")
    if p is not None:
        check_shape(where, "weight_hr_l0", p, u.shape[1], None)
    hidden, proj = (u.shape[1], 0) if p is None else (p.shape[1], p.shape[0])
    if 0 in w.shape or not hidden or u.shape[0] % hidden or u.shape[0] // hidden not in _GATES:
        raise FileFormatError(
            f"{where} has weight_hh_l0 {list(u.shape)}, which is no RNN, GRU or LSTM (1, 3, 4 gates of {hidden})"
        )
    if p is not None and u.shape[0] != 4 * hidden:
        raise FileFormatError(f"{where} has a projection, weight_hr_l0, and is no LSTM")
    return w.shape[1], hidden, proj


def _made(
    where: str, kind: str, input_size: int, hidden: int, settings: dict[str, Any], nonlinearity: Nonlinearity | None,
    proj: int, dtype: torch.dtype,
) -> Network:  # fmt: skip
    with torch.random.fork_rng(devices=[]):  # an import draws nothing from the caller's generator
        if kind == "GRU":
            return GRU(input_size, hidden, **settings, dtype=dtype)
        if kind == "LSTM":
            return LSTM(input_size, hidden, **settings, proj_size=proj, dtype=dtype)
        if nonlinearity not in ("tanh", "relu"):
            raise UsageError(
                f"{where} is an RNN, and its tensors do not say of which function: pass nonlinearity='tanh' or 'relu', "
                f"not {quoted(nonlinearity)}"
            )
        return RNN(input_size, hidden, nonlinearity=nonlinearity, **settings, dtype=dtype)


def _load(where: str, net: Network, tensors: Mapping[str, Tensor]) -> None:
    expected = net.state_dict()
    missing = [name for name in expected if name not in tensors]
    extra = [name for name in tensors if name not in expected]
    if missing or extra:
        raise FileFormatError(
            f"{where} lacks {listed(missing)} and has {listed(extra)} beyond its {len(expected)} tensors"
        )
    for name, tensor in expected.items():
        check_shape(where, name, tensors[name], *tensor.shape)
        if tensors[name].dtype != tensor.dtype:
            raise FileFormatError(f"{where} has {name} in {tensors[name].dtype}, and others in {tensor.dtype}")
    net.load_state_dict(tensors)
    net.eval()


def _model(networks: Mapping[str, Network]) -> nn.Module:
    if len(networks) == 1:
        return next(iter(networks.values()))
    names = {name: name.replace(".", "_") or "network" for name in networks}
    if len(set(names.values())) != len(names):
        raise InputError(f"the modules {listed(networks)} have one name once their dots are underscores: pass prefix=")
    return nn.ModuleDict({names[name]: net for name, net in networks.items()})
